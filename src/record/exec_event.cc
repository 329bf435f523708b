#include "record/exec_event.h"

#include <cstring>

#include "record/exec_ring.h"
#include "record/proc_text.h"

namespace opelog::record {
namespace {

static_assert(sizeof(opelog_ring_head) == 32 && sizeof(opelog_ring_exec) == 80 &&
              sizeof(opelog_ring_exit) == 48);
static_assert(OPELOG_RING_ARGUMENTS == format::kMaxArgumentBytes);

// Entries of the ring are aligned to 8 bytes; a test's or a fuzzer's need not be.
template <typename T>
bool take(std::string_view entry, T& value) {
  if (entry.size() < sizeof value) return false;
  std::memcpy(&value, entry.data(), sizeof value);
  return true;
}

MonoUs microseconds(unsigned long long ns) {
  return static_cast<MonoUs>(ns / 1000);
}

// "ls/bin/usr/" as "/usr/bin/ls"; without the first slash if the beginning is missing.
std::string upright(std::string_view reversed, bool cut) {
  std::string path;
  while (!reversed.empty()) {
    reversed.remove_suffix(1);  // the slash behind a component
    const auto slash = reversed.rfind('/');
    const auto begin = slash == std::string_view::npos ? 0 : slash + 1;
    path += '/';
    path += reversed.substr(begin);
    reversed = reversed.substr(0, begin);
  }
  if (cut && !path.empty()) return path.substr(1);
  return path.empty() ? "/" : path;
}

bool is_reversed_path(std::string_view text) {
  return text.size() <= OPELOG_RING_PATH && (text.empty() || text.back() == '/') &&
         text.find('\0') == std::string_view::npos;
}

std::optional<ProcessEvent> decode_exec(std::string_view bytes) {
  opelog_ring_exec entry;
  if (!take(bytes, entry)) return std::nullopt;
  bytes.remove_prefix(sizeof entry);
  // Each is bounded, so the sum cannot wrap.
  if (entry.arguments > OPELOG_RING_ARGUMENTS || entry.file > OPELOG_RING_PATH ||
      entry.exe > OPELOG_RING_PATH || entry.directory > OPELOG_RING_PATH ||
      bytes.size() != entry.arguments + entry.file + entry.exe + entry.directory ||
      entry.arguments > entry.arguments_true) {
    return std::nullopt;
  }
  const auto next = [&bytes](std::size_t size) {
    const std::string_view part = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return part;
  };
  const std::string_view arguments = next(entry.arguments);
  const std::string_view file = next(entry.file);
  const std::string_view exe = next(entry.exe);
  const std::string_view directory = next(entry.directory);
  if (!is_reversed_path(exe) || !is_reversed_path(directory) || file.find('\0') != std::string_view::npos)
    return std::nullopt;

  format::ExecInfo info;
  info.pid = entry.head.pid;
  info.parent = entry.head.parent;
  info.uid = entry.uid;
  info.euid = entry.euid;
  info.loginuid = entry.loginuid;
  info.audit_session = entry.audit_session;
  info.tty = terminal_path(entry.terminal);
  info.file = file;
  info.exe_cut = (entry.flags & OPELOG_RING_EXE_CUT) != 0;
  info.cwd_cut = (entry.flags & OPELOG_RING_DIRECTORY_CUT) != 0;
  info.foreign_mounts = (entry.flags & OPELOG_RING_FOREIGN_MOUNTS) != 0;
  const bool bare = (entry.flags & OPELOG_RING_EXE_BARE) != 0 && !exe.empty();
  info.exe = bare ? "/" + std::string(exe.substr(0, exe.size() - 1)) : upright(exe, info.exe_cut);
  info.cwd = upright(directory, info.cwd_cut);
  info.argv_missing = (entry.flags & OPELOG_RING_NO_ARGUMENTS) != 0;
  info.argv_cut = !info.argv_missing && entry.arguments < entry.arguments_true;
  info.argument_bytes = entry.arguments_true;
  split_arguments(arguments, info.argv);
  info.argc = info.argv_missing || info.argv_cut ? entry.argc : info.argv.size();
  const auto flag = [&entry](unsigned which) { return (entry.flags & which) != 0; };
  return ProcessEvent{entry.head.session,       microseconds(entry.head.time_ns), std::move(info),
                      flag(OPELOG_RING_BEGINS), flag(OPELOG_RING_LEADS),          flag(OPELOG_RING_KIN)};
}

std::optional<ProcessEvent> decode_exit(std::string_view bytes) {
  opelog_ring_exit entry;
  if (!take(bytes, entry) || bytes.size() != sizeof entry) return std::nullopt;
  format::ExitInfo info;
  info.pid = entry.head.pid;
  info.parent = entry.head.parent;
  set_status(info, entry.status);
  info.execs = entry.execs;
  info.duration_us = microseconds(entry.duration_ns);
  return ProcessEvent{entry.head.session, microseconds(entry.head.time_ns), info};
}

}  // namespace

void set_status(format::ExitInfo& info, std::uint32_t status) noexcept {
  const int signal = static_cast<int>(status & 0x7fU);
  if (signal != 0) {
    info.signal = signal;
  } else {
    info.exit_code = static_cast<int>((status >> 8) & 0xffU);
  }
}

void split_arguments(std::string_view bytes, std::vector<std::string>& argv) {
  while (!bytes.empty()) {
    const auto end = std::min(bytes.find('\0'), bytes.size());
    argv.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
}

std::optional<ProcessEvent> decode_ring_entry(std::string_view entry) {
  opelog_ring_head head;
  if (!take(entry, head) || head.size != entry.size()) return std::nullopt;
  if (head.kind == OPELOG_RING_EXEC) return decode_exec(entry);
  if (head.kind == OPELOG_RING_EXIT) return decode_exit(entry);
  return std::nullopt;
}

}  // namespace opelog::record
