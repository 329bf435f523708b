// TerminalQuestions: what a session asks of its terminals, and sets there, off the loop.
//
// Each such call may wait for as long as the user likes: somebody who reads from a terminal, or asks for its
// size, into memory that comes slowly has it locked meanwhile. That can be done inside, and outside by
// whoever has the other side of the pty, after su the user. Of each kind one is under way at a time; what is
// asked meanwhile is asked once more when it is back. Handlers run in a later turn of the loop, and never
// after this object's end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "record/outer_terminal_io.h"
#include "record/user_work_io.h"

namespace opelog::record {

class TerminalQuestions {
 public:
  TerminalQuestions(UserWork& work, std::uint32_t uid) : work_(work), uid_(uid) {}
  ~TerminalQuestions() { *alive_ = false; }
  TerminalQuestions(const TerminalQuestions&) = delete;
  TerminalQuestions& operator=(const TerminalQuestions&) = delete;

  /// Does the program on the pty let the terminal echo what is typed now? False: it cannot be asked.
  bool ask_echo(int master, std::function<void(bool)> answer);
  /// `outer`: the descriptor, asked for anew each time; -1 once it is closed. No answer if it has no size.
  void ask_size(const std::function<int()>& outer, const std::function<void(TerminalSize)>& answer);
  /// The size inside; of several the last counts.
  void set_size(const std::function<int()>& master, TerminalSize size);
  /// As it was made.
  void size_is(TerminalSize size) noexcept { wanted_ = set_ = size; }

 private:
  bool apart(int terminal, std::function<void(int)> call, std::function<void()> done);
  void size_inner(const std::function<int()>& master);

  UserWork& work_;
  std::uint32_t uid_;
  bool asking_echo_ = false, asking_size_ = false, size_owed_ = false, setting_ = false;
  TerminalSize wanted_, set_;  ///< inside
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::record
