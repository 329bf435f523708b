// Relay: moves bytes between descriptors, each chunk past its owner first.
//
// Endpoints are descriptors, flows lead from one to another. A terminal session has two endpoints (inner
// master, outer terminal or the socket of whoever copies to it) and two flows; a command without a terminal
// has up to six and three. Invariants:
//  - a byte is written onwards only after RelayOwner::accept() took it (bytes to the record before the
//  screen), or when the owner says it himself (say());
//  - a flow holds at most one chunk (kChunk) that could not go on; until it is gone its source is not read,
//    so memory per session is bounded and a slow reader waits for nobody but itself;
//  - at most one chunk is read per readiness, so that a flooding session takes one turn like everybody else.
// What ended and why is told to the owner; the relay decides nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd_io.h"
#include "core/loop_io.h"
#include "core/result.h"
#include "record/relay_memory.h"

namespace opelog::record {

/// A socket is always one end of a pair that the daemon made and whose other end the waiter has. kOuterSocket
/// stands for a terminal that stays the user's: its end is the terminal's.
enum class EndpointKind { kMaster, kOuterTerminal, kOuterSocket, kSocket };
enum class FlowRole { kOutput, kInput };

class RelayOwner {
 public:
  virtual ~RelayOwner() = default;
  /// How many of the bytes may go on (the record has them). Fewer than all: the rest waits for
  /// Relay::retry().
  virtual std::size_t accept(int flow, std::string_view bytes) = 0;
  /// What accept() took has gone on or waits: time for what nobody is to wait for. Its bytes stay until this
  /// returns.
  virtual void passed(int flow) = 0;
  /// The flow's source is at its end and all it gave has gone on, or its sink takes no more.
  virtual void flow_ended(int flow) = 0;
  /// The terminal the operator sits at is gone.
  virtual void outer_gone() = 0;
  /// After Relay::drain(): the inner side had nothing more and the outer side has taken all. An outer socket
  /// was told so (shutdown) and closed its other end, behind which nothing waits any more.
  virtual void drained() = 0;
  /// What it has recorded of the flow, for resume_flow().
  virtual std::uint64_t recorded(int flow) = 0;
  /// Closes the inner master, which hangs its session up: where that may wait.
  virtual void put_away(Fd master) = 0;
};

class Relay {
 public:
  /// `number` tells it from others that share the buffer.
  Relay(Loop& loop, RelayBuffer& buffer, RelayOwner& owner, std::uint64_t number = 0);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// Endpoints become non-blocking; give own descriptions where others share them.
  Result<int> add_endpoint(Fd fd, EndpointKind kind);
  /// `memory`: where it keeps what it holds back, zeroed or another process's; outlives this. nullptr: its
  /// own.
  int add_flow(int from, int to, FlowRole role, FlowMemory* memory = nullptr);
  /// Starts watching.
  void start();
  /// The same where another process's flows go on: what they hold is offered and written first.
  void go_on();

  /// Nothing is watched any more, and nothing closed: another process goes on.
  void halt();

  /// Bytes that did not come from the flow's source (type-ahead, a notice) but go the same way. Refused with
  /// Code::kLimit while a chunk waits.
  Status inject(int flow, std::string_view bytes);

  /// The owner's own words, which it has recorded: behind what the sink has yet to take. False: there is no
  /// room for them, or no sink.
  bool say(int flow, std::string_view bytes);

  /// Offers held bytes to the owner again.
  void retry();
  /// From now on: report drained() as soon as every output flow is empty. Call once the shell has ended. Of a
  /// flow whose source we have closed, what the owner has not accepted is not waited for.
  void drain();
  /// Closes an endpoint (the inner master: hangs its session up). Flows touching it are over.
  void close_endpoint(int endpoint);
  void close_all();
  [[nodiscard]] int descriptor(int endpoint) const;  ///< -1 once closed

  [[nodiscard]] std::uint64_t bytes(int flow) const;     ///< that have gone on
  [[nodiscard]] std::size_t waiting(int flow) const;     ///< held back, in memory
  [[nodiscard]] std::size_t unrecorded(int flow) const;  ///< of these: not accepted either
  [[nodiscard]] bool ended(int flow) const;
  [[nodiscard]] bool output_ended() const;  ///< every kOutput flow

 private:
  struct Endpoint {
    Fd fd;
    EndpointKind kind;
    std::unique_ptr<Poll> poll;
    bool failed = false;  ///< POLLERR was seen: the next EAGAIN means the end
  };
  struct Free {
    void operator()(FlowMemory* own) const noexcept;
  };
  struct Flow {
    int from, to;
    FlowRole role;
    FlowMemory* memory;
    std::unique_ptr<FlowMemory, Free> own;
  };
  FlowMemory& memory(int flow) { return *flows_[static_cast<std::size_t>(flow)].memory; }

  void ready(int endpoint, int events, int error);
  enum class Pumped { kMoved, kNothing, kEnded };
  Pumped pump(int flow);  ///< one chunk and what follows
  void begin(int flow);
  void hand_in(int flow, std::string_view bytes);  ///< as if it had been read
  void offer(int flow, std::size_t size);          ///< accept, then write
  void write_on(int flow, std::string_view bytes);
  ssize_t write_once(int flow, std::string_view bytes);
  void close_ends(int flow);
  void flush(int flow);
  void settle(int flow);  ///< finish the flow if nothing is left
  void finish(int flow);
  void source_failed(int flow);
  void watch(int endpoint);
  [[nodiscard]] bool has_ended(int endpoint) const;
  void schedule_drain();
  void drain_turn();
  bool outer_still_shows();

  Loop& loop_;
  RelayBuffer& buffer_;
  RelayOwner& owner_;
  std::uint64_t number_;
  std::vector<Endpoint> endpoints_;
  std::vector<Flow> flows_;
  std::unique_ptr<Timer> drain_timer_;
  bool started_ = false;
  bool draining_ = false;
  bool drain_told_ = false;
};

}  // namespace opelog::record
