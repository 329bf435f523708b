// KeyReader: what the auditor typed, as keys of the player and of its list of commands.
//
// Pure and incremental. What a terminal sends by itself (answers to queries, mouse, paste brackets) is
// recognised as a sequence and ignored, so that a recording shown raw cannot press keys through the
// terminal's answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "replay/command_menu.h"
#include "replay/player.h"

namespace opelog::replay {

/// One key as the terminal sends it.
struct Stroke {
  bool special = false;  ///< CSI or SS3; `key` is its final byte
  char key = 0;          ///< a character, ESC for the key Esc alone
  std::string params;    ///< of a CSI
};

/// What it means while a session plays.
std::optional<Key> play_key(const Stroke& stroke);
/// What it means in the list of commands.
std::optional<MenuKey> menu_key(const Stroke& stroke);

/// How long the terminal is waited for before ESC is the key Esc: sequences come in one piece.
constexpr MonoUs kEscapeUs = 50 * kUsPerMs;

class KeyReader {
 public:
  /// The keys that `bytes` complete.
  std::vector<Stroke> feed(std::string_view bytes);
  /// ESC has come, and nothing behind it yet.
  [[nodiscard]] bool escape_begun() const noexcept { return state_ == State::kEscape; }
  /// kEscapeUs have passed: it was the key Esc.
  Stroke escape();

 private:
  enum class State { kGround, kEscape, kCsi, kSs3, kString };
  State state_ = State::kGround;
  std::string params_;  ///< of a CSI, at most 16 bytes kept
};

/// The table of keys for `--help`.
const char* key_help() noexcept;

}  // namespace opelog::replay
