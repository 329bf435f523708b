#include "replay/player.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace opelog::replay {
namespace {

// 30 years: damaged delays must not overflow anything.
constexpr std::int64_t kMaxPosition = std::int64_t{30} * 366 * 86400 * kUsPerS;
constexpr std::int64_t kJump = 10 * kUsPerS;
constexpr std::int64_t kFarJump = 60 * kUsPerS;

std::int64_t clamp_position(std::int64_t us) {
  return std::clamp<std::int64_t>(us, 0, kMaxPosition);
}

constexpr const char* kHelpLine =
    "space pause . step  arrows 10/60s  [ ] c commands  + - = speed  g G i r q quit";

}  // namespace

Player::Player(const PlayOptions& options, int rows, int cols, MonoUs now)
    : options_(options),
      first_rows_(rows),
      first_cols_(cols),
      sanitizer_(Sanitizer::Options{options.bell}),
      paused_(options.paused),
      tailing_(options.tail_lines.has_value()),
      speed_(options.speed <= 0 ? 0 : std::clamp(options.speed, kSlowest, kFastest)),
      anchor_mono_(now) {
  resize(rows, cols);
  if (options.start_us > 0) seek_to_ = clamp_position(options.start_us);
  if (tailing_) seek_to_ = kMaxPosition;
}

Want Player::step(const PlayerInput& input, MonoUs now) {
  if (const auto* key = std::get_if<Key>(&input)) {
    press(*key, now);
  } else if (const auto* place = std::get_if<JumpTo>(&input)) {
    jump(place->at_us, now);
  } else if (const auto* read = std::get_if<Read>(&input)) {
    take(*read, now);
  } else if (std::holds_alternative<Rewound>(input) && rewinding_) {
    rewinding_ = false;
    output_ += restore_sequence();
    output_ += "\x1B[H\x1B[2J";
    sanitizer_.reset();
    shown_us_ = 0;
    resize(first_rows_, first_cols_);
  }
  return advance(now);
}

Want Player::advance(MonoUs now) {
  for (;;) {
    if (done_) return Want::kDone;
    if (rewinding_) return Want::kRewind;
    if (!pending_) {
      if (standing() && !seek_to_ && !stepping_) return Want::kWait;
      if (poll_at_ && now < *poll_at_) return Want::kWait;
      poll_at_.reset();
      return Want::kRead;
    }
    if (!due(now)) return Want::kWait;
    const format::Event event = std::move(*pending_);
    pending_.reset();
    show(event, now);
  }
}

bool Player::due(MonoUs now) {
  if (seek_to_) {
    if (pending_->at_us <= *seek_to_) return true;
    anchor(*seek_to_, now);
    seek_to_.reset();
  }
  if (stepping_) return true;
  if (standing()) return false;
  if (speed_ == 0) return true;
  const auto when = deadline();
  return when && now >= *when;
}

std::optional<MonoUs> Player::deadline() const {
  if (done_ || rewinding_) return std::nullopt;
  if (poll_at_) return standing() && !stepping_ && !seek_to_ ? std::nullopt : poll_at_;
  if (!pending_ || standing()) return std::nullopt;
  if (speed_ == 0) return anchor_mono_;
  const double wait = static_cast<double>(pending_->at_us - anchor_us_) / speed_;
  return anchor_mono_ + static_cast<std::int64_t>(std::clamp(std::ceil(wait), 0.0, double{kMaxPosition}));
}

std::int64_t Player::position(MonoUs now) const {
  if (seek_to_) return *seek_to_;
  if (standing() || speed_ == 0) return anchor_us_;
  const double passed = static_cast<double>(std::max<MonoUs>(now - anchor_mono_, 0)) * speed_;
  const auto raw = anchor_us_ + static_cast<std::int64_t>(std::min(passed, double{kMaxPosition}));
  const std::int64_t upper = pending_ ? pending_->at_us : shown_us_;
  return std::clamp(raw, std::min(shown_us_, upper), upper);
}

void Player::anchor(std::int64_t position, MonoUs now) {
  anchor_us_ = clamp_position(position);
  anchor_mono_ = now;
}

void Player::take(const Read& read, MonoUs now) {
  switch (read.outcome) {
    case format::Outcome::kEvent:
      break;
    case format::Outcome::kNeedMore:
      end_tail();
      if (!options_.follow) {
        outcome_ = read.outcome;
        done_ = true;
      } else {
        if (seek_to_) anchor(shown_us_, now);
        seek_to_.reset();
        at_end_ = true;
        poll_at_ = now + kFollowPollUs;
      }
      return;
    default:
      outcome_ = read.outcome;
      if (!options_.raw) sanitizer_.finish(output_);
      end_tail();
      done_ = true;
      return;
  }
  pending_ = read.event;
  pending_->at_us = std::max(clamp_position(pending_->at_us), shown_us_);
  if (seek_to_) return;
  if (at_end_) {  // it has just happened
    at_end_ = false;
    anchor(pending_->at_us, now);
  } else if (options_.max_idle_us && pending_->at_us - position(now) > *options_.max_idle_us) {
    anchor(pending_->at_us - *options_.max_idle_us, now);
  }
}

void Player::show(const format::Event& event, MonoUs now) {
  shown_us_ = event.at_us;
  if (speed_ == 0 || standing()) anchor(event.at_us, now);
  switch (event.kind) {
    case format::Event::Kind::kOutput:
      stepping_ = false;
      if (options_.omit && event.at_us < options_.start_us) {
        scratch_.clear();
        sanitizer_.feed(event.bytes, scratch_);  // an escape sequence may end behind the place
        return;
      }
      if (options_.raw) {
        output_ += event.bytes;
        scratch_.clear();
        sanitizer_.feed(event.bytes, scratch_);  // only to know what to restore
      } else {
        sanitizer_.feed(event.bytes, output_);
      }
      if (tailing_ && output_.size() > 2 * kTailKept) keep_tail();
      return;
    case format::Event::Kind::kResize:
      resize(event.rows, event.cols);
      return;
    case format::Event::Kind::kGap:
      if (!event.gap || event.offset < gaps_seen_to_) return;
      gaps_seen_to_ = event.offset + 1;
      ++gap_count_;
      if (gaps_.size() < kGapsKept) gaps_.push_back(*event.gap);
      return;
    case format::Event::Kind::kEnd:
      end_ = event.end;
      return;
    default:
      return;
  }
}

void Player::resize(int rows, int cols) {
  if (!options_.resize || rows <= 0 || cols <= 0 || rows > 9999 || cols > 9999) return;
  output_ += "\x1B[8;" + std::to_string(rows) + ';' + std::to_string(cols) + 't';
}

void Player::jump(std::int64_t target, MonoUs now) {
  if (frozen_ || overlay_) {  // the screen is not the session's
    frozen_ = false;
    render_again(clamp_position(target));
  } else {
    seek(target, now);
  }
}

std::int64_t Player::back_grace() const {
  return standing() ? 0 : static_cast<std::int64_t>(static_cast<double>(kUsPerS) * std::max(speed_, 1.0));
}

void Player::seek(std::int64_t target, MonoUs now) {
  const std::int64_t from = position(now);
  target = clamp_position(target);
  if (target < from) {
    render_again(target);
    return;
  }
  at_end_ = false;
  seek_to_ = target;
}

void Player::render_again(std::int64_t target) {
  rewinding_ = true;
  pending_.reset();
  poll_at_.reset();
  at_end_ = false;
  overlay_ = false;
  seek_to_ = target;
}

void Player::change_speed(double speed, MonoUs now) {
  anchor(position(now), now);
  speed_ = std::clamp(speed, kSlowest, kFastest);
}

void Player::press(Key key, MonoUs now) {
  const std::int64_t at = position(now);
  if (overlay_ && key != Key::kQuit && key != Key::kFreeze) {  // any key takes the line away
    anchor(at, now);
    frozen_ = false;
    render_again(at);
    return;
  }
  switch (key) {
    case Key::kQuit:
      done_ = true;
      return;
    case Key::kPause:
      anchor(at, now);
      paused_ = !paused_;
      return;
    case Key::kStep:
      anchor(at, now);
      paused_ = stepping_ = true;
      return;
    case Key::kForward:
      seek(at + kJump, now);
      return;
    case Key::kFarForward:
      seek(at + kFarJump, now);
      return;
    case Key::kBack:
      seek(at - kJump, now);
      return;
    case Key::kFarBack:
      seek(at - kFarJump, now);
      return;
    case Key::kBegin:
      render_again(0);
      return;
    case Key::kEnd:
      seek(kMaxPosition, now);
      return;
    case Key::kFaster:
      change_speed(speed_ == 0 ? 1 : speed_ * 2, now);
      return;
    case Key::kSlower:
      change_speed(speed_ == 0 ? 1 : speed_ / 2, now);
      return;
    case Key::kNormalSpeed:
      change_speed(1, now);
      return;
    case Key::kInfo:
      overlay(describe(now));
      anchor(at, now);
      return;
    case Key::kHelp:
      overlay(kHelpLine);
      anchor(at, now);
      return;
    case Key::kCommands:
    case Key::kNextCommand:
    case Key::kPreviousCommand:
      request_ = key;
      return;
    case Key::kFreeze:
      anchor(at, now);
      frozen_ = true;
      return;
    case Key::kThaw:
    case Key::kRedraw:
      anchor(at, now);
      frozen_ = false;
      render_again(at);
      return;
  }
}

void Player::overlay(const std::string& text) {
  overlay_ = true;
  output_ +=
      "\x1B"
      "7\x1B[0m\x1B[r\x1B[999;1H\x1B[7m\x1B[2K " +
      text +
      " \x1B[0m\x1B"
      "8";
}

std::string Player::describe(MonoUs now) const {
  char text[160];
  const double seconds = static_cast<double>(position(now)) / 1e6;
  std::snprintf(text, sizeof text, "%.1f s, speed %gx%s%s, %llu sequences left out", seconds, speed_,
                paused_ ? ", paused" : "", at_end_ ? ", live" : "",
                static_cast<unsigned long long>(sanitizer_.left_out()));
  return text;
}

// Bounds what is held back; cut where a line begins, so never inside a sequence.
void Player::keep_tail() {
  const std::size_t line = output_.find('\n', output_.size() - kTailKept);
  output_.erase(0, line == std::string::npos ? output_.size() - kTailKept : line + 1);
}

void Player::end_tail() {
  if (!tailing_) return;
  tailing_ = false;
  std::size_t at = output_.size();
  if (at > 0 && output_[at - 1] == '\n') --at;  // a finished last line counts as one
  for (std::size_t lines = 0; at > 0; --at) {
    if (output_[at - 1] == '\n' && ++lines == *options_.tail_lines) break;
  }
  output_.erase(0, *options_.tail_lines == 0 ? output_.size() : at);
}

std::string Player::take_output() {
  if (tailing_) return {};
  std::string out = std::move(output_);
  output_.clear();
  return out;
}

std::string Player::restore_sequence() const {
  return options_.raw ? full_restore_sequence(sanitizer_) : sanitizer_.restore_sequence();
}

}  // namespace opelog::replay
