// Typed values out of a YAML tree, every complaint collected with its place and a remedy.
//
// ValueReader knows types (number, duration, truth value, word, path); what keys exist and what they mean
// is the caller's table of fields (policy_parse.cc). A value is written only if it is right: on a complaint
// the target keeps its default. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/yaml_tree.h"

namespace opelog {

/// "; did you mean 'x'?" or "" if nothing among `known` is close.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

/// Digits only, no sign, no leading zero, at most `max`; nullopt otherwise.
std::optional<std::uint64_t> parse_digits(std::string_view text, std::uint64_t max);

/// Milliseconds from "100ms", "1s", "5m", "2h" or "0"; nullopt otherwise or beyond a day.
std::optional<int> parse_duration_ms(std::string_view text);

/// Seconds from "30s", "15m", "12h", "90d" or "0"; nullopt otherwise or beyond 100 years.
std::optional<std::int64_t> parse_age_s(std::string_view text);

/// Bytes from "512K", "100M", "20G", "2T" (powers of 1024) or "0"; nullopt otherwise or beyond 1024 T.
std::optional<std::uint64_t> parse_size_bytes(std::string_view text);

/// Absolute, no "." or ".." or empty components, not "/", no trailing slash, at most PATH_MAX - 1 bytes.
bool is_normal_path(std::string_view path);

class ValueReader {
 public:
  struct Complaint {
    YamlMark mark;
    std::string message;
  };

  template <typename T>
  struct Field {
    const char* name;
    void (*read)(ValueReader&, const YamlNode&, T&);
  };

  /// Reads a map by its table. Returns the names present.
  template <typename T, std::size_t N>
  std::vector<std::string_view> map(const YamlNode& node, const Field<T> (&fields)[N], T& target) {
    std::vector<std::string_view> present;
    if (!expect(node, YamlNode::Kind::kMap, "keys with values, one a line and indented below it"))
      return present;
    const std::string outer = key_;
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const YamlNode& key = node.keys[i];
      const Field<T>* field = nullptr;
      for (const auto& f : fields) {
        if (key.text == f.name) field = &f;
      }
      if (field == nullptr) {
        std::vector<std::string_view> known;
        for (const auto& f : fields) known.emplace_back(f.name);
        unknown_key(key, outer, known);
        continue;
      }
      present.emplace_back(field->name);
      key_ = field->name;
      field->read(*this, node.items[i], target);
    }
    key_ = outer;
    return present;
  }

  /// Each item of a list; an empty or missing list is a complaint unless `may_be_empty`.
  void list(const YamlNode& node, bool may_be_empty, const std::function<void(const YamlNode&)>& item);
  /// The same where one value may stand for a list of one.
  void list_or_one(const YamlNode& node, const std::function<void(const YamlNode&)>& item);

  void flag(const YamlNode& node, bool& target);
  void integer(const YamlNode& node, int min, int max, int& target);
  void duration(const YamlNode& node, int min_ms, int max_ms, int& target_ms);
  void age(const YamlNode& node, std::int64_t& target_s);
  void size(const YamlNode& node, std::uint64_t& target_bytes);
  void path(const YamlNode& node, bool slash_may_trail, std::string& target);
  /// Any scalar that is not null, as written; `max` bytes. False (and a complaint) otherwise.
  bool text(const YamlNode& node, std::size_t max, std::string& target);
  template <typename T>
  void word(const YamlNode& node, std::initializer_list<std::pair<const char*, T>> words, T& target) {
    std::vector<std::string_view> known;
    for (const auto& [name, value] : words) {
      if (node.kind == YamlNode::Kind::kScalar && node.text == name) {
        target = value;
        return;
      }
      known.emplace_back(name);
    }
    unknown_word(node, known);
  }

  bool expect(const YamlNode& node, YamlNode::Kind kind, std::string_view wanted);
  /// "KEY: message" at the node, the key being the one now read.
  void fail(const YamlNode& node, const std::string& message);
  void fail_at(YamlMark mark, std::string message) { complaints_.push_back({mark, std::move(message)}); }

  /// In file order.
  std::vector<Complaint> take();

 private:
  void unknown_key(const YamlNode& key, const std::string& outer, const std::vector<std::string_view>& known);
  void unknown_word(const YamlNode& node, const std::vector<std::string_view>& known);

  std::string key_;  ///< being read, "" at the top
  std::vector<Complaint> complaints_;
};

}  // namespace opelog
