#include "index/search_io.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "index/database_io.h"
#include "index/recording_stamp_io.h"
#include "index/session_text_io.h"

namespace opelog::index {
namespace {

/// The hits of one session, until they can be told in order.
class SessionHits {
 public:
  SessionHits(const SearchRequest& request, const Pattern& pattern, const IndexedSession& session,
              const HitSink& sink)
      : request_(request), pattern_(pattern), session_(session), sink_(sink) {}

  bool line(const TextLine& line) {
    if (!in_time(line.at_us)) return true;
    const auto match = pattern_.find(line.text);
    if (!match) return true;
    Hit hit;
    hit.at_us = line.at_us;
    hit.offset = line.offset;
    hit.line = line.text;
    hit.match = *match;
    hit.gaps = line.gaps;
    return add(std::move(hit));
  }

  bool command(SessionCommand command) {
    if (!in_time(command.at_us)) return true;
    // Line by line: so the index has it, and so it is shown.
    const std::string& text = command.text;
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = std::string_view(text).substr(begin, end - begin);
      if (const auto match = pattern_.find(line)) {
        std::string found(line);  // before its command is moved
        return command_hit(std::move(command), std::move(found), *match);
      }
      begin = end + 1;
    }
    const auto match = pattern_.find(command.renamed);
    if (command.renamed.empty() || !match) return true;
    std::string line = text.substr(text.rfind('\n') + 1) + "  (";
    const std::size_t begin = line.size();
    line += command.renamed + ")";
    return command_hit(std::move(command), std::move(line), {match->begin + begin, match->size}, true);
  }

  bool flush() {
    // Lines have their times in milliseconds; within one the place decides, and the command comes before its
    // output.
    std::stable_sort(hits_.begin(), hits_.end(), [](const Hit& a, const Hit& b) {
      const auto key = [](const Hit& hit) {
        return std::tuple(hit.at_us / kUsPerMs, hit.offset, hit.is_command ? 0 : 1);
      };
      return key(a) < key(b);
    });
    drop_repetitions();
    bytes_ = 0;
    for (const Hit& hit : std::exchange(hits_, {}))
      if (!sink_(session_, hit)) return false;
    return true;
  }

 private:
  [[nodiscard]] bool in_time(std::int64_t at_us) const {
    if (session_.started == 0) return !request_.since && !request_.until;
    const WallUs at = session_.started + at_us;
    return (!request_.since || at >= *request_.since) && (!request_.until || at <= *request_.until);
  }

  bool command_hit(SessionCommand command, std::string line, Match match, bool by_program = false) {
    Hit hit;
    hit.at_us = command.at_us;
    hit.offset = command.offset;
    hit.is_command = true;
    hit.line = std::move(line);
    hit.match = match;
    hit.by_program = by_program;
    hit.command = std::move(command);
    return add(std::move(hit));
  }

  bool add(Hit hit) {
    bytes_ += sizeof(Hit) + hit.line.size() + hit.command.text.size();
    hits_.push_back(std::move(hit));
    return bytes_ < kMaxKeptHits || flush();
  }

  // Of each typed command the line on which it was typed: the last one that holds it and begins before its
  // output.
  void drop_repetitions() {
    std::vector<std::size_t> lines;
    for (std::size_t i = 0; i < hits_.size(); ++i)
      if (!hits_[i].is_command) lines.push_back(i);
    std::stable_sort(lines.begin(), lines.end(),
                     [this](std::size_t a, std::size_t b) { return hits_[a].offset < hits_[b].offset; });
    std::vector<bool> dropped(hits_.size());
    std::unordered_set<std::int64_t> numbers;
    for (const Hit& hit : hits_)
      if (hit.is_command) numbers.insert(hit.command.number);
    for (std::size_t i = 0; i < hits_.size(); ++i)
      dropped[i] = hits_[i].is_command && numbers.count(hits_[i].command.owner) > 0;
    for (const Hit& hit : hits_) {
      if (!hit.is_command || hit.command.known == replay::KnownBy::kExec) continue;
      auto at =
          std::upper_bound(lines.begin(), lines.end(), hit.offset,
                           [this](std::uint64_t offset, std::size_t i) { return offset < hits_[i].offset; });
      // A few rows at most: the lines of one here-document.
      for (int tries = 0; at != lines.begin() && tries < 64; ++tries) {
        --at;
        if (hits_[*at].line.find(hit.line) == std::string::npos) continue;
        dropped[*at] = true;
        break;
      }
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < hits_.size(); ++i) {
      if (dropped[i]) continue;
      if (kept != i) hits_[kept] = std::move(hits_[i]);
      ++kept;
    }
    hits_.resize(kept);
  }

  const SearchRequest& request_;
  const Pattern& pattern_;
  const IndexedSession& session_;
  const HitSink& sink_;
  std::vector<Hit> hits_;
  std::size_t bytes_ = 0;
};

class ScanSink final : public SessionSink {
 public:
  ScanSink(const SearchRequest& request, SessionHits& hits) : request_(request), hits_(hits) {}
  bool line(const TextLine& line) override { return !request_.text || hits_.line(line); }
  bool command(const SessionCommand& command) override {
    return !request_.commands || hits_.command(command);
  }

 private:
  const SearchRequest& request_;
  SessionHits& hits_;
};

/// Blocks that are unpacked and looked through together, by two threads. Two megabytes of text.
constexpr std::size_t kBlocksAtOnce = 128;
/// Fewer are not worth a thread.
constexpr std::size_t kBlocksOfAThread = 8;

/// Packed blocks, until there are enough of them to look through.
class PackedBlocks {
 public:
  void add(std::string_view packed) { packed_.emplace_back(packed); }
  [[nodiscard]] bool full() const { return packed_.size() >= kBlocksAtOnce; }

  /// In their order those with lines that may match; the others are nullopt. Code::kInvalid if one is
  /// damaged. Empties this.
  Result<std::vector<std::optional<LineBlock>>> take(const Pattern& pattern) {
    const std::vector<std::string> packed = std::exchange(packed_, {});
    std::vector<std::optional<LineBlock>> found(packed.size());
    std::atomic<std::size_t> next = 0;
    const auto look = [&] {
      BlockReader reader;
      for (std::size_t i = next++; i < packed.size(); i = next++) {
        const auto text = reader.text(packed[i]);
        if (!text) return false;
        if (!pattern.may_match(*text)) continue;
        found[i] = reader.block();
        if (!found[i]) return false;
      }
      return true;
    };
    bool good = false;
    if (packed.size() < kBlocksOfAThread) {
      good = look();
    } else {
      auto other = std::async(std::launch::async, look);
      good = look();
      good = other.get() && good;
    }
    if (!good) return Error{Code::kInvalid, "the index: a block is damaged", 0};
    return found;
  }

 private:
  std::vector<std::string> packed_;
};

}  // namespace

struct Search::State {
  SearchRequest request;
  Pattern pattern;
  std::optional<Database> database;
  std::string problem;
  Statement block, command, blocks_of, commands_of;
  using Rows = std::vector<std::pair<std::int64_t, std::int64_t>>;  ///< session, row
  std::optional<Rows> blocks, commands;  ///< that may match, sorted; nullopt: any of the session may

  Lacking lacking;
  PackedBlocks looked;  ///< of the session that is searched now

  State(SearchRequest r, Pattern p) : request(std::move(r)), pattern(std::move(p)) {}

  void leave_index(const Error& error) {
    problem = error.message;
    for (Statement* one : {&block, &command, &blocks_of, &commands_of}) *one = Statement();
    database.reset();
  }

  Status open_index() {
    auto opened = Database::open(request.index, Database::Mode::kRead);
    if (!opened) return std::move(opened).error();
    database = std::move(*opened);
    if (auto good = check_index(*database); !good) return good;
    // One state of the index for all questions; writers go on.
    if (auto begun = database->execute("BEGIN"); !begun) return begun;
    static constexpr const char* kCommand =
        "SELECT text, at_us, end_us, status, known, place, number, owner, user, cwd, uncertain, exe, "
        "renamed, foreign_mounts, cut FROM command WHERE ";
    const struct {
      Statement& to;
      std::string sql;
    } all[] = {{block, "SELECT packed FROM block WHERE row=?"},
               {blocks_of, "SELECT packed FROM block WHERE session=? ORDER BY row"},
               {command, kCommand + std::string("row=?")},
               {commands_of, kCommand + std::string("session=? ORDER BY row")}};
    for (const auto& one : all) {
      auto prepared = database->prepare(one.sql);
      if (!prepared) return std::move(prepared).error();
      one.to = std::move(*prepared);
    }
    return {};
  }

  Result<Rows> candidates(const std::string& table) {
    auto statement = database->prepare("SELECT t.session, t.row FROM " + table + "_words w CROSS JOIN " +
                                       table + " t ON t.row = w.rowid WHERE " + table + "_words MATCH ?");
    if (!statement) return std::move(statement).error();
    statement->bind(1, pattern.query());
    Rows rows;
    for (;;) {
      auto row = statement->step();
      if (!row) return std::move(row).error();
      if (!*row) break;
      rows.emplace_back(statement->number(0), statement->number(1));
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  Status find_candidates() {
    if (pattern.query().empty()) return {};
    if (request.text) {
      auto rows = candidates("block");
      if (!rows) return std::move(rows).error();
      blocks = std::move(*rows);
    }
    if (request.commands) {
      auto rows = candidates("command");
      if (!rows) return std::move(rows).error();
      commands = std::move(*rows);
    }
    return {};
  }

  [[nodiscard]] bool wanted(const IndexedSession& session) const {
    if (request.session_wanted && !request.session_wanted(session)) return false;
    if (session.started == 0) return !request.since && !request.until;
    if (request.until && session.started > *request.until) return false;
    return session.state == "live" || !request.since || session.started + session.length_us >= *request.since;
  }

  static SessionCommand command_row(const Statement& row) {
    SessionCommand command;
    command.text = row.text(0);
    command.at_us = row.number(1);
    command.end_us = row.null(2) ? -1 : row.number(2);
    if (!row.null(3)) command.status = static_cast<int>(row.number(3));
    command.known = static_cast<replay::KnownBy>(std::clamp<std::int64_t>(row.number(4), 0, 2));
    command.offset = static_cast<std::uint64_t>(row.number(5));
    command.number = row.number(6);
    command.owner = row.number(7);
    command.user = row.text(8);
    command.cwd = row.text(9);
    command.uncertain = row.number(10) != 0;
    command.exe = row.text(11);
    command.renamed = row.text(12);
    command.foreign_mounts = row.number(13) != 0;
    command.cut = row.number(14) != 0;
    return command;
  }

  // Calls `to` for each row of the session that may match; `some` are those, or all are asked for by `all`.
  template <typename To>
  static Result<bool> rows(std::int64_t session, const std::optional<Rows>& some, Statement& one,
                           Statement& all, const To& to) {
    if (!some) {
      all.reset();
      all.bind(1, session);
      for (;;) {
        auto row = all.step();
        if (!row) return std::move(row).error();
        if (!*row) return true;
        auto more = to(all);
        if (!more || !*more) return more;
      }
    }
    auto at = std::lower_bound(some->begin(), some->end(), std::pair(session, std::int64_t{0}));
    for (; at != some->end() && at->first == session; ++at) {
      one.reset();
      one.bind(1, at->second);
      auto row = one.step();
      if (!row) return std::move(row).error();
      if (!*row) return Error{Code::kInvalid, "the index names what it does not hold", 0};
      auto more = to(one);
      if (!more || !*more) return more;
    }
    return true;
  }

  Result<bool> look(SessionHits& hits) {
    auto found = looked.take(pattern);
    if (!found) return std::move(found).error();
    for (const auto& one : *found)
      for (std::size_t i = 0; one && i < one->lines(); ++i)
        if (!hits.line(one->line(i))) return false;
    return true;
  }

  Result<bool> from_index(const IndexedSession& session, const HitSink& sink) {
    SessionHits hits(request, pattern, session, sink);
    note_lacking(session.gaps > 0, session.state == "corrupt");
    looked = {};  // of one that was broken off
    if (request.commands) {
      auto more = rows(session.row, commands, command, commands_of,
                       [&](const Statement& row) -> Result<bool> { return hits.command(command_row(row)); });
      if (!more || !*more) return more;
    }
    if (request.text) {
      auto more = rows(session.row, blocks, block, blocks_of, [&](const Statement& row) -> Result<bool> {
        looked.add(row.text(0));
        return looked.full() ? look(hits) : true;
      });
      if (more && *more) more = look(hits);
      if (!more || !*more) return more;
    }
    return hits.flush();
  }

  void note_lacking(bool gaps, bool damaged) {
    lacking.with_gaps += gaps ? 1U : 0U;
    lacking.damaged += damaged ? 1U : 0U;
  }

  Result<bool> from_recording(const IndexedSession& session, const HitSink& sink) {
    auto reader = format::RecordingReader::open(request.directory + "/" + session.name);
    if (!reader) {
      if (reader.error().code == Code::kNotFound) return true;  // removed meanwhile
      return std::move(reader).error();
    }
    SessionHits hits(request, pattern, session, sink);
    ScanSink scan(request, hits);
    const SessionRead read = read_session(**reader, scan);
    note_lacking(read.gaps > 0, read.outcome == format::Outcome::kCorrupt);
    if (read.outcome == format::Outcome::kEvent) return false;
    return hits.flush();
  }
};

Search::Search(SearchRequest request, Pattern pattern)
    : state_(std::make_unique<State>(std::move(request), std::move(pattern))) {}
Search::~Search() = default;

const Lacking& Search::lacking() const noexcept {
  return state_->lacking;
}

bool Search::indexed() const noexcept {
  return state_->database.has_value();
}

const std::string& Search::problem() const noexcept {
  return state_->problem;
}

Result<std::vector<PlannedSession>> Search::plan() {
  State& s = *state_;
  auto list = list_by_time(s.request.directory);
  if (!list) return std::move(list).error();
  const std::vector<std::string>* names = &list->names;
  std::unordered_map<std::string, IndexedSession> known;
  if (!s.request.index.empty()) {
    Status opened = s.open_index();
    if (opened) {
      auto sessions = read_sessions(*s.database);
      if (sessions) {
        for (auto& session : *sessions) {
          std::string name = session.name;
          known.emplace(std::move(name), std::move(session));
        }
        opened = s.find_candidates();
      } else {
        opened = std::move(sessions).error();
      }
    }
    if (!opened) {
      s.leave_index(opened.error());
      known.clear();
    }
  }
  std::vector<PlannedSession> plan;
  std::uint64_t cheap_left = kCheapBytesOfAll;
  for (auto it = names->rbegin(); it != names->rend(); ++it) {  // the newest are read first if not all can be
    const std::string& name = *it;
    if (s.request.name_wanted && !s.request.name_wanted(name)) continue;
    PlannedSession planned;
    const auto found = known.find(name);
    if (found != known.end()) planned.session = std::move(found->second);
    const bool has_row = planned.session.row != 0;
    FilesStamp stamp;
    // What has ended is append-only and changes no more: most files are not even looked at.
    bool current = has_row && planned.session.state == "ended";
    if (!current) {
      stamp = stamp_of(s.request.directory, name, &*list);
      current = has_row && stamp == planned.session.stamp;
    }
    if (!current && s.database && !s.request.all_newer) {
      planned.left_out = stamp.log_size > kCheapBytes || stamp.log_size > cheap_left;
      if (!planned.left_out) cheap_left -= stamp.log_size;
    }
    if (!current && !(planned.left_out && has_row)) {
      auto summary = format::summarise(s.request.directory, name, &*list);
      if (!summary) {
        if (summary.error().code == Code::kNotFound) continue;
        planned.session = IndexedSession{};
        planned.session.name = name;
      } else {
        planned.session = session_of(*summary);
      }
    }
    if (s.wanted(planned.session)) plan.push_back(std::move(planned));
  }
  std::reverse(plan.begin(), plan.end());
  std::stable_sort(plan.begin(), plan.end(), [](const PlannedSession& a, const PlannedSession& b) {
    return a.session.started < b.session.started;
  });
  return plan;
}

Result<bool> Search::session(const PlannedSession& planned, const HitSink& sink) {
  State& s = *state_;
  if (planned.session.row == 0) {
    if (planned.left_out) return true;
    return s.from_recording(planned.session, sink);
  }
  if (s.database) {
    const Lacking before = s.lacking;
    bool told = false;
    const HitSink noting = [&](const IndexedSession& session, const Hit& hit) {
      return told = true, sink(session, hit);
    };
    auto more = s.from_index(planned.session, noting);
    if (more || more.error().code != Code::kInvalid || told) return more;
    s.leave_index(more.error());
    s.lacking = before;
  }
  return s.from_recording(planned.session, sink);
}

}  // namespace opelog::index
