// InnerTerminal: the pty a recorded session runs on. We hold its master, and until the end one slave
// descriptor, so that a program that closes its terminal and opens /dev/tty again makes no false end.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <string>

#include "core/fd_io.h"
#include "core/result.h"
#include "record/outer_terminal_io.h"

namespace opelog::record {

struct InnerTerminal {
  Fd master;  ///< non-blocking
  Fd slave;   ///< for the shim, and kept
  std::string path;

  /// A new pty of that size, still root's: while it is, to close it waits for nobody. `settings`: the outer
  /// one's; null: the kernel's own, for the shim to set.
  static Result<InnerTerminal> open(const termios* settings, const TerminalSize& size);
  /// The node to `uid`, group `tty_group`, mode 0620.
  Status give_to(uid_t uid, gid_t tty_group);
  /// Hangs it up whoever else has its master open, and leaves it to root alone: for a master that is closed
  /// elsewhere, where nobody must be able to make that wait. Waits for whoever is within a write to it.
  void revoke() const noexcept;
};

/// Whether the program on the pty lets the terminal echo what is typed now (ECHO of the slave).
bool terminal_echoes(int master) noexcept;

}  // namespace opelog::record
