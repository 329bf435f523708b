// UserWork: calls that a user can make wait, each on a thread, bounded for each user.
//
// A call on a terminal (open, close, size, settings, hang-up) waits for whoever is within another call to it,
// and he may see to it that this takes as long as he likes; a directory server may be slow. Invariants:
//  - none of it runs on the loop, also where there is no thread to be had: then it waits for one;
//  - of one uid at most kThreads run at once, the rest waits its turn: who keeps calls waiting keeps his own
//    logins and sessions waiting, not others';
//  - the loop does not wait for them when it ends, and what was abandoned is touched by no other thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/fd_io.h"
#include "core/loop_io.h"

namespace opelog::record {

class UserWork {
 public:
  /// Enough for what one user's logins, or sessions, ask for at once; few enough that many users find a
  /// thread. There are three of these objects (logins, sessions, logins without the shim), the last only for
  /// the name service: units/opelogd.service reckons with them (TasksMax).
  static constexpr int kThreads = 8;

  explicit UserWork(Loop& loop);
  ~UserWork();
  UserWork(const UserWork&) = delete;
  UserWork& operator=(const UserWork&) = delete;

  /// `work` on a thread, then `done` on the loop, as run_work(); `done` must notice by itself whether its
  /// caller is still there.
  void run(std::uint32_t uid, std::function<void()> work, std::function<void()> done);
  /// Gives the reference up on a thread: what it holds dies there, if it is the last.
  void drop(std::uint32_t uid, std::shared_ptr<void> what);
  void close(std::uint32_t uid, Fd fd);
  /// Before its end, where the process is about to end, too: what waits stays as it is, and what the calls
  /// under way hold dies on their threads, or not at all. Otherwise a thread sees to what waits.
  void abandon();

  /// Running and waiting, of that uid.
  [[nodiscard]] std::size_t count_of(std::uint32_t uid) const;
  /// Of all of them.
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] bool idle() const noexcept { return shares_.empty(); }
  [[nodiscard]] std::string describe() const;
  /// Whose they are, for people.
  [[nodiscard]] std::string users() const;

 private:
  enum class State { kOpen, kEnded, kAbandoned };
  struct Job {
    std::function<void()> work, done;
  };
  struct Share {
    int running = 0;
    std::deque<Job> waiting;
  };
  void begin(std::uint32_t uid);
  void finished(std::uint32_t uid);

  Loop& loop_;
  std::map<std::uint32_t, Share> shares_;  ///< of those who have any
  Timer retry_;                            ///< while there is no thread to be had
  std::shared_ptr<State> state_ = std::make_shared<State>(State::kOpen);
};

}  // namespace opelog::record
