// Player: what to show of a recording, and when; a pure machine over events, keys and a clock it is told.
//
// It neither reads nor writes: step() takes what happened and answers what is wanted next; what is to be
// shown comes out of take_output(). player_io.h feeds it. Seeking backwards is a rewind and a fast render up
// to the place, because a terminal cannot run backwards.
//
// Memory: one event of the reader (64 KiB) and the output since the last take_output().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "format/recording_reader_io.h"
#include "replay/sanitize.h"

namespace opelog::replay {

/// How often a live recording is looked at again: below what an eye notices, and 20 looks a second cost
/// nothing.
constexpr std::int64_t kFollowPollUs = 50 * kUsPerMs;
constexpr double kSlowest = 1.0 / 64, kFastest = 1024;
/// Gaps kept for the report at the end; more are only counted.
constexpr std::size_t kGapsKept = 8;
/// Bytes kept for the last lines of PlayOptions::tail_lines; fewer lines are shown if they are longer.
constexpr std::size_t kTailKept = 256 * 1024;

enum class Key {
  kQuit,
  kPause,
  kStep,
  kForward,     ///< 10 s
  kBack,        ///< 10 s
  kFarForward,  ///< 60 s
  kFarBack,     ///< 60 s
  kFaster,
  kSlower,
  kNormalSpeed,
  kBegin,
  kEnd,
  kInfo,
  kHelp,
  kRedraw,
  kCommands,         ///< asks for the list: Player::take_request()
  kNextCommand,      ///< so does this
  kPreviousCommand,  ///< and this
  kFreeze,           ///< not typed: we are about to be stopped (Ctrl-Z)
  kThaw              ///< not typed: we go on
};

struct Tick {};  ///< the deadline has come
struct JumpTo {
  std::int64_t at_us = 0;
};
struct Rewound {};  ///< the reader is at the beginning again
struct Read {
  format::Outcome outcome = format::Outcome::kEvent;
  format::Event event;  ///< for kEvent
};
using PlayerInput = std::variant<Tick, Key, JumpTo, Rewound, Read>;

enum class Want {
  kRead,    ///< the next outcome of the reader
  kRewind,  ///< the reader at its beginning
  kWait,    ///< a key, or deadline()
  kDone
};

struct PlayOptions {
  double speed = 1;                         ///< 0: no pauses at all
  std::optional<std::int64_t> max_idle_us;  ///< longer pauses are cut to this
  std::int64_t start_us = 0;                ///< --at
  bool omit = false;    ///< what was shown before start_us does not come out (no screen to draw)
  bool follow = false;  ///< at the end of a live recording wait for more
  bool paused = false;
  bool raw = false;  ///< bytes as they are
  bool bell = false;
  std::optional<std::size_t> tail_lines;  ///< begin with the last lines of what there is
  bool resize = false;                    ///< ask the terminal to take the recorded size (CSI 8 t)
};

class Player {
 public:
  /// `rows` and `cols` are the size at the recording's start, 0 if unknown.
  Player(const PlayOptions& options, int rows, int cols, MonoUs now);

  Want step(const PlayerInput& input, MonoUs now);
  /// When a Tick is due; nullopt if only a key can change anything.
  [[nodiscard]] std::optional<MonoUs> deadline() const;
  /// "12.3 s, speed 2x, paused".
  [[nodiscard]] std::string describe(MonoUs now) const;

  /// What is to be written to the terminal since the last call.
  std::string take_output();
  [[nodiscard]] std::size_t output_size() const noexcept { return tailing_ ? 0 : output_.size(); }
  /// The key about commands that was pressed since the last call. The player does not know them: whoever does
  /// answers with JumpTo, or kFreeze while he has the screen, and kThaw or JumpTo afterwards.
  std::optional<Key> take_request() { return std::exchange(request_, std::nullopt); }
  /// How far before the position a command must have begun to be the previous one, so that pressing twice
  /// while it plays goes back two.
  [[nodiscard]] std::int64_t back_grace() const;

  /// Undoes what the output has done to the terminal.
  [[nodiscard]] std::string restore_sequence() const;

  /// How the recording ended; kEvent while it has not.
  [[nodiscard]] format::Outcome outcome() const noexcept { return outcome_; }
  [[nodiscard]] std::int64_t position(MonoUs now) const;
  [[nodiscard]] const std::vector<format::GapInfo>& gaps() const noexcept { return gaps_; }
  [[nodiscard]] std::uint64_t gap_count() const noexcept { return gap_count_; }
  /// What the end record says; nullopt while none has been seen.
  [[nodiscard]] const std::optional<format::EndInfo>& end() const noexcept { return end_; }

 private:
  Want advance(MonoUs now);
  bool due(MonoUs now);
  void show(const format::Event& event, MonoUs now);
  void take(const Read& read, MonoUs now);
  void press(Key key, MonoUs now);
  void jump(std::int64_t target, MonoUs now);
  void seek(std::int64_t target, MonoUs now);
  void render_again(std::int64_t target);
  void anchor(std::int64_t position, MonoUs now);
  void change_speed(double speed, MonoUs now);
  void overlay(const std::string& text);
  void keep_tail();
  void end_tail();
  void resize(int rows, int cols);
  [[nodiscard]] bool standing() const noexcept { return paused_ || frozen_ || overlay_; }

  PlayOptions options_;
  int first_rows_, first_cols_;
  Sanitizer sanitizer_;
  std::string output_;
  std::string scratch_;

  std::optional<format::Event> pending_;
  std::optional<std::int64_t> seek_to_;
  std::optional<MonoUs> poll_at_;
  std::optional<Key> request_;
  bool rewinding_ = false;
  bool paused_;
  bool frozen_ = false;
  bool overlay_ = false;  ///< a line of ours is on the screen; the next key takes it away
  bool stepping_ = false;
  bool at_end_ = false;  ///< live: everything there was has been shown
  bool tailing_;         ///< output is held back until the end is reached, then cut to the last lines
  bool done_ = false;
  double speed_;
  std::int64_t shown_us_ = 0;   ///< time of the last event shown
  std::int64_t anchor_us_ = 0;  ///< position at anchor_mono_
  MonoUs anchor_mono_;
  format::Outcome outcome_ = format::Outcome::kEvent;
  std::vector<format::GapInfo> gaps_;
  std::uint64_t gap_count_ = 0;
  std::optional<format::EndInfo> end_;
  std::uint64_t gaps_seen_to_ = 0;  ///< offset in `.time`: a gap is counted once, however often we rewind
};

}  // namespace opelog::replay
