// The decoder of ring entries on any bytes: bounded by the entry, and what it returns survives being
// recorded.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/json_text.h"
#include "format/timing_record.h"
#include "record/exec_event.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opelog;
  const auto event = record::decode_ring_entry({reinterpret_cast<const char*>(data), size});
  if (!event) return 0;
  if (const auto* exec = std::get_if<format::ExecInfo>(&event->what)) {
    std::size_t strings = exec->file.size() + exec->exe.size() + exec->cwd.size();
    for (const std::string& one : exec->argv) strings += one.size();
    if (strings > size || exec->exe.empty() || exec->cwd.empty()) std::abort();
    const auto back =
        format::decode_exec({std::string(format::kOpelogExec), format::exec_value({}, *exec), false});
    if (!back || back->info != *exec) std::abort();
  } else {
    const auto& exit = std::get<format::ExitInfo>(event->what);
    if (exit.exit_code.has_value() == exit.signal.has_value()) std::abort();
    const auto back =
        format::decode_exit({std::string(format::kOpelogExit), format::exit_value({}, exit), false});
    if (!back || back->info != exit) std::abort();
  }
  return 0;
}
