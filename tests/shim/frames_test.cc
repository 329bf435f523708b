#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

extern "C" {
#include "shim/frames.h"
}

namespace {

std::string build(const opelog_hello_facts& facts, std::size_t capacity = OPELOG_MAX_FRAME) {
  std::string packet(capacity, '\0');
  packet.resize(opelog_build_hello(packet.data(), capacity, &facts));
  return packet;
}

opelog_hello head(const std::string& packet) {
  opelog_hello hello{};
  std::memcpy(&hello, packet.data(), sizeof hello);
  return hello;
}

TEST(HelloFrame, CarriesWhatTheKernelCannotTell) {
  const std::string packet =
      build({OPELOG_HOW_COMMAND, 24, 80, 0, {}, "xterm", "ls", "orig", "1.2.3.4 5 6.7.8.9 22"});
  const opelog_hello hello = head(packet);
  EXPECT_EQ(hello.frame.magic, OPELOG_LOGIN_MAGIC);
  EXPECT_EQ(hello.frame.type, static_cast<std::uint32_t>(OPELOG_HELLO));
  EXPECT_EQ(hello.how, static_cast<std::uint32_t>(OPELOG_HOW_COMMAND));
  EXPECT_EQ(hello.rows, 24);
  EXPECT_EQ(hello.cols, 80);
  EXPECT_EQ(hello.has_command, 1U);
  EXPECT_EQ(hello.has_original, 1U);
  EXPECT_EQ(packet.substr(sizeof hello), "xtermlsorig1.2.3.4 5 6.7.8.9 22");
}

TEST(HelloFrame, AnEmptyCommandIsNotNoCommand) {
  EXPECT_EQ(head(build({OPELOG_HOW_COMMAND, 0, 0, 0, {}, nullptr, "", nullptr, nullptr})).has_command, 1U);
  EXPECT_EQ(head(build({OPELOG_HOW_LOGIN, 0, 0, 0, {}, nullptr, nullptr, nullptr, nullptr})).has_command, 0U);
}

TEST(HelloFrame, WhatATerminalWouldNotShowIsLeftOutAndTheLoginWorks) {
  const std::string packet =
      build({OPELOG_HOW_LOGIN, 0, 0, 0, {}, "xterm\nX", nullptr, nullptr, "1.2.3.4\x1b[2J"});
  EXPECT_EQ(packet.size(), sizeof(opelog_hello));
}

TEST(HelloFrame, LongTermAndClaimAreCut) {
  const std::string longer(1000, 'a');
  const opelog_hello hello =
      head(build({OPELOG_HOW_LOGIN, 0, 0, 0, {}, longer.c_str(), nullptr, nullptr, longer.c_str()}));
  EXPECT_EQ(hello.term_length, OPELOG_MAX_TERM);
  EXPECT_EQ(hello.claim_length, OPELOG_MAX_CLAIM);
}

TEST(HelloFrame, TheLongestCommandFitsAndTheOriginalTakesWhatIsLeft) {
  const std::string command(OPELOG_MAX_COMMAND, 'c');
  const std::string packet =
      build({OPELOG_HOW_COMMAND, 0, 0, 0, {}, "xterm", command.c_str(), command.c_str(), "claim"});
  EXPECT_EQ(packet.size(), OPELOG_MAX_FRAME);
  EXPECT_EQ(head(packet).command_length, OPELOG_MAX_COMMAND);
  EXPECT_EQ(head(packet).original_length,
            OPELOG_MAX_FRAME - sizeof(opelog_hello) - 5 - 5 - OPELOG_MAX_COMMAND);
  EXPECT_EQ(packet.substr(packet.size() - 5), "claim");
  const std::string longer = command + "c";
  EXPECT_EQ(build({OPELOG_HOW_COMMAND, 0, 0, 0, {}, nullptr, longer.c_str(), nullptr, nullptr}).size(), 0U);
}

TEST(HelloFrame, NothingIsWrittenBeyondTheCapacity) {
  const opelog_hello_facts facts{OPELOG_HOW_COMMAND, 0, 0, 0, {}, "xterm", "0123456789", nullptr, nullptr};
  const std::size_t need = build(facts).size();
  for (std::size_t n = 0; n < need; ++n) EXPECT_EQ(build(facts, n).size(), 0U) << n;
  EXPECT_EQ(build(facts, need).size(), need);
}

struct VerdictBytes {
  opelog_verdict head{{OPELOG_LOGIN_MAGIC, OPELOG_VERDICT}, OPELOG_PASS, 0, 0, 0, 0, 0, 0};
  std::string shell = "/bin/sh", message = "hello", session = "20260101-abc";
  [[nodiscard]] std::string bytes() const {
    opelog_verdict h = head;
    h.shell_length = static_cast<std::uint32_t>(shell.size());
    h.message_length = static_cast<std::uint32_t>(message.size());
    h.session_length = static_cast<std::uint32_t>(session.size());
    return std::string(reinterpret_cast<const char*>(&h), sizeof h) + shell + message + session;
  }
};

opelog_verdict_facts parsed;

// A shim with a terminal as 0 and 2, or with an input, an output and an error stream of their own.
opelog_hello_facts with_terminal() {
  opelog_hello_facts asked{};
  asked.how = OPELOG_HOW_LOGIN;
  asked.terminals = 5;
  return asked;
}
opelog_hello_facts with_own_terminal() {
  opelog_hello_facts asked = with_terminal();
  asked.how = OPELOG_HOW_REC;
  return asked;
}
opelog_hello_facts with_streams() {
  opelog_hello_facts asked{};
  asked.how = OPELOG_HOW_COMMAND;
  asked.streams[0] = OPELOG_STREAM_PIPE;
  asked.streams[1] = OPELOG_STREAM_SOCKET;
  asked.streams[2] = OPELOG_STREAM_AS_1;
  return asked;
}

int parse(const std::string& bytes, std::size_t descriptors = 0,
          const opelog_hello_facts& asked = with_terminal()) {
  return opelog_parse_verdict(bytes.data(), bytes.size(), descriptors, &asked, &parsed);
}

TEST(VerdictFrame, AGoodOneIsTaken) {
  VerdictBytes v;
  v.head.action = OPELOG_RECORD_TERMINAL;
  v.head.replace = 5;
  ASSERT_EQ(parse(v.bytes(), 2), 0);
  EXPECT_EQ(parsed.action, static_cast<std::uint32_t>(OPELOG_RECORD_TERMINAL));
  EXPECT_EQ(parsed.replace, 5U);
  EXPECT_STREQ(parsed.shell, "/bin/sh");
  EXPECT_STREQ(parsed.message, "hello");
  EXPECT_STREQ(parsed.session, "20260101-abc");
}

TEST(VerdictFrame, EachActionHasItsNumberOfDescriptors) {
  opelog_hello_facts kept{};
  kept.how = OPELOG_HOW_COMMAND;
  kept.streams[0] = OPELOG_STREAM_KEPT_TERMINAL;
  kept.streams[1] = OPELOG_STREAM_KEPT_FILE;
  kept.streams[2] = OPELOG_STREAM_KEPT_OTHER;
  const struct {
    std::uint32_t action, replace;
    opelog_hello_facts asked;
    std::vector<std::size_t> right;
  } rows[] = {
      {OPELOG_PASS, 0, with_terminal(), {0}},
      {OPELOG_REFUSE, 0, with_streams(), {0}},
      {OPELOG_RECORD_TERMINAL, 5, with_terminal(), {2}},
      {OPELOG_RECORD_TERMINAL, 5, with_own_terminal(), {2}},
      {OPELOG_RECORD_TERMINAL, 1, with_terminal(), {}},
      {OPELOG_RECORD_TERMINAL, 5, with_streams(), {}},
      {OPELOG_RECORD_TERMINAL, 0, with_streams(), {}},
      {OPELOG_RECORD_STREAMS, 0, with_streams(), {4}},
      {OPELOG_RECORD_STREAMS, 0, kept, {0}},
      {OPELOG_RECORD_STREAMS, 0, with_terminal(), {}},
      {0, 0, with_terminal(), {}},
      {5, 0, with_terminal(), {}},
  };
  for (const auto& row : rows) {
    for (std::size_t n = 0; n <= 8; ++n) {
      VerdictBytes v;
      v.head.action = row.action;
      v.head.replace = row.replace;
      const bool right = std::find(row.right.begin(), row.right.end(), n) != row.right.end();
      EXPECT_EQ(parse(v.bytes(), n, row.asked) == 0, right) << row.action << " with " << n;
    }
  }
}

TEST(VerdictFrame, EveryTruncationIsRefused) {
  const std::string good = VerdictBytes().bytes();
  ASSERT_EQ(parse(good), 0);
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_EQ(parse(good.substr(0, n)), -1) << n;
  EXPECT_EQ(parse(good + "x"), -1);
}

TEST(VerdictFrame, WhatBreaksARuleIsRefused) {
  const struct {
    const char* why;
    std::function<void(VerdictBytes&)> change;
    std::size_t descriptors;
  } rows[] = {
      {"magic", [](VerdictBytes& v) { ++v.head.frame.magic; }, 0},
      {"type", [](VerdictBytes& v) { v.head.frame.type = OPELOG_DONE; }, 0},
      {"relative shell", [](VerdictBytes& v) { v.shell = "sh"; }, 0},
      {"no shell", [](VerdictBytes& v) { v.shell = ""; }, 0},
      {"NUL in shell", [](VerdictBytes& v) { v.shell += std::string("\0x", 2); }, 0},
      {"NUL in message", [](VerdictBytes& v) { v.message += '\0'; }, 0},
      {"long shell", [](VerdictBytes& v) { v.shell += std::string(OPELOG_MAX_PATH, 'x'); }, 0},
      {"long message", [](VerdictBytes& v) { v.message = std::string(OPELOG_MAX_MESSAGE + 1, 'x'); }, 0},
      {"long session", [](VerdictBytes& v) { v.session = std::string(OPELOG_MAX_SESSION + 1, 'x'); }, 0},
      {"session with control character", [](VerdictBytes& v) { v.session = "a\n"; }, 0},
      {"exit code", [](VerdictBytes& v) { v.head.exit_code = 256; }, 0},
      {"recorded", [](VerdictBytes& v) { v.head.recorded = 2; }, 0},
      {"nothing replaced", [](VerdictBytes& v) { v.head.action = OPELOG_RECORD_TERMINAL; }, 2},
      {"too much replaced",
       [](VerdictBytes& v) {
         v.head.action = OPELOG_RECORD_TERMINAL;
         v.head.replace = 8;
       },
       2},
      {"no session",
       [](VerdictBytes& v) {
         v.head.action = OPELOG_RECORD_TERMINAL;
         v.head.replace = 5;
         v.session = "";
       },
       2},
  };
  for (const auto& row : rows) {
    VerdictBytes v;
    row.change(v);
    EXPECT_EQ(parse(v.bytes(), row.descriptors), -1) << row.why;
  }
}

TEST(VerdictFrame, LengthsThatOverflowTogetherAreRefused) {
  VerdictBytes v;
  std::string bytes = v.bytes();
  opelog_verdict h{};
  std::memcpy(&h, bytes.data(), sizeof h);
  const std::uint32_t sum = h.shell_length + h.message_length + h.session_length;
  h.shell_length = 0xffffffffU;
  h.message_length = 1;
  h.session_length = sum;
  std::memcpy(bytes.data(), &h, sizeof h);
  EXPECT_EQ(parse(bytes), -1);
}

TEST(VerdictFrame, RefusalsAndQueriesNeedNoShell) {
  VerdictBytes v;
  v.shell = v.session = "";
  v.head.action = OPELOG_REFUSE;
  v.head.exit_code = 77;
  EXPECT_EQ(parse(v.bytes()), 0);
  v.head.action = OPELOG_PASS;
  v.head.recorded = 1;
  opelog_hello_facts query{};
  query.how = OPELOG_HOW_QUERY;
  EXPECT_EQ(parse(v.bytes(), 0, query), 0);
  v.head.action = OPELOG_RECORD_STREAMS;
  v.shell = "/bin/sh";
  v.session = "s";
  EXPECT_EQ(parse(v.bytes(), 0, query), -1);
}

}  // namespace
