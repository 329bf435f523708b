#include "record/socket_text.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

constexpr const char* kV4 =
    "   5: 0100007F:08AE 0200007F:D23E 01 00000000:00000000 02:000A8B0C 00000000     0        0 28086 2 "
    "0000000000000000 20 4 30 10 -1";
constexpr const char* kV6 =
    "  12: 00000000000000000000000001000000:0016 B80D0120000000000000000034120000:EC72 08 00000000:00000000 "
    "00:00000000 "
    "00000000     0        0 4294967301 1 0000000000000000 20 4 30 10 -1";

TEST(TcpTable, LinesOfBothFamiliesAreRead) {
  const auto v4 = parse_tcp_line(kV4);
  ASSERT_TRUE(v4);
  EXPECT_EQ(format_address(v4->local), "127.0.0.1");
  EXPECT_EQ(format_address(v4->remote), "127.0.0.2");
  EXPECT_EQ(v4->local_port, 2222);
  EXPECT_EQ(v4->remote_port, 53822);
  EXPECT_EQ(v4->inode, 28086u);
  EXPECT_TRUE(v4->connected);
  EXPECT_FALSE(v4->listening);
  const auto v6 = parse_tcp_line(kV6);
  ASSERT_TRUE(v6);
  EXPECT_EQ(format_address(v6->local), "::1");
  EXPECT_EQ(format_address(v6->remote), "2001:db8::1234");
  EXPECT_EQ(v6->inode, 4294967301u);
  EXPECT_TRUE(v6->connected) << "CLOSE_WAIT still has a peer";
}

TEST(TcpTable, StatesWithoutAPeerAreNotConnected) {
  for (const char* state : {"02", "03", "06", "07", "0A"}) {
    std::string line = kV4;
    line.replace(line.find(" 01 ") + 1, 2, state);
    const auto entry = parse_tcp_line(line);
    ASSERT_TRUE(entry) << state;
    EXPECT_FALSE(entry->connected) << state;
    EXPECT_EQ(entry->listening, std::string(state) == "0A");
  }
}

TEST(TcpTable, TheHeadingAndBrokenLinesAreNoEntries) {
  for (const char* line :
       {"",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
        "   5: 0100007F:08AE", "   5: 0100007:08AE 0200007F:D23E 01 0 0 0 0 0 1",
        "   5: 0100007F:8AE 0200007F:D23E 01 0 0 0 0 0 1", "   5: 0100007F:08AE 0200007F:D23E XX 0 0 0 0 0 1",
        "   5  0100007F:08AE 0200007F:D23E 01 0 0 0 0 0 1",
        "   5: 010000ZF:08AE 0200007F:D23E 01 0 0 0 0 0 1",
        "   5: 0100007F:08AE 0200007F:D23E 01 0 0 0 0 0 x"}) {
    EXPECT_FALSE(parse_tcp_line(line)) << line;
  }
  EXPECT_TRUE(parse_tcp_line("   5: 0100007F:08AE 0200007F:D23E 01 0 0 0 0 0 1"));
}

HeldSocket connected(int fd, std::uint16_t local_port) {
  return {fd, false, {}, {}, local_port, 1000};
}
HeldSocket listening(int fd, std::uint16_t local_port) {
  return {fd, true, {}, {}, local_port, 0};
}

TEST(ChooseConnection, TheClientsConnectionIsFoundAmongForwardedOnes) {
  struct {
    const char* what;
    std::vector<HeldSocket> held, listener;
    int chosen;
  } const table[] = {
      {"nothing", {}, {}, -1},
      {"only listening", {listening(3, 22)}, {}, -1},
      {"one", {connected(4, 22)}, {}, 4},
      {"an accepted forward has a lower number",
       {connected(3, 8000), connected(4, 22), listening(5, 8000)},
       {},
       4},
      {"a connected forward has a lower number",
       {connected(3, 40000), connected(4, 22)},
       {listening(3, 22)},
       4},
      {"no listener to ask (inetd): the lowest", {connected(9, 40000), connected(4, 22)}, {}, 4},
      {"only forwards on our own ports", {connected(7, 22), listening(5, 22)}, {}, 7},
  };
  for (const auto& row : table) {
    const auto* chosen = choose_connection(row.held, row.listener);
    EXPECT_EQ(chosen == nullptr ? -1 : chosen->fd, row.chosen) << row.what;
  }
}

TEST(SshConnectionClaim, OnlyTheExactFormIsBelieved) {
  struct {
    const char* claim;
    const char* text;  ///< nullptr: refused
    int port;
  } const table[] = {
      {"192.0.2.7 50123 192.0.2.1 22", "192.0.2.7", 50123},
      {"2001:DB8:0::1 1 ::1 22", "2001:db8::1", 1},
      {"::ffff:192.0.2.7 9 ::1 22", "192.0.2.7", 9},
      {"fe80::1%eth0 9 fe80::2%eth0 22", "fe80::1%eth0", 9},
      {"fe80::1%../../x 9 ::1 22", nullptr, 0},
      {"fe80::1% 9 ::1 22", nullptr, 0},
      {"fe80::1%aaaaaaaaaaaaaaaaaaaaaaaa 9 ::1 22", nullptr, 0},
      {"UNKNOWN 65535 UNKNOWN 65535", nullptr, 0},
      {"../../x 1 ::1 22", nullptr, 0},
      {"192.0.2.7 65536 192.0.2.1 22", nullptr, 0},
      {"192.0.2.7 -1 192.0.2.1 22", nullptr, 0},
      {"192.0.2.7 1 192.0.2.1", nullptr, 0},
      {"192.0.2.7 1 192.0.2.1 22 ", nullptr, 0},
      {"192.0.2.7 1 192.0.2.1 22 x", nullptr, 0},
      {" 192.0.2.7 1 192.0.2.1 22", nullptr, 0},
      {"192.0.2.7  1 192.0.2.1 22", nullptr, 0},
      {"192.0.2.7\n 1 192.0.2.1 22", nullptr, 0},
      {"192.0.2.7 1 x 22", nullptr, 0},
      {"", nullptr, 0},
  };
  for (const auto& row : table) {
    const auto claimed = parse_ssh_connection(row.claim);
    ASSERT_EQ(claimed.has_value(), row.text != nullptr) << row.claim;
    if (!claimed) continue;
    EXPECT_EQ(claimed->text, row.text);
    EXPECT_EQ(claimed->port, row.port);
  }
  EXPECT_FALSE(parse_ssh_connection(std::string_view("192.0.2.7\0 1 192.0.2.1 22", 25)));
}

}  // namespace
}  // namespace opelog::record
