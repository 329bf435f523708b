#include "record/proc_directory_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace opelog::record {
namespace {

constexpr std::size_t kProcFileLimit = 65536;  ///< bytes; stat is below 1 KiB, status below 4 KiB (cpu lists)

Error gone_or(Error error) {
  return error.err == ENOENT || error.err == ESRCH ? process_gone() : std::move(error);
}

}  // namespace

Error process_gone() {
  return Error{Code::kGone, "the process at the other end has ended", ESRCH};
}

Result<ProcStat> read_proc_stat(std::int64_t pid) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/stat", kProcFileLimit);
  if (!text) return text.error();
  return parse_proc_stat(*text);
}

Result<ProcDirectory> ProcDirectory::open(std::int64_t pid) {
  auto fd = open_at(AT_FDCWD, "/proc/" + std::to_string(pid), O_RDONLY | O_DIRECTORY);
  if (!fd) return gone_or(std::move(fd).error());
  return ProcDirectory(std::move(fd).value());
}

Result<std::string> ProcDirectory::read(const char* file) const {
  auto text = read_file_at(fd_.get(), file, kProcFileLimit);
  if (!text) return gone_or(std::move(text).error());
  return text;
}

Result<ProcStat> ProcDirectory::stat() const {
  auto text = read("stat");
  if (!text) return std::move(text).error();
  auto stat = parse_proc_stat(*text);
  if (stat && (stat->state == 'Z' || stat->state == 'X')) return process_gone();
  return stat;
}

Result<ProcStatus> ProcDirectory::status() const {
  auto text = read("status");
  if (!text) return std::move(text).error();
  return parse_proc_status(*text);
}

Result<std::string> ProcDirectory::exe() const {
  const auto path = link("exe");
  if (!path.empty() || errno == ENOENT) return executable_path(path);
  if (errno == ESRCH) return process_gone();
  return error_from_errno(errno, "cannot see which program started this login (CAP_SYS_PTRACE missing?)");
}

std::string ProcDirectory::link(const std::string& name) const {
  char buffer[4096];  // PATH_MAX: the kernel gives no longer path here
  const ssize_t n = ::readlinkat(fd_.get(), name.c_str(), buffer, sizeof buffer);
  return n <= 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(n));
}

}  // namespace opelog::record
