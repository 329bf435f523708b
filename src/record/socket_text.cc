#include "record/socket_text.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace opelog::record {
namespace {

template <typename T>
bool to_number(std::string_view text, T& value, int base) {
  if (text.empty()) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view take_word(std::string_view& rest) {
  const auto begin = rest.find_first_not_of(' ');
  if (begin == std::string_view::npos) return rest = {};
  rest.remove_prefix(begin);
  const auto end = std::min(rest.find_first_of(" \n"), rest.size());
  const auto word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

// "0100007F:0016": words of four bytes as the machine sees them, then the port as a number.
bool parse_endpoint(std::string_view text, Address& address, std::uint16_t& port) {
  constexpr std::size_t kV4 = 8, kV6 = 32, kWord = 8;
  const auto colon = text.find(':');
  if (colon != kV4 && colon != kV6) return false;
  if (text.size() != colon + 5 || !to_number(text.substr(colon + 1), port, 16)) return false;
  address = {};
  std::size_t at = 0;
  if (colon == kV4) {
    address[10] = address[11] = 0xff;
    at = 12;
  }
  for (std::size_t i = 0; i < colon; i += kWord, at += 4) {
    std::uint32_t word = 0;
    if (!to_number(text.substr(i, kWord), word, 16)) return false;
    std::memcpy(address.data() + at, &word, sizeof word);
  }
  return true;
}

bool looks_like_interface(std::string_view zone) {
  constexpr std::size_t kLongest = 15;  // IFNAMSIZ without the NUL
  return !zone.empty() && zone.size() <= kLongest && std::all_of(zone.begin(), zone.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// Exactly one blank between words, as sshd writes it.
bool split(std::string_view text, std::string_view (&words)[4]) {
  for (int i = 0; i < 4; ++i) {
    const auto end = std::min(text.find(' '), text.size());
    words[i] = text.substr(0, end);
    if (words[i].empty() || (i < 3) != (end < text.size())) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

}  // namespace

std::optional<TcpEntry> parse_tcp_line(std::string_view line) {
  constexpr unsigned kSynSent = 2, kSynReceived = 3, kTimeWait = 6, kClose = 7,
                     kListen = 10;  // enum in linux/tcp.h
  TcpEntry entry;
  unsigned slot = 0, state = 0;
  auto number = take_word(line);
  if (number.empty() || number.back() != ':') return std::nullopt;
  number.remove_suffix(1);
  if (!to_number(number, slot, 10)) return std::nullopt;
  if (!parse_endpoint(take_word(line), entry.local, entry.local_port)) return std::nullopt;
  if (!parse_endpoint(take_word(line), entry.remote, entry.remote_port)) return std::nullopt;
  if (!to_number(take_word(line), state, 16)) return std::nullopt;
  for (int skipped = 0; skipped < 5; ++skipped) take_word(line);  // queues, timer, retransmits, uid, timeout
  if (!to_number(take_word(line), entry.inode, 10)) return std::nullopt;
  entry.listening = state == kListen;
  entry.connected =
      state != kListen && state != kSynSent && state != kSynReceived && state != kTimeWait && state != kClose;
  return entry;
}

const HeldSocket* choose_connection(const std::vector<HeldSocket>& held,
                                    const std::vector<HeldSocket>& listener) {
  const auto listens_on = [](const std::vector<HeldSocket>& sockets, std::uint16_t port) {
    return std::any_of(sockets.begin(), sockets.end(),
                       [port](const HeldSocket& s) { return s.listening && s.local_port == port; });
  };
  const HeldSocket* best = nullptr;
  int best_rank = 0;
  for (const auto& socket : held) {
    if (socket.listening) continue;
    const int rank =
        (listens_on(listener, socket.local_port) ? 2 : 0) + (listens_on(held, socket.local_port) ? 0 : 1);
    if (best == nullptr || rank > best_rank || (rank == best_rank && socket.fd < best->fd)) {
      best = &socket;
      best_rank = rank;
    }
  }
  return best;
}

std::optional<ClaimedAddress> parse_ssh_connection(std::string_view claim) {
  std::string_view words[4];
  if (!split(claim, words)) return std::nullopt;
  ClaimedAddress claimed;
  std::uint16_t server_port = 0;
  const auto client = parse_address(words[0]);
  if (!client || !parse_address(words[2])) return std::nullopt;
  if (!to_number(words[1], claimed.port, 10) || !to_number(words[3], server_port, 10)) return std::nullopt;
  claimed.text = format_address(*client);
  if (const auto percent = words[0].find('%'); percent != std::string_view::npos) {
    const auto zone = words[0].substr(percent + 1);
    if (!looks_like_interface(zone)) return std::nullopt;
    claimed.text += '%';
    claimed.text += zone;
  }
  return claimed;
}

}  // namespace opelog::record
