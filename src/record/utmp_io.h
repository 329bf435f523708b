// The login's line in /run/utmp: `who am i`, `wall` and `write` should find the terminal the user sits at.
//
// Not pututxline(3): it arms alarm(2) and waits for a lock that any user can hold. Here the lock is tried
// once, and whatever does not work leaves the entry as it is: utmp is a convenience and never an obstacle.
#pragma once

#include <string>

#include "core/result.h"

namespace opelog::record {

/// Renames the line of the USER_PROCESS entry `from` to `to` ("/dev/pts/3", "/dev/pts/7"). False when there
/// is no such entry or no such file; an error when it is locked or cannot be written.
Result<bool> move_utmp_line(const std::string& from, const std::string& to, const std::string& file);

/// A login's line while it is another terminal's: put back at the latest when this goes away.
class UtmpLine {
 public:
  UtmpLine() = default;
  /// Does nothing where `file` is "", or where the line cannot be moved.
  UtmpLine(std::string outer, std::string inner, std::string file);
  ~UtmpLine() { give_back(); }
  UtmpLine(UtmpLine&& other) noexcept { swap(other); }
  UtmpLine& operator=(UtmpLine&& other) noexcept {
    swap(other);
    return *this;
  }

  /// One that another process moved, and leave()d.
  static UtmpLine resume(std::string outer, std::string inner, std::string file);
  [[nodiscard]] bool moved() const noexcept { return moved_; }
  /// For another process to resume(): it stays as it is.
  void leave() noexcept { moved_ = false; }

  /// Before the terminal goes back to sshd, which ends the entry.
  void give_back() noexcept;

 private:
  void swap(UtmpLine& other) noexcept;
  std::string outer_, inner_, file_;
  bool moved_ = false;
};

}  // namespace opelog::record
