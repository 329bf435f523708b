// A packet and the descriptors that travel with it, over a SOCK_SEQPACKET socket; never waits.
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

#include "core/fd_io.h"

namespace opelog::record {

/// recvmsg(2)'s result and errno. The descriptors are ours from the first moment, whatever else is wrong.
/// `cut`: the packet was longer than `size`, or brought more descriptors than anybody has reason to send.
ssize_t receive_packet(int socket, char* buffer, std::size_t size, std::vector<Fd>& descriptors, bool& cut);

/// Whether the whole packet is on its way; at most kMaxPacketDescriptors.
bool send_packet(int socket, std::string_view packet, const std::vector<Fd>& descriptors);

/// Room for the right number and a few too many.
constexpr std::size_t kMaxPacketDescriptors = 8;

}  // namespace opelog::record
