#include "index/indexer_io.h"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>

#include "index/index_store_io.h"
#include "index/recording_stamp_io.h"
#include "index/session_text_io.h"

namespace opelog::index {
namespace {

using format::Outcome;
using format::RecordingReader;

/// Takes one session into the store, past what that holds already.
class StoreSink final : public SessionSink {
 public:
  using Batch = std::function<Status(std::uint64_t bytes)>;
  StoreSink(IndexStore& store, IndexedSession& session, Batch batch,
            std::function<void(std::uint64_t)> progress)
      : store_(store),
        session_(session),
        batch_(std::move(batch)),
        progress_(std::move(progress)),
        skip_lines_(session.lines),
        skip_commands_(session.commands) {}

  bool line(const TextLine& line) override {
    if (skip_lines_ > 0) {
      --skip_lines_;
      return true;
    }
    block_.add(line);
    ++lines_;
    return !block_.full() || flush();
  }

  bool command(const SessionCommand& command) override {
    if (skip_commands_ > 0) {
      --skip_commands_;
      return true;
    }
    ++commands_;
    if (!rest_) ++session_.commands;
    return good(store_.add(session_.row, command, rest_)) && good(batch_(command.text.size()));
  }

  void rest() override { rest_ = true; }

  bool progress(std::uint64_t bytes) override {
    progress_(bytes);
    return true;
  }

  bool flush() {
    if (block_.empty()) return true;
    if (!good(store_.add(session_.row, block_, rest_))) return false;
    if (!rest_) session_.lines += block_.lines();
    const std::size_t size = block_.text().size();
    block_.clear();
    return good(batch_(size));
  }

  /// The recording told less than the index holds: they are not of each other.
  [[nodiscard]] bool contradicted() const { return skip_lines_ > 0 || skip_commands_ > 0; }
  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] std::uint64_t lines() const { return lines_; }
  [[nodiscard]] std::uint64_t commands() const { return commands_; }

 private:
  bool good(Status status) {
    if (status) return true;
    status_ = std::move(status);
    return false;
  }

  IndexStore& store_;
  IndexedSession& session_;
  Batch batch_;
  std::function<void(std::uint64_t)> progress_;
  std::uint64_t skip_lines_, skip_commands_;
  std::uint64_t lines_ = 0, commands_ = 0;
  LineBlock block_;
  bool rest_ = false;
  Status status_;
};

class Indexer {
 public:
  Indexer(const IndexOptions& options, IndexStore& store) : options_(options), store_(store) {}

  Result<IndexReport> run() {
    auto list = list_by_time(options_.directory);
    if (!list) return std::move(list).error();
    list_ = std::move(*list);
    auto known = store_.sessions();
    if (!known) return std::move(known).error();
    for (auto& session : *known) {
      std::string name = session.name;
      known_.emplace(std::move(name), std::move(session));
    }
    if (auto begun = store_.begin(); !begun) return std::move(begun).error();
    Status done = all(list_.names);
    if (done) done = store_.commit();
    if (!done) {
      store_.roll_back();
      return std::move(done).error();
    }
    (void)store_.tidy().ok();
    auto counts = store_.counts();
    if (!counts) return std::move(counts).error();
    report_.sessions = static_cast<std::uint64_t>(counts->sessions);
    report_.index_bytes = static_cast<std::uint64_t>(counts->bytes);
    return report_;
  }

 private:
  Status all(const std::vector<std::string>& names) {
    progress_.all_sessions = names.size();
    for (const auto& name : names) {
      tell(0);
      IndexedSession before;
      if (const auto found = known_.find(name); found != known_.end()) {
        before = std::move(found->second);
        known_.erase(found);
      }
      if (auto done = one(name, before); !done) return done;
      ++progress_.sessions;
    }
    tell(0);
    // What is left is in the index alone.
    for (const auto& [name, session] : known_) {
      if (auto done = store_.remove(session.row); !done) return done;
      ++report_.removed;
      if (auto done = batch(session.stamp.log_size, true); !done) return done;
    }
    return {};
  }

  Status one(const std::string& name, const IndexedSession& before) {
    const FilesStamp stamp = stamp_of(options_.directory, name, &list_);
    const bool known = before.row != 0;
    const bool was_live = known && before.state == "live";
    if (known && !was_live && before.stamp == stamp) {
      ++report_.unchanged;
      return {};
    }
    auto summary = format::summarise(options_.directory, name, &list_);
    if (!summary) {
      // Gone since the listing: the next run removes it.
      if (summary.error().code != Code::kNotFound) failed(name, summary.error());
      return {};
    }
    const bool live = summary->state == format::RecordingState::kLive;
    if (was_live && live) {
      if (before.stamp == stamp) {
        ++report_.unchanged;
        return {};
      }
      if (is_same(before.stamp, stamp) && before.stamp.log_size > kSmallLive &&
          stamp.log_size - before.stamp.log_size < stamp.log_size / 8) {
        ++report_.waiting;
        return {};
      }
    }
    auto reader = RecordingReader::open(summary->path);
    if (!reader) {
      if (reader.error().code != Code::kNotFound) failed(name, reader.error());
      return {};
    }
    IndexedSession session = session_of(*summary);
    session.row = before.row;
    if (was_live && is_same(before.stamp, stamp)) {
      session.lines = before.lines;
      session.commands = before.commands;
      if (auto done = store_.remove_rest(session.row); !done) return done;
    } else if (known) {
      if (auto done = store_.remove(session.row); !done) return done;
    }
    return read(**reader, session, stamp);
  }

  static bool is_same(const FilesStamp& before, const FilesStamp& now) {
    return before.time_inode == now.time_inode && before.log_inode == now.log_inode &&
           before.time_size <= now.time_size && before.log_size <= now.log_size;
  }

  Status read(RecordingReader& reader, IndexedSession session, const FilesStamp& stamp) {
    const std::string state = session.state;
    // Until it is whole: of ours the lines that are there stay, of files that anybody may rewrite none.
    session.state = reader.native() ? "live" : "torn";
    session.stamp = FilesStamp{stamp.time_inode, 0, stamp.log_inode, 0, 0, 0};
    if (auto put = store_.put(session); !put) return put;
    StoreSink sink(
        store_, session,
        [&](std::uint64_t bytes) -> Status {
          if (batched_ + bytes < options_.batch_bytes) {
            batched_ += bytes;
            return {};
          }
          if (auto put = store_.put(session); !put) return put;
          return batch(bytes, false);
        },
        [this](std::uint64_t bytes) { tell(bytes); });
    const SessionRead got = read_session(reader, sink);
    if (sink.status()) (void)sink.flush();
    if (!sink.status()) return sink.status();
    if (sink.contradicted()) {
      say(session.name + ": the index holds more than the recording; it is read again");
      if (auto done = store_.remove(session.row); !done) return done;
      session.row = 0;
      session.lines = session.commands = 0;
      if (auto again = reader.rewind(); !again) {
        failed(session.name, again.error());
        return {};
      }
      return read(reader, std::move(session), stamp);
    }
    // A writer may have begun or ended meanwhile: what the reader saw counts.
    session.state = got.outcome == Outcome::kNeedMore  ? "live"
                    : got.outcome == Outcome::kCorrupt ? "corrupt"
                    : state == "live"                  ? "torn"
                                                       : state;
    session.gaps = got.gaps;
    session.stamp = stamp;
    session.length_us = std::max(session.length_us, got.at_us);
    session.plain_from_us = got.plain_from_us;
    if (got.outcome != Outcome::kNeedMore && state == "live") session.stamp.time_size = 0;  // look again
    if (auto put = store_.put(session); !put) return put;
    if (got.plain_from_us >= 0)
      say(session.name + ": draws far more than it writes; indexed without a screen from then on");
    ++report_.indexed;
    report_.lines += sink.lines();
    report_.commands += sink.commands();
    report_.bytes += got.output_bytes;
    progress_.bytes += got.output_bytes;
    return batch(0, true);
  }

  Status batch(std::uint64_t bytes, bool session_done) {
    batched_ += bytes;
    if (session_done) ++batched_sessions_;
    if (batched_ < options_.batch_bytes && batched_sessions_ < kBatchSessions) return {};
    batched_ = batched_sessions_ = 0;
    if (auto done = store_.commit(); !done) return done;
    return store_.begin();
  }

  void tell(std::uint64_t bytes) const {
    if (!options_.progress) return;
    IndexProgress progress = progress_;
    progress.bytes += bytes;
    options_.progress(progress);
  }
  void say(const std::string& text) const {
    if (options_.remark) options_.remark(text);
  }
  void failed(const std::string& name, const Error& error) {
    ++report_.failed;
    say(name + ": " + error.message);
  }

  const IndexOptions& options_;
  IndexStore& store_;
  format::RecordingList list_;
  std::unordered_map<std::string, IndexedSession> known_;
  IndexReport report_;
  IndexProgress progress_;
  std::uint64_t batched_ = 0, batched_sessions_ = 0;
};

}  // namespace

Result<IndexReport> update_index(const IndexOptions& options) {
  auto start = options.rebuild ? IndexStore::Start::kAnew : IndexStore::Start::kGoOn;
  std::string why;
  for (int attempt = 0;; ++attempt) {
    auto store = IndexStore::open(options.index, start);
    if (!store) return std::move(store).error();
    auto report = Indexer(options, **store).run();
    if (report) {
      report->rebuilt = why.empty() ? (*store)->rebuilt() : why;
      return report;
    }
    if (report.error().code != Code::kInvalid || attempt > 0) return report;
    why = report.error().message;
    start = IndexStore::Start::kMoveAside;
  }
}

}  // namespace opelog::index
