// ProcessEvent: what a process of a session did, decoded from an entry of the exec ring.
//
// Pure: bytes in, values out; exec_ring.h has the layout. The entries come from the kernel, but the strings
// in them are a user's, and a decoder that believed a length would be his way in: nothing is read beyond the
// entry, and what is not exactly as it must be is no event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/clock.h"
#include "format/exec_record.h"

namespace opelog::record {

struct ProcessEvent {
  std::uint64_t session = 0;  ///< as it was given to ExecSource::join
  MonoUs when = 0;
  std::variant<format::ExecInfo, format::ExitInfo> what;
  bool begins = false;  ///< the first program of a begun login; only then:
  bool leads = false;   ///< its process leads its session
  bool kin = false;     ///< who forked it runs as the same user
  bool operator==(const ProcessEvent&) const = default;
};

/// nullopt if `entry` is not exactly one entry.
std::optional<ProcessEvent> decode_ring_entry(std::string_view entry);

/// The exit code or signal of wait(2)'s status.
void set_status(format::ExitInfo& info, std::uint32_t status) noexcept;

/// Appends the arguments that `bytes` holds, each ended by a NUL, the last maybe not.
void split_arguments(std::string_view bytes, std::vector<std::string>& argv);

}  // namespace opelog::record
