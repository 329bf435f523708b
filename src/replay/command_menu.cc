#include "replay/command_menu.h"

#include <algorithm>
#include <utility>

#include "core/fact.h"
#include "replay/character_widths.h"

namespace opelog::replay {
namespace {

constexpr const char* kClear = "\x1B[0m\x1B[H\x1B[2J";

// What a terminal that does not say its size has.
int known_rows(int rows) {
  return rows > 0 ? rows : 24;
}
int known_cols(int cols) {
  return cols > 0 ? cols : 80;
}

// Rows of the list; the title has the first, where there is more than one.
std::size_t list_rows(int rows) {
  return static_cast<std::size_t>(std::max(known_rows(rows) - 1, 1));
}

void put_row(std::string& out, std::size_t row, const std::string& text, bool reverse, int cols) {
  out += "\x1B[" + std::to_string(row) + ";1H";
  if (reverse) out += "\x1B[7m";
  out += cut_to_cells(printable(text), known_cols(cols));
  if (reverse) out += "\x1B[0m";
}

}  // namespace

std::optional<std::size_t> place_after(const std::vector<CommandPlace>& places, std::int64_t position) {
  const auto it = std::upper_bound(places.begin(), places.end(), position,
                                   [](std::int64_t at, const CommandPlace& p) { return at < p.at_us; });
  if (it == places.end()) return std::nullopt;
  return static_cast<std::size_t>(it - places.begin());
}

std::optional<std::size_t> place_before(const std::vector<CommandPlace>& places, std::int64_t position) {
  const auto it = std::lower_bound(places.begin(), places.end(), position,
                                   [](const CommandPlace& p, std::int64_t at) { return p.at_us < at; });
  if (it == places.begin()) return std::nullopt;
  return static_cast<std::size_t>(it - places.begin()) - 1;
}

CommandMenu::CommandMenu(std::vector<CommandPlace> places, std::int64_t position, std::string notice)
    : places_(std::move(places)), notice_(std::move(notice)) {
  const auto behind = place_after(places_, position).value_or(places_.size());
  chosen_ = behind > 0 ? behind - 1 : 0;
}

MenuAnswer CommandMenu::press(MenuKey key, int rows) {
  if (key == MenuKey::kBack) return MenuAnswer::kBack;
  if (places_.empty()) return key == MenuKey::kChoose ? MenuAnswer::kBack : MenuAnswer::kStay;
  const std::size_t last = places_.size() - 1;
  const std::size_t page = list_rows(rows);
  switch (key) {
    case MenuKey::kUp:
      chosen_ -= std::min<std::size_t>(chosen_, 1);
      break;
    case MenuKey::kDown:
      chosen_ = std::min(chosen_ + 1, last);
      break;
    case MenuKey::kPageUp:
      chosen_ -= std::min(chosen_, page);
      break;
    case MenuKey::kPageDown:
      chosen_ = std::min(chosen_ + page, last);
      break;
    case MenuKey::kFirst:
      chosen_ = 0;
      break;
    case MenuKey::kLast:
      chosen_ = last;
      break;
    case MenuKey::kChoose:
      return MenuAnswer::kJump;
    case MenuKey::kBack:
      break;
  }
  return MenuAnswer::kStay;
}

std::int64_t CommandMenu::chosen_us() const {
  return places_.empty() ? 0 : places_[chosen_].at_us;
}

std::string CommandMenu::draw(int rows, int cols) const {
  if (places_.empty()) {
    return draw_message(
        (notice_.empty() ? "no commands are known of this session" : notice_) + "; q goes back", cols);
  }
  std::string out = kClear;
  const std::size_t page = list_rows(rows);
  std::size_t row = 1;
  if (known_rows(rows) > 1) {
    const std::string title =
        notice_.empty() ? "command " + std::to_string(chosen_ + 1) + " of " + std::to_string(places_.size())
                        : notice_;
    put_row(out, row++, title + "; arrows move, Enter goes there, q back", true, cols);
  }
  // Whole pages: the list stands still while the choice moves over it.
  const std::size_t from = chosen_ / page * page;
  for (std::size_t i = from; i < std::min(from + page, places_.size()); ++i)
    put_row(out, row++, (i == chosen_ ? "> " : "  ") + places_[i].label, i == chosen_, cols);
  return out;
}

std::string draw_message(const std::string& text, int cols) {
  std::string out = kClear;
  put_row(out, 1, text, true, cols);
  return out;
}

}  // namespace opelog::replay
