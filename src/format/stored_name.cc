#include "format/stored_name.h"

#include <algorithm>
#include <array>

namespace opelog::format {
namespace {

constexpr std::array<std::string_view, 6> kFileEnds = {".time", ".timing",     ".tm",
                                                       ".log",  ".typescript", ".in"};
constexpr std::size_t kMaxCountDigits = 5;     // x.log.1 … of logrotate's `rotate`
constexpr std::size_t kMaxSecondsDigits = 12;  // dateformat -%Y%m%d-%s

bool ends_in(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

bool take_end(std::string_view& text, std::string_view end) {
  if (!ends_in(text, end)) return false;
  text.remove_suffix(end.size());
  return true;
}

std::size_t digits_at_end(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && text[text.size() - 1 - count] >= '0' && text[text.size() - 1 - count] <= '9')
    ++count;
  return count;
}

/// "-" and digits at the end, between the two numbers of them; 0 if they are not.
std::size_t dated_at_end(std::string_view text, std::size_t least, std::size_t most) {
  const std::size_t digits = digits_at_end(text);
  if (digits < least || digits > most || digits == text.size()) return 0;
  return text[text.size() - 1 - digits] == '-' ? digits + 1 : 0;
}

/// Bytes at the end that look like what logrotate puts there.
std::size_t rotation_at_end(std::string_view text) {
  const std::size_t digits = digits_at_end(text);
  if (digits == 0 || digits == text.size()) return 0;
  if (text[text.size() - 1 - digits] == '.')
    return digits <= kMaxCountDigits && text[text.size() - digits] != '0' ? digits + 1 : 0;
  if (const std::size_t seconds = dated_at_end(text, 1, kMaxSecondsDigits); seconds > 0) {
    const std::size_t day = dated_at_end(text.substr(0, text.size() - seconds), 8, 8);
    if (day > 0) return day + seconds;
  }
  return dated_at_end(text, 8, 10);  // a day, or a day and an hour
}

bool is_recordings_file(std::string_view name) {
  return std::any_of(kFileEnds.begin(), kFileEnds.end(),
                     [&](std::string_view end) { return ends_in(name, end); });
}

}  // namespace

StoredName parse_stored_name(std::string_view name) {
  StoredName stored;
  std::string_view left = name;
  if (take_end(left, ".zst")) {
    stored.encoding = Encoding::kZstd;
  } else if (take_end(left, ".gz")) {
    stored.encoding = Encoding::kGzip;
  }
  const std::size_t size = rotation_at_end(left);
  if (size > 0 && is_recordings_file(left.substr(0, left.size() - size))) {
    stored.rotation = left.substr(left.size() - size);
    left.remove_suffix(size);
  }
  stored.file = left;
  return stored;
}

std::optional<std::string> recording_of(std::string_view name) {
  const StoredName stored = parse_stored_name(name);
  std::string_view file = stored.file;
  if (!take_end(file, ".time") && !take_end(file, ".log")) return std::nullopt;
  return std::string(file);
}

const char* encoding_word(Encoding encoding) noexcept {
  switch (encoding) {
    case Encoding::kGzip:
      return "gzip";
    case Encoding::kZstd:
      return "zstd";
    case Encoding::kPlain:
      break;
  }
  return "plain";
}

}  // namespace opelog::format
