#include "replay/player_io.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

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

Result<PlayReport> play_on_terminal(format::RecordingReader& reader, const PlayOptions& options) {
  auto opened = PlayTerminal::open();
  if (!opened) return std::move(opened).error();
  PlayTerminal& terminal = **opened;
  const int rows = terminal.rows();
  const int cols = terminal.cols();
  Player player(options, reader.info().rows, reader.info().cols, mono_now());
  KeyReader keys;
  PlayReport ended;
  const auto restore = [&] {
    std::string sequence = player.restore_sequence();
    if (options.resize && rows > 0 && cols > 0) {
      sequence += "\x1B[8;" + std::to_string(rows) + ';' + std::to_string(cols) + 't';
    }
    return sequence + "\r\n";
  };
  std::string unsent;
  Want want = player.step(Tick{}, mono_now());
  for (;;) {
    if (unsent.empty()) {
      auto fed = feed(player, reader, want);
      if (!fed) {
        terminal.leave(restore());
        return std::move(fed).error();
      }
      want = *fed;
      unsent = player.take_output();
    }
    if (!unsent.empty()) {
      const auto written = terminal.write_some(unsent);
      if (!written)
        ended.hung_up = true;
      else
        unsent.erase(0, *written);
    }
    if (want == Want::kDone && unsent.empty()) break;
    const bool at_once = unsent.empty() && want != Want::kWait;
    auto woken = terminal.wait(at_once          ? std::optional<MonoUs>(0)
                               : unsent.empty() ? player.deadline()
                                                : std::nullopt,
                               !unsent.empty());
    ended.hung_up = ended.hung_up || woken.hung_up;
    ended.signal = woken.signal;
    if (ended.hung_up || ended.signal != 0) break;
    if (woken.stop) {
      player.step(Key::kFreeze, mono_now());
      terminal.suspend(restore());
      woken.continued = true;
    }
    if (woken.continued) {  // also after a SIGSTOP that nobody could answer
      terminal.enter();
      unsent.clear();
      want = player.step(Key::kThaw, mono_now());
    }
    for (const Key key : keys.feed(woken.keys)) {
      if (key == Key::kQuit) ended.quit = true;
      want = player.step(key, mono_now());
    }
    if (ended.quit) break;
    if (want == Want::kWait) want = player.step(Tick{}, mono_now());
  }
  terminal.leave(restore());
  PlayReport report = report_of(player);
  report.signal = ended.signal;
  report.quit = ended.quit;
  report.hung_up = ended.hung_up;
  return report;
}

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

Result<PlayReport> play(format::RecordingReader& reader, const PlayOptions& options) {
  if (output_is_terminal()) return play_on_terminal(reader, options);
  PlayOptions straight = options;
  straight.paused = false;  // nobody could press a key
  straight.resize = false;
  straight.omit = true;
  return play_straight(reader, straight);
}

}  // namespace opelog::replay
