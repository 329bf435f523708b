// EventHooks: tells the policy's hooks of events, without ever waiting for them.
//
// Invariants: the loop only queues, or sends a datagram that does not block; a command is started and awaited
// on a thread, has the event on its standard input as a file that is already whole, and is ended after
// kHookTime. At most kHooksAtOnce run and kHookQueue wait; what is beyond is dropped, counted and stated once
// a minute at most. A stop of the daemon waits for none: those that run are ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/event_hook.h"
#include "core/fact.h"
#include "core/fd_io.h"
#include "core/loop_io.h"

namespace opelog::app {

constexpr int kHooksAtOnce = 4;
constexpr std::size_t kHookQueue = 256;
constexpr int kHookTimeMs = 30000;
/// Bytes of one event; of longer ones fields are left out.
constexpr std::size_t kHookMaxBytes = 32768;

/// `{"time":…,"level":…,"event":…,"text":…,"fields":{…}}`, one line of ASCII with its LF. Pure.
std::string event_json(const Fact& fact, WallUs now);

class RunningCommands;

class EventHooks {
 public:
  /// `facts` hears of hooks that fail.
  EventHooks(Loop& loop, FactSink facts);
  ~EventHooks();
  EventHooks(const EventHooks&) = delete;
  EventHooks& operator=(const EventHooks&) = delete;

  void configure(const std::vector<EventHook>& hooks);
  void tell(const Fact& fact);
  /// Events that a hook should have heard of and did not.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Job {
    std::vector<std::string> command;
    std::string event;
  };
  void send(const std::string& path, const std::string& event);
  void begin();
  void drop(const std::string& why);

  Loop& loop_;
  FactSink facts_;
  std::shared_ptr<RunningCommands> commands_;
  std::vector<EventHook> hooks_;
  Fd socket_;  ///< for all datagrams
  std::deque<Job> waiting_;
  int running_ = 0;
  std::uint64_t dropped_ = 0, told_ = 0;
  MonoUs told_at_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::app
