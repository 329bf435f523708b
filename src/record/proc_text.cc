#include "record/proc_text.h"

#include <array>
#include <charconv>

#include "core/policy_decide.h"

namespace opelog::record {
namespace {

Error malformed(const char* file, const char* what) {
  return Error{Code::kInvalid, std::string("/proc text of ") + file + " is not as expected: " + what, 0};
}

template <typename T>
bool to_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// The next field up to blanks; empty at the end.
std::string_view take_field(std::string_view& rest) {
  const auto begin = rest.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return rest = {};
  rest.remove_prefix(begin);
  const auto end = std::min(rest.find_first_of(" \t\n"), rest.size());
  const auto field = rest.substr(0, end);
  rest.remove_prefix(end);
  return field;
}

// What follows "Name:" at the start of a line.
bool find_line(std::string_view text, std::string_view name, std::string_view& value) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    if (line.substr(0, name.size()) == name) {
      value = line.substr(name.size());
      return true;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

}  // namespace

bool is_sshd(std::string_view exe) noexcept {
  return program_matches(exe, "sshd") || program_matches(exe, "sshd-session");
}

Result<ProcStat> parse_proc_stat(std::string_view text) {
  ProcStat stat;
  const auto open = text.find(" (");
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) {
    return malformed("stat", "no name in parentheses");
  }
  if (!to_number(text.substr(0, open), stat.pid)) return malformed("stat", "no pid");
  stat.comm = text.substr(open + 2, close - open - 2);
  auto rest = text.substr(close + 1);

  // Fields 9 and 22 of proc(5), counted from the one after the name.
  constexpr std::size_t kFlags = 6, kStarted = 19;
  constexpr std::uint32_t kExiting = 0x4;  // the kernel's PF_EXITING
  std::uint32_t flags = 0;
  std::array<std::string_view, kStarted + 1> fields;
  for (auto& field : fields) {
    field = take_field(rest);
    if (field.empty()) return malformed("stat", "too few fields");
  }
  std::int32_t terminal = 0;  // printed signed; the device number's bits count
  if (fields[0].size() != 1) return malformed("stat", "state");
  if (!to_number(fields[1], stat.parent)) return malformed("stat", "parent");
  if (!to_number(fields[3], stat.session)) return malformed("stat", "session");
  if (!to_number(fields[4], terminal)) return malformed("stat", "terminal");
  if (!to_number(fields[kFlags], flags)) return malformed("stat", "flags");
  if (!to_number(fields[kStarted], stat.started)) return malformed("stat", "start time");
  stat.state = fields[0][0];
  stat.exiting = (flags & kExiting) != 0;
  stat.terminal = static_cast<std::uint32_t>(terminal);
  return stat;
}

Result<ProcStatus> parse_proc_status(std::string_view text) {
  ProcStatus status;
  std::string_view value;
  // The name is the first line and escaped by the kernel, so a line that begins with "Uid:" is the kernel's.
  if (!find_line(text, "Uid:", value)) return malformed("status", "no Uid");
  if (!to_number(take_field(value), status.real_uid)) return malformed("status", "real uid");
  if (!to_number(take_field(value), status.effective_uid)) return malformed("status", "effective uid");
  if (!find_line(text, "TracerPid:", value)) return malformed("status", "no TracerPid");
  if (!to_number(take_field(value), status.tracer)) return malformed("status", "tracer");
  return status;
}

Result<std::uint32_t> parse_proc_number(std::string_view text) {
  std::uint32_t number = 0;
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (!to_number(text, number)) return malformed("a number", "not a decimal number");
  return number;
}

std::string executable_path(std::string_view link) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (link.size() > kDeleted.size() && link.substr(link.size() - kDeleted.size()) == kDeleted) {
    link.remove_suffix(kDeleted.size());
  }
  return std::string(link);
}

std::string terminal_path(std::uint32_t device) {
  // The kernel's new_encode_dev(): mmmM MMmm with 12 bits of major and 20 of minor. Majors are from the
  // kernel's list of devices (admin-guide/devices.txt).
  const std::uint32_t major = (device >> 8) & 0xfff;
  const std::uint32_t minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  constexpr std::uint32_t kTty = 4, kTtyAux = 5, kFirstSerial = 64, kFirstPts = 136, kLastPts = 143;
  constexpr std::uint32_t kMinorsPerPtsMajor = 256;
  if (major >= kFirstPts && major <= kLastPts) {
    // Since 2.6 all ptys live under major 136 with minors up to 2^20; 137 to 143 are the old continuation.
    return "/dev/pts/" + std::to_string((major - kFirstPts) * kMinorsPerPtsMajor + minor);
  }
  if (major == kTty && minor < kFirstSerial) return "/dev/tty" + std::to_string(minor);
  if (major == kTty) return "/dev/ttyS" + std::to_string(minor - kFirstSerial);
  if (major == kTtyAux && minor == 1) return "/dev/console";
  return {};
}

}  // namespace opelog::record
