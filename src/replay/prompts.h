// KnownPrompts: the prompts a session has shown, and what a text between prompts and typing is most likely.
//
// A recording does not say where a prompt ends. It ends where the terminal waited; but an operator who types
// ahead leaves no pause, so what has been seen to be a prompt decides against what was seen once. Bounded by
// kMaxPrompts. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace opelog::replay {

/// Prompts kept; a prompt with the directory in it makes a new one for each.
constexpr std::size_t kMaxPrompts = 256;
/// Bytes of a prompt's last row; longer ones are no prompts.
constexpr std::size_t kMaxPrompt = 512;

class KnownPrompts {
 public:
  /// A prompt with this last row was shown and the operator typed behind it.
  void confirm(std::string_view prompt);

  /// The prompt at the beginning of `row`. `candidate`: what stood there when the terminal first waited, ""
  /// if it never did. "" if nothing is known.
  [[nodiscard]] std::string best(std::string_view row, std::string_view candidate) const;
  /// The longest confirmed prompt at the beginning of `row`, or "".
  [[nodiscard]] std::string_view longest(std::string_view row) const;
  /// The same at the end of `row`.
  [[nodiscard]] std::string_view longest_at_end(std::string_view row) const;
  [[nodiscard]] bool knows(std::string_view prompt) const { return count(prompt) > 0; }
  [[nodiscard]] std::string_view first() const noexcept { return first_; }

 private:
  struct Known {
    std::string text;
    std::size_t count;
  };
  [[nodiscard]] std::size_t count(std::string_view prompt) const;
  std::vector<Known> known_;
  std::string first_;
};

/// "> ", or zsh's "heredoc> ": lower-case words and "> ".
bool is_continuation_prompt(std::string_view prompt);
/// Ends as shells' prompts do: "$ " or "# "; if `wide` also "% " and "> ". A row of #### is a progress bar.
bool ends_like_prompt(std::string_view text, bool wide);

}  // namespace opelog::replay
