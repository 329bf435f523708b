#include "record/login_message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>

namespace opelog::record {
namespace {

struct HelloBytes {
  opelog_hello head{{OPELOG_LOGIN_MAGIC, OPELOG_HELLO},
                    OPELOG_HOW_COMMAND,
                    1,
                    1,
                    0,
                    {OPELOG_STREAM_PIPE, OPELOG_STREAM_PIPE, OPELOG_STREAM_KEPT_FILE},
                    24,
                    80,
                    0,
                    0,
                    0,
                    0};
  std::string term = "xterm", command = "ls -l", original = "orig", claim = "1.2.3.4 5 6.7.8.9 22";
  [[nodiscard]] std::string bytes() const {
    opelog_hello h = head;
    h.term_length = static_cast<std::uint32_t>(term.size());
    h.command_length = static_cast<std::uint32_t>(command.size());
    h.original_length = static_cast<std::uint32_t>(original.size());
    h.claim_length = static_cast<std::uint32_t>(claim.size());
    return std::string(reinterpret_cast<const char*>(&h), sizeof h) + term + command + original + claim;
  }
};

template <typename T>
std::string bytes_of(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

TEST(LoginMessage, AHelloIsTakenAsItIs) {
  auto hello = decode_hello(HelloBytes().bytes(), 0);
  ASSERT_TRUE(hello) << hello.error().message;
  Hello expected;
  expected.how = OPELOG_HOW_COMMAND;
  expected.command = "ls -l";
  expected.original = "orig";
  expected.term = "xterm";
  expected.claim = "1.2.3.4 5 6.7.8.9 22";
  expected.rows = 24;
  expected.cols = 80;
  expected.streams = {OPELOG_STREAM_PIPE, OPELOG_STREAM_PIPE, OPELOG_STREAM_KEPT_FILE};
  EXPECT_EQ(*hello, expected);
}

TEST(LoginMessage, AnEmptyCommandIsNotNoCommand) {
  HelloBytes h;
  h.command = h.original = "";
  auto hello = decode_hello(h.bytes(), 0);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->command, "");
  EXPECT_EQ(hello->original, "");
  h.head.how = OPELOG_HOW_LOGIN;
  h.head.has_command = h.head.has_original = 0;
  hello = decode_hello(h.bytes(), 0);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->command, std::nullopt);
  EXPECT_EQ(hello->original, std::nullopt);
}

TEST(LoginMessage, TheCommandOfForceIsTheOriginalOne) {
  HelloBytes h;
  h.head.how = OPELOG_HOW_FORCE;
  h.head.has_command = 0;
  h.command = "";
  auto hello = decode_hello(h.bytes(), 0);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->command, "orig");
}

TEST(LoginMessage, CommandsMayHoldAnyByteButNul) {
  HelloBytes h;
  h.command = "\x1b]0;x\x07\n\xff\xfe";
  auto hello = decode_hello(h.bytes(), 0);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->command, h.command);
}

// One that stays the user's never does.
TEST(LoginMessage, OnlyATerminalThatIsToBeTakenComesAsADescriptor) {
  for (std::uint32_t how = OPELOG_HOW_LOGIN; how <= OPELOG_HOW_QUERY; ++how) {
    for (std::uint8_t terminals = 0; terminals < 10; ++terminals) {
      HelloBytes h;
      h.head.how = how;
      h.head.terminals = terminals;
      for (int i = 0; i < 3; ++i) {
        h.head.streams[i] = how == OPELOG_HOW_QUERY || (terminals >> i & 1) != 0 ? OPELOG_STREAM_NONE
                                                                                 : OPELOG_STREAM_KEPT_FILE;
      }
      if (how == OPELOG_HOW_FORCE) {
        h.head.has_command = 0;
        h.command = "";
      }
      const bool possible =
          terminals == 0 || (how != OPELOG_HOW_QUERY && terminals <= 7 && terminals % 2 == 1);
      const std::size_t right = terminals != 0 && how != OPELOG_HOW_REC ? 1 : 0;
      for (std::size_t n = 0; n <= 8; ++n) {
        auto hello = decode_hello(h.bytes(), n);
        EXPECT_EQ(hello.ok(), possible && n == right) << how << " " << int{terminals} << " " << n;
        if (hello) {
          EXPECT_EQ(hello->terminals, terminals);
        }
      }
    }
  }
}

TEST(LoginMessage, OnlyStreamsThatAShimCanFindAreTaken) {
  constexpr std::uint8_t none = OPELOG_STREAM_NONE, socket = OPELOG_STREAM_SOCKET, pipe = OPELOG_STREAM_PIPE,
                         as_0 = OPELOG_STREAM_AS_0, as_1 = OPELOG_STREAM_AS_1,
                         tty = OPELOG_STREAM_KEPT_TERMINAL, file = OPELOG_STREAM_KEPT_FILE,
                         device = OPELOG_STREAM_KEPT_DEVICE, other = OPELOG_STREAM_KEPT_OTHER;
  struct Row {
    std::array<std::uint8_t, 3> streams;
    std::vector<std::uint8_t> terminals;  ///< with which of these it is taken; 0: without a terminal
  };
  const Row table[] = {
      {{file, file, file}, {0}},
      {{tty, device, other}, {0}},
      {{socket, as_0, as_0}, {0}},
      {{socket, as_0, pipe}, {0}},
      {{pipe, pipe, as_1}, {0}},
      {{pipe, pipe, pipe}, {0}},
      {{device, socket, as_1}, {0}},
      {{socket, tty, as_0}, {0}},
      {{socket, pipe, as_0}, {0}},
      {{none, none, none}, {7}},
      {{none, none, tty}, {3}},
      {{none, file, none}, {5}},
      {{none, other, device}, {1}},
      // what no shim finds
      {{as_0, file, file}, {}},
      {{as_1, file, file}, {}},
      {{socket, as_1, file}, {}},
      {{pipe, as_0, file}, {}},
      {{file, as_0, file}, {}},
      {{file, file, as_0}, {}},
      {{socket, as_0, as_1}, {}},
      {{file, file, as_1}, {}},
      {{other + 1, file, file}, {}},
      {{file, file, 255}, {}},
      {{none, pipe, none}, {}},
      {{none, none, as_0}, {}},
      {{file, none, none}, {}},
  };
  for (const Row& row : table) {
    const auto taken = [&row](std::uint32_t how, std::uint8_t terminals) {
      HelloBytes h;
      h.head.how = how;
      h.head.terminals = terminals;
      std::copy(row.streams.begin(), row.streams.end(), std::begin(h.head.streams));
      auto hello = decode_hello(h.bytes(), terminals != 0 ? 1 : 0);
      if (hello) {
        EXPECT_EQ(hello->streams, row.streams);
      }
      return hello.ok();
    };
    for (const std::uint8_t terminals : std::initializer_list<std::uint8_t>{0, 1, 3, 5, 7}) {
      const bool right =
          std::find(row.terminals.begin(), row.terminals.end(), terminals) != row.terminals.end();
      EXPECT_EQ(taken(OPELOG_HOW_COMMAND, terminals), right)
          << int{row.streams[0]} << " " << int{row.streams[1]} << " " << int{row.streams[2]}
          << " with terminals " << int{terminals};
    }
    EXPECT_EQ(taken(OPELOG_HOW_QUERY, 0), row.streams == (std::array<std::uint8_t, 3>{}));
  }
}

TEST(LoginMessage, EveryTruncationAndEveryExtraByteIsRefused) {
  const std::string good = HelloBytes().bytes();
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(decode_hello(good.substr(0, n), 0)) << n;
  EXPECT_FALSE(decode_hello(good + "x", 0));
}

TEST(LoginMessage, TheLongestOfEachIsTakenOneMoreIsNot) {
  const struct {
    std::string HelloBytes::*text;
    std::size_t limit;
  } rows[] = {{&HelloBytes::term, OPELOG_MAX_TERM},
              {&HelloBytes::command, OPELOG_MAX_COMMAND},
              {&HelloBytes::original, OPELOG_MAX_COMMAND},
              {&HelloBytes::claim, OPELOG_MAX_CLAIM}};
  for (const auto& row : rows) {
    HelloBytes h;
    h.*row.text = std::string(row.limit, 'x');
    EXPECT_TRUE(decode_hello(h.bytes(), 0)) << row.limit;
    h.*row.text += 'x';
    EXPECT_FALSE(decode_hello(h.bytes(), 0)) << row.limit;
  }
  HelloBytes h;
  h.command = h.original = std::string(OPELOG_MAX_COMMAND, 'x');
  EXPECT_FALSE(decode_hello(h.bytes(), 0)) << "longer than a frame";
}

TEST(LoginMessage, WhatBreaksARuleIsRefusedWithAReason) {
  const struct {
    const char* why;
    std::function<void(HelloBytes&)> change;
  } rows[] = {
      {"magic", [](HelloBytes& h) { ++h.head.frame.magic; }},
      {"type", [](HelloBytes& h) { h.head.frame.type = OPELOG_VERDICT; }},
      {"how 0", [](HelloBytes& h) { h.head.how = 0; }},
      {"how 7", [](HelloBytes& h) { h.head.how = 7; }},
      {"flag 2", [](HelloBytes& h) { h.head.has_command = 2; }},
      {"original flag 2", [](HelloBytes& h) { h.head.has_original = 2; }},
      {"command without flag", [](HelloBytes& h) { h.head.has_command = 0; }},
      {"original without flag", [](HelloBytes& h) { h.head.has_original = 0; }},
      {"-c without command",
       [](HelloBytes& h) {
         h.head.has_command = 0;
         h.command = "";
       }},
      {"FORCE with a command", [](HelloBytes& h) { h.head.how = OPELOG_HOW_FORCE; }},
      {"TERM with newline", [](HelloBytes& h) { h.term = "xterm\nx"; }},
      {"TERM with escape", [](HelloBytes& h) { h.term = "\x1b[2J"; }},
      {"TERM with high byte", [](HelloBytes& h) { h.term = "xt\xc3\xa4rm"; }},
      {"TERM with NUL", [](HelloBytes& h) { h.term += '\0'; }},
      {"claim with newline", [](HelloBytes& h) { h.claim = "1\n2"; }},
      {"command with NUL", [](HelloBytes& h) { h.command += '\0'; }},
      {"original with NUL", [](HelloBytes& h) { h.original.insert(0, 1, '\0'); }},
  };
  for (const auto& row : rows) {
    HelloBytes h;
    row.change(h);
    auto hello = decode_hello(h.bytes(), 0);
    ASSERT_FALSE(hello) << row.why;
    EXPECT_EQ(hello.error().code, Code::kInvalid) << row.why;
    EXPECT_FALSE(hello.error().message.empty()) << row.why;
  }
}

TEST(LoginMessage, LengthsThatOverflowTogetherAreRefused) {
  std::string bytes = HelloBytes().bytes();
  opelog_hello h;
  std::memcpy(&h, bytes.data(), sizeof h);
  const std::uint32_t sum = h.term_length + h.command_length + h.original_length + h.claim_length;
  for (std::uint32_t opelog_hello::*field : {&opelog_hello::term_length, &opelog_hello::command_length,
                                             &opelog_hello::original_length, &opelog_hello::claim_length}) {
    opelog_hello bad = h;
    bad.term_length = bad.command_length = bad.original_length = bad.claim_length = 0;
    bad.*field = sum - 0x80000000U;
    (field == &opelog_hello::claim_length ? bad.term_length : bad.claim_length) = 0x80000000U;
    std::memcpy(bytes.data(), &bad, sizeof bad);
    EXPECT_FALSE(decode_hello(bytes, 0));
  }
}

TEST(ClientFrame, StartedResizedAndEndedAreTaken) {
  auto started = decode_client_frame(bytes_of(opelog_started{{OPELOG_LOGIN_MAGIC, OPELOG_STARTED}, 77}));
  ASSERT_TRUE(started);
  EXPECT_EQ(*started, (ClientFrame{OPELOG_STARTED, 77, false, 0, 0, 0, 0, 0}));
  auto resized =
      decode_client_frame(bytes_of(opelog_resized{{OPELOG_LOGIN_MAGIC, OPELOG_RESIZED}, 24, 80, 65535, 0}));
  ASSERT_TRUE(resized);
  EXPECT_EQ(*resized, (ClientFrame{OPELOG_RESIZED, 0, false, 0, 24, 80, 65535, 0}));
  auto ended = decode_client_frame(bytes_of(opelog_ended{{OPELOG_LOGIN_MAGIC, OPELOG_ENDED}, 1, 255}));
  ASSERT_TRUE(ended);
  EXPECT_EQ(*ended, (ClientFrame{OPELOG_ENDED, 0, true, 255, 0, 0, 0, 0}));
  ended = decode_client_frame(bytes_of(opelog_ended{{OPELOG_LOGIN_MAGIC, OPELOG_ENDED}, 0, 9}));
  ASSERT_TRUE(ended);
  EXPECT_EQ(*ended, (ClientFrame{OPELOG_ENDED, 0, false, 9, 0, 0, 0, 0}));
}

TEST(ClientFrame, EverythingElseIsRefused) {
  const std::string started = bytes_of(opelog_started{{OPELOG_LOGIN_MAGIC, OPELOG_STARTED}, 77});
  const std::string resized = bytes_of(opelog_resized{{OPELOG_LOGIN_MAGIC, OPELOG_RESIZED}, 24, 80, 0, 0});
  const std::string ended = bytes_of(opelog_ended{{OPELOG_LOGIN_MAGIC, OPELOG_ENDED}, 1, 0});
  for (const std::string& good : {started, resized, ended}) {
    for (std::size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(decode_client_frame(good.substr(0, n))) << n;
    EXPECT_FALSE(decode_client_frame(good + "x"));
    std::string magic = good;
    ++magic[0];
    EXPECT_FALSE(decode_client_frame(magic));
  }
  for (const std::uint32_t type : {0U, 1U, 2U, 6U, 7U, 0xffffffffU})
    EXPECT_FALSE(decode_client_frame(bytes_of(opelog_frame{OPELOG_LOGIN_MAGIC, type}))) << type;
  for (const std::int32_t pid : {1, 0, -1, INT32_MIN})
    EXPECT_FALSE(decode_client_frame(bytes_of(opelog_started{{OPELOG_LOGIN_MAGIC, OPELOG_STARTED}, pid})))
        << pid;
  for (const auto& [exited, status] : {std::pair{1, 256}, {1, -1}, {0, 0}, {0, 65}, {2, 0}, {-1, 9}})
    EXPECT_FALSE(
        decode_client_frame(bytes_of(opelog_ended{{OPELOG_LOGIN_MAGIC, OPELOG_ENDED}, exited, status})))
        << exited << " " << status;
}

opelog_verdict head_of(const std::string& packet) {
  opelog_verdict v{};
  std::memcpy(&v, packet.data(), sizeof v);
  return v;
}

TEST(VerdictMessage, IsTheHeadAndThreeStrings) {
  Verdict verdict;
  verdict.action = OPELOG_RECORD_TERMINAL;
  verdict.exit_code = 3;
  verdict.replace = 5;
  verdict.recorded = true;
  verdict.shell = "/bin/sh";
  verdict.message = "notice";
  verdict.session = "id";
  const std::string packet = encode_verdict(verdict);
  const opelog_verdict v = head_of(packet);
  EXPECT_EQ(v.frame.magic, OPELOG_LOGIN_MAGIC);
  EXPECT_EQ(v.frame.type, static_cast<std::uint32_t>(OPELOG_VERDICT));
  EXPECT_EQ(v.action, static_cast<std::uint32_t>(OPELOG_RECORD_TERMINAL));
  EXPECT_EQ(v.exit_code, 3U);
  EXPECT_EQ(v.replace, 5U);
  EXPECT_EQ(v.recorded, 1U);
  EXPECT_EQ(packet.substr(sizeof v), "/bin/shnoticeid");
  EXPECT_EQ(v.shell_length, 7U);
  EXPECT_EQ(v.message_length, 6U);
  EXPECT_EQ(v.session_length, 2U);
}

TEST(VerdictMessage, WhatExceedsABoundIsCutAtACharacter) {
  Verdict verdict;
  verdict.exit_code = 1000;
  verdict.message = "x";
  while (verdict.message.size() <= OPELOG_MAX_MESSAGE) verdict.message += "\xe2\x82\xac";
  verdict.session = std::string(500, 's');
  const std::string packet = encode_verdict(verdict);
  const opelog_verdict v = head_of(packet);
  EXPECT_EQ(v.exit_code, 255U);
  EXPECT_EQ(v.session_length, OPELOG_MAX_SESSION);
  EXPECT_LE(v.message_length, OPELOG_MAX_MESSAGE);
  EXPECT_EQ((v.message_length - 1) % 3, 0U);
  EXPECT_EQ(packet.size(), sizeof v + v.message_length + v.session_length);
}

TEST(VerdictMessage, NulsBecomeBlanks) {
  Verdict verdict;
  verdict.message = std::string("a\0b", 3);
  EXPECT_EQ(encode_verdict(verdict).substr(sizeof(opelog_verdict)), "a b");
}

TEST(DoneMessage, IsABareFrame) {
  EXPECT_EQ(encode_done(), bytes_of(opelog_frame{OPELOG_LOGIN_MAGIC, OPELOG_DONE}));
}

}  // namespace
}  // namespace opelog::record
