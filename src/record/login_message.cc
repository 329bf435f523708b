#include "record/login_message.h"

#include <algorithm>
#include <cstring>

namespace opelog::record {
namespace {

Error malformed(std::string what) {
  return Error{Code::kInvalid, std::move(what), 0};
}

bool printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

// The strings behind the fixed part; take() is called only for lengths whose sum was checked.
class Tail {
 public:
  explicit Tail(std::string_view rest) : rest_(rest) {}
  std::string take(std::uint32_t length) {
    std::string text(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return text;
  }

 private:
  std::string_view rest_;
};

std::string without_nul(std::string text) {
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

// The longest prefix of at most `limit` bytes that does not end within a UTF-8 character.
std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  for (int back = 0; back < 3 && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; ++back)
    --end;
  text.resize(end);
  return text;
}

template <typename T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

Status check_lengths(const opelog_hello& h, std::size_t rest) {
  if (h.term_length > OPELOG_MAX_TERM) return malformed("TERM is longer than allowed");
  if (h.command_length > OPELOG_MAX_COMMAND)
    return malformed("the command is longer than execve could deliver");
  if (h.original_length > OPELOG_MAX_COMMAND)
    return malformed("the original command is longer than execve could deliver");
  if (h.claim_length > OPELOG_MAX_CLAIM) return malformed("SSH_CONNECTION is longer than allowed");
  const std::uint64_t sum =
      std::uint64_t{h.term_length} + h.command_length + h.original_length + h.claim_length;
  if (sum != rest) return malformed("lengths do not add up to the packet");
  if (h.has_command > 1 || h.has_original > 1) return malformed("a flag is neither 0 nor 1");
  if (h.has_command == 0 && h.command_length != 0) return malformed("a command that is said not to be there");
  if (h.has_original == 0 && h.original_length != 0)
    return malformed("an original command that is said not to be there");
  return {};
}

// What the shim says of its descriptors must be what a shim can have found.
Status check_streams(const opelog_hello& h, std::size_t descriptors) {
  if (descriptors != (opelog_terminal_comes(h.how, h.terminals) != 0 ? 1U : 0U))
    return malformed("the wrong number of descriptors");
  if (h.terminals > 7 || (h.terminals != 0 && (h.terminals & 1) == 0))
    return malformed("a terminal that is not standard input");
  for (int i = 0; i < 3; ++i) {
    const std::uint8_t stream = h.streams[i];
    if (stream > OPELOG_STREAM_KEPT_OTHER) return malformed("an unknown kind of stream");
    const bool none = h.how == OPELOG_HOW_QUERY || (h.terminals >> i & 1) != 0;
    if (none != (stream == OPELOG_STREAM_NONE))
      return malformed("a stream where there is none, or none said");
    if (h.terminals != 0 && !none && opelog_is_kept(stream) == 0)
      return malformed("a stream that is relayed beside a terminal");
    if (stream == OPELOG_STREAM_AS_0 && (i < 1 || h.streams[0] != OPELOG_STREAM_SOCKET))
      return malformed("the same stream as one that is not relayed");
    if (stream == OPELOG_STREAM_AS_1 && (i < 2 || opelog_is_relayed(h.streams[1]) == 0))
      return malformed("the same stream as one that is not relayed");
  }
  if (h.terminals != 0 && h.how == OPELOG_HOW_QUERY) return malformed("a terminal with a question");
  return {};
}

}  // namespace

Result<Hello> decode_hello(std::string_view packet, std::size_t descriptors) {
  opelog_hello h;
  if (packet.size() < sizeof h) return malformed("shorter than a HELLO");
  if (packet.size() > OPELOG_MAX_FRAME) return malformed("longer than any frame");
  std::memcpy(&h, packet.data(), sizeof h);
  if (h.frame.magic != OPELOG_LOGIN_MAGIC) return malformed("no message of this protocol");
  if (h.frame.type != OPELOG_HELLO) return malformed("not a HELLO");
  if (h.how < OPELOG_HOW_LOGIN || h.how > OPELOG_HOW_QUERY) return malformed("an unknown way to start");
  if (auto streams = check_streams(h, descriptors); !streams) return std::move(streams).error();
  if (auto lengths = check_lengths(h, packet.size() - sizeof h); !lengths) return std::move(lengths).error();
  if (packet.find('\0', sizeof h) != std::string_view::npos) return malformed("a NUL within a string");

  Tail tail(packet.substr(sizeof h));
  Hello hello;
  hello.how = h.how;
  hello.rows = h.rows;
  hello.cols = h.cols;
  hello.terminals = h.terminals;
  std::copy(std::begin(h.streams), std::end(h.streams), hello.streams.begin());
  hello.term = tail.take(h.term_length);
  std::string command = tail.take(h.command_length);
  std::string original = tail.take(h.original_length);
  hello.claim = tail.take(h.claim_length);
  if (!printable_ascii(hello.term)) return malformed("TERM is not printable ASCII");
  if (!printable_ascii(hello.claim)) return malformed("SSH_CONNECTION is not printable ASCII");
  if (h.has_command == 1) hello.command = std::move(command);
  if (h.has_original == 1) hello.original = std::move(original);
  if (h.how == OPELOG_HOW_FORCE) {
    if (hello.command) return malformed("a command besides the original one");
    hello.command = hello.original;
  }
  if (h.how == OPELOG_HOW_COMMAND && !hello.command) return malformed("a command session without a command");
  return hello;
}

Result<ClientFrame> decode_client_frame(std::string_view packet) {
  opelog_frame head;
  if (packet.size() < sizeof head) return malformed("shorter than a frame");
  std::memcpy(&head, packet.data(), sizeof head);
  if (head.magic != OPELOG_LOGIN_MAGIC) return malformed("no message of this protocol");
  ClientFrame frame;
  frame.type = head.type;
  switch (head.type) {
    case OPELOG_STARTED: {
      opelog_started body;
      if (packet.size() != sizeof body) return malformed("STARTED of a wrong length");
      std::memcpy(&body, packet.data(), sizeof body);
      if (body.pid <= 1) return malformed("STARTED with an impossible pid");
      frame.pid = body.pid;
      return frame;
    }
    case OPELOG_RESIZED: {
      opelog_resized body;
      if (packet.size() != sizeof body) return malformed("RESIZED of a wrong length");
      std::memcpy(&body, packet.data(), sizeof body);
      frame.rows = body.rows;
      frame.cols = body.cols;
      frame.width = body.width;
      frame.height = body.height;
      return frame;
    }
    case OPELOG_ENDED: {
      opelog_ended body;
      if (packet.size() != sizeof body) return malformed("ENDED of a wrong length");
      std::memcpy(&body, packet.data(), sizeof body);
      const bool code = body.exited == 1 && body.status >= 0 && body.status <= 255;
      const bool signal = body.exited == 0 && body.status >= 1 && body.status <= 64;
      if (!code && !signal) return malformed("ENDED with an impossible status");
      frame.exited = code;
      frame.status = body.status;
      return frame;
    }
    default:
      return malformed("a frame that only the daemon sends, or none");
  }
}

std::string encode_verdict(const Verdict& verdict) {
  const std::string shell = cut(without_nul(verdict.shell), OPELOG_MAX_PATH);
  const std::string message = cut(without_nul(verdict.message), OPELOG_MAX_MESSAGE);
  const std::string session = cut(without_nul(verdict.session), OPELOG_MAX_SESSION);
  opelog_verdict v{};
  v.frame = {OPELOG_LOGIN_MAGIC, OPELOG_VERDICT};
  v.action = verdict.action;
  v.exit_code = std::min<std::uint32_t>(verdict.exit_code, 255);
  v.replace = verdict.replace;
  v.recorded = verdict.recorded ? 1 : 0;
  v.shell_length = static_cast<std::uint32_t>(shell.size());
  v.message_length = static_cast<std::uint32_t>(message.size());
  v.session_length = static_cast<std::uint32_t>(session.size());
  std::string packet;
  packet.reserve(sizeof v + shell.size() + message.size() + session.size());
  append(packet, v);
  packet += shell;
  packet += message;
  packet += session;
  return packet;
}

std::string encode_done() {
  const opelog_frame frame{OPELOG_LOGIN_MAGIC, OPELOG_DONE};
  std::string packet;
  append(packet, frame);
  return packet;
}

}  // namespace opelog::record
