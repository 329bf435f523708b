#include "record/exec_capture_io.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "record/exec_events.skel.h"

namespace opelog::record {
namespace {

// After the ring has woken us: others may do something before it does again.
constexpr std::uint64_t kAfterWakeMs = 5;
// A second without an event, and the timer stops.
constexpr int kIdleLooks = 20;
// Entries taken before others have their turn, at some microseconds each.
constexpr int kEntriesPerTurn = 4096;
// Of the host's first pid namespace (PROC_PID_INIT_INO of the kernel).
constexpr unsigned kFirstPidNamespace = 0xEFFFFFFCU;
constexpr const char* kKernelTypes = "/sys/kernel/btf/vmlinux";

// struct member of exec_events.bpf.c.
struct Member {
  std::uint64_t session = 0;
  std::uint64_t exec_ns = 0;
  std::uint32_t parent = 0;
  std::uint32_t execs = 0;
  std::uint32_t quiet = 0;
  std::uint32_t told = 0;
  std::uint32_t released = 0;
  std::uint32_t unused = 0;
};

// What libbpf complained of first: what follows is only "failed to load object".
std::string& complaint() {
  thread_local std::string text;
  return text;
}

int note_complaint(enum libbpf_print_level level, const char* pattern, va_list arguments) {
  if (level != LIBBPF_WARN || !complaint().empty()) return 0;
  char line[256];
  const int size = std::vsnprintf(line, sizeof line, pattern, arguments);
  if (size > 0)
    complaint().assign(line, std::min<std::size_t>(static_cast<std::size_t>(size), sizeof line - 1));
  const auto end = complaint().find('\n');
  if (end != std::string::npos) complaint().resize(end);
  return 0;
}

Error bpf_error(int err, const char* what) {
  if (err == EPERM || err == EACCES) {
    return {Code::kDenied,
            std::string(what) +
                " is not allowed: it needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN), the system "
                "call bpf, and no kernel lockdown" +
                (complaint().empty() ? "" : " (" + complaint() + ")"),
            err};
  }
  Error error = error_from_errno(err, what);
  error.code = Code::kUnsupported;
  if (!complaint().empty()) error.message += " (" + complaint() + ")";
  return error;
}

}  // namespace

struct ExecCapture::Native {
  exec_events* programs = nullptr;
  ring_buffer* ring = nullptr;
  ~Native() {
    ring_buffer__free(ring);
    exec_events__destroy(programs);
  }
};

Result<std::unique_ptr<ExecCapture>> ExecCapture::open(Loop& loop, ExecSink sink,
                                                       const ExecCaptureOptions& options) {
  if (::access(kKernelTypes, R_OK) != 0) {
    return Error{Code::kUnsupported,
                 std::string("this kernel does not describe its types (") + kKernelTypes +
                     ", CONFIG_DEBUG_INFO_BTF): no exec events by BPF",
                 errno};
  }
  complaint().clear();
  libbpf_set_print(note_complaint);
  auto native = std::make_unique<Native>();
  native->programs = exec_events__open();
  if (native->programs == nullptr) return bpf_error(errno, "opening the exec programs");
  exec_events& programs = *native->programs;
  struct stat here {};
  if (::stat("/proc/self/ns/pid", &here) == 0 && here.st_ino != kFirstPidNamespace) {
    programs.rodata->pid_namespace = static_cast<unsigned>(here.st_ino);
  }
  if (::stat(options.host_mounts, &here) == 0)
    programs.rodata->mount_namespace = static_cast<unsigned>(here.st_ino);
  programs.rodata->wake_bytes = options.wake_bytes;
  programs.bss->asleep = 1;
  if (int rc = bpf_map__set_max_entries(programs.maps.ring, options.ring_bytes); rc != 0)
    return bpf_error(-rc, "sizing the exec ring");
  if (int rc = exec_events__load(&programs); rc != 0) return bpf_error(-rc, "loading the exec programs");

  std::unique_ptr<ExecCapture> capture(new ExecCapture(loop, std::move(sink), std::move(native)));
  const int ring = bpf_map__fd(programs.maps.ring);
  capture->native_->ring = ring_buffer__new(
      ring,
      [](void* self, void* data, std::size_t size) {
        return static_cast<ExecCapture*>(self)->take({static_cast<const char*>(data), size});
      },
      capture.get(), nullptr);
  if (capture->native_->ring == nullptr) return bpf_error(errno, "mapping the exec ring");
  auto poll = Poll::open(loop, ring, [self = capture.get()](int, int) { self->woken(); });
  if (!poll) return std::move(poll).error();
  capture->poll_ = std::move(*poll);
  if (Status watched = capture->poll_->watch(Poll::kReadable); !watched) return watched.error();
  // Last: from here on the kernel runs them.
  if (int rc = exec_events__attach(&programs); rc != 0) return bpf_error(-rc, "attaching the exec programs");
  return capture;
}

ExecCapture::ExecCapture(Loop& loop, ExecSink sink, std::unique_ptr<Native> native)
    : sink_(std::move(sink)), native_(std::move(native)), timer_(loop, [this] { look(); }) {}

ExecCapture::~ExecCapture() = default;

Status ExecCapture::count_losses(std::uint64_t session) {
  if (sessions_.count(session) > 0) return {};
  const std::uint64_t none = 0;
  if (bpf_map_update_elem(bpf_map__fd(native_->programs->maps.losses), &session, &none, BPF_NOEXIST) != 0)
    return error_from_errno(errno, "count the lost events of a session");
  sessions_.emplace(session, 0);
  return {};
}

Status ExecCapture::join(int pidfd, std::uint64_t session, Membership membership) {
  if (Status counted = count_losses(session); !counted) return counted;
  return set_member(pidfd, session, membership);
}

Status ExecCapture::set_member(int pidfd, std::uint64_t session, Membership membership) {
  Member member;
  member.session = session;
  member.quiet = membership == Membership::kChildrenOnly ? 1 : 0;
  if (bpf_map_update_elem(bpf_map__fd(native_->programs->maps.members), &pidfd, &member, BPF_ANY) != 0) {
    const int err = errno;
    if (err == ESRCH || err == ENOENT)
      return Error{Code::kGone, "join a process to its session: it has ended", err};
    return error_from_errno(err, "join a process to its session");
  }
  return {};
}

void ExecCapture::forget(std::uint64_t session) {
  if (sessions_.erase(session) == 0) return;
  (void)bpf_map_delete_elem(bpf_map__fd(native_->programs->maps.losses), &session);
}

Status ExecCapture::watch_server(int pidfd) {
  return set_member(pidfd, OPELOG_RING_SERVERS, Membership::kProcess);
}

void ExecCapture::release(std::uint64_t begun) {
  const unsigned char yes = 1;
  (void)bpf_map_update_elem(bpf_map__fd(native_->programs->maps.released), &begun, &yes, BPF_ANY);
}

std::function<std::uint64_t(int)> ExecCapture::session_probe() const {
  auto members =
      std::make_shared<Fd>(::fcntl(bpf_map__fd(native_->programs->maps.members), F_DUPFD_CLOEXEC, 0));
  return [members](int pidfd) -> std::uint64_t {
    Member member;
    return bpf_map_lookup_elem(members->get(), &pidfd, &member) == 0 ? member.session : 0;
  };
}

// libbpf's callback: a negative value ends this turn, the entry counts as taken all the same.
int ExecCapture::take(std::string_view entry) {
  if (auto event = decode_ring_entry(entry)) {
    ++delivered_;
    if (sink_.event) sink_.event(std::move(*event));
  } else {
    ++malformed_;
    if (sink_.lost) sink_.lost(0, 1);
  }
  return ++taken_ >= kEntriesPerTurn ? -ECANCELED : 0;
}

// Whether there may be more.
bool ExecCapture::consume() {
  if (draining_) return false;  // the sink called drain()
  draining_ = true;
  taken_ = 0;
  ring_buffer__consume(native_->ring);
  tell_losses();
  draining_ = false;
  // An event that found us asleep was to wake us; it is here already, so the descriptor will not.
  if (taken_ > 0 && !timer_.active()) timer_.start(kLookMs);
  return taken_ >= kEntriesPerTurn;
}

void ExecCapture::drain() {
  consume();
}

void ExecCapture::tell_losses() {
  const std::uint64_t begun = __atomic_load_n(&native_->programs->bss->lost_begun, __ATOMIC_ACQUIRE);
  if (begun > lost_begun_ && sink_.lost)
    sink_.lost(OPELOG_RING_SERVERS, begun - std::exchange(lost_begun_, begun));
  // Grows after the session's own counter, so it may still be behind what was told.
  const std::uint64_t total = __atomic_load_n(&native_->programs->bss->lost_total, __ATOMIC_ACQUIRE);
  if (total <= lost_) return;
  const int losses = bpf_map__fd(native_->programs->maps.losses);
  std::map<std::uint64_t, std::uint64_t> found;
  for (auto& [session, told] : sessions_) {
    std::uint64_t count = 0;
    if (bpf_map_lookup_elem(losses, &session, &count) == 0 && count > told)
      found[session] = count - std::exchange(told, count);
  }
  for (const auto& [session, count] : found) {
    lost_ += count;
    if (sink_.lost) sink_.lost(session, count);
  }
  if (found.empty()) lost_ = total;  // of sessions that were forgotten meanwhile
}

void ExecCapture::woken() {
  ++looks_;
  // The descriptor stays readable while events come in, and would take us around for each of them.
  (void)poll_->watch(0);
  const bool more = consume();
  timer_.start(more ? 1 : kAfterWakeMs);
}

void ExecCapture::look() {
  ++looks_;
  const bool more = consume();
  if (more) {
    timer_.start(1);
    return;
  }
  (void)poll_->watch(Poll::kReadable);
  unsigned& asleep = native_->programs->bss->asleep;
  if (taken_ > 0) {
    idle_ = 0;
  } else if (idle_ > kIdleLooks && __atomic_load_n(&asleep, __ATOMIC_SEQ_CST) != 0) {
    return;  // nothing has come since we said so
  } else if (++idle_ > kIdleLooks) {
    // An entry that is being made at this moment does not know yet: one more look before the timer stops.
    __atomic_store_n(&asleep, 1U, __ATOMIC_SEQ_CST);
  }
  timer_.start(kLookMs);
}

std::string ExecCapture::describe() const {
  std::string text = "bpf, " + std::to_string(sessions_.size()) + " sessions, " + std::to_string(delivered_) +
                     " events, " + std::to_string(lost_) + " lost";
  if (malformed_ > 0) text += ", " + std::to_string(malformed_) + " malformed";
  return text;
}

}  // namespace opelog::record
