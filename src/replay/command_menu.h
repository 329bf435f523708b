// CommandMenu: the list of a session's commands on the auditor's screen, to choose one to go to.
//
// Pure: what is drawn is a function of the list, the choice and the terminal's size. Every row is cut to the
// width, and nothing of a label acts on the terminal. Any size is allowed: one row shows the choice alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace opelog::replay {

/// Where a command begins.
struct CommandPlace {
  std::int64_t at_us = 0;
  std::string label;  ///< printable, of one line
};

/// Index of the first that begins after `position`. `places` in order of time, here and below.
std::optional<std::size_t> place_after(const std::vector<CommandPlace>& places, std::int64_t position);
/// Index of the last that begins before `position`.
std::optional<std::size_t> place_before(const std::vector<CommandPlace>& places, std::int64_t position);

enum class MenuKey { kUp, kDown, kPageUp, kPageDown, kFirst, kLast, kChoose, kBack };
enum class MenuAnswer { kStay, kBack, kJump };

class CommandMenu {
 public:
  /// The choice is the command that runs at `position`. `notice`: a sentence for the title, or "".
  CommandMenu(std::vector<CommandPlace> places, std::int64_t position, std::string notice);

  /// `rows` of the terminal, 0 if unknown. kJump: to chosen_us().
  MenuAnswer press(MenuKey key, int rows);
  [[nodiscard]] std::int64_t chosen_us() const;
  /// Draws the whole screen, for a terminal that does not wrap lines.
  [[nodiscard]] std::string draw(int rows, int cols) const;

 private:
  std::vector<CommandPlace> places_;
  std::size_t chosen_ = 0;
  std::string notice_;
};

/// A screen with one line.
std::string draw_message(const std::string& text, int cols);

}  // namespace opelog::replay
