#include "index/pattern.h"

#include <re2/filtered_re2.h>
#include <re2/re2.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "index/trigrams.h"

namespace opelog::index {
namespace {

/// Of so many required strings every combination is tried: 256.
constexpr std::size_t kMaxAtoms = 8;
constexpr int kLeastAtom = 3;

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

RE2::Options options_of(bool any_case) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemory);
  options.set_never_nl(true);
  options.set_case_sensitive(!any_case);
  return options;
}

// The strings that a match must hold, as a full text query; "" if there are none. RE2 gives the strings and
// answers, for a set of them, whether a text with just these might match; what is minimal is asked for.
std::string query_of(const std::string& text, bool any_case) {
  re2::FilteredRE2 filter(kLeastAtom);
  int id = 0;
  if (filter.Add(text, options_of(any_case), &id) != RE2::NoError) return "";
  std::vector<std::string> atoms;
  filter.Compile(&atoms);
  const auto enough = [&filter](const std::vector<int>& some) {
    std::vector<int> passed;
    filter.AllPotentials(some, &passed);
    return !passed.empty();
  };
  if (atoms.empty() || enough({})) return "";
  std::vector<std::string> words;  // of each atom; atoms are in lower case
  for (const std::string& atom : atoms) {
    words.push_back(trigram_query(atom, true));
    if (words.back().empty()) return "";
  }
  std::string query;
  const auto append = [&query](const std::string& alternative) {
    query += (query.empty() ? "(" : " OR (") + alternative + ")";
  };
  if (atoms.size() > kMaxAtoms) {
    if (atoms.size() * kMaxQueryWords > 4096) return "";
    for (const auto& word : words) append(word);
    return query;
  }
  std::vector<unsigned> sets;
  for (unsigned set = 1; set < 1U << atoms.size(); ++set) sets.push_back(set);
  std::stable_sort(sets.begin(), sets.end(),
                   [](unsigned a, unsigned b) { return __builtin_popcount(a) < __builtin_popcount(b); });
  std::vector<unsigned> minimal;
  for (const unsigned set : sets) {
    const auto holds = [set](unsigned smaller) { return (set & smaller) == smaller; };
    if (std::any_of(minimal.begin(), minimal.end(), holds)) continue;
    std::vector<int> some;
    std::string both;
    for (std::size_t i = 0; i < atoms.size(); ++i) {
      if ((set >> i & 1U) == 0) continue;
      some.push_back(static_cast<int>(i));
      both += (both.empty() ? "" : " ") + words[i];
    }
    if (!enough(some)) continue;
    minimal.push_back(set);
    append(both);
  }
  return query;
}

// `source` for many lines at once: ^ and $ are the ends of each, and never_nl sees to it that nothing goes
// over one. None for what looks at the ends of the text itself, or changes what ^ and $ are.
std::unique_ptr<re2::RE2> over_lines(const std::string& source, bool any_case) {
  for (const char* own : {"\\A", "\\z", "\\Q", "\\C"})
    if (source.find(own) != std::string::npos) return nullptr;
  for (std::size_t at = source.find("(?"); at != std::string::npos; at = source.find("(?", at + 1)) {
    const std::string_view flags = std::string_view(source).substr(at + 2, 2);
    if (flags.substr(0, 1) != ":" && flags != "i)" && flags != "i:" && flags.substr(0, 1) != "P")
      return nullptr;
  }
  auto expression = std::make_unique<RE2>("(?m:" + source + ")", options_of(any_case));
  return expression->ok() ? std::move(expression) : nullptr;
}

}  // namespace

struct Pattern::State {
  PatternKind kind = PatternKind::kSubstring;
  std::string literal;                   ///< kSubstring and kWord, if the case counts
  std::unique_ptr<re2::RE2> expression;  ///< otherwise
  std::unique_ptr<re2::RE2>
      over_lines;  ///< finds in many lines at once what `expression` finds in one of them
  std::string query;

  [[nodiscard]] std::optional<Match> next(std::string_view line, std::size_t from) const {
    if (!expression) {
      const std::size_t at = line.find(literal, from);
      if (at == std::string_view::npos) return std::nullopt;
      return Match{at, literal.size()};
    }
    re2::StringPiece found;
    if (!expression->Match({line.data(), line.size()}, from, line.size(), RE2::UNANCHORED, &found, 1))
      return std::nullopt;
    return Match{static_cast<std::size_t>(found.data() - line.data()), found.size()};
  }
};

Pattern::Pattern(std::unique_ptr<State> state) : state_(std::move(state)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::compile(PatternKind kind, const std::string& text, bool any_case) {
  if (text.empty()) return Error{Code::kInvalid, "an empty pattern matches everything", 0};
  if (text.size() > kMaxPatternBytes)
    return Error{Code::kInvalid, "the pattern is longer than 4096 bytes", 0};
  auto state = std::make_unique<State>();
  state->kind = kind;
  if (kind != PatternKind::kRegex && !any_case) {
    state->literal = text;
    state->query = trigram_query(text, false);
    return Pattern(std::move(state));
  }
  const std::string source = kind == PatternKind::kRegex ? text : RE2::QuoteMeta(text);
  state->expression = std::make_unique<RE2>(source, options_of(any_case));
  if (!state->expression->ok())
    return Error{Code::kInvalid, "the pattern is no regular expression: " + state->expression->error(), 0};
  state->over_lines = over_lines(source, any_case);
  state->query = kind == PatternKind::kRegex ? query_of(source, any_case) : trigram_query(text, true);
  return Pattern(std::move(state));
}

std::optional<Match> Pattern::find(std::string_view line, std::size_t from) const {
  while (from <= line.size()) {
    const auto match = state_->next(line, from);
    if (!match || state_->kind != PatternKind::kWord) return match;
    const std::size_t end = match->begin + match->size;
    // A boundary is wanted only where the word itself has one: --word -- -rf finds it behind a blank.
    const bool begins =
        match->begin == 0 || !is_word_byte(line[match->begin]) || !is_word_byte(line[match->begin - 1]);
    const bool ends = end == line.size() || !is_word_byte(line[end - 1]) || !is_word_byte(line[end]);
    if (begins && ends) return match;
    from = match->begin + 1;
  }
  return std::nullopt;
}

bool Pattern::may_match(std::string_view text) const {
  if (!state_->expression) return text.find(state_->literal) != std::string_view::npos;
  if (!state_->over_lines) return true;
  return state_->over_lines->Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, nullptr, 0);
}

const std::string& Pattern::query() const noexcept {
  return state_->query;
}

}  // namespace opelog::index
