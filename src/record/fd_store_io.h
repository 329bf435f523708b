// FdStore: the service manager's store of descriptors, which outlives the daemon.
//
// What is put there comes back by take_passed_fds() to the next daemon under the same unit, and is closed by
// the manager when the unit is stopped, or when it is removed here: later, and without a word. So nothing is
// left to the manager that somebody could make a close of wait (docs/why/150-restart.md). Never waits: what
// the manager does not take now is sent again.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/loop_io.h"

namespace opelog::record {

class FdStore {
 public:
  /// nullptr where there is no manager to tell.
  static std::unique_ptr<FdStore> open(Loop& loop);

  /// Duplicates of `fds` (lent; at most 200) under `name`, beside what is there already.
  void put(const std::string& name, const std::vector<int>& fds);
  /// All of that name.
  void remove(const std::string& name);
  /// Waits for the manager, for a moment at most: at the end. False: not all was sent.
  bool flush();
  /// Before the loop ends: what is told from here on goes at once or not at all.
  void quiesce() { retry_.reset(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  explicit FdStore(Loop& loop);
  struct Message {
    std::string text;
    std::vector<Fd> fds;
  };
  void send(Message message);
  bool send_waiting();

  std::unique_ptr<Timer> retry_;
  std::deque<Message> waiting_;
};

}  // namespace opelog::record
