// KeyReader: what the auditor typed, as keys of the player.
//
// Pure and incremental. What a terminal sends by itself (answers to queries, mouse, paste brackets) is
// recognised as a sequence and ignored, so that a recording shown raw cannot press keys through the
// terminal's answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "replay/player.h"

namespace opelog::replay {

class KeyReader {
 public:
  /// The keys that `bytes` complete.
  std::vector<Key> feed(std::string_view bytes);

 private:
  enum class State { kGround, kEscape, kCsi, kSs3, kString };
  State state_ = State::kGround;
  std::string params_;  ///< of a CSI, at most 16 bytes kept
};

/// The table of keys for `--help`.
const char* key_help() noexcept;

}  // namespace opelog::replay
