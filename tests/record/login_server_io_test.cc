// At the login socket: who is refused before his question is read. What becomes of a login that is heard is
// tested end to end.

#include "record/login_server_io.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <future>

#include "probe.h"
#include "record/seqpacket_listener_io.h"

namespace opelog::record {
namespace {

constexpr std::uint32_t kKeeps = 64997, kAnother = 64996;

// As that user: connects, and waits for an answer. 0: none came, and the other side hung up; 1: one came.
int ask_as(std::uint32_t uid, const std::string& path) {
  if (::setgroups(0, nullptr) != 0 || ::setresuid(uid, uid, uid) != 0) return 2;
  const Fd client(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 3;
  std::array<char, 4096> answer{};
  const ssize_t got = ::recv(client.get(), answer.data(), answer.size(), 0);
  const std::string_view text(answer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  return text.find("too many logins are waiting") != std::string_view::npos ? 1 : 0;
}

class LoginServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto listener = listen_seqpacket({path_, 0666, {}, 64});
    ASSERT_TRUE(listener.ok()) << listener.error().message;
    auto server = LoginServer::open(
        loop_, logins_, std::move(*listener), [](const Fact&) {}, recorder_);
    ASSERT_TRUE(server.ok());
    server_ = std::move(*server);
    server_->configure({});
  }
  void TearDown() override {
    logins_.abandon();
    sessions_.abandon();
    leave_.set_value();
  }

  void keep_waiting(UserWork& work, int calls) {
    for (int i = 0; i < calls; ++i)
      work.run(
          kKeeps, [told = told_] { told.wait(); }, [] {});
  }

  // What becomes of a login of that user: 1 refused, 0 taken.
  int login_of(std::uint32_t uid) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(ask_as(uid, path_));
    Timer tick(loop_, [] {});
    tick.start(1, 1);
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      loop_.run_once(true);
      if (server_->pending() > 0) server_->stop();  // it was taken, and hears nothing but the end
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  test::ScratchDirectory directory_;
  std::string path_ = directory_ / "login.sock";
  std::promise<void> leave_;
  std::shared_future<void> told_ = leave_.get_future().share();
  Loop loop_;
  UserWork logins_{loop_}, sessions_{loop_};
  Recorder recorder_{loop_, sessions_, [](const Fact&) {}, {}};
  std::unique_ptr<LoginServer> server_;
};

TEST_F(LoginServerTest, WhoKeepsCallsOfSessionsAndLoginsWaitingIsRefused) {
  keep_waiting(sessions_, 500);
  keep_waiting(logins_, 12);
  EXPECT_EQ(login_of(kKeeps), 1);
  EXPECT_EQ(server_->counts().refused, 1u);
}

TEST_F(LoginServerTest, OneLessAndHeIsNot) {
  keep_waiting(sessions_, 500);
  keep_waiting(logins_, 11);
  EXPECT_EQ(login_of(kKeeps), 0);
  EXPECT_EQ(server_->counts().refused, 0u);
}

TEST_F(LoginServerTest, AnotherIsNotRefusedForIt) {
  keep_waiting(sessions_, 600);
  EXPECT_EQ(login_of(kAnother), 0);
  EXPECT_EQ(server_->counts().refused, 0u);
}

}  // namespace
}  // namespace opelog::record
