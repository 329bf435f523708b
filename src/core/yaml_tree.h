// A YAML document as a plain tree, read strictly.
//
// Only what a policy needs: maps, lists and scalars in one UTF-8 document. Whatever can hide a meaning is
// refused: duplicate keys, anchors, aliases, tags, further documents, tabs, control characters, depth.
// yaml_tree.cc is the only file that includes yaml-cpp; its exceptions end there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace opelog {

/// 1 MiB: a hundred times the largest policy we can imagine. A larger file is refused, not cut.
constexpr std::size_t kYamlMaxBytes = 1 << 20;
/// Maps and lists inside each other; the deepest policy has 5. yaml-cpp recurses once a level.
constexpr int kYamlMaxDepth = 16;
/// Bytes of one line and values of one file: together they bound the time a hostile file can take.
constexpr std::size_t kYamlMaxLine = 8192;
constexpr std::size_t kYamlMaxNodes = 50000;

/// Line and column from 1, as editors count them (a column is a character, not a byte).
struct YamlMark {
  int line = 1;
  int column = 1;
};

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  YamlMark mark;
  std::string text;     ///< kScalar
  bool quoted = false;  ///< kScalar written in quotes or as a block: text, never a number or a truth value
  std::vector<YamlNode> items;  ///< kList: its members; kMap: its values
  std::vector<YamlNode> keys;   ///< kMap: in file order, one for each of `items`; scalars, unique
};

/// The one way a place in a file is written: "file:line:col: message", one printable line.
Error error_at(const std::string& file_name, YamlMark mark, std::string_view message);

/// An empty document is a kNull node.
Result<YamlNode> parse_yaml(std::string_view yaml, const std::string& file_name);

}  // namespace opelog
