#include "record/relay_io.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

namespace opelog::record {
namespace {

// Chunks while draining, per turn of the loop: enough for all a pty can hold (64 KiB), little for the others'
// wait.
constexpr int kDrainChunks = 2;

// A read of a terminal that gave less was of somebody who looks on: there is no more, and to ask costs a
// call.
constexpr ssize_t kMuchBytes = 512;

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

// As read_some(). A terminal gives some 4 KiB a read: what a flood left there meanwhile goes on as one chunk,
// for one write to the file and one to the screen. Whatever ended the reading is met again by the next one.
ssize_t read_chunk(int fd, EndpointKind kind, char* to, std::size_t size) {
  ssize_t n;
  do {
    n = read_some(fd, kind, to, size);
  } while (n < 0 && errno == EINTR);
  if (kind != EndpointKind::kMaster) return n;
  for (ssize_t last = n; last >= kMuchBytes && static_cast<std::size_t>(n) < size;) {
    last = read_some(fd, kind, to + n, size - static_cast<std::size_t>(n));
    if (last > 0) n += last;
  }
  return n;
}

// What the operator sits at: its end is the session's.
bool is_outer(EndpointKind kind) {
  return kind == EndpointKind::kOuterTerminal || kind == EndpointKind::kOuterSocket;
}

// Open until the session closes it, whatever flow ends.
bool stays_open(EndpointKind kind) {
  return kind == EndpointKind::kMaster || is_outer(kind);
}

bool may_read(const FlowMemory& f) {
  return f.done == 0 && f.source_ended == 0 && f.backlog.empty() && f.unrecorded.empty();
}

}  // namespace

void Relay::Free::operator()(FlowMemory* own) const noexcept {
  std::free(own);
}

Relay::Relay(Loop& loop, RelayBuffer& buffer, RelayOwner& owner, std::uint64_t number)
    : loop_(loop), buffer_(buffer), owner_(owner), number_(number) {}
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

int Relay::add_flow(int from, int to, FlowRole role, FlowMemory* memory) {
  std::unique_ptr<FlowMemory, Free> own;
  if (memory == nullptr) {
    own.reset(static_cast<FlowMemory*>(std::calloc(1, sizeof(FlowMemory))));
    memory = own.get();
    if (memory == nullptr) throw std::bad_alloc();
  }
  flows_.push_back({from, to, role, memory, std::move(own)});
  return static_cast<int>(flows_.size()) - 1;
}

void Relay::start() {
  started_ = true;
  for (int i = 0; i < static_cast<int>(endpoints_.size()); ++i) watch(i);
}

// What another process left: held bytes first, and what it was about to close.
void Relay::go_on() {
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    if (memory(i).done != 0) close_ends(i);
  }
  started_ = true;
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    if (memory(i).done == 0 && !memory(i).backlog.empty()) flush(i);
  }
  retry();
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) settle(i);
  for (int i = 0; i < static_cast<int>(endpoints_.size()); ++i) watch(i);
}

void Relay::halt() {
  drain_timer_.reset();
  for (Endpoint& e : endpoints_) e.poll.reset();
}

Status Relay::inject(int flow, std::string_view bytes) {
  const FlowMemory& f = memory(flow);
  if (f.done != 0) return Error{Code::kGone, "the flow has ended", 0};
  if (!f.unrecorded.empty() || !f.backlog.empty())
    return Error{Code::kLimit, "a chunk is waiting already", 0};
  for (; !bytes.empty() && f.unrecorded.empty() && f.backlog.empty() && f.done == 0;
       bytes.remove_prefix(std::min(bytes.size(), kChunk)))
    hand_in(flow, bytes.substr(0, kChunk));
  return {};
}

bool Relay::say(int flow, std::string_view bytes) {
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  const bool open = f.memory->done == 0 && endpoints_[static_cast<std::size_t>(f.to)].fd.valid();
  if (!open || !f.memory->backlog.append(bytes)) return false;
  flush(flow);
  return true;
}

void Relay::begin(int flow) {
  ++buffer_.turn;
  buffer_.session = number_;
  buffer_.flow = flow;
  buffer_.size = buffer_.taken = buffer_.sent = 0;
  buffer_.recorded = owner_.recorded(flow);
  buffer_.bytes_on = memory(flow).bytes;
}

void Relay::hand_in(int flow, std::string_view bytes) {
  begin(flow);
  std::copy(bytes.begin(), bytes.end(), buffer_.bytes.begin());
  offer(flow, bytes.size());
}

void Relay::ready(int endpoint, int events, int error) {
  Endpoint& e = endpoints_[static_cast<std::size_t>(endpoint)];
  if (error != 0) {
    e.failed = true;  // libuv has stopped the handle: everything that could happen is tried below
    events = Poll::kReadable | Poll::kWritable;
  }
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    const Flow& f = flows_[static_cast<std::size_t>(i)];
    if ((events & Poll::kWritable) != 0 && f.to == endpoint && !f.memory->backlog.empty()) flush(i);
  }
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    const Flow& f = flows_[static_cast<std::size_t>(i)];
    if ((events & Poll::kReadable) != 0 && f.from == endpoint && may_read(*f.memory)) pump(i);
  }
  // Neither read nor written just now: it would never be noticed otherwise.
  if (events == Poll::kDisconnect) e.failed = true;
  if (e.failed && is_outer(e.kind)) owner_.outer_gone();
  if (e.fd.valid()) watch(endpoint);
}

Relay::Pumped Relay::pump(int flow) {
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  Endpoint& from = endpoints_[static_cast<std::size_t>(f.from)];
  if (!from.fd.valid()) return Pumped::kEnded;
  begin(flow);
  buffer_.reached(RelayBuffer::kReading);
  const ssize_t n = read_chunk(from.fd.get(), from.kind, buffer_.bytes.data(), kChunk);
  if (n > 0) {
    // What is typed when all has been shown is for nobody, and must not stand before the end of the socket.
    if (drain_told_ && from.kind == EndpointKind::kOuterSocket) {
      buffer_.done(static_cast<std::size_t>(n));
    } else {
      offer(flow, static_cast<std::size_t>(n));
    }
    return Pumped::kMoved;
  }
  const int err = errno;
  buffer_.done(0);
  errno = err;
  if (n < 0 && errno == EAGAIN && !from.failed) return Pumped::kNothing;
  source_failed(flow);
  return Pumped::kEnded;
}

// The source gave its end (0 bytes), or an error that is one: EIO of a pty, ECONNRESET of a socket.
void Relay::source_failed(int flow) {
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  f.memory->source_ended = 1;
  const EndpointKind kind = endpoints_[static_cast<std::size_t>(f.from)].kind;
  watch(f.from);
  settle(flow);
  if (drain_told_ && kind == EndpointKind::kOuterSocket)
    owner_.drained();
  else if (is_outer(kind))
    owner_.outer_gone();
}

// The chunk lies in the buffer.
void Relay::offer(int flow, std::size_t size) {
  buffer_.size = static_cast<std::uint32_t>(size);
  buffer_.reached(RelayBuffer::kRead);
  const std::string_view bytes(buffer_.bytes.data(), size);
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  f.memory->unrecorded.clear();  // where they came from, if they were offered before
  const std::size_t taken = owner_.accept(flow, bytes);
  buffer_.taken = static_cast<std::uint32_t>(taken);
  buffer_.reached(RelayBuffer::kAccepted);
  if (taken < size) {
    f.memory->unrecorded.assign(bytes.substr(taken));
    watch(f.from);
  }
  if (taken > 0) write_on(flow, bytes.substr(0, taken));
  owner_.passed(flow);
  buffer_.done(size);
}

void Relay::write_on(int flow, std::string_view bytes) {
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  if (f.memory->done != 0) return;
  buffer_.reached(RelayBuffer::kWriting);
  const ssize_t written = write_once(flow, bytes);
  if (written < 0) return;
  buffer_.sent = static_cast<std::uint32_t>(written);
  buffer_.reached(RelayBuffer::kWritten);
  f.memory->bytes += static_cast<std::uint64_t>(written);
  if (static_cast<std::size_t>(written) == bytes.size() ||
      !endpoints_[static_cast<std::size_t>(f.to)].fd.valid())
    return;
  f.memory->backlog.assign(bytes.substr(static_cast<std::size_t>(written)));
  watch(f.from);
  watch(f.to);
}

// How much the sink took; -1: it takes no more, and who is concerned knows.
ssize_t Relay::write_once(int flow, std::string_view bytes) {
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  Endpoint& to = endpoints_[static_cast<std::size_t>(f.to)];
  if (!to.fd.valid()) return 0;
  ssize_t n = 0;
  do {
    n = write_some(to.fd.get(), to.kind, bytes);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return n;
  if (errno == EAGAIN) return 0;
  // Terminals tell their owner when read; elsewhere the flow is over.
  if (is_outer(to.kind))
    owner_.outer_gone();
  else
    finish(flow);
  return -1;
}

void Relay::flush(int flow) {
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  begin(flow);
  buffer_.reached(RelayBuffer::kFlushing);
  const ssize_t written = write_once(flow, f.memory->backlog.view());
  if (written >= 0 && endpoints_[static_cast<std::size_t>(f.to)].fd.valid()) {
    f.memory->backlog.drop(static_cast<std::size_t>(written));
    f.memory->bytes += static_cast<std::uint64_t>(written);
  } else {
    f.memory->backlog.clear();
  }
  buffer_.done(0);
  if (!f.memory->backlog.empty() || f.memory->done != 0) {
    watch(f.from);
    watch(f.to);
    return;
  }
  settle(flow);
  watch(f.from);
  watch(f.to);
  if (draining_) schedule_drain();
}

void Relay::retry() {
  for (int i = 0; i < static_cast<int>(flows_.size()); ++i) {
    FlowMemory& f = memory(i);
    if (f.unrecorded.empty() || !f.backlog.empty()) continue;  // order: what is recorded goes first
    hand_in(i, f.unrecorded.view());
    if (!f.unrecorded.empty()) continue;
    settle(i);
    watch(flows_[static_cast<std::size_t>(i)].from);
    if (draining_) schedule_drain();
  }
}

void Relay::settle(int flow) {
  const FlowMemory& f = memory(flow);
  if (f.source_ended != 0 && f.done == 0 && f.backlog.empty() && f.unrecorded.empty()) finish(flow);
}

// The flow is over: tell the sink that nothing more comes and the source that nobody listens.
void Relay::finish(int flow) {
  FlowMemory& f = memory(flow);
  if (f.done != 0) return;
  f.done = 1;
  f.backlog.clear();
  f.unrecorded.clear();
  close_ends(flow);
  owner_.flow_ended(flow);
}

void Relay::close_ends(int flow) {
  const Flow& f = flows_[static_cast<std::size_t>(flow)];
  bool source_shared = false, sink_shared = false;  // by another flow that still runs
  for (const Flow& other : flows_) {
    if (other.memory->done != 0) continue;
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
    const bool hung_up = !endpoints_[static_cast<std::size_t>(f.from)].fd.valid();
    const auto waits = [&] {
      return !f.memory->backlog.empty() || (!f.memory->unrecorded.empty() && !hung_up);
    };
    Pumped last = Pumped::kMoved;
    for (int chunks = 0; chunks < kDrainChunks && last == Pumped::kMoved; ++chunks) {
      if (f.memory->done != 0 || f.memory->source_ended != 0) {
        last = Pumped::kEnded;
      } else if (waits()) {
        return;  // flush() or retry() schedules the next turn
      } else {
        last = pump(i);
      }
    }
    if (waits()) return;
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
  for (const Flow& f : flows_) {
    const Endpoint& outer = endpoints_[static_cast<std::size_t>(f.from)];
    if (outer.kind != EndpointKind::kOuterSocket || !outer.fd.valid() || f.memory->done != 0 ||
        f.memory->source_ended != 0)
      continue;
    f.memory->backlog.clear();
    f.memory->unrecorded.clear();
    ::shutdown(outer.fd.get(), SHUT_WR);
    watch(f.from);
    waits = true;
  }
  return waits;
}

void Relay::close_endpoint(int endpoint) {
  Endpoint& e = endpoints_[static_cast<std::size_t>(endpoint)];
  e.poll.reset();
  if (e.kind == EndpointKind::kMaster) {
    owner_.put_away(std::move(e.fd));
  } else {
    // Another process's store may hold it too: the other end is to notice all the same.
    if (is_socket(e.kind) && e.fd) ::shutdown(e.fd.get(), SHUT_RDWR);
    e.fd.reset();
  }
  for (const Flow& f : flows_) {
    if (f.from == endpoint) f.memory->source_ended = 1;
    if (f.to == endpoint) f.memory->backlog.clear();
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
    if (f.memory->done != 0) continue;
    if (f.from == endpoint && may_read(*f.memory)) events |= Poll::kReadable;
    if (f.to == endpoint && !f.memory->backlog.empty()) events |= Poll::kWritable;
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
                     [endpoint](const Flow& f) { return f.from == endpoint && f.memory->source_ended != 0; });
}

int Relay::descriptor(int endpoint) const {
  if (endpoint < 0 || endpoint >= static_cast<int>(endpoints_.size())) return -1;
  return endpoints_[static_cast<std::size_t>(endpoint)].fd.get();
}
std::uint64_t Relay::bytes(int flow) const {
  return flows_[static_cast<std::size_t>(flow)].memory->bytes;
}
std::size_t Relay::waiting(int flow) const {
  const FlowMemory& f = *flows_[static_cast<std::size_t>(flow)].memory;
  return f.backlog.size() + f.unrecorded.size();
}
std::size_t Relay::unrecorded(int flow) const {
  return flows_[static_cast<std::size_t>(flow)].memory->unrecorded.size();
}
bool Relay::ended(int flow) const {
  return flows_[static_cast<std::size_t>(flow)].memory->done != 0;
}
bool Relay::output_ended() const {
  for (const Flow& f : flows_) {
    if (f.role == FlowRole::kOutput && f.memory->done == 0) return false;
  }
  return true;
}

}  // namespace opelog::record
