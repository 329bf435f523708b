#include "cli/control_client_io.h"

#include <gtest/gtest.h>

#include <atomic>

#include "support_io.h"

namespace opelog::cli {
namespace {

using testing::FakeDaemon;
using testing::opelog;
using testing::TempDir;

TEST(ControlClient, GathersThePacketsOfOneAnswer) {
  TempDir dir;
  FakeDaemon daemon(dir.file("s"), [](const std::string& request) {
    EXPECT_EQ(request, R"({"op":"sessions"})");
    return std::vector<std::string>{R"({"ok":true,"n":1,"more":true})", R"({"ok":true,"n":2})"};
  });
  auto client = ControlClient::connect(dir.file("s"));
  ASSERT_TRUE(client) << client.error().message;
  const auto packets = client->ask(R"({"op":"sessions"})");
  ASSERT_TRUE(packets) << packets.error().message;
  ASSERT_EQ(packets->size(), 2U);
  EXPECT_EQ((*packets)[1].number_or("n", 0), 2);
}

TEST(ControlClient, NobodyThereIsGoneWithTheRemedy) {
  TempDir dir;
  const auto client = ControlClient::connect(dir.file("nothing"));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, Code::kGone);
  EXPECT_NE(client.error().message.find("systemctl start opelogd"), std::string::npos);
}

TEST(ControlClient, AClosedConnectionIsGone) {
  TempDir dir;
  FakeDaemon daemon(dir.file("s"), [](const std::string&) { return std::vector<std::string>{}; });
  auto client = ControlClient::connect(dir.file("s"));
  ASSERT_TRUE(client);
  EXPECT_EQ(client->ask("{}").error().code, Code::kGone);
}

TEST(ControlClient, GarbageAndOversizeAreInvalid) {
  for (const std::string& packet :
       {std::string("garbage"), "{\"ok\":true,\"x\":\"" + std::string(kMaxAnswer, 'x') + "\"}"}) {
    TempDir dir;
    FakeDaemon daemon(dir.file("s"), [&](const std::string&) { return std::vector<std::string>{packet}; });
    auto client = ControlClient::connect(dir.file("s"));
    ASSERT_TRUE(client);
    EXPECT_EQ(client->ask("{}").error().code, Code::kInvalid);
  }
}

TEST(ControlClient, APathThatFitsNoSocketIsInvalid) {
  EXPECT_EQ(ControlClient::connect(std::string(200, 'x')).error().code, Code::kInvalid);
  EXPECT_EQ(ControlClient::connect("").error().code, Code::kInvalid);
}

TEST(ControlCommands, ExitCodesFollowTheAnswer) {
  TempDir dir;
  std::atomic<const char*> answer = "";
  FakeDaemon daemon(dir.file("s"),
                    [&](const std::string&) { return std::vector<std::string>{answer.load()}; });
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--control", dir.file("s")});
    return opelog(words);
  };
  answer = R"({"ok":true,"session":"3fa9"})";
  auto ran = ask({"kill", "3f"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, "ended: 3fa9\n");
  answer = R"({"ok":false,"code":"denied","message":"only root\u001b[31m"})";
  ran = ask({"kill", "3f"});
  EXPECT_EQ(ran.status, 4);
  EXPECT_EQ(ran.err, "opelog: only root\\x1b[31m\n");
  answer = R"({"ok":false,"code":"not-found","message":"no such session"})";
  EXPECT_EQ(ask({"kill", "3f"}).status, 3);
  answer = R"({"ok":true,"files":12})";
  EXPECT_EQ(ask({"thaw", "--seconds", "5m"}).out, "thawed files: 12\n");
  EXPECT_EQ(ask({"freeze"}).out, "frozen files: 12\n");
  answer = R"({"ok":true,"digest":"abc"})";
  EXPECT_EQ(ask({"reload"}).out, "policy in force: abc\n");
  answer = R"({"ok":true,"dump":"one\ntwo\u001b\n"})";
  EXPECT_EQ(ask({"dump"}).out, "one\ntwo\\x1b\n");
  answer = R"({"ok":true,"degraded":[]})";
  EXPECT_EQ(ask({"status"}).status, 0);
  EXPECT_EQ(ask({"status", "--json"}).out, "{\"ok\":true,\"degraded\":[]}\n");
  answer = R"({"ok":true,"degraded":[{"what":"x","remedy":"y"}]})";
  EXPECT_EQ(ask({"status"}).status, 1);
  EXPECT_EQ(ask({"thaw", "--seconds", "soon"}).status, 2);
}

TEST(ControlCommands, WithoutADaemonTheExitCodeIsSix) {
  for (const char* command : {"status", "freeze", "thaw", "reload", "dump", "reopen-log"}) {
    EXPECT_EQ(opelog({command, "--control", "/nonexistent/socket"}).status, 6) << command;
  }
}

}  // namespace
}  // namespace opelog::cli
