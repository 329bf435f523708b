#include "replay/command_panel_io.h"

#include <utility>

#include "core/clock_io.h"

namespace opelog::replay {
namespace {

/// Events between two looks at the clock, 64 KiB each at most.
constexpr std::size_t kEventsAtOnce = 4;

}  // namespace

CommandPanel::Answer CommandPanel::ask(Key request, std::int64_t position, std::int64_t grace) {
  question_ = {request, position, grace};
  menu_.reset();
  open_ = true;
  return places_ ? answer() : work(kFirstSliceUs);
}

CommandPanel::Answer CommandPanel::work(MonoUs slice) {
  if (!reading_) {
    auto opened = source_.open();
    if (!opened) {
      menu_.emplace(std::vector<CommandPlace>(), 0, "the commands cannot be read: " + opened.error().message);
      return Answer::kStay;
    }
    reader_ = std::move(*opened);
    reading_ = std::make_unique<CommandReading>(*reader_);
  }
  const MonoUs until = mono_now() + slice;
  bool more = true;
  while (more && mono_now() < until) more = reading_->step(kEventsAtOnce);
  if (more) return Answer::kStay;
  const SessionCommandList list = reading_->take();
  reading_.reset();
  places_.emplace();
  for (const Command& command : list.commands)
    if (!command.helper) places_->push_back({command.begin_us, source_.label(command)});
  const Answer answered = answer();
  if (list.outcome == format::Outcome::kNeedMore) places_.reset();  // live: more may come
  reader_.reset();
  return answered;
}

CommandPanel::Answer CommandPanel::answer() {
  if (question_.request == Key::kCommands || places_->empty()) return show({});
  const bool next = question_.request == Key::kNextCommand;
  const auto place = next ? place_after(*places_, question_.position)
                          : place_before(*places_, question_.position - question_.grace);
  if (!place)
    return show(next ? "no command begins after this place" : "no command begins before this place");
  return jump((*places_)[*place].at_us);
}

CommandPanel::Answer CommandPanel::show(std::string notice) {
  menu_.emplace(*places_, question_.position, std::move(notice));
  return Answer::kStay;
}

CommandPanel::Answer CommandPanel::jump(std::int64_t at_us) {
  target_us_ = at_us;
  leave();
  return Answer::kJump;
}

void CommandPanel::leave() {
  open_ = false;
  menu_.reset();
}

CommandPanel::Answer CommandPanel::press(const Stroke& stroke, int rows) {
  const auto key = menu_key(stroke);
  if (!key) return Answer::kStay;
  const Answer answered = menu_                   ? menu_->press(*key, rows)
                          : key == MenuKey::kBack ? Answer::kBack
                                                  : Answer::kStay;
  if (answered == Answer::kJump) return jump(menu_->chosen_us());
  if (answered == Answer::kBack) leave();
  return answered;
}

std::string CommandPanel::draw(int rows, int cols) const {
  if (menu_) return menu_->draw(rows, cols);
  const std::uint64_t bytes = reading_ ? reading_->output_bytes() : 0;
  return draw_message("reading the commands, " + std::to_string(bytes >> 20U) + " MiB so far; q goes back",
                      cols);
}

}  // namespace opelog::replay
