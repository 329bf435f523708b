// inotify_decode: the bytes of one read(2) from an inotify descriptor, as values.
//
// Pure: knows neither descriptors nor watches, so every shape the kernel can send is tested by table. It
// never reads past the bytes it was given. What is malformed is named and ends the decoding; the events
// before it stand, and the caller must treat the rest as lost (rescan), as after an overflow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace opelog::watch {

/// Bits of an event's mask as inotify(7) defines them (guard_io.cc asserts that the kernel's header agrees).
namespace mask {
constexpr std::uint32_t kModify = 0x00000002;
constexpr std::uint32_t kAttrib = 0x00000004;
constexpr std::uint32_t kCloseWrite = 0x00000008;
constexpr std::uint32_t kCloseNoWrite = 0x00000010;
constexpr std::uint32_t kMovedFrom = 0x00000040;
constexpr std::uint32_t kMovedTo = 0x00000080;
constexpr std::uint32_t kCreate = 0x00000100;
constexpr std::uint32_t kDelete = 0x00000200;
constexpr std::uint32_t kDeleteSelf = 0x00000400;
constexpr std::uint32_t kMoveSelf = 0x00000800;
constexpr std::uint32_t kUnmount = 0x00002000;
constexpr std::uint32_t kOverflow = 0x00004000;
constexpr std::uint32_t kIgnored = 0x00008000;
constexpr std::uint32_t kIsDirectory = 0x40000000;
}  // namespace mask

struct InotifyEvent {
  int wd = -1;  ///< -1 with mask::kOverflow
  std::uint32_t mask = 0;
  std::uint32_t cookie = 0;
  std::string name;  ///< without padding; "" for events of the watched object itself
  bool operator==(const InotifyEvent&) const = default;
};

enum class DecodeFault {
  kNone,
  kTruncatedHeader,   ///< fewer than 16 bytes are left
  kNameBeyondEnd,     ///< the name's length points past the buffer
  kNameUnterminated,  ///< no NUL within the name's length
  kNameNotAnEntry,    ///< ".", ".." or with a slash: no directory holds such a name
};

/// Stable words for the log: "truncated-header", …
const char* fault_name(DecodeFault fault) noexcept;

struct DecodedEvents {
  std::vector<InotifyEvent> events;
  DecodeFault fault = DecodeFault::kNone;
  std::size_t offset = 0;  ///< bytes decoded; where the malformation begins if there is one
};

DecodedEvents decode_inotify(std::string_view bytes);

/// "create|isdir" for the log; unknown bits come out in hex.
std::string mask_words(std::uint32_t bits);

}  // namespace opelog::watch
