#include "format/recording_name.h"

#include <algorithm>
#include <cstdint>

namespace opelog::format {
namespace {

constexpr std::size_t kMaxPartBytes =
    100;  // two parts, the time, a serial and ".time.zst" stay below NAME_MAX (255)
constexpr std::size_t kMaxBaseBytes = 235;  // 255 less "-9999" and ".time.zst", and some room
constexpr std::size_t kMaxTemplateBytes = 200;
constexpr std::size_t kMaxFileNameBase = 250;  // NAME_MAX less ".time"
constexpr std::size_t kCutMarkBytes = 10;      // "%~" and 8 hex digits

bool is_plain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(".:@+-").find(c) != std::string_view::npos;
}

char hex(unsigned nibble) noexcept {
  return "0123456789ABCDEF"[nibble & 15U];
}

int unhex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// "%~" and 32 bits of FNV-1a in hex: tells long parts apart. Not a defence: names taken twice get a serial.
std::string cut_mark(std::string_view whole) {
  std::uint32_t hash = 2166136261U;
  for (const char c : whole) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  std::string mark = "%~";
  for (int shift = 28; shift >= 0; shift -= 4) mark += hex(hash >> shift);
  return mark;
}

Error bad_template(std::string why) {
  return Error{Code::kInvalid, "name template: " + std::move(why), 0};
}

struct Values {
  std::string_view user, time, client, host, uid, id;
};

/// The value of a placeholder; nullptr if there is none of that name.
const std::string_view* value_of(const Values& values, std::string_view key) noexcept {
  if (key == "user") return &values.user;
  if (key == "time") return &values.time;
  if (key == "client") return &values.client;
  if (key == "host") return &values.host;
  if (key == "uid") return &values.uid;
  if (key == "id") return &values.id;
  return nullptr;
}

Result<std::string> fill(std::string_view name_template, const Values& values) {
  if (name_template.empty()) return bad_template("empty");
  if (name_template.size() > kMaxTemplateBytes) {
    return bad_template("longer than " + std::to_string(kMaxTemplateBytes) + " bytes");
  }
  if (name_template.front() == '.' || name_template.front() == '-')
    return bad_template("must not begin with . or -");
  bool has_user = false;
  bool has_time = false;
  std::string name;
  for (std::size_t i = 0; i < name_template.size(); ++i) {
    const char c = name_template[i];
    if (c == '/') return bad_template("a slash is not allowed");
    if (static_cast<unsigned char>(c) < 0x20U || c == 0x7f)
      return bad_template("a control character is not allowed");
    if (c == '}') return bad_template("a } without {");
    if (c != '{') {
      name += c;
      continue;
    }
    const std::size_t close = name_template.find('}', i);
    if (close == std::string_view::npos) return bad_template("a { is not closed");
    const std::string_view key = name_template.substr(i + 1, close - i - 1);
    const std::string_view* value = value_of(values, key);
    if (value == nullptr) {
      return bad_template("unknown placeholder; known are {user} {time} {client} {host} {uid} {id}");
    }
    has_user = has_user || key == "user";
    has_time = has_time || key == "time";
    name += *value;
    i = close;
  }
  if (!has_user || !has_time) return bad_template("{user} and {time} must be in it");
  if (name.size() > kMaxBaseBytes) {
    std::size_t keep = kMaxBaseBytes - kCutMarkBytes;
    for (std::size_t back = 1; back <= 2; ++back) {
      if (name[keep - back] == '%') {
        keep -= back;
        break;
      }
    }
    name = name.substr(0, keep) + cut_mark(name);
  }
  return name;
}

bool all_digits(std::string_view s) noexcept {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string encode_name_part(std::string_view part) {
  if (part.empty()) return "UNKNOWN";
  std::string out;
  std::size_t keep = 0;  // longest prefix that leaves room for the mark and splits no %XX
  for (std::size_t i = 0; i < part.size(); ++i) {
    const char c = part[i];
    if (is_plain(c) && (i > 0 || (c != '.' && c != '-'))) {
      out += c;
    } else {
      out += '%';
      out += hex(static_cast<unsigned char>(c) >> 4U);
      out += hex(static_cast<unsigned char>(c));
    }
    if (out.size() <= kMaxPartBytes - kCutMarkBytes) keep = out.size();
    if (out.size() > kMaxPartBytes) {
      out.resize(keep);
      return out + cut_mark(part);
    }
  }
  return out;
}

std::string decode_name_part(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '%' && i + 2 < part.size()) {
      const int high = unhex(part[i + 1]);
      const int low = unhex(part[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += part[i];
  }
  return out;
}

Result<std::string> make_name(std::string_view name_template, std::string_view user, std::string_view time,
                              std::string_view client, std::string_view host, std::uint32_t uid,
                              std::string_view id) {
  const std::string parts[] = {encode_name_part(user), encode_name_part(time), encode_name_part(client),
                               encode_name_part(host), std::to_string(uid),    encode_name_part(id)};
  return fill(name_template, Values{parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]});
}

Status check_name_template(std::string_view name_template) {
  auto filled = fill(name_template, Values{"u", "20260101000000", "c", "h", "0", "i"});
  if (!filled) return std::move(filled).error();
  return {};
}

bool is_recording_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxFileNameBase || name.front() == '.') return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20U || c == 0x7f; });
}

std::optional<NameParts> parse_name(std::string_view base) {
  const std::size_t last = base.rfind('_');
  if (last == std::string_view::npos || last < 15) return std::nullopt;
  const std::string_view time = base.substr(last - 14, 14);
  if (!all_digits(time) || base[last - 15] != '_') return std::nullopt;
  const std::string_view user = base.substr(0, last - 15);
  std::string_view client = base.substr(last + 1);
  if (user.empty() || client.empty()) return std::nullopt;
  NameParts parts;
  const std::size_t dash = client.rfind('-');
  if (dash != std::string_view::npos && dash > 0) {
    const std::string_view serial = client.substr(dash + 1);
    if (all_digits(serial) && serial.size() <= 4 && serial.front() != '0' && serial != "1") {
      parts.serial = std::stoi(std::string(serial));
      client = client.substr(0, dash);
    }
  }
  parts.user = decode_name_part(user);
  parts.time = time;
  parts.client = decode_name_part(client);
  return parts;
}

}  // namespace opelog::format
