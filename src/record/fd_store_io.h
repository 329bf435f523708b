// FdStore: the service manager's store of descriptors, which outlives the daemon.
//
// What is put there comes back by take_passed_fds() to the next daemon under the same unit, and is closed by
// the manager when the unit is stopped, or when it is removed here: later, and without a word. So nothing is
// left to the manager that somebody could make a close of wait (docs/why/150-restart.md). Never waits: what
// the manager does not take now is sent again.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/loop_io.h"

namespace opelog::record {

/// What the unit's store takes (FileDescriptorStoreMax=) where the manager does not say it. What is above
/// that it closes without a word.
constexpr std::size_t kStoreMost = 32768;
/// All names together, each with a colon and as often as it has descriptors: the next daemon is told them in
/// one string of its environment, and a longer one than 128 KiB is no program given.
constexpr std::size_t kStoreNameBytes = 126000;

class FdStore {
 public:
  /// How many descriptors there are of each name.
  using Counts = std::map<std::string, std::size_t>;
  /// Descriptors to be stored (lent; at most 200 of a name).
  using Named = std::vector<std::pair<std::string, std::vector<int>>>;

  /// nullptr where there is no manager to tell. `there`: what the former daemon left in it.
  static std::unique_ptr<FdStore> open(Loop& loop, Counts there = {});

  /// Duplicates of all of them, beside what is there already, or none of them. Code::kLimit: there is no
  /// room; otherwise why this process cannot duplicate them.
  Status put(const Named& named);
  /// Up to three letters, of names that are not in use: each of `prefixes` followed by them.
  std::string free_slot(const std::vector<std::string>& prefixes);
  /// All of that name.
  void remove(const std::string& name);
  /// Waits for the manager, for a moment at most: at the end. False: not all was sent.
  bool flush();
  /// Before the loop ends: what is told from here on goes at once or not at all.
  void quiesce() { retry_.reset(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t most() const noexcept { return most_; }

 private:
  FdStore(Loop& loop, Counts there);
  struct Message {
    std::string text;
    std::vector<Fd> fds;
  };
  void send(Message message);
  bool send_waiting();

  std::unique_ptr<Timer> retry_;
  std::deque<Message> waiting_;
  Counts there_;
  std::size_t count_ = 0, name_bytes_ = 0;  ///< in all
  unsigned last_slot_ = 0;
  std::size_t most_;
};

}  // namespace opelog::record
