// The event loop and the few handles we allow: Loop, Poll, Timer, Signal, Work.
//
// This is the only file that includes <uv.h>. A handle is an immovable owner: destroying it (or calling
// stop()) guarantees that its handler is not called again; the uv memory lives on until libuv's close
// callback frees it, so every order of death is clean. Handlers run on the loop's thread and must not
// throw. Loop must outlive its handles; ~Loop proves that it closed clean and aborts otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/clock.h"
#include "core/fd_io.h"
#include "core/result.h"

namespace opelog {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop() or until no active handle is left.
  void run();
  /// One turn; `block` waits for an event. For tests.
  void run_once(bool block);
  void stop();

  struct Native;
  [[nodiscard]] Native& native() noexcept { return *native_; }

 private:
  std::unique_ptr<Native> native_;
};

/// Readiness of one descriptor. The descriptor is lent and must stay open while the Poll lives.
/// uv_poll makes the open file description O_NONBLOCK: hand it an own one (reopen()).
class Poll {
 public:
  static constexpr int kReadable = 1;
  static constexpr int kWritable = 2;
  static constexpr int kDisconnect = 4;
  /// `events` is a mask of the above. `error` is 0, or EBADF when the kernel reported POLLERR (a hung up
  /// terminal, a reset socket): then the mask is 0 and nothing is watched any more; read or write to learn
  /// the reason.
  using Handler = std::function<void(int events, int error)>;

  static Result<std::unique_ptr<Poll>> open(Loop& loop, int fd, Handler handler);
  ~Poll();
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  /// Watches for `events`; 0 stops. Costs two epoll_ctl: call it on changes only (it skips no-ops).
  Status watch(int events);
  [[nodiscard]] int watching() const noexcept { return events_; }

 private:
  struct Native;
  explicit Poll(Native* native) : native_(native) {}
  Native* native_;
  int events_ = 0;
};

/// One-shot or repeating timer in milliseconds; restarting replaces.
class Timer {
 public:
  using Handler = std::function<void()>;
  Timer(Loop& loop, Handler handler);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(std::uint64_t delay_ms, std::uint64_t repeat_ms = 0);
  /// One shot at a monotonic deadline (rounded up to a millisecond); a past deadline fires next turn.
  void start_at(MonoUs deadline, MonoUs now);
  void stop();
  [[nodiscard]] bool active() const noexcept;

 private:
  struct Native;
  Native* native_;
};

class Signal {
 public:
  using Handler = std::function<void(int signum)>;
  static Result<std::unique_ptr<Signal>> open(Loop& loop, int signum, Handler handler);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

 private:
  struct Native;
  explicit Signal(Native* native) : native_(native) {}
  Native* native_;
};

/// Whether a loop that has nothing else to do goes on until the work is done.
enum class AtLoopEnd { kWait, kLeave };

/// Runs `work` on a thread of its own, then `done` on the loop. `work` may block for as long as it likes
/// (name service, a hang-up in the kernel) without delaying other work, and must own all it touches; how many
/// run at once is for the callers to bound. Not cancellable; when the caller dies meanwhile, `done` must
/// notice by itself (a weak token). Work that outlives the loop goes on until the process ends, and its
/// `done` is dropped. Code::kLimit if there is no thread to be had.
Status run_work(Loop& loop, std::function<void()> work, std::function<void()> done,
                AtLoopEnd at_end = AtLoopEnd::kWait);

}  // namespace opelog
