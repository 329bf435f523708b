// Whether a descriptor that came with a login is a terminal one may sit at, found out without any call that
// its owner can make wait.
//
// Only a shim can have sent it, and a shim sends terminals only. This is the second look: fstat(2) or
// ioctl(2) on a file of a user's own FUSE file system would ask his process and could hang us; statx(2) with
// AT_STATX_DONT_SYNC does not, and a character device is the kernel's own, because unprivileged mounts are
// nodev. Any ioctl(2), isatty(3) too, waits on a terminal whose hang-up is kept waiting: whether it really is
// one, OuterTerminal::open() finds out on its thread. Never the master side (/dev/ptmx, whose node is
// everybody's), and never one that its holder may only write to: we open it anew with our own rights, which
// would give him another's keystrokes.
#pragma once

namespace opelog::record {

/// An open pty slave, console or serial line, open for reading and writing.
bool may_be_terminal(int fd) noexcept;

}  // namespace opelog::record
