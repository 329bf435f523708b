#include "replay/player_io.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/clock_io.h"
#include "core/fd_io.h"
#include "replay/keys.h"
#include "replay/terminal_io.h"

namespace opelog::replay {
namespace {

/// Output gathered before it is written while nothing has to be waited for, 32 KiB: few writes, keys still
/// heard.
constexpr std::size_t kWriteAhead = 32 * 1024;

// Feeds the player from the reader until it waits, is done, or has enough to write.
Result<Want> feed(Player& player, format::RecordingReader& reader, Want want) {
  for (;;) {
    if (want == Want::kRewind) {
      if (auto rewound = reader.rewind(); !rewound) return std::move(rewound).error();
      want = player.step(Rewound{}, mono_now());
    } else if (want == Want::kRead) {
      Read read;
      read.outcome = reader.next(read.event);
      want = player.step(read, mono_now());
    } else {
      return want;
    }
    if (player.output_size() >= kWriteAhead) return want;
  }
}

PlayReport report_of(const Player& player) {
  PlayReport report;
  report.outcome = player.outcome();
  report.gaps = player.gaps();
  report.gap_count = player.gap_count();
  report.end = player.end();
  return report;
}

// The list of commands has the alternate screen, with nothing of the session's modes; a line is never
// wrapped, whatever the terminal thinks of its width.
constexpr const char* kCover = "\x1B[?1049h\x1B[?25l\x1B[?7l";
constexpr const char* kUncover = "\x1B[0m\x1B[?7h\x1B[?25h\x1B[?1049l";

// One session on the terminal, from taking the terminal over to giving it back.
class Show {
 public:
  Show(format::RecordingReader& reader, const PlayOptions& options, const CommandSource& commands,
       PlayTerminal& terminal)
      : reader_(reader),
        options_(options),
        terminal_(terminal),
        rows_(terminal.rows()),
        cols_(terminal.cols()),
        player_(options, reader.info().rows, reader.info().cols, mono_now()),
        panel_(commands) {}

  Result<PlayReport> run() {
    want_ = player_.step(Tick{}, mono_now());
    while (!over_) {
      if (auto fed = prepare(); !fed) {
        terminal_.leave(restore());
        return std::move(fed).error();
      }
      if (!unsent_.empty()) {
        const auto written = terminal_.write_some(unsent_);
        if (!written)
          ended_.hung_up = true;
        else
          unsent_.erase(0, *written);
      }
      if (!panel_.open() && want_ == Want::kDone && unsent_.empty()) break;
      react(terminal_.wait(deadline(), !unsent_.empty()));
    }
    terminal_.leave(restore());
    PlayReport report = report_of(player_);
    report.signal = ended_.signal;
    report.quit = ended_.quit;
    report.hung_up = ended_.hung_up;
    return report;
  }

 private:
  // What comes next for the terminal, unless it has not taken yet what came before.
  Status prepare() {
    if (!unsent_.empty()) return {};
    if (panel_.reading()) {
      follow(panel_.work());
    } else if (!panel_.open()) {
      auto fed = feed(player_, reader_, want_);
      if (!fed) return std::move(fed).error();
      want_ = *fed;
      unsent_ = player_.take_output();
    }
    return {};
  }

  [[nodiscard]] std::optional<MonoUs> deadline() const {
    std::optional<MonoUs> when;
    if (unsent_.empty()) {
      const bool at_once = panel_.open() ? panel_.reading() : want_ != Want::kWait;
      when = at_once ? std::optional<MonoUs>(0) : panel_.open() ? std::nullopt : player_.deadline();
    }
    if (escape_at_ && (!when || *escape_at_ < *when)) when = escape_at_;
    return when;
  }

  void react(const PlayTerminal::Woken& woken) {
    ended_.hung_up = ended_.hung_up || woken.hung_up;
    ended_.signal = woken.signal;
    over_ = ended_.hung_up || ended_.signal != 0;
    if (over_) return;
    if (woken.stop) {
      player_.step(Key::kFreeze, mono_now());
      terminal_.suspend(restore());
    }
    if (woken.stop || woken.continued) {  // also after a SIGSTOP that nobody could answer
      terminal_.enter();
      unsent_.clear();
      if (covered_) unsent_ = kUncover;
      covered_ = false;
      panel_.leave();
      want_ = player_.step(Key::kThaw, mono_now());
    }
    if (woken.resized && panel_.open()) unsent_ += panel_.draw(terminal_.rows(), terminal_.cols());
    for (const Stroke& stroke : keys_.feed(woken.keys)) press(stroke);
    if (!keys_.escape_begun())
      escape_at_.reset();
    else if (!escape_at_)
      escape_at_ = mono_now() + kEscapeUs;
    else if (mono_now() >= *escape_at_)
      press(keys_.escape());
    if (!over_ && !panel_.open() && want_ == Want::kWait) want_ = player_.step(Tick{}, mono_now());
  }

  void press(const Stroke& stroke) {
    if (over_) return;
    if (panel_.open()) {
      follow(panel_.press(stroke, terminal_.rows()));
      return;
    }
    const auto key = play_key(stroke);
    if (!key) return;
    want_ = player_.step(*key, mono_now());
    over_ = ended_.quit = *key == Key::kQuit;
    if (const auto request = player_.take_request())
      follow(panel_.ask(*request, player_.position(mono_now()), player_.back_grace()));
  }

  // Does what the panel answered, and shows it while it has the screen.
  void follow(CommandPanel::Answer answer) {
    if (panel_.open()) {
      if (!std::exchange(covered_, true)) {
        player_.step(Key::kFreeze, mono_now());
        unsent_ += player_.take_output() + player_.restore_sequence() + kCover;
      }
      unsent_ += panel_.draw(terminal_.rows(), terminal_.cols());
      return;
    }
    if (std::exchange(covered_, false)) unsent_ += kUncover;
    want_ = answer == CommandPanel::Answer::kJump ? player_.step(JumpTo{panel_.target_us()}, mono_now())
                                                  : player_.step(Key::kThaw, mono_now());
  }

  [[nodiscard]] std::string restore() const {
    std::string sequence = covered_ ? kUncover : "";
    sequence += player_.restore_sequence();
    if (options_.resize && rows_ > 0 && cols_ > 0) {
      sequence += "\x1B[8;" + std::to_string(rows_) + ';' + std::to_string(cols_) + 't';
    }
    return sequence + "\r\n";
  }

  format::RecordingReader& reader_;
  const PlayOptions& options_;
  PlayTerminal& terminal_;
  const int rows_, cols_;  ///< of the terminal, to be given back
  Player player_;
  CommandPanel panel_;
  KeyReader keys_;
  std::optional<MonoUs> escape_at_;  ///< when an ESC that has come is the key Esc
  std::string unsent_;
  Want want_ = Want::kWait;
  PlayReport ended_;
  bool covered_ = false;  ///< the panel's screen is shown
  bool over_ = false;
};

// Waits for the deadline, or for the reader of our output to go away.
bool reader_left(std::optional<MonoUs> deadline) {
  pollfd out{STDOUT_FILENO, 0, 0};
  while (deadline) {
    const MonoUs left = *deadline - mono_now();
    if (left <= 0) return false;
    const int ms = static_cast<int>(std::min<MonoUs>((left + kUsPerMs - 1) / kUsPerMs, 3600 * 1000));
    if (::poll(&out, 1, ms) > 0 && (out.revents & POLLERR) != 0) return true;
  }
  return false;
}

Result<PlayReport> play_straight(format::RecordingReader& reader, const PlayOptions& options) {
  Player player(options, reader.info().rows, reader.info().cols, mono_now());
  Want want = player.step(Tick{}, mono_now());
  for (;;) {
    auto fed = feed(player, reader, want);
    if (!fed) return std::move(fed).error();
    want = *fed;
    if (const auto written = write_all(STDOUT_FILENO, player.take_output()); !written) return written.error();
    if (want == Want::kDone) return report_of(player);
    if (want != Want::kWait) continue;
    if (reader_left(player.deadline())) {
      PlayReport report = report_of(player);
      report.hung_up = true;
      return report;
    }
    want = player.step(Tick{}, mono_now());
  }
}

}  // namespace

bool output_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}

Result<PlayReport> play(format::RecordingReader& reader, const PlayOptions& options,
                        const CommandSource& commands) {
  if (output_is_terminal()) {
    auto terminal = PlayTerminal::open();
    if (!terminal) return std::move(terminal).error();
    return Show(reader, options, commands, **terminal).run();
  }
  PlayOptions straight = options;
  straight.paused = false;  // nobody could press a key
  straight.resize = false;
  straight.omit = true;
  return play_straight(reader, straight);
}

}  // namespace opelog::replay
