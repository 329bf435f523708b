// At most one daemon writes recordings and ledger of a host.
//
// Each holds a lock on RUN/daemon.lock, which names it, as long as there is anything of it. Invariants:
//  - while the first thread of another runs, or is in a call of the kernel it was killed in, none begins: it
//    alone writes recordings, and a write that comes after all would be in the way of ours. One that has not
//    named itself counts as running;
//  - other threads of one whose first thread has ended are in calls that somebody keeps waiting
//    (docs/why/150-restart.md): they are given a moment from that end on, once; then the lock is made anew
//    without them.
#pragma once

#include <string>

#include "core/fd_io.h"
#include "core/result.h"

namespace opelog::app {

struct OnlyDaemon {
  Fd lock;           ///< to be held as long as the daemon runs; invalid where there is no directory for it
  std::string left;  ///< what is left of a former daemon, for the log; "" for nothing
};

enum class Another {
  kWait,   ///< for its end, as long as our starter lets us
  kRefuse  ///< Code::kExists after a moment
};

/// `run_directory`: where the lock lies. Waits are said on standard error: there is no log yet.
Result<OnlyDaemon> become_the_only_daemon(const std::string& run_directory, Another another);

}  // namespace opelog::app
