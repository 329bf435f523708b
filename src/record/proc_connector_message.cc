#include "record/proc_connector_message.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace opelog::record {
namespace {

// PROC_EVENT_… of linux/cn_proc.h, which newer headers have in another enumeration.
constexpr std::uint32_t kEventFork = 1, kEventExec = 2, kEventExit = 0x80000000U;
constexpr std::size_t kAlignment = NLMSG_ALIGNTO;
constexpr std::size_t kEventHead = offsetof(proc_event, event_data);

template <typename T>
bool copy_head(std::string_view bytes, T& value, std::size_t size = sizeof(T)) {
  if (bytes.size() < size) return false;
  std::memcpy(&value, bytes.data(), size);
  return true;
}

// False if it is malformed; nothing is appended for a kind that is not wanted.
bool decode_one(std::string_view bytes, std::vector<ConnectorEvent>& events) {
  cn_msg message;
  if (!copy_head(bytes, message)) return false;
  bytes.remove_prefix(sizeof message);
  if (message.len > bytes.size()) return false;
  if (message.id.idx != CN_IDX_PROC || message.id.val != CN_VAL_PROC) return true;
  bytes = bytes.substr(0, message.len);
  proc_event event{};
  if (!copy_head(bytes, event, kEventHead)) return false;
  const auto body = [&](auto& member) { return copy_head(bytes.substr(kEventHead), member); };
  ConnectorEvent one;
  one.time_ns = event.timestamp_ns;
  switch (static_cast<std::uint32_t>(event.what)) {
    case kEventFork:
      if (!body(event.event_data.fork)) return false;
      one.kind = ConnectorEvent::Kind::kFork;
      one.process = event.event_data.fork.child_tgid;
      one.thread = event.event_data.fork.child_pid;
      one.parent = event.event_data.fork.parent_tgid;
      break;
    case kEventExec:
      if (!body(event.event_data.exec)) return false;
      one.kind = ConnectorEvent::Kind::kExec;
      one.process = event.event_data.exec.process_tgid;
      one.thread = event.event_data.exec.process_pid;
      break;
    case kEventExit:
      // Without the last two members, which old kernels do not send.
      if (!copy_head(bytes.substr(kEventHead), event.event_data.exit,
                     offsetof(decltype(event.event_data.exit), parent_pid)))
        return false;
      one.kind = ConnectorEvent::Kind::kExit;
      one.process = event.event_data.exit.process_tgid;
      one.thread = event.event_data.exit.process_pid;
      one.status = event.event_data.exit.exit_code;
      break;
    default:
      return true;
  }
  events.push_back(one);
  return true;
}

}  // namespace

ConnectorEvents decode_connector(std::string_view datagram) {
  ConnectorEvents decoded;
  while (!datagram.empty()) {
    nlmsghdr head;
    if (!copy_head(datagram, head) || head.nlmsg_len < sizeof head || head.nlmsg_len > datagram.size()) {
      decoded.malformed = true;
      break;
    }
    if (head.nlmsg_type == NLMSG_DONE &&
        !decode_one(datagram.substr(sizeof head, head.nlmsg_len - sizeof head), decoded.events)) {
      decoded.malformed = true;
      break;
    }
    const std::size_t step = (head.nlmsg_len + kAlignment - 1) / kAlignment * kAlignment;
    datagram.remove_prefix(std::min(step, datagram.size()));
  }
  return decoded;
}

std::string connector_request() {
  const proc_cn_mcast_op listen = PROC_CN_MCAST_LISTEN;
  cn_msg message{};
  message.id = {CN_IDX_PROC, CN_VAL_PROC};
  message.len = sizeof listen;
  nlmsghdr head{};
  head.nlmsg_type = NLMSG_DONE;
  head.nlmsg_len = sizeof head + sizeof message + sizeof listen;
  std::string bytes;
  const auto put = [&bytes](const auto& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(head);
  put(message);
  put(listen);
  return bytes;
}

}  // namespace opelog::record
