// Any order of what a begun login may see: it holds no more than its bounds, forgets nothing without counting
// it, and once it is recorded or over it stays so. Each two bytes are one thing that happens.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "record/begun_login.h"

namespace {

using namespace opelog;
using record::BegunLogin;

constexpr const char* kShimPath = "/usr/bin/opelog-shell";

void require(bool holds) {
  if (!holds) std::abort();
}

record::ProcessEvent exec_of(unsigned what, std::int64_t pid) {
  format::ExecInfo info;
  info.pid = pid;
  info.uid = 1000 + (what & 1);
  info.exe = (what & 2) != 0 ? kShimPath : "/usr/bin/bash";
  info.argv = {"sh", "-c", (what & 4) != 0 ? "/usr/bin/xauth -q -" : "id"};
  if ((what & 8) != 0) info.argv.emplace_back(60000, 'x');
  record::ProcessEvent event{7, 0, info};
  event.begins = (what & 16) != 0;
  return event;
}

record::ProcessEvent exit_of(std::int64_t pid) {
  format::ExitInfo info;
  info.pid = pid;
  info.exit_code = 0;
  return {7, 0, info};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 600) return 0;
  BegunLogin login(kShimPath);
  MonoUs now = 0;
  std::uint64_t taken = 0, back = 0;
  bool recorded = false;
  for (std::size_t i = 0; i + 1 < size; i += 2) {
    const unsigned what = data[i + 1] >> 3;
    const std::int64_t pid = 100 + (data[i + 1] & 7);
    switch (data[i] % 9) {
      case 0:
      case 1:
        login.take(exec_of(what, pid), now, data[i] < 200);
        ++taken;
        break;
      case 2:
        login.take(exit_of(pid), now);
        ++taken;
        break;
      case 3:
        now += (1U << (what % 26));
        break;
      case 4:
        login.wanted((what & 1) != 0);
        break;
      case 5: {
        const auto claim = what % 3 == 0   ? BegunLogin::Claim::kRecorded
                           : what % 3 == 1 ? BegunLogin::Claim::kPasses
                                           : BegunLogin::Claim::kRefused;
        const auto before = login.claimed(pid, 1000 + (what & 1), claim);
        require(claim == BegunLogin::Claim::kRecorded || before.events.empty());
        back += before.events.size() + before.missing;
        break;
      }
      case 6:
        login.retain([pid](std::int64_t other) { return other >= pid; });
        break;
      case 7:
        login.lost(what);
        taken += what > 0 ? what : 1;
        break;
      default: {
        const auto held = login.held();
        back += held.events.size() + held.missing;
        require(login.held_bytes() == 0);
        break;
      }
    }
    require(back <= taken);
    require(login.held_bytes() <= BegunLogin::kMaxHeldBytes);
    if ((data[i] & 128) == 0) continue;
    const auto step = login.step(now);
    require(step != BegunLogin::Step::kRecord || !recorded);
    recorded = recorded || step == BegunLogin::Step::kRecord;
    require(login.recorded() == recorded);
    require(!recorded || step != BegunLogin::Step::kRelease);
    require(!login.waits_for_time() || !recorded);
  }
  return 0;
}
