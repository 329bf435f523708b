// The unit's main process, and how the daemon leaves it.
//
// A process does not end before its last thread, and a user can keep a thread of the daemon in a call of the
// kernel (record/user_work_io.h). The service manager would wait for him before it starts the next daemon,
// and every session with it. So its main process makes no such call: the daemon is a child of it. Invariants:
//  - it ends as soon as no line of the daemon's runs any more, as the daemon did, whatever threads are still
//    in the kernel; should it end first, the kernel ends the daemon;
//  - what it is told by signals the daemon is told;
//  - what a daemon leaves behind in such calls holds nothing but what these calls are about.
#pragma once

#include <optional>

namespace opelog::app {

/// nullopt in the daemon, a child from here on. In the main process: the exit status to leave with, once the
/// daemon has ended; a signal that ended it ends the main process, too. Before there are threads. Where no
/// process can be had the daemon is its own main process.
std::optional<int> split_from_main();

/// The end of a daemon some of whose threads do not return: closes whatever no such call is about, and is
/// gone.
[[noreturn]] void leave_threads(int status);

}  // namespace opelog::app
