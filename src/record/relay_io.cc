#include "record/relay_io.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace opelog::record {
namespace {

// Reads while draining, per turn of the loop: enough for all a pty can hold (64 KiB), little for the others'
// wait.
constexpr int kDrainReads = 16;

bool is_socket(EndpointKind kind) {
  return kind == EndpointKind::kSocket || kind == EndpointKind::kOuterSocket;
}

// MSG_NOSIGNAL is what write(2) cannot say: the other end of a socket may be gone.
ssize_t read_some(int fd, EndpointKind kind, char* to, std::size_t size) {
  return is_socket(kind) ? ::recv(fd, to, size, MSG_DONTWAIT) : ::read(fd, to, size);
}
ssize_t write_some(int fd, EndpointKind kind, std::string_view bytes) {
  return is_socket(kind) ? ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                         : ::write(fd, bytes.data(), bytes.size());
}

// What the operator sits at: its end is the session's.
bool is_outer(EndpointKind kind) {
  return kind == EndpointKind::kOuterTerminal || kind == EndpointKind::kOuterSocket;
}

// Open until the session closes it, whatever flow ends.
bool stays_open(EndpointKind kind) {
  return kind == EndpointKind::kMaster || is_outer(kind);
}

}  // namespace

Relay::Relay(Loop& loop, RelayBuffer& buffer, RelayOwner& owner)
    : loop_(loop), buffer_(buffer), owner_(owner) {}
Relay::~Relay() = default;

Result<int> Relay::add_endpoint(Fd fd, EndpointKind kind) {
  const int index = static_cast<int>(endpoints_.size());
  auto poll =
      Poll::open(loop_, fd.get(), [this, index](int events, int error) { ready(index, events, error); });
  if (!poll) {
    if (kind == EndpointKind::kMaster) owner_.put_away(std::move(fd));
    return std::move(poll).error();
  }
  endpoints_.push_back({std::move(fd), kind, std::move(*poll), false});
  return index;
}

int Relay::add_flow(int from, int to, FlowRole role) {
  flows_.push_back({from, to, role, {}, {}, 0, false, false});
  return static_cast<int>(flows_.size()) - 1;
}

void Relay::start() {
  started_ = true;
  for (int i = 0; i < static_cast<int>(endpoints_.size()); ++i) watch(i);
}

Status Relay::inject(int flow, std::string_view bytes) {
  Flow& f = flows_[static_cast<std::size_t>(flow)];
  if (f.done) return Error{Code::kGone, "the flow has ended", 0};
  if (!f.unrecorded.empty() || !f.backlog.empty())
    return Error{Code::kLimit, "a chunk is waiting already", 0};
  if (!bytes.empty()) offer(flow, bytes);
  return {};
}

void Relay::ready(int endpoint, int events, int error) {
  Endpoint& e = endpoints_[static_cast<std::size_t>(endpoint)];
  if (error != 0) {
    e.failed = true;  // libuv has stopped the handle: everything that could happen is tried below
    events = Poll::kReadable | Poll::kWritable;
  }
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    Flow& f = flows_[static_cast<std::size_t>(i)];
    if ((events & Poll::kWritable) != 0 && f.to == endpoint && !f.backlog.empty()) flush(i);
  }
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    Flow& f = flows_[static_cast<std::size_t>(i)];
    if ((events & Poll::kReadable) != 0 && f.from == endpoint && !f.done && !f.source_ended &&
        f.backlog.empty() && f.unrecorded.empty()) {
      pump(i);
    }
  }
  // Neither read nor written just now: it would never be noticed otherwise.
  if (events == Poll::kDisconnect) e.failed = true;
  if (e.failed && is_outer(e.kind)) owner_.outer_gone();
  if (e.fd.valid()) watch(endpoint);
}

Relay::Pumped Relay::pump(int flow) {
  Flow& f = flows_[static_cast<std::size_t>(flow)];
  Endpoint& from = endpoints_[static_cast<std::size_t>(f.from)];
  if (!from.fd.valid()) return Pumped::kEnded;
  ssize_t n;
  do {
    n = read_some(from.fd.get(), from.kind, buffer_.bytes.get(), kChunk);
  } while (n < 0 && errno == EINTR);
  if (n > 0) {
    // What is typed when all has been shown is for nobody, and must not stand before the end of the socket.
    if (drain_told_ && from.kind == EndpointKind::kOuterSocket) return Pumped::kMoved;
    offer(flow, std::string_view(buffer_.bytes.get(), static_cast<std::size_t>(n)));
    return Pumped::kMoved;
  }
  if (n < 0 && errno == EAGAIN && !from.failed) return Pumped::kNothing;
  source_failed(flow);
  return Pumped::kEnded;
}

// The source gave its end (0 bytes), or an error that is one: EIO of a pty, ECONNRESET of a socket.
void Relay::source_failed(int flow) {
  Flow& f = flows_[static_cast<std::size_t>(flow)];
  f.source_ended = true;
  const EndpointKind kind = endpoints_[static_cast<std::size_t>(f.from)].kind;
  watch(f.from);
  settle(flow);
  if (drain_told_ && kind == EndpointKind::kOuterSocket)
    owner_.drained();
  else if (is_outer(kind))
    owner_.outer_gone();
}

void Relay::offer(int flow, std::string_view bytes) {
  const std::size_t taken = owner_.accept(flow, bytes);
  Flow& f = flows_[static_cast<std::size_t>(flow)];
  if (taken < bytes.size()) {
    f.unrecorded.assign(bytes.substr(taken));
    watch(f.from);
  }
  if (taken > 0) write_on(flow, bytes.substr(0, taken));
}

void Relay::write_on(int flow, std::string_view bytes) {
  Flow& f = flows_[static_cast<std::size_t>(flow)];
  if (f.done) return;
  Endpoint& to = endpoints_[static_cast<std::size_t>(f.to)];
  ssize_t n = 0;
  if (to.fd.valid()) {
    do {
      n = write_some(to.fd.get(), to.kind, bytes);
    } while (n < 0 && errno == EINTR);
  }
  if (n < 0 && errno != EAGAIN) {
    // The sink takes no more. Terminals tell their owner when read; elsewhere the flow is over.
    if (is_outer(to.kind)) {
      owner_.outer_gone();
    } else {
      finish(flow);
    }
    return;
  }
  if (n > 0) f.bytes += static_cast<std::uint64_t>(n);
  const std::size_t written = n > 0 ? static_cast<std::size_t>(n) : 0;
  if (written < bytes.size() && to.fd.valid()) {
    f.backlog.assign(bytes.substr(written));
    watch(f.from);
    watch(f.to);
  }
}

void Relay::flush(int flow) {
  std::string waiting;
  waiting.swap(flows_[static_cast<std::size_t>(flow)].backlog);
  write_on(flow, waiting);
  Flow& f = flows_[static_cast<std::size_t>(flow)];
  if (!f.backlog.empty() || f.done) return;
  settle(flow);
  watch(f.from);
  watch(f.to);
  if (draining_) schedule_drain();
}

void Relay::retry() {
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    std::string waiting;
    waiting.swap(flows_[static_cast<std::size_t>(i)].unrecorded);
    if (waiting.empty()) continue;
    std::string before;
    before.swap(flows_[static_cast<std::size_t>(i)].backlog);
    if (!before.empty()) {  // order: what is recorded goes first
      flows_[static_cast<std::size_t>(i)].backlog = std::move(before);
      flows_[static_cast<std::size_t>(i)].unrecorded = std::move(waiting);
      continue;
    }
    offer(i, waiting);
    if (flows_[static_cast<std::size_t>(i)].unrecorded.empty()) {
      settle(i);
      watch(flows_[static_cast<std::size_t>(i)].from);
      if (draining_) schedule_drain();
    }
  }
}

void Relay::settle(int flow) {
  Flow& f = flows_[static_cast<std::size_t>(flow)];
  if (f.source_ended && !f.done && f.backlog.empty() && f.unrecorded.empty()) finish(flow);
}

// The flow is over: tell the sink that nothing more comes and the source that nobody listens.
void Relay::finish(int flow) {
  Flow& f = flows_[static_cast<std::size_t>(flow)];
  if (f.done) return;
  f.done = true;
  f.backlog.clear();
  f.unrecorded.clear();
  bool source_shared = false, sink_shared = false;  // by another flow that still runs
  for (const Flow& other : flows_) {
    if (other.done) continue;
    if (other.from == f.from || other.to == f.from) source_shared = true;
    if (other.from == f.to || other.to == f.to) sink_shared = true;
  }
  Endpoint& from = endpoints_[static_cast<std::size_t>(f.from)];
  Endpoint& to = endpoints_[static_cast<std::size_t>(f.to)];
  if (!stays_open(to.kind) && to.fd.valid()) {
    if (sink_shared)
      ::shutdown(to.fd.get(), SHUT_WR);
    else
      close_endpoint(f.to);
  }
  if (!stays_open(from.kind) && from.fd.valid()) {
    if (source_shared)
      ::shutdown(from.fd.get(), SHUT_RD);
    else
      close_endpoint(f.from);
  }
  watch(f.from);
  watch(f.to);
  owner_.flow_ended(flow);
}

void Relay::drain() {
  draining_ = true;
  schedule_drain();
}

void Relay::schedule_drain() {
  if (drain_told_) return;
  if (!drain_timer_) drain_timer_ = std::make_unique<Timer>(loop_, [this] { drain_turn(); });
  if (!drain_timer_->active()) drain_timer_->start(0);
}

// Reads until EAGAIN, in bounded turns, because readiness alone never says "nothing more".
void Relay::drain_turn() {
  bool quiet = true;
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    const Flow& f = flows_[static_cast<std::size_t>(i)];
    if (f.role != FlowRole::kOutput) continue;
    Pumped last = Pumped::kMoved;
    for (int reads = 0; reads < kDrainReads && last == Pumped::kMoved; ++reads) {
      if (f.done || f.source_ended) {
        last = Pumped::kEnded;
      } else if (!f.backlog.empty() || !f.unrecorded.empty()) {
        return;  // flush() or retry() schedules the next turn
      } else {
        last = pump(i);
      }
    }
    if (!f.backlog.empty() || !f.unrecorded.empty()) return;
    quiet = quiet && last != Pumped::kMoved;
  }
  if (drain_told_) return;
  if (!quiet) return schedule_drain();
  drain_told_ = true;
  if (!outer_still_shows()) owner_.drained();
}

// What a socket has taken is not shown yet: whoever has its other end closes that after the last byte.
bool Relay::outer_still_shows() {
  bool waits = false;
  for (Flow& f : flows_) {
    const Endpoint& outer = endpoints_[static_cast<std::size_t>(f.from)];
    if (outer.kind != EndpointKind::kOuterSocket || !outer.fd.valid() || f.done || f.source_ended) continue;
    f.backlog.clear();
    f.unrecorded.clear();
    ::shutdown(outer.fd.get(), SHUT_WR);
    watch(f.from);
    waits = true;
  }
  return waits;
}

void Relay::close_endpoint(int endpoint) {
  Endpoint& e = endpoints_[static_cast<std::size_t>(endpoint)];
  e.poll.reset();
  if (e.kind == EndpointKind::kMaster)
    owner_.put_away(std::move(e.fd));
  else
    e.fd.reset();
  for (Flow& f : flows_) {
    if (f.from == endpoint) f.source_ended = true;
    if (f.to == endpoint) f.backlog.clear();
  }
}

void Relay::close_all() {
  drain_timer_.reset();
  for (int i = 0; i < static_cast<int>(endpoints_.size()); ++i) close_endpoint(i);
}

void Relay::watch(int endpoint) {
  Endpoint& e = endpoints_[static_cast<std::size_t>(endpoint)];
  if (!started_ || !e.poll) return;
  int events = 0;
  for (const Flow& f : flows_) {
    if (f.done) continue;
    if (f.from == endpoint && !f.source_ended && f.backlog.empty() && f.unrecorded.empty())
      events |= Poll::kReadable;
    if (f.to == endpoint && !f.backlog.empty()) events |= Poll::kWritable;
  }
  if (is_outer(e.kind)) {
    if (e.failed)
      events = 0;
    else if (events == 0 && !has_ended(endpoint))
      events = Poll::kDisconnect;
  }
  (void)e.poll->watch(events);
}

// Nothing is read from it any more: it has given its end.
bool Relay::has_ended(int endpoint) const {
  return std::any_of(flows_.begin(), flows_.end(),
                     [endpoint](const Flow& f) { return f.from == endpoint && f.source_ended; });
}

int Relay::descriptor(int endpoint) const {
  if (endpoint < 0 || endpoint >= static_cast<int>(endpoints_.size())) return -1;
  return endpoints_[static_cast<std::size_t>(endpoint)].fd.get();
}
std::uint64_t Relay::bytes(int flow) const {
  return flows_[static_cast<std::size_t>(flow)].bytes;
}
std::size_t Relay::waiting(int flow) const {
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  return f.backlog.size() + f.unrecorded.size();
}
std::size_t Relay::unrecorded(int flow) const {
  return flows_[static_cast<std::size_t>(flow)].unrecorded.size();
}
bool Relay::ended(int flow) const {
  return flows_[static_cast<std::size_t>(flow)].done;
}
bool Relay::output_ended() const {
  for (const Flow& f : flows_) {
    if (f.role == FlowRole::kOutput && !f.done) return false;
  }
  return true;
}

}  // namespace opelog::record
