#include "core/yaml_values.h"

#include <algorithm>
#include <array>

namespace opelog {
namespace {

constexpr std::size_t kLongestWord = 64;  // of a key somebody mistyped; longer ones resemble nothing

// Edit distance with neighbours exchanged counted as one (restricted Damerau-Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::array<std::array<std::size_t, kLongestWord + 1>, kLongestWord + 1> d{};
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

std::string one_of(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

// A value as a complaint quotes it: short, whatever it is.
std::string quote(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "no value";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
    case YamlNode::Kind::kScalar:
      break;
  }
  constexpr std::size_t kShown = 40;
  if (node.text.size() <= kShown) return "'" + node.text + "'";
  std::size_t cut = kShown;  // not inside a character
  while (cut > 0 && (static_cast<unsigned char>(node.text[cut]) & 0xC0) == 0x80) --cut;
  return "'" + node.text.substr(0, cut) + "...'";
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t best_distance = 3;  // at most two slips of the finger
  for (const std::string_view candidate : known) {
    if (word.size() > kLongestWord || candidate.size() > kLongestWord) continue;
    const std::size_t d = distance(word, candidate);
    if (d < best_distance && d < candidate.size()) {
      best = candidate;
      best_distance = d;
    }
  }
  return best.empty() ? "" : "; did you mean '" + std::string(best) + "'?";
}

std::optional<std::uint64_t> parse_digits(std::string_view text, std::uint64_t max) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (max - std::min(max, digit)) / 10 || digit > max) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::optional<int> parse_duration_ms(std::string_view text) {
  constexpr std::uint64_t kDayMs = 86400000;
  if (text == "0") return 0;
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  for (const auto& [unit, factor] : kUnits) {
    if (text.size() <= unit.size() || text.substr(text.size() - unit.size()) != unit) continue;
    const auto number = parse_digits(text.substr(0, text.size() - unit.size()), kDayMs / factor);
    if (number) return static_cast<int>(*number * factor);
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_age_s(std::string_view text) {
  constexpr std::uint64_t kMost = 36500ULL * 86400;
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  constexpr std::pair<char, std::uint64_t> kUnits[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  for (const auto& [unit, factor] : kUnits) {
    if (text.back() != unit) continue;
    const auto number = parse_digits(text.substr(0, text.size() - 1), kMost / factor);
    if (number) return static_cast<std::int64_t>(*number * factor);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_size_bytes(std::string_view text) {
  constexpr std::uint64_t kMost = 1ULL << 50U;
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  constexpr std::pair<char, unsigned> kUnits[] = {{'K', 10}, {'M', 20}, {'G', 30}, {'T', 40}};
  for (const auto& [unit, shift] : kUnits) {
    if (text.back() != unit) continue;
    const auto number = parse_digits(text.substr(0, text.size() - 1), kMost >> shift);
    if (number) return *number << shift;
  }
  return std::nullopt;
}

bool is_normal_path(std::string_view path) {
  if (path.size() < 2 || path.size() > 4095 || path[0] != '/' || path.find('\0') != std::string_view::npos)
    return false;
  for (std::size_t start = 1; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
    start = end + 1;
  }
  return true;
}

bool ValueReader::expect(const YamlNode& node, YamlNode::Kind kind, std::string_view wanted) {
  if (node.kind == kind) return true;
  fail(node, quote(node) + " where " + std::string(wanted) + " must stand");
  return false;
}

void ValueReader::fail(const YamlNode& node, const std::string& message) {
  fail_at(node.mark, key_.empty() ? message : key_ + ": " + message);
}

void ValueReader::unknown_key(const YamlNode& key, const std::string& outer,
                              const std::vector<std::string_view>& known) {
  std::string message = "unknown key " + quote(key) + (outer.empty() ? "" : " in " + outer);
  const std::string hint = did_you_mean(key.text, known);
  fail_at(key.mark, message + (hint.empty() ? "; known here: " + one_of(known) : hint));
}

void ValueReader::unknown_word(const YamlNode& node, const std::vector<std::string_view>& known) {
  const std::string hint = node.kind == YamlNode::Kind::kScalar ? did_you_mean(node.text, known) : "";
  fail(node, quote(node) + " is not one of " + one_of(known) + hint);
}

void ValueReader::list(const YamlNode& node, bool may_be_empty,
                       const std::function<void(const YamlNode&)>& item) {
  if (!expect(node, YamlNode::Kind::kList, "a list")) return;
  if (node.items.empty() && !may_be_empty) fail(node, "an empty list; leave the key out to set no condition");
  for (const YamlNode& n : node.items) item(n);
}

void ValueReader::list_or_one(const YamlNode& node, const std::function<void(const YamlNode&)>& item) {
  if (node.kind == YamlNode::Kind::kScalar)
    item(node);
  else
    list(node, false, item);
}

void ValueReader::flag(const YamlNode& node, bool& target) {
  if (node.kind == YamlNode::Kind::kScalar && !node.quoted && (node.text == "true" || node.text == "false")) {
    target = node.text == "true";
    return;
  }
  fail(node, quote(node) + (node.quoted ? " in quotes is a text" : " is neither true nor false") +
                 "; write true or false without quotes");
}

void ValueReader::integer(const YamlNode& node, int min, int max, int& target) {
  const std::string range = "; write a number from " + std::to_string(min) + " to " + std::to_string(max);
  if (node.kind != YamlNode::Kind::kScalar) return fail(node, quote(node) + " is not a number" + range);
  if (node.quoted) return fail(node, quote(node) + " in quotes is a text" + range + " without quotes");
  const auto value = parse_digits(node.text, static_cast<std::uint64_t>(max));
  if (value && *value >= static_cast<std::uint64_t>(min)) {
    target = static_cast<int>(*value);
    return;
  }
  const bool number =
      node.text.find_first_not_of("0123456789", node.text[0] == '-' ? 1 : 0) == std::string::npos;
  fail(node, quote(node) + (number ? " is out of range" : " is not a whole number") + range);
}

void ValueReader::duration(const YamlNode& node, int min_ms, int max_ms, int& target_ms) {
  const auto say = [](int ms) {
    if (ms != 0 && ms % 3600000 == 0) return std::to_string(ms / 3600000) + "h";
    if (ms != 0 && ms % 60000 == 0) return std::to_string(ms / 60000) + "m";
    if (ms != 0 && ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
    return std::to_string(ms) + (ms == 0 ? "" : "ms");
  };
  const std::string range =
      "; write a duration from " + say(min_ms) + " to " + say(max_ms) + ", such as 100ms, 1s, 5m or 2h";
  if (node.kind != YamlNode::Kind::kScalar) return fail(node, quote(node) + " is not a duration" + range);
  const auto ms = parse_duration_ms(node.text);
  if (!ms) return fail(node, quote(node) + " is not a duration" + range);
  if (*ms < min_ms || *ms > max_ms) return fail(node, quote(node) + " is out of range" + range);
  target_ms = *ms;
}

void ValueReader::age(const YamlNode& node, std::int64_t& target_s) {
  const auto s = node.kind == YamlNode::Kind::kScalar ? parse_age_s(node.text) : std::nullopt;
  if (!s) return fail(node, quote(node) + " is not an age; write 0, or 30s, 15m, 12h, 90d, up to 36500d");
  target_s = *s;
}

void ValueReader::size(const YamlNode& node, std::uint64_t& target_bytes) {
  const auto bytes = node.kind == YamlNode::Kind::kScalar ? parse_size_bytes(node.text) : std::nullopt;
  if (!bytes) return fail(node, quote(node) + " is not a size; write 0, or 512K, 100M, 20G, 2T, up to 1024T");
  target_bytes = *bytes;
}

bool ValueReader::text(const YamlNode& node, std::size_t max, std::string& target) {
  if (node.kind == YamlNode::Kind::kNull) {
    fail(node, "no value; write \"\" for an empty text, and a word such as null in quotes");
    return false;
  }
  if (!expect(node, YamlNode::Kind::kScalar, "a text")) return false;
  if (node.text.size() > max) {
    fail(node, "longer than " + std::to_string(max) + " bytes; shorten it");
    return false;
  }
  target = node.text;
  return true;
}

void ValueReader::path(const YamlNode& node, bool slash_may_trail, std::string& target) {
  std::string value;
  if (!text(node, 4095, value)) return;
  if (slash_may_trail && value.size() > 1 && value.back() == '/') value.pop_back();
  if (is_normal_path(value)) {
    target = value;
    return;
  }
  const char* why = value.empty() || value[0] != '/' ? " is not an absolute path; begin it with '/'"
                    : value == "/"                   ? " is the root directory; name one below it"
                                   : " has empty, '.' or '..' parts or is too long; write the path out";
  fail(node, quote(node) + why);
}

std::vector<ValueReader::Complaint> ValueReader::take() {
  std::stable_sort(complaints_.begin(), complaints_.end(), [](const Complaint& a, const Complaint& b) {
    return a.mark.line != b.mark.line ? a.mark.line < b.mark.line : a.mark.column < b.mark.column;
  });
  return std::move(complaints_);
}

}  // namespace opelog
