#include "replay/line_status.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "replay/command_words.h"

namespace opelog::replay {
namespace {

constexpr std::size_t kMaxNesting = 50;

struct Token {
  enum class Kind { kWord, kOperator, kEnd } kind = Kind::kEnd;
  std::string text;           ///< of a word, without its quotes
  bool quoted = false;        ///< some of it: then it is no keyword
  bool substitution = false;  ///< holds $( ), ` ` or <( ): starts processes of its own
};

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view base_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Cuts a line into words and operators; redirections and here-documents are left out.
class ShellTokens {
 public:
  explicit ShellTokens(std::string_view text) : text_(text) {}

  Token next() {
    while (true) {
      while (at_ < text_.size() && (is_blank(text_[at_]) || starts("\\\n")))
        at_ += is_blank(text_[at_]) ? 1 : 2;
      if (at_ < text_.size() && text_[at_] == '#')
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      if (at_ >= text_.size()) return {};
      if (text_[at_] == '\n') {
        ++at_;
        skip_here_documents();
        return {Token::Kind::kOperator, ";", false, false};
      }
      if (redirection()) continue;
      for (const std::string_view op : {";;&", ";;", ";&", "&&", "||", "|&", ";", "&", "|", "(", ")"})
        if (starts(op)) {
          at_ += op.size();
          return {Token::Kind::kOperator, std::string(op), false, false};
        }
      return word();
    }
  }

 private:
  [[nodiscard]] bool starts(std::string_view what) const { return text_.substr(at_, what.size()) == what; }

  bool redirection() {
    std::size_t at = at_;
    while (at < text_.size() && text_[at] >= '0' && text_[at] <= '9') ++at;
    const std::size_t digits = at;
    if (at == at_ && text_.substr(at, 2) == "&>") ++at;
    if (at >= text_.size() || (text_[at] != '<' && text_[at] != '>')) return false;
    if (at == digits && at + 1 < text_.size() && text_[at + 1] == '(') return false;  // <(list): a word
    const std::string_view here = text_.substr(at, 2);
    const bool here_string = text_.substr(at, 3) == "<<<";
    while (at < text_.size() && (text_[at] == '<' || text_[at] == '>')) ++at;
    const bool tabs = here == "<<" && at < text_.size() && text_[at] == '-';
    if (tabs || (at < text_.size() && (text_[at] == '&' || text_[at] == '|'))) ++at;
    at_ = at;
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    const Token target = word();
    if (here == "<<" && !here_string) here_documents_.emplace_back(target.text, tabs);
    return true;
  }

  void skip_here_documents() {
    for (const auto& [end, tabs] : here_documents_)
      while (at_ < text_.size()) {
        const std::size_t stop = std::min(text_.find('\n', at_), text_.size());
        std::string_view line = text_.substr(at_, stop - at_);
        at_ = std::min(stop + 1, text_.size());
        while (tabs && !line.empty() && line.front() == '\t') line.remove_prefix(1);
        if (line == end) break;
      }
    here_documents_.clear();
  }

  Token word() {
    Token token;
    token.kind = Token::Kind::kWord;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\'' || c == '"') {
        token.quoted = true;
        quoted(token, c);
      } else if (c == '\\') {
        token.quoted = true;
        if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') token.text += text_[at_ + 1];
        at_ = std::min(at_ + 2, text_.size());
      } else if (c == '`') {
        token.substitution = true;
        const std::size_t stop = text_.find('`', at_ + 1);
        at_ = stop == std::string_view::npos ? text_.size() : stop + 1;
      } else if (starts("$(") || starts("${") || starts("<(") || starts(">(")) {
        nested(token);
      } else if (is_blank(c) || std::string_view("\n;&|()<>").find(c) != std::string_view::npos) {
        break;
      } else {
        token.text += c;
        ++at_;
      }
    }
    return token;
  }

  void quoted(Token& token, char quote) {
    ++at_;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (quote == '"' && (starts("$(") || text_[at_] == '`')) token.substitution = true;
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      token.text += text_[at_++];
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  void nested(Token& token) {
    const char open = text_[at_ + 1], close = open == '(' ? ')' : '}';
    token.substitution = token.substitution || open == '(';
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      token.text += text_[at_];
      if (text_[at_] == open) ++depth;
      if (text_[at_] == close && --depth == 0) {
        ++at_;
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::pair<std::string, bool>> here_documents_;
};

struct Node {
  enum class Kind {
    kSimple,    ///< `words`
    kOpaque,    ///< nothing is known of it: [[ ]], (( )), the definition of a function
    kList,      ///< children in turn; the last one counts
    kPipeline,  ///< the last child counts
    kAnd,
    kOr,      ///< two children
    kNot,     ///< one
    kChoice,  ///< if: condition, branch, condition, branch …, perhaps the last branch; case: branches
    kLoop     ///< condition, body; or body alone
  } kind = Kind::kOpaque;
  std::vector<std::size_t> children;
  std::vector<std::string> words;
  bool substitution = false;
  bool until = false;    ///< of a loop
  bool is_case = false;  ///< of a choice
};

bool is_assignment_word(const Token& token) {
  const std::size_t equals = token.text.find('=');
  return equals != std::string::npos && equals > 0 &&
         std::all_of(token.text.begin(), token.text.begin() + static_cast<std::ptrdiff_t>(equals),
                     [](char c) {
                       return c == '_' || c == '+' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9');
                     });
}

// Reads the line by the shell's grammar, never fails: what it does not understand is opaque.
class ShellLine {
 public:
  ShellLine(std::string_view text, std::set<std::string>& functions) : tokens_(text), functions_(functions) {
    advance();
    root_ = list();
    // Something stands where it cannot: then the rest was not read.
    if (token_.kind != Token::Kind::kEnd) root_ = add({});
  }
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] std::size_t root() const { return root_; }
  [[nodiscard]] bool whole() const { return !too_deep_ && nodes_.size() < kMaxShellNodes; }

 private:
  void advance() {
    token_ = std::move(ahead_);
    if (!looked_) token_ = tokens_.next();
    ahead_ = {};
    looked_ = false;
    if (!whole()) token_ = {};
  }
  const Token& look() {
    if (!looked_) ahead_ = tokens_.next();
    looked_ = true;
    return ahead_;
  }
  [[nodiscard]] bool at(std::string_view op) const {
    return token_.kind == Token::Kind::kOperator && token_.text == op;
  }
  [[nodiscard]] bool at_keyword(std::string_view word) const {
    return token_.kind == Token::Kind::kWord && !token_.quoted && token_.text == word;
  }
  bool take(std::string_view op) {
    if (!at(op)) return false;
    advance();
    return true;
  }
  bool take_keyword(std::string_view word) {
    if (!at_keyword(word)) return false;
    advance();
    return true;
  }
  void skip_separators() {
    while (at(";")) advance();
  }
  std::size_t add(Node node) {
    nodes_.push_back(std::move(node));
    return nodes_.size() - 1;
  }
  [[nodiscard]] bool at_end_of_list() const {
    if (token_.kind == Token::Kind::kEnd) return true;
    if (token_.kind == Token::Kind::kOperator) return at(")") || at(";;") || at(";&") || at(";;&");
    constexpr std::array<std::string_view, 8> kClosers{"then", "elif", "else", "fi",
                                                       "do",   "done", "esac", "}"};
    return !token_.quoted && std::find(kClosers.begin(), kClosers.end(), token_.text) != kClosers.end();
  }

  std::size_t list() {
    Node node;
    node.kind = Node::Kind::kList;
    while (true) {
      while (at(";") || at("&")) advance();
      if (at_end_of_list()) break;
      node.children.push_back(and_or());
      if (!at(";") && !at("&")) break;
    }
    return add(std::move(node));
  }

  std::size_t and_or() {
    std::size_t left = pipeline();
    while (at("&&") || at("||")) {
      Node node;
      node.kind = at("&&") ? Node::Kind::kAnd : Node::Kind::kOr;
      advance();
      skip_separators();
      node.children = {left, pipeline()};
      left = add(std::move(node));
    }
    return left;
  }

  std::size_t pipeline() {
    bool negated = false;
    while (at_keyword("!") || at_keyword("time")) {
      const bool time = at_keyword("time");
      negated = negated != !time;
      advance();
      if (time && at_keyword("-p")) advance();
    }
    Node node;
    node.kind = Node::Kind::kPipeline;
    node.children.push_back(command());
    while (at("|") || at("|&")) {
      advance();
      skip_separators();
      node.children.push_back(command());
    }
    const std::size_t pipe = add(std::move(node));
    if (!negated) return pipe;
    Node inverse;
    inverse.kind = Node::Kind::kNot;
    inverse.children = {pipe};
    return add(std::move(inverse));
  }

  std::size_t command() {
    if (nesting_ == kMaxNesting) {
      token_ = {};
      too_deep_ = true;
      return add({});
    }
    ++nesting_;
    const std::size_t node = any_command();
    --nesting_;
    return node;
  }

  std::size_t any_command() {
    if (at("(")) {
      if (look().kind == Token::Kind::kOperator && look().text == "(") return arithmetic();
      advance();
      const std::size_t inner = list();
      take(")");
      return inner;
    }
    if (take_keyword("{")) {
      const std::size_t inner = list();
      take_keyword("}");
      return inner;
    }
    if (take_keyword("if")) return condition();
    if (at_keyword("while") || at_keyword("until")) return loop();
    if (at_keyword("for") || at_keyword("select")) return for_loop();
    if (take_keyword("case")) return choice();
    if (take_keyword("function")) {
      functions_.insert(token_.text);
      advance();
      if (take("(")) take(")");
      skip_separators();
      command();
      return add({});
    }
    if (at_keyword("[[")) {
      while (token_.kind != Token::Kind::kEnd && !at_keyword("]]")) advance();
      advance();
      return add({});
    }
    return simple();
  }

  std::size_t arithmetic() {
    std::size_t depth = 0;
    do {
      if (at("(")) ++depth;
      if (at(")")) --depth;
      advance();
    } while (depth > 0 && token_.kind != Token::Kind::kEnd);
    return add({});
  }

  std::size_t simple() {
    Node node;
    node.kind = Node::Kind::kSimple;
    while (token_.kind == Token::Kind::kWord) {
      node.substitution = node.substitution || token_.substitution;
      const bool assignment = node.words.empty() && is_assignment_word(token_);
      const bool prefix = node.words.empty() && (at_keyword("exec") || at_keyword("nohup") ||
                                                 at_keyword("command") || at_keyword("noglob"));
      if (!assignment && !prefix) node.words.push_back(token_.text);
      advance();
      if (node.words.size() == 1 && at("(")) {
        functions_.insert(node.words.front());
        advance();
        take(")");
        skip_separators();
        command();
        return add({});
      }
    }
    return add(std::move(node));
  }

  std::size_t condition() {
    Node node;
    node.kind = Node::Kind::kChoice;
    do {
      node.children.push_back(list());
      take_keyword("then");
      node.children.push_back(list());
    } while (take_keyword("elif"));
    if (take_keyword("else")) node.children.push_back(list());
    take_keyword("fi");
    return add(std::move(node));
  }

  std::size_t loop() {
    Node node;
    node.kind = Node::Kind::kLoop;
    node.until = at_keyword("until");
    advance();
    node.children.push_back(list());
    take_keyword("do");
    node.children.push_back(list());
    take_keyword("done");
    return add(std::move(node));
  }

  std::size_t for_loop() {
    Node node;
    node.kind = Node::Kind::kLoop;
    advance();
    while (token_.kind != Token::Kind::kEnd && !at_keyword("do") && !at_keyword("{")) advance();
    const bool braces = at_keyword("{");
    advance();
    node.children.push_back(list());
    take_keyword(braces ? "}" : "done");
    return add(std::move(node));
  }

  std::size_t choice() {
    Node node;
    node.kind = Node::Kind::kChoice;
    node.is_case = true;
    while (token_.kind != Token::Kind::kEnd && !at_keyword("in")) advance();
    advance();
    skip_separators();
    while (token_.kind != Token::Kind::kEnd && !at_keyword("esac")) {
      while (token_.kind != Token::Kind::kEnd && !at(")")) advance();  // the pattern
      advance();
      node.children.push_back(list());
      if (!at(";;") && !at(";&") && !at(";;&")) break;
      advance();
      skip_separators();
    }
    take_keyword("esac");
    return add(std::move(node));
  }

  ShellTokens tokens_;
  std::set<std::string>& functions_;
  Token token_, ahead_;
  bool looked_ = false;
  std::vector<Node> nodes_;
  std::size_t root_ = 0, nesting_ = 0;
  bool too_deep_ = false;
};

// What the processes say of each part of the line.
class ShellOutcome {
 public:
  ShellOutcome(const ShellLine& line, const std::vector<StartedProcess>& started,
               const std::set<std::string>& functions)
      : nodes_(line.nodes()), started_(started), functions_(functions) {
    std::set<std::int64_t> pids;
    for (std::size_t i = 0; i < started.size(); ++i) {
      pids.insert(started[i].pid);
      note(i);
    }
    one_process_ = pids.size() == 1;
    one_command_ = std::count_if(nodes_.begin(), nodes_.end(),
                                 [](const Node& node) { return node.kind == Node::Kind::kSimple; }) == 1;
    processes_.resize(nodes_.size());
    for (std::size_t n = 0; n < nodes_.size(); ++n)
      if (nodes_[n].kind == Node::Kind::kSimple) processes_[n] = process_of(nodes_[n]);
  }

  [[nodiscard]] LineStatus of(std::size_t n) const {
    const Node& node = nodes_[n];
    switch (node.kind) {
      case Node::Kind::kOpaque:
        return {};
      case Node::Kind::kSimple:
        return processes_[n] ? from(*processes_[n]) : LineStatus{};
      case Node::Kind::kList:
      case Node::Kind::kPipeline:
        return node.children.empty() ? LineStatus{} : of(node.children.back());
      case Node::Kind::kNot: {
        LineStatus inner = of(node.children.front());
        if (inner.status) inner.status = *inner.status == 0 ? 1 : 0;
        return inner;
      }
      case Node::Kind::kAnd:
      case Node::Kind::kOr: {
        const LineStatus left = of(node.children[0]);
        const bool goes_on_at_zero = node.kind == Node::Kind::kAnd;
        if (left.status && (*left.status == 0) != goes_on_at_zero) return left;
        return of(node.children[1]);
      }
      case Node::Kind::kChoice:
        return of_choice(node);
      case Node::Kind::kLoop:
        return of_loop(node);
    }
    return {};
  }

 private:
  [[nodiscard]] LineStatus from(std::size_t process) const { return {process, started_[process].status}; }

  [[nodiscard]] bool ran(std::size_t n) const {
    return processes_[n] || std::any_of(nodes_[n].children.begin(), nodes_[n].children.end(),
                                        [&](std::size_t child) { return ran(child); });
  }

  [[nodiscard]] LineStatus of_choice(const Node& node) const {
    const std::vector<std::size_t>& parts = node.children;
    std::vector<std::size_t> branches = parts;
    if (!node.is_case) {
      branches.clear();
      for (std::size_t i = 0; i + 1 < parts.size(); i += 2) {
        const LineStatus condition = of(parts[i]);
        if (!condition.status) {  // then what ran tells which branch it was
          for (std::size_t b = i + 1; b < parts.size(); b += b + 2 < parts.size() ? 2 : 1)
            branches.push_back(parts[b]);
          break;
        }
        if (*condition.status == 0) return of(parts[i + 1]);
        if (i + 2 == parts.size()) return {std::nullopt, 0};
        if (i + 3 == parts.size()) return of(parts[i + 2]);
      }
    }
    const auto first = std::find_if(branches.begin(), branches.end(), [&](std::size_t b) { return ran(b); });
    if (first == branches.end()) return {};
    const LineStatus found = of(*first);
    const bool same = std::all_of(first + 1, branches.end(),
                                  [&](std::size_t b) { return !ran(b) || of(b).process == found.process; });
    return same ? found : LineStatus{};
  }

  [[nodiscard]] LineStatus of_loop(const Node& node) const {
    if (!started_.empty() && started_.back().interrupted) return from(started_.size() - 1);
    const std::size_t body = node.children.back();
    if (ran(body)) return of(body);
    if (node.children.size() == 1) return {};
    // The body did not run if the condition was tried once and ended the loop.
    const std::size_t condition = node.children.front();
    const LineStatus tried = of(condition);
    const bool once = started_.size() == 1 && tried.process;
    if (once && tried.status && (*tried.status == 0) == node.until) return {std::nullopt, 0};
    return {};
  }

  void note(std::size_t i) {
    ShellTokens tokens(started_[i].argv);
    std::vector<std::string> words;
    for (Token token = tokens.next(); token.kind == Token::Kind::kWord; token = tokens.next())
      words.push_back(std::move(token.text));
    if (words.empty()) return;
    std::string& first = words.front();
    if (first.size() > 1 && first[0] == '-') first.erase(0, 1);
    by_first_word_[first] = i;
    // An interpreter's first words that are no options: the script it was started for.
    for (std::size_t w = 1, files = 0; w < words.size() && files < 2; ++w) {
      if (words[w].empty() || words[w][0] == '-') continue;
      ++files;
      if (words[w].find('/') != std::string::npos) by_script_[std::string(base_of(words[w]))] = i;
    }
    first = base_of(first);
    by_name_[first] = i;
    by_words_[std::move(words)] = i;
  }

  static std::optional<std::size_t> find(const std::map<std::string, std::size_t>& map,
                                         const std::string& key) {
    const auto at = map.find(key);
    return at == map.end() ? std::nullopt : std::optional(at->second);
  }

  // The last process that a simple command may have been: of its very words before one of its name alone.
  [[nodiscard]] std::optional<std::size_t> process_of(const Node& node) const {
    if (node.words.empty())  // x=$(list): the status is the list's
      return node.substitution && one_process_ && one_command_ ? std::optional(started_.size() - 1)
                                                               : std::nullopt;
    const std::string& word = node.words.front();
    if (functions_.count(word) > 0) return std::nullopt;
    const std::string name(base_of(word));
    const bool builtin = is_builtin(word);  // with a directory it is a program
    if (builtin) {
      if (const auto found = find(by_first_word_, word)) return found;
    } else {
      std::vector<std::string> words = node.words;
      words.front() = name;
      if (const auto found = by_words_.find(words); found != by_words_.end()) return found->second;
      if (const auto found = find(by_name_, name)) return found;
    }
    if (const auto found = find(by_script_, name)) return found;
    const bool alias = !builtin && one_command_ && one_process_ && !node.substitution && word[0] != '!';
    return alias ? std::optional(started_.size() - 1) : std::nullopt;
  }

  const std::vector<Node>& nodes_;
  const std::vector<StartedProcess>& started_;
  const std::set<std::string>& functions_;
  std::map<std::string, std::size_t> by_first_word_, by_name_, by_script_;
  std::map<std::vector<std::string>, std::size_t> by_words_;
  std::vector<std::optional<std::size_t>> processes_;  ///< by node
  bool one_process_ = false, one_command_ = false;
};

}  // namespace

LineStatus line_status(std::string_view text, const std::vector<StartedProcess>& started,
                       std::set<std::string>& functions) {
  const ShellLine line(text, functions);
  if (!line.whole()) return {};
  return ShellOutcome(line, started, functions).of(line.root());
}

bool has_background_job(std::string_view text) {
  ShellTokens tokens(text);
  for (Token token = tokens.next(); token.kind != Token::Kind::kEnd; token = tokens.next())
    if (token.kind == Token::Kind::kOperator && token.text == "&") return true;
  return false;
}

}  // namespace opelog::replay
