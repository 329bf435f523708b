#include "core/policy_values.h"

#include <algorithm>
#include <optional>

#include "core/fact.h"
#include "core/policy_decide.h"

namespace opelog {
namespace {

constexpr std::uint64_t kMaxUid = UINT32_MAX - 1;  // the last one means "none" to the kernel
constexpr std::size_t kMaxNameBytes = 256;         // LOGIN_NAME_MAX
constexpr std::size_t kMaxNoticeBytes = 4000;      // fits one message of the login protocol

// 1000, "5000-" or "1000-1999".
std::optional<UidRange> parse_uids(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_digits(text.substr(0, dash), kMaxUid);
  if (!first) return std::nullopt;
  UidRange range{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*first)};
  if (dash == std::string_view::npos) return range;
  const std::string_view rest = text.substr(dash + 1);
  if (rest.empty()) {
    range.last = UINT32_MAX;
    return range;
  }
  const auto last = parse_digits(rest, kMaxUid);
  if (!last || *last < *first) return std::nullopt;
  range.last = static_cast<std::uint32_t>(*last);
  return range;
}

// "192.0.2.0/24"; the error is the reason.
Result<AddressRange> parse_range(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::string address_text = text.substr(0, slash);
  const auto address =
      address_text.find('%') == std::string::npos ? parse_address(address_text) : std::nullopt;
  if (!address)
    return Error{Code::kInvalid, "is no address; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32", 0};
  const bool v4 = address_text.find(':') == std::string::npos;
  AddressRange range;
  range.text = text;
  std::copy(address->begin(), address->end(), range.bytes);
  if (slash != std::string::npos) {
    const auto prefix = parse_digits(std::string_view(text).substr(slash + 1), v4 ? 32 : 128);
    if (!prefix)
      return Error{Code::kInvalid,
                   std::string("has no prefix from 0 to ") + (v4 ? "32" : "128") + " after the '/'", 0};
    range.prefix = static_cast<unsigned>(*prefix) + (v4 ? 96 : 0);
  }
  Address base{};
  std::copy(address->begin(), address->end(), base.begin());
  for (unsigned bit = range.prefix; bit < 128; ++bit)
    base[bit / 8] &= static_cast<unsigned char>(~(0x80u >> (bit % 8)));
  if (base != *address) {
    const bool mapped = !v4 && format_address(base).find(':') == std::string::npos;
    return Error{Code::kInvalid,
                 std::string("has bits beyond its prefix; write ") + (mapped ? "::ffff:" : "") +
                     format_address(base) + text.substr(slash),
                 0};
  }
  return range;
}

}  // namespace

void read_uids(ValueReader& r, const YamlNode& node, Match& m) {
  r.list_or_one(node, [&](const YamlNode& n) {
    const auto range = n.kind == YamlNode::Kind::kScalar ? parse_uids(n.text) : std::nullopt;
    if (range)
      m.uid.push_back(*range);
    else
      r.fail(
          n,
          (n.kind == YamlNode::Kind::kScalar ? "'" + n.text.substr(0, 40) + "'" : std::string("this")) +
              " is no range of user ids; write 1000, \"1000-1999\" or \"5000-\", each from 0 to 4294967294");
  });
}

void read_names(ValueReader& r, const YamlNode& node, std::vector<std::string>& target) {
  r.list_or_one(node, [&](const YamlNode& n) {
    std::string name;
    if (!r.text(n, kMaxNameBytes, name)) return;
    if (name.empty()) return r.fail(n, "an empty name; leave it out");
    if (printable(name) != name) return r.fail(n, "a name with control characters; it can match nobody");
    target.push_back(std::move(name));
  });
}

void read_programs(ValueReader& r, const YamlNode& node, std::vector<std::string>& target) {
  r.list_or_one(node, [&](const YamlNode& n) {
    std::string name;
    if (!r.text(n, 4095, name)) return;
    if (name.empty()) return r.fail(n, "an empty name; leave it out");
    if (name.find('/') != std::string::npos && !is_normal_path(name)) {
      return r.fail(n, "'" + name.substr(0, 40) +
                           "' is neither a base name nor an absolute path; write sshd or /usr/sbin/sshd");
    }
    target.push_back(std::move(name));
  });
}

void read_clients(ValueReader& r, const YamlNode& node, Match& m) {
  r.list_or_one(node, [&](const YamlNode& n) {
    std::string text;
    if (!r.text(n, 64, text)) return;
    auto range = parse_range(text);
    if (range)
      m.client.push_back(std::move(*range));
    else
      r.fail(n, "'" + text + "' " + range.error().message);
  });
}

void read_mode(ValueReader& r, const YamlNode& n, unsigned& mode) {
  unsigned value = 0;
  bool octal =
      n.kind == YamlNode::Kind::kScalar && (n.text.size() == 3 || (n.text.size() == 4 && n.text[0] == '0'));
  for (const char c : n.text) {
    octal = octal && c >= '0' && c <= '7';
    value = value * 8 + static_cast<unsigned>(c - '0');
  }
  if (!octal) return r.fail(n, "not a file mode; write three octal digits in quotes, such as \"0640\"");
  if ((value & 0600) != 0600 || (value & ~0644u) != 0) {
    return r.fail(n,
                  "not a mode for recordings; the owner reads and writes, nobody else writes or executes: "
                  "\"0600\", \"0640\" or \"0644\"");
  }
  mode = value;
}

void read_name_template(ValueReader& r, const YamlNode& n, Policy& p) {
  std::string text;
  if (!r.text(n, 255, text)) return;
  if (text.empty()) return r.fail(n, "an empty name; write \"{user}_{time}_{client}\"");
  if (text.find('/') != std::string::npos)
    return r.fail(n, "a '/' in a file name; the directory is the key recordings.directory");
  if (printable(text) != text) return r.fail(n, "control characters in a file name; remove them");
  p.name = text;
}

void read_group(ValueReader& r, const YamlNode& n, bool may_be_empty, std::string& target) {
  std::string text;
  if (!r.text(n, kMaxNameBytes, text)) return;
  if (text.empty() && !may_be_empty)
    return r.fail(n, "an empty name; write a group that exists, such as opelog-audit");
  if (text.find_first_of(": /") != std::string::npos || printable(text) != text) {
    return r.fail(n, "'" + text + "' is no name of a group; write one that exists, such as opelog-audit");
  }
  target = text;
}

void read_notice(ValueReader& r, const YamlNode& n, Rule& rule) {
  std::string text;
  if (!r.text(n, kMaxNoticeBytes, text)) return;
  std::string shown = text;  // the notice goes to a terminal: lines and tabs, nothing that steers it
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  if (printable(shown) != shown)
    return r.fail(n, "control characters in a notice; only \\n and \\t may stand in it");
  rule.notice = text;
}

void read_rule_name(ValueReader& r, const YamlNode& n, Rule& rule) {
  std::string text;
  if (!r.text(n, 64, text)) return;
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || printable(text) != text) {
    return r.fail(n, "not a name; write a word for messages and recordings, such as operators");
  }
  rule.name = text;
}

}  // namespace opelog
