#include "replay/prompts.h"

#include <algorithm>

namespace opelog::replay {
namespace {

bool begins_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

void KnownPrompts::confirm(std::string_view prompt) {
  if (prompt.empty() || prompt.size() > kMaxPrompt) return;
  if (first_.empty()) first_ = prompt;
  for (std::size_t i = 0; i < known_.size(); ++i)
    if (known_[i].text == prompt) {  // the last used stand at the end
      ++known_[i].count;
      std::rotate(known_.begin() + static_cast<std::ptrdiff_t>(i),
                  known_.begin() + static_cast<std::ptrdiff_t>(i) + 1, known_.end());
      return;
    }
  if (known_.size() == kMaxPrompts) known_.erase(known_.begin());
  known_.push_back({std::string(prompt), 1});
}

std::size_t KnownPrompts::count(std::string_view prompt) const {
  for (const Known& known : known_)
    if (known.text == prompt) return known.count;
  return 0;
}

std::string KnownPrompts::best(std::string_view row, std::string_view candidate) const {
  const Known* found = nullptr;
  for (const Known& known : known_)
    if (begins_with(row, known.text) && (found == nullptr || known.count >= found->count)) found = &known;
  if (found != nullptr && found->count > count(candidate)) return found->text;
  const bool whole = !candidate.empty() && candidate.back() == ' ';
  if (whole && ends_like_prompt(candidate, true)) return std::string(candidate);
  // A new prompt, and no pause behind it, or one in the middle of it: cut where prompts end.
  for (const std::string_view end : {"$ ", "# ", "% ", "> "}) {
    const std::size_t at = row.find(end);
    if (at != std::string_view::npos && (!whole || at + end.size() <= candidate.size()))
      return std::string(row.substr(0, at + end.size()));
  }
  return std::string(candidate);
}

std::string_view KnownPrompts::longest(std::string_view row) const {
  std::string_view found;
  for (const Known& known : known_)
    if (known.text.size() > found.size() && begins_with(row, known.text)) found = known.text;
  return found;
}

std::string_view KnownPrompts::longest_at_end(std::string_view row) const {
  std::string_view found;
  for (const Known& known : known_)
    if (known.text.size() > found.size() && known.text.size() <= row.size() &&
        row.substr(row.size() - known.text.size()) == known.text)
      found = known.text;
  return found;
}

bool is_continuation_prompt(std::string_view prompt) {
  if (prompt.size() < 2 || prompt.size() > 64 || prompt.substr(prompt.size() - 2) != "> ") return false;
  return std::all_of(prompt.begin(), prompt.end() - 2,
                     [](char c) { return c == ' ' || (c >= 'a' && c <= 'z'); });
}

bool ends_like_prompt(std::string_view text, bool wide) {
  if (text.size() < 2 || text.size() > kMaxPrompt || text.back() != ' ') return false;
  const char end = text[text.size() - 2];
  if (end == '#' && text.size() > 2 && text[text.size() - 3] == '#') return false;
  return end == '$' || end == '#' || (wide && (end == '%' || end == '>'));
}

}  // namespace opelog::replay
