// The texts of /proc, and the claim of an environment, on any bytes: a process chooses its own name and its
// own words, so what comes out is checked or nothing. Byte 0 chooses the text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "record/proc_text.h"
#include "record/socket_text.h"

namespace {

using namespace opelog::record;

void require(bool holds) {
  if (!holds) std::abort();
}

// The same line of `stat` with the input as the name: all else must come out as it is there.
void check_name(std::string_view name) {
  const std::string text =
      "42 (" + std::string(name) + ") S 7 42 41 34816 42 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 0\n";
  const auto stat = parse_proc_stat(text);
  require(stat.ok());
  require(stat->pid == 42 && stat->comm == name && stat->state == 'S' && stat->parent == 7 &&
          stat->session == 41 && stat->terminal == 34816 && stat->started == 98765);
}

void check_stat(std::string_view text) {
  const auto stat = parse_proc_stat(text);
  if (!stat) {
    require(!stat.error().message.empty());
    return;
  }
  require(text.find(stat->comm) != std::string_view::npos);
  const std::string path = terminal_path(stat->terminal);
  require(path.empty() || path.rfind("/dev/", 0) == 0);
}

void check_claim(std::string_view claim) {
  const auto address = parse_ssh_connection(claim);
  if (!address) return;
  require(!address->text.empty() && address->text.size() < 64);
  for (const char c : address->text) {
    require((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            std::string_view(".:%_-").find(c) != std::string_view::npos);
  }
}

void check_table(std::string_view text) {
  std::vector<HeldSocket> held;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (const auto entry = parse_tcp_line(text.substr(at, end - at))) {
      require(!(entry->listening && entry->connected));
      HeldSocket socket;
      socket.fd = static_cast<int>(held.size());
      socket.listening = entry->listening;
      socket.remote = entry->remote;
      socket.local_port = entry->local_port;
      socket.remote_port = entry->remote_port;
      held.push_back(socket);
    }
    at = end + 1;
  }
  const HeldSocket* chosen = choose_connection(held, held);
  const bool any = std::any_of(held.begin(), held.end(), [](const HeldSocket& s) { return !s.listening; });
  require((chosen != nullptr) == any && (chosen == nullptr || !chosen->listening));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      check_stat(text);
      break;
    case 1:
      check_name(text);
      break;
    case 2:
      if (const auto status = parse_proc_status(text)) require(text.find("Uid:") != std::string_view::npos);
      break;
    case 3:
      if (const auto number = parse_proc_number(text)) require(text.size() >= 1 && *number <= 4294967295U);
      break;
    case 4:
      check_claim(text);
      require(executable_path(text).size() <= text.size());
      (void)is_sshd(text);
      break;
    default:
      check_table(text);
      break;
  }
  return 0;
}
