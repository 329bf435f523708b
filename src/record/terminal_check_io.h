// Whether a descriptor that came with a login is a terminal, found out without any call that its owner can
// make wait.
//
// Only a shim can have sent it, and a shim sends terminals only. This is the second look: fstat(2) or
// ioctl(2) on a file of a user's own FUSE file system would ask his process and could hang us; statx(2) with
// AT_STATX_DONT_SYNC does not, and a character device is the kernel's own, because unprivileged mounts are
// nodev.
#pragma once

namespace opelog::record {

bool is_terminal(int fd) noexcept;

}  // namespace opelog::record
