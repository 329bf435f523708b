#include "record/proc_connector_message.h"

#include <gtest/gtest.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#include <cstring>

namespace opelog::record {
namespace {

std::string datagram(std::uint32_t what, std::vector<std::uint32_t> body, std::uint32_t idx = CN_IDX_PROC) {
  std::string event(16, '\0');
  const std::uint64_t time = 5000;
  std::memcpy(&event[0], &what, 4);
  std::memcpy(&event[8], &time, 8);
  event.append(reinterpret_cast<const char*>(body.data()), body.size() * 4);
  cn_msg message{};
  message.id = {idx, CN_VAL_PROC};
  message.len = static_cast<std::uint16_t>(event.size());
  nlmsghdr head{};
  head.nlmsg_type = NLMSG_DONE;
  head.nlmsg_len = static_cast<std::uint32_t>(sizeof head + sizeof message + event.size());
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes.append(reinterpret_cast<const char*>(&message), sizeof message);
  return bytes + event;
}

TEST(ProcConnectorMessage, ForkExecAndExitAreDecoded) {
  const std::string all = datagram(1, {8, 9, 11, 10}) + datagram(2, {12, 10}) +
                          datagram(0x80000000U, {11, 10, 256, 17, 1, 1}) + datagram(4, {1, 1, 0, 0});
  const ConnectorEvents decoded = decode_connector(all);
  EXPECT_FALSE(decoded.malformed);
  ASSERT_EQ(decoded.events.size(), 3U);
  EXPECT_EQ(decoded.events[0], (ConnectorEvent{ConnectorEvent::Kind::kFork, 5000, 10, 11, 9, 0}));
  EXPECT_EQ(decoded.events[1], (ConnectorEvent{ConnectorEvent::Kind::kExec, 5000, 10, 12, 0, 0}));
  EXPECT_EQ(decoded.events[2], (ConnectorEvent{ConnectorEvent::Kind::kExit, 5000, 10, 11, 0, 256}));
  // As kernels before 4.18 send it.
  EXPECT_EQ(decode_connector(datagram(0x80000000U, {11, 10, 256, 17})).events.size(), 1U);
}

TEST(ProcConnectorMessage, OthersMessagesAreNotOurs) {
  const ConnectorEvents decoded = decode_connector(datagram(1, {8, 9, 11, 10}, CN_IDX_PROC + 1));
  EXPECT_FALSE(decoded.malformed);
  EXPECT_TRUE(decoded.events.empty());
}

TEST(ProcConnectorMessage, EveryCutIsMalformed) {
  for (const std::string& whole : {datagram(1, {8, 9, 11, 10}), datagram(2, {12, 10})}) {
    for (std::size_t size = 1; size < whole.size(); ++size) {
      std::string cut = whole.substr(0, size);
      EXPECT_TRUE(decode_connector(cut).malformed) << size;
      const auto claimed = static_cast<std::uint32_t>(size);
      if (size >= 4) std::memcpy(&cut[0], &claimed, 4);
      EXPECT_TRUE(decode_connector(cut).malformed) << size;
      EXPECT_TRUE(decode_connector(cut).events.empty());
    }
  }
  EXPECT_FALSE(decode_connector({}).malformed);
}

TEST(ProcConnectorMessage, LengthsThatLieAreMalformed) {
  for (const std::uint32_t lie : {0U, 15U, 77U, 0xffffffffU}) {
    std::string bytes = datagram(1, {8, 9, 11, 10});
    std::memcpy(&bytes[0], &lie, 4);
    EXPECT_TRUE(decode_connector(bytes).malformed) << lie;
  }
}

TEST(ProcConnectorMessage, TheRequestIsOneMessage) {
  const std::string request = connector_request();
  nlmsghdr head;
  ASSERT_GE(request.size(), sizeof head);
  std::memcpy(&head, request.data(), sizeof head);
  EXPECT_EQ(head.nlmsg_len, request.size());
}

}  // namespace
}  // namespace opelog::record
