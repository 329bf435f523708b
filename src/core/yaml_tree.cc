#include "core/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <sstream>

#include "core/fact.h"

namespace opelog {
namespace {

// What stops a parse from inside a yaml-cpp callback; caught in parse_yaml().
struct Refusal : std::exception {
  Refusal(YamlMark at, std::string text) : mark(at), message(std::move(text)) {}
  YamlMark mark;
  std::string message;
};

// Where each line starts, so that a mark costs one line and not the whole file.
class Lines {
 public:
  explicit Lines(std::string_view yaml) : yaml_(yaml) {
    for (std::size_t i = 0; i < yaml.size(); ++i) {
      if (yaml[i] == '\n') starts_.push_back(i + 1);
    }
  }

  [[nodiscard]] std::size_t count() const { return starts_.size(); }

  /// Line `line` from 0, without its end.
  [[nodiscard]] std::string_view text(std::size_t line) const {
    const std::size_t end = line + 1 < starts_.size() ? starts_[line + 1] - 1 : yaml_.size();
    std::string_view text = yaml_.substr(starts_[line], end - starts_[line]);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    return text;
  }

  /// yaml-cpp counts lines and bytes from 0; a mark it does not know is -1.
  [[nodiscard]] YamlMark mark(int line, int bytes) const {
    if (line < 0) return {};
    if (static_cast<std::size_t>(line) >= starts_.size()) return {line + 1, 1};
    const std::string_view before =
        text(static_cast<std::size_t>(line)).substr(0, static_cast<std::size_t>(std::max(bytes, 0)));
    const auto characters = std::count_if(
        before.begin(), before.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    return {line + 1, static_cast<int>(characters) + 1};
  }

  /// Where a value is missing yaml-cpp marks what comes next, lines later; people look at the line that lacks
  /// it.
  [[nodiscard]] YamlMark mark_of_absent(int line, int bytes) const {
    const YamlMark as_given = mark(line, bytes);
    if (line < 0) return as_given;
    auto at = std::min(static_cast<std::size_t>(line), starts_.size() - 1);
    const std::string_view before = text(at).substr(0, static_cast<std::size_t>(std::max(bytes, 0)));
    if (before.find_first_not_of(" -") != std::string_view::npos) return as_given;  // on the line itself
    while (at > 0) {
      const std::string_view row = text(--at);
      const std::size_t first = row.find_first_not_of(' ');
      if (first == std::string_view::npos || row[first] == '#') continue;
      const std::size_t comment = row.find(" #");
      const std::size_t last = row.substr(0, comment).find_last_not_of(' ');
      return mark(static_cast<int>(at), static_cast<int>(last));
    }
    return as_given;
  }

 private:
  std::string_view yaml_;
  std::vector<std::size_t> starts_{0};
};

const char* refused_byte(char c) {
  if (c == '\t') return "a tab; indent with spaces (inside double quotes write \\t)";
  if (c == '\0') return "a NUL byte; the file is damaged or not UTF-8 text: save it as UTF-8";
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
    return "a control character; remove it (inside double quotes write \\x and two hex digits)";
  }
  return nullptr;
}

// What editors hide or yaml-cpp rewrites silently; looked for before any parsing.
std::optional<Refusal> find_refused_bytes(const Lines& lines) {
  for (std::size_t i = 0; i < lines.count(); ++i) {
    const std::string_view text = lines.text(i);
    const auto refuse = [&](std::size_t at, std::string message) {
      return Refusal(lines.mark(static_cast<int>(i), static_cast<int>(at)), std::move(message));
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (const char* why = refused_byte(text[at])) return refuse(at, why);
    }
    // printable() leaves exactly well-formed UTF-8 without invisible controls alone.
    const std::string shown = printable(text);
    if (shown != text) {
      const auto same =
          std::mismatch(text.begin(), text.end(), shown.begin(), shown.end()).first - text.begin();
      return refuse(static_cast<std::size_t>(same),
                    "not UTF-8 text, or an invisible control character; remove it or save the file as UTF-8");
    }
    if (text.substr(0, 3) == "\xEF\xBB\xBF")
      return refuse(0, "a byte order mark; save the file as UTF-8 without one");
    if (text.size() > kYamlMaxLine) {
      return refuse(kYamlMaxLine, "a line longer than " + std::to_string(kYamlMaxLine) + " bytes; break it");
    }
  }
  return std::nullopt;
}

// Builds the tree; throws Refusal through yaml-cpp, which holds nothing that needs more than unwinding.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const Lines& lines) : lines_(lines) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      throw Refusal(at(mark), "a second document; the policy is one document: remove the '---' line");
    }
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode n = node(YamlNode::Kind::kNull, mark, "", anchor);
    n.mark = lines_.mark_of_absent(mark.line, mark.column);
    add(std::move(n));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refusal(at(mark), "an alias ('*name'); write the value out in full");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode n = node(YamlNode::Kind::kScalar, mark, tag, anchor);
    n.text = value;
    n.quoted = tag == "!";  // yaml-cpp's word for quoted and block scalars; "?" is plain
    add(std::move(n));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(node(YamlNode::Kind::kList, mark, tag, anchor));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(node(YamlNode::Kind::kMap, mark, tag, anchor));
  }
  void OnMapEnd() override { close(); }

  YamlNode take() { return std::move(root_); }

 private:
  struct Level {
    YamlNode node;
    std::optional<YamlNode> key;  ///< of a map: read, its value not yet
  };

  YamlMark at(const YAML::Mark& mark) const { return lines_.mark(mark.line, mark.column); }

  YamlNode node(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (++nodes_ > kYamlMaxNodes) {
      throw Refusal(at(mark),
                    "more than " + std::to_string(kYamlMaxNodes) + " values in one file; shorten the lists");
    }
    if (anchor != 0) throw Refusal(at(mark), "an anchor ('&name'); remove it and write values out in full");
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refusal(at(mark), "a tag ('!name'); remove it, the key decides the type");
    }
    YamlNode n;
    n.kind = kind;
    n.mark = at(mark);
    return n;
  }

  void open(YamlNode n) {
    if (static_cast<int>(levels_.size()) >= kYamlMaxDepth) {
      throw Refusal(n.mark,
                    "nested deeper than " + std::to_string(kYamlMaxDepth) + " levels; no policy needs that");
    }
    levels_.push_back({std::move(n), std::nullopt});
  }

  void close() {
    YamlNode n = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(n));
  }

  void add(YamlNode n) {
    if (levels_.empty()) {
      root_ = std::move(n);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == YamlNode::Kind::kList) {
      level.node.items.push_back(std::move(n));
    } else if (!level.key) {
      take_key(level, std::move(n));
    } else {
      level.node.keys.push_back(std::move(*level.key));
      level.node.items.push_back(std::move(n));
      level.key.reset();
    }
  }

  static void take_key(Level& level, YamlNode key) {
    if (key.kind != YamlNode::Kind::kScalar) throw Refusal(key.mark, "a key must be a word");
    for (const YamlNode& earlier : level.node.keys) {
      if (earlier.text == key.text) {
        throw Refusal(key.mark, "key '" + key.text + "' again; it stands already in line " +
                                    std::to_string(earlier.mark.line) + ": remove one");
      }
    }
    if (level.node.keys.size() >= kMaxKeys)
      throw Refusal(key.mark, "more than 100 keys in one map; remove some");
    level.key = std::move(key);
  }

  // Keys are compared pairwise; the largest map of a policy has 9.
  static constexpr std::size_t kMaxKeys = 100;

  const Lines& lines_;
  std::vector<Level> levels_;
  YamlNode root_;
  int documents_ = 0;
  std::size_t nodes_ = 0;
};

// yaml-cpp's messages name the symptom; the commonest ones get the remedy beside them.
std::string explain(const std::string& message) {
  if (message.find("illegal map value") != std::string::npos) {
    return "':' where no value may stand; quote texts that contain ': ', and indent keys of one map alike";
  }
  if (message.find("end of map not found") != std::string::npos ||
      message.find("end of sequence not found") != std::string::npos) {
    return message + "; indent the lines of one block alike";
  }
  return message + "; compare with /usr/share/doc/opelog/opelog.yaml";
}

}  // namespace

Error error_at(const std::string& file_name, YamlMark mark, std::string_view message) {
  return Error{Code::kInvalid,
               printable(file_name) + ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column) +
                   ": " + printable(message),
               0};
}

Result<YamlNode> parse_yaml(std::string_view yaml, const std::string& file_name) {
  if (yaml.size() > kYamlMaxBytes) {
    return error_at(file_name, {},
                    "larger than 1 MiB; a policy is a short text: check that this is the right file");
  }
  const Lines lines(yaml);
  if (auto bad = find_refused_bytes(lines)) return error_at(file_name, bad->mark, bad->message);
  TreeBuilder builder(lines);
  try {
    std::istringstream stream{std::string(yaml)};
    YAML::Parser parser(stream);
    // Twice at most: the second document's start is refused.
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    return error_at(file_name, refusal.mark, refusal.message);
  } catch (const YAML::Exception& e) {
    return error_at(file_name, lines.mark(e.mark.line, e.mark.column), explain(e.msg));
  } catch (const std::exception& e) {
    return error_at(file_name, {}, std::string("cannot be read as YAML: ") + e.what());
  }
  return builder.take();
}

}  // namespace opelog
