#include "record/exec_capture_io.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace opelog::record {
namespace {

// After the ring has woken us: others may do something before it does again.
constexpr std::uint64_t kAfterWakeMs = 5;
// A second without an event, and the timer stops.
constexpr int kIdleLooks = 20;
// Entries taken before others have their turn, at some microseconds each.
constexpr int kEntriesPerTurn = 4096;

}  // namespace

// A ring, and what keeps it.
class ExecCapture::Ring {
 public:
  static Result<std::unique_ptr<Ring>> open(ExecCapture& owner, int map, std::unique_ptr<ExecKernel> kernel) {
    std::unique_ptr<Ring> ring(new Ring);
    ring->kernel_ = std::move(kernel);
    ring->native_ = ring_buffer__new(
        map,
        [](void* self, void* data, std::size_t size) {
          return static_cast<ExecCapture*>(self)->take({static_cast<const char*>(data), size});
        },
        &owner, nullptr);
    if (ring->native_ == nullptr) return error_from_errno(errno, "map the exec ring");
    return ring;
  }
  ~Ring() { ring_buffer__free(native_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  void consume() { ring_buffer__consume(native_); }

 private:
  Ring() = default;
  std::unique_ptr<ExecKernel> kernel_;  ///< of an earlier one
  ring_buffer* native_ = nullptr;
};

Result<std::unique_ptr<ExecCapture>> ExecCapture::open(Loop& loop, ExecSink sink,
                                                       ExecCaptureOptions options) {
  const opelog_exec_constants constants =
      ExecKernel::constants_for(options.ring_bytes, options.wake_bytes, options.host_mounts);
  std::unique_ptr<ExecCapture> capture(new ExecCapture(loop, std::move(sink)));
  ExecKernel::Found found = ExecKernel::find(std::move(options.kept), constants);
  capture->kernel_ = std::move(found.fitting);
  const bool loads = capture->kernel_ == nullptr;
  if (loads) {
    auto loaded = ExecKernel::load(constants, !found.others.empty());
    if (!loaded) return std::move(loaded).error();
    capture->kernel_ = std::move(*loaded);
  } else {
    capture->adoption_.how = ExecAdoption::How::kWhole;
  }
  capture->adopt(std::move(found));
  if (Status looking = capture->begin_to_look(loop); !looking) return looking.error();
  return capture;
}

ExecCapture::ExecCapture(Loop& loop, ExecSink sink)
    : sink_(std::move(sink)), timer_(loop, [this] { look(); }) {}

ExecCapture::~ExecCapture() = default;

void ExecCapture::adopt(ExecKernel::Found found) {
  adoption_.problem = std::move(found.problem);
  // More than one only where somebody died between taking over and telling who keeps them. Who is muted has
  // been taken over from.
  std::stable_partition(found.others.begin(), found.others.end(),
                        [](const auto& other) { return other->state().muted != 0; });
  if (kernel_->state().muted != 0 && !found.others.empty()) {
    adoption_.how = ExecAdoption::How::kCarried;
    uncertain_ = kernel_->take_over(*found.others.back());
  }
  for (const std::uint64_t number : kernel_->counted())
    sessions_.emplace(number, kernel_->number(ExecKernel::kTold, number));
  if (__atomic_exchange_n(&kernel_->state().muted, 0U, __ATOMIC_SEQ_CST) != 0) {
    // Who had taken over is not there.
    for (const auto& [number, told] : sessions_) uncertain_.insert(number);
  }
  for (const auto& other : found.others) __atomic_store_n(&other->state().muted, 1U, __ATOMIC_SEQ_CST);
  for (const auto& [number, told] : sessions_) adoption_.counted.push_back(number);
  for (auto& other : found.others) {
    const int map = other->map(ExecKernel::kRing);
    if (auto ring = Ring::open(*this, map, std::move(other)))
      earlier_.push_back(std::move(*ring));
    else
      adoption_.problem = ring.error().message;
  }
}

Status ExecCapture::begin_to_look(Loop& loop) {
  const int map = kernel_->map(ExecKernel::kRing);
  auto ring = Ring::open(*this, map, nullptr);
  if (!ring) return std::move(ring).error();
  ring_ = std::move(*ring);
  auto poll = Poll::open(loop, map, [this](int, int) { woken(); });
  if (!poll) return std::move(poll).error();
  poll_ = std::move(*poll);
  if (adoption_.how == ExecAdoption::How::kNothing) return poll_->watch(Poll::kReadable);
  // What lies there already wakes nobody.
  __atomic_store_n(&kernel_->state().asleep, 0U, __ATOMIC_SEQ_CST);
  timer_.start(0);
  return {};
}

Status ExecCapture::count_losses(std::uint64_t session) {
  if (sessions_.count(session) > 0) return {};
  const std::uint64_t none = 0;
  if (bpf_map_update_elem(kernel_->map(ExecKernel::kLosses), &session, &none, BPF_NOEXIST) != 0)
    return error_from_errno(errno, "count the lost events of a session");
  (void)bpf_map_update_elem(kernel_->map(ExecKernel::kTold), &session, &none, BPF_ANY);
  sessions_.emplace(session, 0);
  return {};
}

Status ExecCapture::join(int pidfd, std::uint64_t session, Membership membership) {
  if (Status counted = count_losses(session); !counted) return counted;
  return set_member(pidfd, session, membership);
}

Status ExecCapture::set_member(int pidfd, std::uint64_t session, Membership membership) {
  opelog_exec_member member{};
  member.session = session;
  member.quiet = membership == Membership::kChildrenOnly ? 1 : 0;
  if (bpf_map_update_elem(kernel_->map(ExecKernel::kMembers), &pidfd, &member, BPF_ANY) != 0) {
    const int err = errno;
    if (err == ESRCH || err == ENOENT)
      return Error{Code::kGone, "join a process to its session: it has ended", err};
    return error_from_errno(err, "join a process to its session");
  }
  return {};
}

void ExecCapture::forget(std::uint64_t session) {
  if (sessions_.erase(session) == 0) return;
  (void)bpf_map_delete_elem(kernel_->map(ExecKernel::kLosses), &session);
  (void)bpf_map_delete_elem(kernel_->map(ExecKernel::kTold), &session);
}

Status ExecCapture::watch_server(int pidfd) {
  return set_member(pidfd, OPELOG_RING_SERVERS, Membership::kProcess);
}

void ExecCapture::release(std::uint64_t begun) {
  const unsigned char yes = 1;
  (void)bpf_map_update_elem(kernel_->map(ExecKernel::kReleased), &begun, &yes, BPF_ANY);
}

std::function<std::uint64_t(int)> ExecCapture::session_probe() const {
  auto members = std::make_shared<Fd>(::fcntl(kernel_->map(ExecKernel::kMembers), F_DUPFD_CLOEXEC, 0));
  return [members](int pidfd) -> std::uint64_t {
    opelog_exec_member member{};
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
  tell_uncertain();
  while (!earlier_.empty() && taken_ < kEntriesPerTurn) {
    earlier_.front()->consume();
    if (taken_ < kEntriesPerTurn) earlier_.erase(earlier_.begin());
  }
  if (taken_ < kEntriesPerTurn) ring_->consume();
  tell_losses();
  draining_ = false;
  // An event that found us asleep was to wake us; it is here already, so the descriptor will not.
  if (taken_ > 0 && !timer_.active()) timer_.start(kLookMs);
  return taken_ >= kEntriesPerTurn;
}

void ExecCapture::drain() {
  consume();
}

std::vector<Fd> ExecCapture::keep() const {
  return kernel_->keep();
}

void ExecCapture::tell_uncertain() {
  for (const std::uint64_t session : std::exchange(uncertain_, {})) {
    if (sink_.lost) sink_.lost(session, 0);
  }
}

// Noted as told when the sink has it: who dies between has told it twice rather than never.
void ExecCapture::tell_losses() {
  opelog_exec_state& state = kernel_->state();
  const std::uint64_t begun = __atomic_load_n(&state.lost_begun, __ATOMIC_ACQUIRE);
  if (begun > state.told_begun) {
    if (sink_.lost) sink_.lost(OPELOG_RING_SERVERS, begun - state.told_begun);
    state.told_begun = begun;
  }
  // Grows after the session's own counter, so it may still be behind what was told.
  const std::uint64_t total = __atomic_load_n(&state.lost_total, __ATOMIC_ACQUIRE);
  if (total <= state.told_total) return;
  std::map<std::uint64_t, std::uint64_t> found;
  for (const auto& [session, told] : sessions_) {
    const std::uint64_t count = kernel_->number(ExecKernel::kLosses, session);
    if (count > told) found[session] = count;
  }
  for (const auto& [session, count] : found) {
    const auto it = sessions_.find(session);
    if (it == sessions_.end()) continue;  // forgotten by the sink
    const std::uint64_t more = count - std::exchange(it->second, count);
    lost_ += more;
    state.told_total += more;
    if (sink_.lost) sink_.lost(session, more);
    (void)bpf_map_update_elem(kernel_->map(ExecKernel::kTold), &session, &count, BPF_EXIST);
  }
  if (found.empty()) state.told_total = total;  // of sessions that were forgotten meanwhile
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
  unsigned& asleep = kernel_->state().asleep;
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
