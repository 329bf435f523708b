#include "watch/inotify_decode.h"

#include <cstdio>
#include <cstring>

namespace opelog::watch {
namespace {

constexpr std::size_t kHeaderSize = 16;  // int wd, uint32 mask, cookie, len: inotify(7)

std::uint32_t word_at(std::string_view bytes, std::size_t offset) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + offset,
              sizeof value);  // the kernel aligns to 4 only by luck of its padding
  return value;
}

bool is_entry_name(std::string_view name) {
  return name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace

const char* fault_name(DecodeFault fault) noexcept {
  switch (fault) {
    case DecodeFault::kNone:
      return "none";
    case DecodeFault::kTruncatedHeader:
      return "truncated-header";
    case DecodeFault::kNameBeyondEnd:
      return "name-beyond-end";
    case DecodeFault::kNameUnterminated:
      return "name-unterminated";
    case DecodeFault::kNameNotAnEntry:
      return "name-not-an-entry";
  }
  return "none";
}

DecodedEvents decode_inotify(std::string_view bytes) {
  DecodedEvents decoded;
  while (decoded.offset < bytes.size()) {
    const std::string_view rest = bytes.substr(decoded.offset);
    if (rest.size() < kHeaderSize) {
      decoded.fault = DecodeFault::kTruncatedHeader;
      return decoded;
    }
    InotifyEvent event;
    event.wd = static_cast<int>(word_at(rest, 0));
    event.mask = word_at(rest, 4);
    event.cookie = word_at(rest, 8);
    const std::size_t length = word_at(rest, 12);
    if (length > rest.size() - kHeaderSize) {
      decoded.fault = DecodeFault::kNameBeyondEnd;
      return decoded;
    }
    const std::string_view padded = rest.substr(kHeaderSize, length);
    const std::size_t end = padded.find('\0');
    if (!padded.empty() && end == std::string_view::npos) {
      decoded.fault = DecodeFault::kNameUnterminated;
      return decoded;
    }
    const std::string_view name = padded.substr(0, end);
    if (!is_entry_name(name)) {
      decoded.fault = DecodeFault::kNameNotAnEntry;
      return decoded;
    }
    event.name = name;
    decoded.events.push_back(std::move(event));
    decoded.offset += kHeaderSize + length;
  }
  return decoded;
}

std::string mask_words(std::uint32_t bits) {
  static constexpr struct {
    std::uint32_t bit;
    const char* word;
  } kWords[] = {
      {mask::kModify, "modify"},      {mask::kAttrib, "attrib"},        {mask::kCloseWrite, "close-write"},
      {mask::kCloseNoWrite, "close"}, {mask::kMovedFrom, "moved-from"}, {mask::kMovedTo, "moved-to"},
      {mask::kCreate, "create"},      {mask::kDelete, "delete"},        {mask::kDeleteSelf, "delete-self"},
      {mask::kMoveSelf, "move-self"}, {mask::kUnmount, "unmount"},      {mask::kOverflow, "overflow"},
      {mask::kIgnored, "ignored"},    {mask::kIsDirectory, "isdir"},
  };
  std::string out;
  for (const auto& [bit, word] : kWords) {
    if ((bits & bit) == 0) continue;
    if (!out.empty()) out += '|';
    out += word;
    bits &= ~bit;
  }
  if (bits != 0 || out.empty()) {
    char hex[16];
    std::snprintf(hex, sizeof hex, "%s0x%x", out.empty() ? "" : "|", bits);
    out += hex;
  }
  return out;
}

}  // namespace opelog::watch
