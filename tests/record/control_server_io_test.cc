#include "record/control_server_io.h"

#include <sys/resource.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>

#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;
using Json = nlohmann::json;

constexpr gid_t kAuditors = 64998;

class Handler final : public ControlHandler {
 public:
  StatusAnswer status() override {
    ++calls;
    return {};
  }
  std::vector<SessionRow> sessions() override { return std::vector<SessionRow>(rows); }
  Result<std::string> kill(const std::string& session) override {
    if (session != "ab") return Error{Code::kNotFound, "no session " + session, 0};
    return std::string("abcd");
  }
  void reload(Reply<std::string> reply) override {
    if (hold) return waiting.push_back(std::move(reply));
    reply(std::string("digest"));
  }
  Status reopen_log() override { return {}; }
  void thaw(int seconds, Reply<std::int64_t> reply) override { reply(std::int64_t{seconds}); }
  void freeze(Reply<std::int64_t> reply) override { reply(Error{Code::kIo, "disk", 5}); }
  std::string dump() override { return "state"; }
  void prune(const std::string& recording, format::PruneReason why, Reply<std::int64_t> reply) override {
    pruned = recording + " " + format::prune_word(why);
    reply(std::int64_t{4711});
  }
  void compressed(const std::string&, Reply<std::int64_t> reply) override {
    reply(Error{Code::kDenied, "held", 0});
  }
  Status viewed(uid_t uid, const std::string& recording, format::View what) override {
    seen = std::to_string(uid) + " " + recording + " " + format::view_word(what);
    return recording == "refused" ? Status{Error{Code::kIo, "no ledger", 0}} : Status{};
  }
  void rotate_key(Reply<RotatedKeyAnswer> reply) override { reply(RotatedKeyAnswer{"new", "old", 7}); }
  std::string pruned, seen;

  int calls = 0;
  std::size_t rows = 2;
  bool hold = false;
  std::vector<Reply<std::string>> waiting;
};

class ControlServerTest : public ::testing::Test {
 protected:
  void start(ControlLimits limits = {}) {
    auto listener = listen_seqpacket({path_, 0666, {}, 64});
    ASSERT_TRUE(listener) << listener.error().message;
    serve(std::move(listener).value(), limits);
  }

  void serve(Fd listener, ControlLimits limits = {}) {
    auto server = ControlServer::start(
        loop_, std::move(listener), kAuditors, handler_, [this](const Fact& fact) { facts_.push_back(fact); },
        limits);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(server).value();
  }

  Fd connect() {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, sizeof name.sun_path - 1);
    Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    return fd;
  }

  // Turns the loop until `done`; false at the deadline.
  bool turn_until(const std::function<bool()>& done) {
    bool late = false;
    Timer deadline(loop_, [&] { late = true; });
    deadline.start(kDeadlineMs);
    while (!done() && !late) loop_.run_once(true);
    return !late;
  }

  // One packet; "" at the end of the connection.
  std::string receive(const Fd& client) {
    std::string packet(kMaxAnswerPacket + 1, '\0');
    ssize_t n = -1;
    EXPECT_TRUE(turn_until([&] {
      n = ::recv(client.get(), packet.data(), packet.size(), MSG_DONTWAIT);
      return n >= 0 || errno != EAGAIN;
    }));
    packet.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return packet;
  }

  static void send(const Fd& client, const std::string& packet) {
    ASSERT_EQ(::send(client.get(), packet.data(), packet.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(packet.size()));
  }

  std::string ask(const Fd& client, const std::string& packet) {
    send(client, packet);
    return receive(client);
  }

  // What somebody else gets as the first answer to `request`; "" if he is turned away without one.
  std::string ask_as(uid_t uid, const std::vector<gid_t>& groups, const std::string& request) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd in(ends[0]);
    Fd out(ends[1]);
    const pid_t pid = ::fork();
    if (pid == 0) {
      become(uid, kStrangerGroup, groups);
      const Fd client = connect();
      (void)::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
      char answer[4096];
      const auto n = ::recv(client.get(), answer, sizeof answer, 0);
      (void)write_all(out.get(), std::string_view(answer, n > 0 ? static_cast<std::size_t>(n) : 0));
      ::_exit(0);
    }
    const Child child(pid);
    out.reset();
    std::string answer(4096, '\0');
    pollfd readable{in.get(), POLLIN, 0};
    // The other process does not wake our loop for its answer, so the pipe is looked at between turns.
    Timer tick(loop_, [] {});
    tick.start(1, 1);
    EXPECT_TRUE(turn_until([&] { return ::poll(&readable, 1, 0) == 1; }));
    const auto n = ::read(in.get(), answer.data(), answer.size());
    answer.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return answer;
  }

  ScratchDirectory scratch_;
  std::string path_ = scratch_ / "control.sock";
  Loop loop_;
  Handler handler_;
  std::vector<Fact> facts_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlServerTest, RootAsksEverythingOverOneConnection) {
  start();
  const auto client = connect();
  EXPECT_EQ(Json::parse(ask(client, R"({"op":"status"})"))["ok"], true);
  EXPECT_EQ(Json::parse(ask(client, R"({"op":"sessions"})"))["sessions"].size(), 2u);
  EXPECT_EQ(ask(client, R"({"op":"kill","session":"ab"})"), R"({"ok":true,"session":"abcd"})");
  EXPECT_EQ(ask(client, R"({"op":"kill","session":"x"})"),
            R"({"ok":false,"code":"not-found","message":"no session x"})");
  EXPECT_EQ(ask(client, R"({"op":"reload"})"), R"({"ok":true,"digest":"digest"})");
  EXPECT_EQ(ask(client, R"({"op":"reopen-log"})"), R"({"ok":true})");
  EXPECT_EQ(ask(client, R"({"op":"thaw","seconds":9})"), R"({"ok":true,"files":9})");
  EXPECT_EQ(ask(client, R"({"op":"freeze"})"), R"({"ok":false,"code":"io","message":"disk"})");
  EXPECT_EQ(ask(client, R"({"op":"prune","recording":"a","why":"size"})"), R"({"ok":true,"bytes":4711})");
  EXPECT_EQ(handler_.pruned, "a size");
  EXPECT_EQ(ask(client, R"({"op":"compressed","recording":"a"})"),
            R"({"ok":false,"code":"denied","message":"held"})");
  EXPECT_EQ(ask(client, R"({"op":"rotate-key"})"), R"({"ok":true,"log":"new","former":"old","size":7})");
  EXPECT_EQ(ask(client, R"({"op":"viewed","recording":"a","what":"play"})"), R"({"ok":true})");
  EXPECT_EQ(handler_.seen, "0 a play");
  EXPECT_EQ(ask(client, R"({"op":"viewed","recording":"refused","what":"play"})"),
            R"({"ok":false,"code":"io","message":"no ledger"})");
  EXPECT_EQ(ask(client, R"({"op":"dump"})"), R"({"ok":true,"dump":"state"})");
  EXPECT_EQ(server_->connections(), 1u);
}

TEST_F(ControlServerTest, AnAuditorMayLookAndNothingElseAndItIsStatedOnce) {
  start();
  EXPECT_EQ(Json::parse(ask_as(kStranger, {kAuditors}, R"({"op":"status"})"))["ok"], true);
  EXPECT_EQ(Json::parse(ask_as(kStranger, {1, 2, kAuditors}, R"({"op":"sessions"})"))["ok"], true);
  // Who reads is what the kernel says.
  EXPECT_EQ(ask_as(kStranger, {kAuditors}, R"({"op":"viewed","recording":"a_b","what":"show"})"),
            R"({"ok":true})");
  EXPECT_EQ(handler_.seen, std::to_string(kStranger) + " a_b show");
  EXPECT_TRUE(facts_.empty());
  for (const char* op : {"reload", "freeze", "thaw", "dump", "reopen-log", "rotate-key"}) {
    facts_.clear();
    const auto answer = ask_as(kStranger, {kAuditors}, R"({"op":")" + std::string(op) + "\"}");
    EXPECT_EQ(Json::parse(answer)["code"], "denied") << op;
    ASSERT_EQ(facts_.size(), 1u);
    EXPECT_EQ(facts_[0].event, "control-denied");
  }
}

TEST_F(ControlServerTest, AStrangerIsTurnedAwayBeforeHeIsHeard) {
  start();
  const auto answer = ask_as(kStranger, {1, 2}, R"({"op":"status"})");
  EXPECT_EQ(Json::parse(answer)["code"], "denied");
  EXPECT_EQ(handler_.calls, 0);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(ControlServerTest, GarbageIsAnsweredAndTheConnectionClosed) {
  start();
  for (const auto& garbage :
       {std::string("x"), std::string(5000, '{'), std::string(100000, ' '), std::string("\0", 1)}) {
    const auto client = connect();
    EXPECT_EQ(Json::parse(ask(client, garbage))["code"], "invalid");
    EXPECT_EQ(receive(client), "");
  }
  EXPECT_TRUE(turn_until([&] { return server_->connections() == 0; }));
}

// sendmsg(2)'s errno, 0 if the request and three descriptors are on their way.
int send_with_descriptors(const Fd& client, std::string request) {
  iovec part{request.data(), request.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 3)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * 3);
  const int fds[3] = {0, 1, 2};
  std::copy_n(reinterpret_cast<const char*>(fds), sizeof fds, reinterpret_cast<char*>(CMSG_DATA(header)));
  return ::sendmsg(client.get(), &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

// Whether the kernel can refuse descriptors: SO_PASSRIGHTS, from Linux 6.16 on.
bool refuses_descriptors() {
  const Fd probe(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(probe.get(), SOL_SOCKET, 83, &value, &length) == 0;
}

TEST_F(ControlServerTest, NobodyCanSendADescriptorAtAnyTime) {
  if (!refuses_descriptors()) GTEST_SKIP() << "this kernel is older than SO_PASSRIGHTS (6.16)";
  start();
  const auto client = connect();
  EXPECT_EQ(send_with_descriptors(client, R"({"op":"status"})"), EPERM) << "before it was accepted";
  EXPECT_EQ(Json::parse(ask(client, R"({"op":"status"})"))["ok"], true);
  EXPECT_EQ(send_with_descriptors(client, R"({"op":"status"})"), EPERM);
  EXPECT_EQ(Json::parse(ask(client, R"({"op":"status"})"))["ok"], true);
  EXPECT_EQ(handler_.calls, 2) << "what was refused did not come without its descriptors either";
}

// As systemd holds the socket until the daemon is there. What was sent by then is dropped.
TEST_F(ControlServerTest, DescriptorsOfAConnectionOlderThanTheServerAreDroppedAndNoFurtherOnesTaken) {
  auto listener = listen_seqpacket({path_, 0666, {}, 64});
  ASSERT_TRUE(listener) << listener.error().message;
  auto client = connect();
  ASSERT_EQ(send_with_descriptors(client, R"({"op":"status"})"), 0);
  serve(std::move(listener).value());
  const auto before = std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  EXPECT_EQ(Json::parse(receive(client))["ok"], true);
  EXPECT_EQ(send_with_descriptors(client, R"({"op":"status"})"), refuses_descriptors() ? EPERM : 0);
  client.reset();
  EXPECT_TRUE(turn_until([&] { return server_->connections() == 0; }));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}), before - 1)
      << "the client";
}

TEST_F(ControlServerTest, TooManyConnectionsAreToldSoAndTheOthersGoOn) {
  ControlLimits limits;
  limits.connections_of_uid = 3;
  start(limits);
  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(connect());
    EXPECT_EQ(Json::parse(ask(clients.back(), R"({"op":"status"})"))["ok"], true);
  }
  const auto late = connect();
  EXPECT_EQ(Json::parse(receive(late))["code"], "limit");
  EXPECT_EQ(receive(late), "");
  EXPECT_EQ(Json::parse(ask_as(kStranger, {kAuditors}, R"({"op":"status"})"))["ok"], true)
      << "another uid has its own share";
  EXPECT_EQ(Json::parse(ask(clients[0], R"({"op":"status"})"))["ok"], true);
  clients.pop_back();
  EXPECT_TRUE(turn_until([&] { return server_->connections() == 2; }));
  EXPECT_EQ(Json::parse(ask(connect(), R"({"op":"status"})"))["ok"], true);
}

TEST_F(ControlServerTest, ASilentConnectionIsClosed) {
  ControlLimits limits;
  limits.silence_ms = 20;
  start(limits);
  const auto client = connect();
  EXPECT_EQ(receive(client), "");
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(ControlServerTest, AnAnswerForASlowReaderWaitsWithoutHarmAndComesWhole) {
  start();
  handler_.rows = 4000;
  const auto slow = connect();
  send(slow, R"({"op":"sessions"})");
  const auto other = connect();
  EXPECT_EQ(Json::parse(ask(other, R"({"op":"dump"})"))["ok"], true);
  std::size_t rows = 0;
  for (;;) {
    const auto part = Json::parse(receive(slow));
    ASSERT_EQ(part["ok"], true);
    rows += part["sessions"].size();
    if (!part.contains("more")) break;
  }
  EXPECT_EQ(rows, handler_.rows);
  EXPECT_EQ(Json::parse(ask(slow, R"({"op":"dump"})"))["ok"], true);
}

TEST_F(ControlServerTest, AnAnswerBeyondTheBoundIsAnError) {
  start();
  handler_.rows = 40000;
  EXPECT_EQ(Json::parse(ask(connect(), R"({"op":"sessions"})"))["code"], "limit");
}

TEST_F(ControlServerTest, AReaderThatTakesNothingIsDropped) {
  ControlLimits limits;
  limits.silence_ms = 20;
  start(limits);
  handler_.rows = 4000;
  const auto client = connect();
  send(client, R"({"op":"sessions"})");
  EXPECT_TRUE(turn_until([&] { return server_->connections() == 1; }));
  EXPECT_TRUE(turn_until([&] { return server_->connections() == 0; }));
}

TEST_F(ControlServerTest, ALateAnswerFindsItsClientHoweverLongItTook) {
  ControlLimits limits;
  limits.silence_ms = 20;
  start(limits);
  handler_.hold = true;
  const auto client = connect();
  send(client, R"({"op":"reload"})");
  const auto silent = connect();
  EXPECT_TRUE(turn_until([&] { return handler_.waiting.size() == 1; }));
  EXPECT_EQ(receive(silent), "") << "longer than the allowed silence";
  handler_.waiting[0](std::string("late"));
  EXPECT_EQ(receive(client), R"({"ok":true,"digest":"late"})");
}

TEST_F(ControlServerTest, ALateAnswerForAClientThatLeftIsForgotten) {
  start();
  handler_.hold = true;
  auto client = connect();
  send(client, R"({"op":"reload"})");
  EXPECT_TRUE(turn_until([&] { return handler_.waiting.size() == 1; }));
  client.reset();
  server_.reset();
  handler_.waiting[0](std::string("late"));
  EXPECT_EQ(facts_.size(), 1u);
}

TEST_F(ControlServerTest, EveryCommandOfRootIsStated) {
  start();
  const auto client = connect();
  ask(client, R"({"op":"freeze"})");
  ask(client, R"({"op":"status"})");
  ASSERT_EQ(facts_.size(), 1u);
  EXPECT_EQ(facts_[0].event, "control");
  EXPECT_NE(facts_[0].text.find("freeze"), std::string::npos);
}

TEST_F(ControlServerTest, WithoutDescriptorsLeftTheServerRestsAndComesBack) {
  start();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const auto client = connect();
  send(client, R"({"op":"status"})");
  const Fd last(::dup(0));
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(last.get());  // nothing above what is open now
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_TRUE(turn_until([&] { return !facts_.empty(); }));
  EXPECT_EQ(facts_[0].event, "control-accept");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(Json::parse(receive(client))["ok"], true);
  EXPECT_EQ(facts_.size(), 1u);
}

}  // namespace
}  // namespace opelog::record
