#include "record/terminal_questions_io.h"

#include <optional>
#include <utility>

#include "record/inner_terminal_io.h"

namespace opelog::record {

// False: it is not done.
bool TerminalQuestions::apart(int terminal, std::function<void(int)> call, std::function<void()> done) {
  auto own = duplicate(terminal);
  if (!own) return false;
  auto held = std::make_shared<Fd>(std::move(*own));
  work_.run(
      uid_,
      [held, call = std::move(call)] {
        call(held->get());
        held->reset();  // here: it may be the last
      },
      [alive = alive_, done = std::move(done)] {
        if (*alive) done();
      });
  return true;
}

bool TerminalQuestions::ask_echo(int master, std::function<void(bool)> answer) {
  if (asking_echo_) return true;
  auto echoes = std::make_shared<bool>(false);
  asking_echo_ = apart(
      master, [echoes](int terminal) { *echoes = terminal_echoes(terminal); },
      [this, echoes, answer = std::move(answer)] {
        asking_echo_ = false;
        answer(*echoes);
      });
  return asking_echo_;
}

void TerminalQuestions::ask_size(const std::function<int()>& outer,
                                 const std::function<void(TerminalSize)>& answer) {
  if (asking_size_) {
    size_owed_ = true;
    return;
  }
  auto size = std::make_shared<std::optional<TerminalSize>>();
  asking_size_ = apart(
      outer(),
      [size](int terminal) {
        if (auto now = terminal_size(terminal)) *size = *now;
      },
      [this, size, outer, answer] {
        asking_size_ = false;
        if (*size) answer(**size);
        if (std::exchange(size_owed_, false)) ask_size(outer, answer);
      });
}

void TerminalQuestions::set_size(const std::function<int()>& master, TerminalSize size) {
  wanted_ = size;
  size_inner(master);
}

void TerminalQuestions::size_inner(const std::function<int()>& master) {
  if (setting_ || set_ == wanted_) return;
  setting_ = apart(
      master(), [size = wanted_](int terminal) { (void)set_terminal_size(terminal, size); },
      [this, master, size = wanted_] {
        setting_ = false;
        set_ = size;
        size_inner(master);  // another one may have come meanwhile
      });
}

}  // namespace opelog::record
