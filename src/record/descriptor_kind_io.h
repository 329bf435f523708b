// What a descriptor handed over by a stranger is, found out without any call that the stranger can block.
//
// A user may pass a descriptor of his own FUSE file system: fstat(2), ioctl(2), poll(2) on it ask his
// process and can hang us. statx with AT_STATX_DONT_SYNC, F_GETFL, F_GETPIPE_SZ, SO_TYPE and readlink of
// /proc/self/fd do not. Only what is proved harmless by these is ever polled, read or reopened.
#pragma once

#include <cstdint>
#include <string>

namespace opelog::record {

enum class DescriptorKind {
  kTerminal,  ///< an open tty (pty slave, console, serial line): ioctls are safe
  kSocket,    ///< a stream socket
  kPipe,      ///< an anonymous pipe: may be reopened
  kFifo,      ///< a named one: passed on untouched
  kOther,     ///< anything else: passed on untouched
};

struct DescriptorFacts {
  DescriptorKind kind = DescriptorKind::kOther;
  bool readable = false;
  bool writable = false;
  std::uint64_t device = 0, inode = 0;  ///< identity: two descriptors of one socket or pipe agree
  std::uint64_t terminal = 0;           ///< device number of a terminal
};

DescriptorFacts descriptor_facts(int fd) noexcept;

}  // namespace opelog::record
