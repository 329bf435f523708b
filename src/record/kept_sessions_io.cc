#include "record/kept_sessions_io.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "core/clock_io.h"
#include "format/recording_files_io.h"
#include "format/session_header.h"
#include "record/process_facts_io.h"

namespace opelog::record {
namespace {

constexpr std::size_t kHeaderRead = 65536;
constexpr std::string_view kKeptPrefix = "opelog-";  // of what is no session's

Error none_of_ours(const std::string& id, const std::string& why) {
  return Error{
      Code::kInvalid,
      (id.empty() ? "a session of which nothing is known" : "session " + id) + " cannot go on: " + why, 0};
}

// Takes the memory out of `fds`.
Result<SharedMemory> memory_of(const std::string& id, std::vector<Fd>& fds) {
  for (auto it = fds.begin(); it != fds.end(); ++it) {
    if (!SharedMemory::is_one(it->get())) continue;
    auto memory = SharedMemory::adopt(std::move(*it), sizeof(SessionMemory));
    fds.erase(it);
    if (!memory) return none_of_ours(id, "its memory is of another version");
    const auto* kept = static_cast<const SessionMemory*>(memory->data());
    if (kept->magic != kSessionMemoryMagic || kept->layout != kSessionMemoryLayout)
      return none_of_ours(id, "its memory is of another version");
    return memory;
  }
  return none_of_ours(id, "its memory is not there");
}

template <typename Fds>
auto find(const SessionMark& mark, std::size_t which, Fds& fds) {
  const DescriptorMark& wanted = mark.descriptors[which];
  return std::find_if(fds.begin(), fds.end(), [&wanted](const Fd& fd) {
    struct stat st {};
    return wanted != DescriptorMark{} && ::fstat(fd.get(), &st) == 0 && st.st_dev == wanted.device &&
           st.st_ino == wanted.inode;
  });
}

Fd take(const SessionMark& mark, std::size_t which, std::vector<Fd>& fds) {
  const auto it = find(mark, which, fds);
  if (it == fds.end()) return {};
  Fd found = std::move(*it);
  fds.erase(it);
  return found;
}

// Whether all is there. Of one that has ended terminals may be gone: they were taken out of the store.
bool is_whole(const SessionMark& mark, const std::vector<Fd>& fds) {
  const bool ended = SessionMachine(mark.machine).closed();
  for (std::size_t which = 0; which < kKeptDescriptors; ++which) {
    if (mark.descriptors[which] == DescriptorMark{} || (ended && which > kKeptShim)) continue;
    if (find(mark, which, fds) == fds.end()) return false;
  }
  return mark.descriptors[kKeptShim] != DescriptorMark{};
}

// The recording's header says who and what.
Status read_info(int time_fd, format::SessionInfo& info, std::string& name) {
  auto readable = reopen(time_fd, O_RDONLY);
  if (!readable) return std::move(readable).error();
  format::HeaderDecoder header;
  auto read = format::read_header(
      [fd = readable->get()](char* data, std::size_t size, std::uint64_t offset) {
        return format::read_at(fd, data, size, offset);
      },
      kHeaderRead, header);
  if (!read) return std::move(read).error();
  if (!read->empty()) return Error{Code::kInvalid, *read, 0};
  info = std::move(header.info);
  name = header.output_log;
  if (name.ends_with(format::kLogSuffix)) name.resize(name.size() - format::kLogSuffix.size());
  return {};
}

Result<SessionParts> resume(const std::string& id, std::vector<Fd>& fds, const RecordingPlace& place);

}  // namespace

bool are_sessions_passed() {
  const char* names = std::getenv("LISTEN_FDNAMES");
  return names != nullptr && (":" + std::string(names)).find(":" + kept_name("")) != std::string::npos;
}

std::string kept_id(const std::vector<Fd>& fds) {
  std::uint64_t number = 0;
  for (const Fd& fd : fds) {
    if (SharedMemory::is_one(fd.get()) &&
        ::pread(fd.get(), &number, sizeof number, offsetof(SessionMemory, number)) == sizeof number)
      return session_id(number);
  }
  return "";
}

KeptSessions take_kept(std::vector<PassedFd>& passed) {
  static const std::array<std::string, 2> kPrefixes = {kept_name(""), kept_outer_name("")};
  KeptSessions kept;
  std::vector<PassedFd> others;
  for (PassedFd& one : passed) {
    if (one.name.starts_with(kKeptPrefix) || one.name.starts_with(kPrefixes[0]) ||
        one.name.starts_with(kPrefixes[1]))
      ++kept.there[one.name];
    if (one.name == kKeptBufferName) {
      auto buffer = SharedMemory::adopt(std::move(one.fd), sizeof(RelayBuffer));
      if (buffer) kept.buffer = std::move(*buffer);
      continue;
    }
    if (one.name == kKeptExecName || one.name == kKeptLedgerName) {
      (one.name == kKeptExecName ? kept.exec : kept.ledger).push_back(std::move(one.fd));
      continue;
    }
    bool ours = false;
    for (const std::string& prefix : kPrefixes) {
      if (!one.name.starts_with(prefix)) continue;
      kept.sessions[one.name.substr(prefix.size())].push_back(std::move(one.fd));
      ours = true;
      break;
    }
    if (!ours) others.push_back(std::move(one));
  }
  passed = std::move(others);
  return kept;
}

Result<SessionParts> resume_session(const std::string& id, std::vector<Fd>& fds,
                                    const RecordingPlace& place) {
  std::vector<Fd> files;
  for (const Fd& fd : fds) {
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode) || SharedMemory::is_one(fd.get())) continue;
    if (auto copy = duplicate(fd.get())) files.push_back(std::move(*copy));
  }
  auto parts = resume(id, fds, place);
  if (!parts) unlock(files);  // or nobody could complete the recording yet
  return parts;
}

namespace {

Result<SessionParts> resume(const std::string& id, std::vector<Fd>& fds, const RecordingPlace& place) {
  auto memory = memory_of(id, fds);
  if (!memory) return std::move(memory).error();
  SessionParts parts;
  parts.memory = std::move(*memory);
  parts.store = place.store;
  parts.resumed = true;
  SessionMemory& kept = *parts.kept();
  if (kept.attempts >= kMostAttempts)
    return none_of_ours(id,
                        "the daemon died " + std::to_string(kMostAttempts) + " times when it took it over");
  ++kept.attempts;
  parts.memory.lock(kSecretsEnd);
  const SessionMark mark = kept.mark.get();
  if (const std::string fault = fault_of(mark); !fault.empty())
    return none_of_ours(id, "its memory is damaged: " + fault);
  if (!is_whole(mark, fds)) return none_of_ours(id, "a descriptor of it is not there");

  format::ResumeOptions options;
  for (std::size_t i = 0; i < options.files.size(); ++i) options.files[i] = take(mark, kKeptLog + i, fds);
  if (auto read = read_info(options.files[1].get(), parts.info, options.name); !read)
    return none_of_ours(id, read.error().message);
  if (parts.info.id != id) return none_of_ours(id, "its recording is another's");
  options.begun = mark.begun;
  options.append_only = mark.append_only != 0;
  options.memory = parts.writer_memory();
  if (mark.sealed != 0) options.sealer = place.resume_seal;
  auto writer = format::RecordingWriter::resume(std::move(options), mono_now());
  if (!writer) return none_of_ours(id, writer.error().message);
  parts.writer = std::move(*writer);

  // Nothing fails from here on.
  parts.size_limit = mark.quota.size_limit;
  parts.output_rate = mark.quota.output_rate;
  parts.on_output_rate = static_cast<OnOutputRate>(mark.quota.on_output_rate);
  parts.shim = take(mark, kKeptShim, fds);
  parts.shim_started = mark.shim_started;
  parts.shim_pidfd = open_process(parts.info.shim_pid, parts.shim_started);
  parts.ancestry_started.assign(
      mark.ancestry_started.begin(),
      mark.ancestry_started.begin() + std::min<std::size_t>(mark.ancestors, kMarkedAncestors));
  Fd outer = take(mark, kKeptOuter, fds);
  parts.outer_socket = take(mark, kKeptOuterSocket, fds);
  parts.inner.path = parts.info.inner_tty;
  parts.inner.slave = take(mark, kKeptSlave, fds);
  parts.inner.master = take(mark, kKeptMaster, fds);
  if (outer) parts.outer = OuterTerminal::resume(std::move(outer), parts.info.tty, mark.outer);
  if (mark.utmp_moved != 0) parts.utmp = UtmpLine::resume(parts.info.tty, parts.info.inner_tty, place.utmp);
  for (std::size_t i = 0; i < parts.streams.size(); ++i) {
    parts.streams[i].same_as = mark.same_as[i];
    parts.streams[i].outer_fd = take(mark, kKeptStreams + 2 * i, fds);
    parts.streams[i].inner_fd = take(mark, kKeptStreams + 2 * i + 1, fds);
  }
  return parts;
}

}  // namespace

void unlock(const std::vector<Fd>& files) {
  struct flock none {};
  none.l_type = F_UNLCK;
  none.l_whence = SEEK_SET;
  for (const Fd& file : files) (void)::fcntl(file.get(), F_OFD_SETLK, &none);
}

void shut_kept_sockets(const std::vector<Fd>& fds) {
  for (const Fd& fd : fds) (void)::shutdown(fd.get(), SHUT_RDWR);  // ENOTSOCK of the rest
}

std::uint32_t user_of(const std::vector<Fd>& fds) {
  for (const Fd& fd : fds) {
    struct stat st {};
    unsigned number = 0;
    if (::fstat(fd.get(), &st) == 0 && S_ISCHR(st.st_mode) && st.st_uid != 0 && ::isatty(fd.get()) != 0 &&
        ::ioctl(fd.get(), TIOCGPTN, &number) != 0)
      return st.st_uid;
  }
  return 0;
}

void end_kept(std::vector<Fd>& fds) {
  const int locked = 1;
  for (const Fd& fd : fds) (void)::ioctl(fd.get(), TIOCSPTLCK, &locked);  // masters, before any is hung up
  for (Fd& fd : fds) {
    unsigned number = 0;
    if (::isatty(fd.get()) == 0 || ::ioctl(fd.get(), TIOCGPTN, &number) == 0) continue;
    InnerTerminal terminal;
    terminal.slave = std::move(fd);
    terminal.revoke();
  }
  fds.clear();
}

}  // namespace opelog::record
