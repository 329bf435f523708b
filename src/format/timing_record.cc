#include "format/timing_record.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "core/fact.h"
#include "format/json_text.h"

namespace opelog::format {
namespace {

constexpr std::string_view kTornTail = " ~torn";

std::int64_t clamp_delay(std::int64_t us) noexcept {
  return std::clamp<std::int64_t>(us, 0, kMaxDelayUs);
}

/// "S.UUUUUU" into `out`; returns the end.
char* put_delay(char* out, std::int64_t delay_us) noexcept {
  const std::int64_t us = clamp_delay(delay_us);
  out = std::to_chars(out, out + 20, us / 1000000).ptr;
  *out++ = '.';
  std::int64_t fraction = us % 1000000;
  for (int i = 5; i >= 0; --i) {
    out[i] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  return out + 6;
}

void begin_line(std::string& out, char letter, std::int64_t delay_us) {
  char buffer[kDataRecordBytes];
  char* end = buffer;
  *end++ = letter;
  *end++ = ' ';
  end = put_delay(end, delay_us);
  *end++ = ' ';
  out.append(buffer, end);
}

/// Text that may stand in a line as it is and still be told from a JSON string and from torn text.
bool is_plain(std::string_view value) noexcept {
  if (value.empty() || value.front() == '"' || value.front() == ' ' || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7e; });
}

std::string safe_name(std::string_view name) {
  constexpr std::size_t kRoom = kMaxNameBytes - sizeof(":1024/1024~torn");
  std::string safe(name.substr(0, kRoom));
  for (char& c : safe) {
    const bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-' || c == '.';
    if (!good) c = '_';
  }
  return safe.empty() ? std::string(kOpelogNote) : safe;
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// Seconds with fraction at the front of `s`; `exact` demands six decimals. Takes what it read off `s`.
bool take_delay(std::string_view& s, bool exact, std::int64_t& us) noexcept {
  std::int64_t seconds = 0;
  std::size_t i = 0;
  while (i < s.size() && is_digit(s[i])) {
    seconds = seconds * 10 + (s[i] - '0');
    if (seconds > kMaxDelayUs / 1000000) return false;
    ++i;
  }
  // Classic files written under some locales have a decimal comma.
  if (i == 0 || i >= s.size() || (s[i] != '.' && (exact || s[i] != ','))) return false;
  const std::size_t point = i++;
  std::int64_t fraction = 0;
  std::int64_t unit = 100000;
  while (i < s.size() && is_digit(s[i])) {
    fraction += (s[i] - '0') * unit;
    unit /= 10;
    ++i;
  }
  const std::size_t decimals = i - point - 1;
  if (exact ? decimals != 6 : (decimals == 0 || decimals > 12)) return false;
  us = seconds * 1000000 + fraction;
  s.remove_prefix(i);
  return us <= kMaxDelayUs;
}

bool take_size(std::string_view s, std::uint64_t& size) noexcept {
  const auto parsed = std::from_chars(s.data(), s.data() + s.size(), size);
  return !s.empty() && parsed.ec == std::errc() && parsed.ptr == s.data() + s.size() && size <= kMaxDataBytes;
}

std::string parse_named(std::string_view rest, std::string& name, std::string& value) {
  const std::size_t space = rest.find(' ');
  const std::string_view first = rest.substr(0, space);
  if (first.empty()) return "a record without a name";
  if (first.size() > kMaxNameBytes) return "a name longer than " + std::to_string(kMaxNameBytes) + " bytes";
  for (const char c : first) {
    if (static_cast<unsigned char>(c) < 0x21U || c == 0x7f) return "a control character in a name";
  }
  name = first;
  value = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
  return {};
}

}  // namespace

std::int64_t delay_of(const TimingRecord& record) {
  return std::visit([](const auto& r) { return r.delay_us; }, record);
}

std::size_t encode_data_record(char* out, char letter, std::int64_t delay_us, std::uint64_t size) noexcept {
  char* end = out;
  *end++ = letter;
  *end++ = ' ';
  end = put_delay(end, delay_us);
  *end++ = ' ';
  end = std::to_chars(end, out + kDataRecordBytes - 1, size).ptr;
  *end++ = '\n';
  return static_cast<std::size_t>(end - out);
}

std::string encode_resize(std::int64_t delay_us, int rows, int cols) {
  std::string line;
  begin_line(line, 'S', delay_us);
  line.append(kSigwinch);
  line += " ROWS=" + std::to_string(rows) + " COLS=" + std::to_string(cols) + "\n";
  return line;
}

std::string encode_text_header(std::string_view name, std::string_view text) {
  std::string line;
  begin_line(line, 'H', 0);
  line += safe_name(name);
  line += ' ';
  std::string value = printable(text.substr(0, kSplitValueBytes));
  std::replace(value.begin(), value.end(), '~', '?');  // the torn mark's own letter
  if (value.size() > kSplitValueBytes || text.size() > kSplitValueBytes) {
    std::size_t cut = kSplitValueBytes - 3;  // every byte came out as one or more: value is longer than this
    while (cut > 0 && (static_cast<unsigned char>(value[cut]) & 0xC0U) == 0x80U) --cut;
    value.resize(cut);
    value += "...";
  }
  return line + value + "\n";
}

std::string encode_note(std::int64_t delay_us, std::string_view name, std::string_view value) {
  std::string quoted;
  if (!is_plain(value)) {
    append_json_string(quoted, value);
    value = quoted;
  }
  const std::string safe = safe_name(name);
  std::string lines;
  if (value.size() <= kSplitValueBytes) {
    begin_line(lines, 'H', delay_us);
    lines += safe;
    lines += ' ';
    lines += value;
    lines += '\n';
    return lines;
  }
  const bool cut = value.size() > kMaxParts * kSplitValueBytes;
  if (cut) value = value.substr(0, kMaxParts * kSplitValueBytes);
  const std::size_t parts = (value.size() + kSplitValueBytes - 1) / kSplitValueBytes;
  for (std::size_t part = 1; part <= parts; ++part) {
    begin_line(lines, 'H', part == 1 ? delay_us : 0);
    lines += safe + ":" + std::to_string(part) + "/" + std::to_string(parts) + " ";
    lines += value.substr((part - 1) * kSplitValueBytes, kSplitValueBytes);
    if (cut && part == parts) lines += kTornTail;
    lines += '\n';
  }
  return lines;
}

std::string parse_timing_line(std::string_view line, bool classic, TimingRecord& record) {
  std::int64_t delay = 0;
  if (classic) {
    std::uint64_t size = 0;
    if (!take_delay(line, false, delay)) return "no delay in seconds";
    if (line.empty() || line.front() != ' ' || !take_size(line.substr(1), size)) return "no size in bytes";
    record = OutputRecord{delay, size};
    return {};
  }
  if (line.size() < 2 || line[1] != ' ') return "no record letter";
  const char letter = line.front();
  if (std::string_view("OISH").find(letter) == std::string_view::npos) return "an unknown record letter";
  line.remove_prefix(2);
  if (!take_delay(line, true, delay)) return "no delay with six decimals";
  if (line.empty() || line.front() != ' ') return "nothing behind the delay";
  line.remove_prefix(1);
  if (letter == 'O' || letter == 'I') {
    std::uint64_t size = 0;
    if (!take_size(line, size)) return "no size in bytes";
    if (size == 0) return "a record of no bytes";
    if (letter == 'O') {
      record = OutputRecord{delay, size};
    } else {
      record = InputRecord{delay, size};
    }
    return {};
  }
  std::string name;
  std::string value;
  if (std::string problem = parse_named(line, name, value); !problem.empty()) return problem;
  if (letter == 'S') {
    record = SignalRecord{delay, std::move(name), std::move(value)};
  } else {
    record = HeaderRecord{delay, std::move(name), std::move(value)};
  }
  return {};
}

void TimingScanner::feed(std::string_view bytes) {
  if (from_ > 0 && from_ >= buffer_.size() / 2) {
    buffer_.erase(0, from_);
    searched_ -= std::min(searched_, from_);
    from_ = 0;
  }
  buffer_.append(bytes);
}

TimingScanner::Outcome TimingScanner::corrupt(std::string why) {
  problem_ = std::move(why);
  return Outcome::kCorrupt;
}

TimingScanner::Outcome TimingScanner::next(TimingRecord& record) {
  if (!problem_.empty()) return Outcome::kCorrupt;
  for (;;) {
    if (from_ == buffer_.size()) return Outcome::kNeedMore;
    if (!begun_) {
      classic_ = is_digit(buffer_[from_]);
      begun_ = true;
    }
    searched_ = std::max(searched_, from_);
    const std::size_t lf = buffer_.find('\n', searched_);
    if (lf == std::string::npos) {
      searched_ = buffer_.size();
      if (buffer_.size() - from_ > kMaxLineBytes)
        return corrupt("a line longer than " + std::to_string(kMaxLineBytes) + " bytes");
      return Outcome::kNeedMore;
    }
    const std::string_view line = std::string_view(buffer_).substr(from_, lf - from_);
    if (line.size() > kMaxLineBytes)
      return corrupt("a line longer than " + std::to_string(kMaxLineBytes) + " bytes");
    if (std::string problem = parse_timing_line(line, classic_, record); !problem.empty())
      return corrupt(std::move(problem));
    offset_ += lf + 1 - from_;
    from_ = lf + 1;
    // Old versions of script wrote empty records; they hold nothing but a delay, which a reader must keep.
    return Outcome::kRecord;
  }
}

bool parse_window_size(std::string_view value, int& rows, int& cols) noexcept {
  const auto number = [&](std::string_view key, int& out) {
    if (value.substr(0, key.size()) != key) return false;
    value.remove_prefix(key.size());
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), out);
    if (parsed.ec != std::errc() || out < 1 || out > 65535) return false;
    value.remove_prefix(static_cast<std::size_t>(parsed.ptr - value.data()));
    return true;
  };
  int r = 0;
  int c = 0;
  if (!number("ROWS=", r) || !number(" COLS=", c) || !value.empty()) return false;
  rows = r;
  cols = c;
  return true;
}

namespace {

/// Completes the digits of a torn size so that it speaks of as many of the `left` bytes as they allow.
bool complete_size(std::string_view digits, std::uint64_t left, std::string& suffix) {
  const std::string all = std::to_string(std::max<std::uint64_t>(left, 1));
  if (all.compare(0, digits.size(), digits) == 0) {
    suffix += all.substr(digits.size());
    return true;
  }
  std::uint64_t size = 0;
  return take_size(digits, size) && size > 0;
}

bool complete_delay(std::string_view delay, std::string& suffix) {
  const std::size_t point = delay.find('.');
  const std::string_view seconds = delay.substr(0, point);
  if (!std::all_of(seconds.begin(), seconds.end(), is_digit) || seconds.size() > 10) return false;
  if (point == std::string_view::npos) {
    suffix += delay.empty() ? "0.000000" : ".000000";
    return true;
  }
  const std::string_view fraction = delay.substr(point + 1);
  if (seconds.empty() || fraction.size() > 6 || !std::all_of(fraction.begin(), fraction.end(), is_digit))
    return false;
  suffix.append(6 - fraction.size(), '0');
  return true;
}

void complete_named(char letter, std::string_view rest, std::string& suffix) {
  const std::size_t space = rest.find(' ');
  if (space != std::string_view::npos) {  // within the value
    const std::string_view value = rest.substr(space + 1);
    const bool whole = !value.empty() && value.front() == '{' && parse_json(value).has_value();
    if (!whole) suffix += kTornTail;
  } else if (rest.empty()) {
    suffix += letter == 'S' ? kSigwinch : kOpelogTorn;
    suffix += kTornTail;
  } else if (letter == 'S' && kSigwinch.substr(0, rest.size()) == rest) {
    suffix += kSigwinch.substr(rest.size());
    suffix += kTornTail;
  } else if (kOpelogTorn.substr(0, rest.size()) == rest) {
    suffix += kOpelogTorn.substr(rest.size());  // still tells whose file this is
    suffix += kTornTail;
  } else {
    if (rest.size() + kTornMark.size() <= kMaxNameBytes) suffix += kTornMark;
    suffix += kTornTail;
  }
}

}  // namespace

bool complete_torn_line(std::string_view tail, std::uint64_t out_left, std::uint64_t in_left,
                        std::string& suffix) {
  suffix.clear();
  if (tail.empty()) return true;
  const char letter = tail.front();
  if (std::string_view("OISH").find(letter) == std::string_view::npos) return false;
  std::string_view rest = tail.substr(1);
  std::string_view delay;
  bool delay_whole = false;
  if (rest.empty()) {
    suffix += ' ';
  } else {
    if (rest.front() != ' ') return false;
    rest.remove_prefix(1);
    const std::size_t space = rest.find(' ');
    delay = rest.substr(0, space);
    delay_whole = space != std::string_view::npos;
    rest = delay_whole ? rest.substr(space + 1) : std::string_view{};
  }
  if (!delay_whole) {
    if (!complete_delay(delay, suffix)) return false;
    suffix += ' ';
  }
  if (letter == 'O' || letter == 'I') {
    if (!complete_size(rest, letter == 'O' ? out_left : in_left, suffix)) return false;
  } else {
    complete_named(letter, rest, suffix);
  }
  TimingRecord record;
  const std::string line = std::string(tail) + suffix;
  if (!parse_timing_line(line, false, record).empty()) return false;
  suffix += '\n';
  return true;
}

}  // namespace opelog::format
