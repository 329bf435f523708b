// ProcDirectory: /proc/PID as a descriptor. It names this process and no later one with the same number:
// once the process is gone, every read through it fails with Code::kGone.
//
// Reads only files that no process can make slow; never cmdline or environ, which wait for its memory lock.
#pragma once

#include <cstdint>
#include <string>

#include "core/fd_io.h"
#include "core/result.h"
#include "record/proc_text.h"

namespace opelog::record {

Error process_gone();

/// Of whoever has that number now, zombies too.
Result<ProcStat> read_proc_stat(std::int64_t pid);

class ProcDirectory {
 public:
  static Result<ProcDirectory> open(std::int64_t pid);

  [[nodiscard]] Result<std::string> read(const char* file) const;
  /// A zombie counts as gone.
  [[nodiscard]] Result<ProcStat> stat() const;
  [[nodiscard]] Result<ProcStatus> status() const;
  /// Path of the program, "" for a kernel thread. Not being allowed to see it is an error: a policy that
  /// asks for the parent would otherwise let the login pass.
  [[nodiscard]] Result<std::string> exe() const;
  /// The target of a magic link ("fd/3", "ns/mnt"); "" with errno where there is none.
  [[nodiscard]] std::string link(const std::string& name) const;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  explicit ProcDirectory(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace opelog::record
