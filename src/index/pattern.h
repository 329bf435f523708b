// Pattern: what is searched for, and which blocks can hold it at all.
//
// Substring, whole word or regular expression (RE2: time linear in the text whatever the pattern, memory
// bounded by kMaxPatternMemory). Invariant: a text in which find() finds something meets query(). Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace opelog::index {

/// Bytes of a pattern; nobody types more.
constexpr std::size_t kMaxPatternBytes = 4096;
/// Bytes that a compiled expression and its matching may take.
constexpr std::int64_t kMaxPatternMemory = 8 << 20;

enum class PatternKind { kSubstring, kWord, kRegex };

struct Match {
  std::size_t begin = 0, size = 0;  ///< bytes of the line
};

class Pattern {
 public:
  /// Code::kInvalid with the reason: empty, too long, no UTF-8, a malformed or too large expression.
  static Result<Pattern> compile(PatternKind kind, const std::string& text, bool any_case);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  /// First match in one line, at or behind `from`.
  [[nodiscard]] std::optional<Match> find(std::string_view line, std::size_t from = 0) const;
  /// false: no line of `text` matches. A quick look at many lines at once, from any thread.
  [[nodiscard]] bool may_match(std::string_view text) const;
  /// A full text query for trigrams.h's words, "" if every text may match.
  [[nodiscard]] const std::string& query() const noexcept;

 private:
  struct State;
  explicit Pattern(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace opelog::index
