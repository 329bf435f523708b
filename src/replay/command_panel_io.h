// CommandPanel: what the keys about commands do while a session plays: goes to one, or has the screen with
// the list of them.
//
// It reads the recording by a reader of its own, when first asked, a slice at a time: whoever owns it hears
// keys between the slices, and q leaves the reading. Of a live recording the list is read anew each time, so
// it is never older than the question.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "replay/command_menu.h"
#include "replay/keys.h"
#include "replay/player.h"
#include "replay/read_session_io.h"

namespace opelog::replay {

/// Where the commands of a session come from, and how each is told.
struct CommandSource {
  std::function<Result<std::unique_ptr<format::RecordingReader>>()> open;
  std::function<std::string(const Command&)> label;
};

/// One slice of reading; the first is longer, so that most lists are there without a word.
constexpr MonoUs kFirstSliceUs = 200 * kUsPerMs, kSliceUs = 100 * kUsPerMs;

class CommandPanel {
 public:
  /// kStay: it has the screen now, or still. kBack: playing goes on. kJump: from target_us().
  using Answer = MenuAnswer;

  explicit CommandPanel(CommandSource source) : source_(std::move(source)) {}

  /// `request` is one of the player's, asked at `position`; commands that began within `grace` before it are
  /// not the previous one.
  Answer ask(Key request, std::int64_t position, std::int64_t grace);
  /// Reads on for a slice.
  Answer work() { return work(kSliceUs); }
  Answer press(const Stroke& stroke, int rows);
  /// Gives the screen back without an answer.
  void leave();

  [[nodiscard]] bool open() const noexcept { return open_; }
  [[nodiscard]] bool reading() const noexcept { return open_ && !menu_; }
  [[nodiscard]] std::int64_t target_us() const noexcept { return target_us_; }
  [[nodiscard]] std::string draw(int rows, int cols) const;

 private:
  struct Question {
    Key request = Key::kCommands;
    std::int64_t position = 0, grace = 0;
  };

  Answer work(MonoUs slice);
  Answer answer();
  Answer show(std::string notice);
  Answer jump(std::int64_t at_us);

  CommandSource source_;
  Question question_;
  std::unique_ptr<format::RecordingReader> reader_;
  std::unique_ptr<CommandReading> reading_;
  std::optional<std::vector<CommandPlace>> places_;  ///< nullopt: not read yet
  std::optional<CommandMenu> menu_;
  bool open_ = false;
  std::int64_t target_us_ = 0;
};

}  // namespace opelog::replay
