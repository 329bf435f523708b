#include "format/recording_writer_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/append_only_io.h"
#include "format/recording_files_io.h"
#include "format/session_header.h"
#include "format/timing_record.h"

namespace opelog::format {
namespace {

using WriteCall = std::ptrdiff_t (*)(int, const void*, std::size_t);

constexpr int kMaxSerial = 9999;  // four digits behind the name; beyond that something is broken
constexpr std::int64_t kRetryUs = 100 * kUsPerMs;  // a full disk is not asked again at every turn of the loop
enum File : std::size_t { kLog = 0, kTime = 1, kIn = 2, kFiles = 3 };
constexpr std::array<std::string_view, kFiles> kSuffixes = {kLogSuffix, kTimeSuffix, kInputSuffix};

std::ptrdiff_t plain_write(int fd, const void* data, std::size_t size) {
  return ::write(fd, data, size);
}

/// One write(2); >= 1 accepted, or a negative errno.
std::ptrdiff_t write_once(WriteCall call, int fd, std::string_view bytes) noexcept {
  for (;;) {
    const std::ptrdiff_t n = call(fd, bytes.data(), bytes.size());
    if (n > 0) return n;
    if (n == 0) return -EIO;  // a regular file that takes nothing and says nothing
    if (errno != EINTR) return -errno;
  }
}

/// What a recording of that name may be stored as that is younger than a day.
constexpr std::string_view kTakenSuffixes[] = {"", kCompressedSuffix, ".gz", ".1", ".1.zst", ".1.gz"};

/// The files of one recording while it is being made: removed again unless keep() is called.
class NewFiles {
 public:
  explicit NewFiles(int directory) : directory_(directory) {}
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;
  ~NewFiles() { discard(); }

  /// Code::kExists if a file of that base name is there already.
  Status open(const std::string& base, bool input) {
    for (const std::string_view suffix : kSuffixes) {
      for (const std::string_view packed : kTakenSuffixes) {
        struct stat st {};
        const std::string path = base + std::string(suffix) + std::string(packed);
        if (::fstatat(directory_, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
          return Error{Code::kExists, path + ": exists", EEXIST};
        }
        if (errno != ENOENT) return error_from_errno(errno, path);
      }
    }
    for (std::size_t i = 0; i < (input ? kFiles : kIn); ++i) {
      const std::string path = base + std::string(kSuffixes[i]);
      auto opened = open_at(directory_, path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0600);
      if (!opened) {
        discard();
        return std::move(opened).error();
      }
      fds[i] = std::move(*opened);
      paths_[i] = path;
      auto facts = look_at(fds[i].get());
      if (!facts) return std::move(facts).error();
      inodes[i] = facts->inode;
    }
    return {};
  }

  Status set_owner_and_mode(std::uint32_t group, unsigned mode) {
    for (std::size_t i = 0; i < kFiles; ++i) {
      if (!fds[i]) continue;
      int err = try_owner_and_mode(fds[i].get(), group, mode);
      if (err == EPERM && set_append_only(fds[i].get(), false)) {
        // Another guard was faster: the kernel lets nobody change the mode of an append-only file.
        err = try_owner_and_mode(fds[i].get(), group, mode);
      }
      if (err != 0) return error_from_errno(err, paths_[i] + ": set owner, group and mode");
    }
    return {};
  }

  /// Sets the flag and looks whether it stuck: some file systems take it and forget it.
  Status set_flags() {
    for (std::size_t i = 0; i < kFiles; ++i) {
      if (!fds[i]) continue;
      if (auto set = set_append_only(fds[i].get(), true); !set) {
        return Error{set.error().code, paths_[i] + ": " + set.error().message, set.error().err};
      }
      auto seen = has_append_only(fds[i].get());
      if (!seen) return std::move(seen).error();
      if (!*seen)
        return Error{Code::kUnsupported, paths_[i] + ": the file system drops the append-only flag", 0};
    }
    return {};
  }

  void keep() noexcept { kept_ = true; }

  void discard() {
    if (kept_) return;
    for (std::size_t i = 0; i < kFiles; ++i) {
      if (!fds[i]) continue;
      (void)set_append_only(fds[i].get(), false).ok();
      struct stat st {};
      // Only what we made: the name could be another's by now.
      if (::fstatat(directory_, paths_[i].c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == inodes[i]) {
        ::unlinkat(directory_, paths_[i].c_str(), 0);
      }
      fds[i].reset();
    }
  }

  std::array<Fd, kFiles> fds;
  std::array<std::uint64_t, kFiles> inodes{};

 private:
  static int try_owner_and_mode(int fd, std::uint32_t group, unsigned mode) {
    struct stat st {};
    if (::fstat(fd, &st) != 0) return errno;
    if ((st.st_uid != 0 || st.st_gid != group) && ::fchown(fd, 0, group) != 0) return errno;
    return ::fchmod(fd, mode) == 0 ? 0 : errno;
  }

  int directory_;
  std::array<std::string, kFiles> paths_;
  bool kept_ = false;
};

}  // namespace

struct RecordingWriter::State {
  WriteCall write = plain_write;
  std::array<Fd, kFiles> fds;
  std::array<std::uint64_t, kFiles> inodes{};
  std::array<std::uint64_t, kFiles> written{};
  std::string name;
  MonoUs first = 0;
  MonoUs retry_at = 0;           ///< after a failure; 0 none
  std::size_t records_from = 0;  ///< of the records under way, already written
  int records_err = 0;           ///< why they are not in
  bool dirty = false, ended = false, append_only = false;

  struct Free {
    void operator()(WriterMemory* given) const noexcept { std::free(given); }
  };
  std::unique_ptr<WriterMemory, Free> own;  ///< where nobody gave another
  WriterMemory* memory = nullptr;
  WriterMark mark{};  ///< commit() is what makes it hold

  std::unique_ptr<RecordingSealer> sealer;
  bool keeps_seals = false;           ///< the memory has the sealer's secret
  bool sealer_changed = false;        ///< with the records under way
  std::optional<MonoUs> unsealed_at;  ///< when the first byte came that no seal covers
  std::uint64_t unsealed = 0;         ///< bytes of `.log` and `.in` that no seal covers
  std::string_view undigested;        ///< of `.log`: in the file, the sealer has yet to be told; its caller's

  /// Code::kIo without memory.
  Status remember_in(WriterMemory* given) {
    if (given == nullptr) own.reset(static_cast<WriterMemory*>(std::calloc(1, sizeof(WriterMemory))));
    memory = given != nullptr ? given : own.get();
    return memory != nullptr ? Status{} : Status(Error{Code::kIo, name + ": out of memory", ENOMEM});
  }
  void commit() noexcept { memory->mark.set(mark); }
  /// What the sealer is now holds with the next commit().
  void save_sealer() {
    if (!sealer || !keeps_seals) return;
    mark.sealer = mark.sealer == 0 ? 1 : 0;
    sealer->save(memory->sealers[mark.sealer]);
  }
  /// The one that holds no more had a secret that has done its work (or was never used).
  void erase_other_sealer() noexcept {
    SealerMark& other = memory->sealers[mark.sealer == 0 ? 1 : 0];
    ::explicit_bzero(other.bytes.data(), other.bytes.size());
  }

  /// Bytes of `.log` that no record speaks of yet.
  [[nodiscard]] std::uint64_t pending() const noexcept { return written[kLog] - mark.timed; }
  [[nodiscard]] bool under_way() const noexcept { return mark.records > 0; }

  void accepted(File file, std::string_view bytes, MonoUs now, Digesting when = Digesting::kNow) {
    written[file] += bytes.size();
    dirty = true;
    if (!sealer) return;
    digest();
    if (when == Digesting::kLater)
      undigested = bytes;
    else
      sealer->written(file, bytes);
    if (!unsealed_at) unsealed_at = now;
    if (file != kTime) unsealed += bytes.size();
  }

  void digest() {
    if (!undigested.empty()) sealer->written(kLog, std::exchange(undigested, {}));
  }

  Error refused(File file, int err) const {
    return error_from_errno(err, name + std::string(kSuffixes[file]));
  }

  /// Delay of a record at `now`, which becomes the last. A clock that seems to go back counts as standing.
  std::int64_t step(MonoUs now) noexcept {
    const MonoUs at = std::max(now, mark.last);
    return at - std::exchange(mark.last, at);
  }

  /// Writes what is under way until all is in or the kernel refuses: that errno.
  int put(MonoUs now) {
    const std::string_view records(memory->records.data(), mark.records);
    while (records_from < records.size()) {
      const std::string_view left = records.substr(records_from);
      const std::ptrdiff_t n = write_once(write, fds[kTime].get(), left);
      if (n < 0) return static_cast<int>(-n);
      accepted(kTime, left.substr(0, static_cast<std::size_t>(n)), now);
      records_from += static_cast<std::size_t>(n);
    }
    return 0;
  }

  /// All of them are in.
  void put_is_done() noexcept {
    mark.time_bytes += mark.records;
    mark.records = 0;
    records_from = 0;
    commit();
    if (!std::exchange(sealer_changed, false)) return;
    erase_other_sealer();
    sealer->recorded();
  }

  Status put_rest(MonoUs now) {
    if (!under_way()) return {};
    if (const int err = put(now); err != 0) {
      retry_at = now + kRetryUs;
      records_err = err;
      return refused(kTime, err);
    }
    put_is_done();
    retry_at = 0;
    return {};
  }

  /// Appends whole records, and with them makes hold what the mark says now. On an error nothing of them is
  /// in the file, and the mark is `before` (unless `owed`: then they are kept); a record accepted in part
  /// counts as accepted, the rest is kept.
  Status put_records(std::string_view records, const WriterMark& before, MonoUs now, bool owed) {
    if (records.size() > memory->records.size()) {
      mark = before;
      return Error{Code::kLimit, name + ": a record of " + std::to_string(records.size()) + " bytes", 0};
    }
    std::copy(records.begin(), records.end(), memory->records.begin());
    mark.records = static_cast<std::uint32_t>(records.size());
    records_from = 0;
    commit();
    const int err = put(now);
    if (err == 0) {
      put_is_done();
      return {};
    }
    if (records_from == 0 && !owed) {
      mark = before;
      commit();
      return refused(kTime, err);
    }
    records_err = err;
    retry_at = now + kRetryUs;
    return {};
  }

  /// From now on output begins a record of its own.
  void close_pending() {
    if (pending() == 0 || mark.batch + kDataRecordBytes > memory->batch.size()) return;
    const MonoUs at = std::max(memory->pending_at, mark.last);
    if (mark.batch == 0) mark.batch_at = memory->pending_at;
    mark.batch += static_cast<std::uint32_t>(
        encode_data_record(memory->batch.data() + mark.batch, 'O', at - mark.last, pending()));
    mark.last = at;
    mark.timed = written[kLog];
    commit();
  }

  Status flush(MonoUs now) {
    if (auto done = put_rest(now); !done) return done;
    close_pending();
    if (mark.batch == 0) return {};
    const WriterMark before = mark;
    mark.batch = 0;
    if (auto done = put_records(batch_of(before), before, now, false); !done) {
      retry_at = now + kRetryUs;
      return done;
    }
    if (!under_way()) retry_at = 0;
    return {};
  }
  [[nodiscard]] std::string_view batch_of(const WriterMark& of) const noexcept {
    return {memory->batch.data(), of.batch};
  }

  /// Behind the end's record stands the final seal alone.
  [[nodiscard]] bool seals_on() const noexcept { return sealer && !ended && mark.ending == 0; }

  [[nodiscard]] bool seal_due(MonoUs now) const noexcept {
    return seals_on() && (unsealed >= kSealBytes || (unsealed_at && now - *unsealed_at >= kSealUs) ||
                          now - mark.sealed_at >= kSealIdleUs);
  }

  /// A seal over all that was accepted. On an error there is none, and it stays due.
  Status seal(MonoUs now, bool final) {
    if (auto done = flush(now); !done) return done;
    if (under_way()) return refused(kTime, records_err);
    digest();
    const WriterMark before = mark;
    const MonoUs at = std::max(now, mark.last);
    auto value = sealer->seal(at - first, final);
    if (!value) {
      retry_at = now + kRetryUs;
      return std::move(value).error();
    }
    mark.last = at;
    mark.sealed_at = now;
    save_sealer();
    sealer_changed = true;
    if (auto done = put_records(encode_note(at - before.last, kOpelogSeal, *value), before, now, false);
        !done) {
      sealer->refused();
      sealer_changed = false;
      erase_other_sealer();
      retry_at = now + kRetryUs;
      return done;
    }
    // Its own line is for the next one to cover, and no reason to make that.
    unsealed_at.reset();
    unsealed = 0;
    return {};
  }

  [[nodiscard]] std::optional<MonoUs> seal_deadline() const noexcept {
    if (!seals_on()) return std::nullopt;
    return std::max(unsealed_at ? *unsealed_at + kSealUs : mark.sealed_at + kSealIdleUs, retry_at);
  }

  /// When the oldest output without a record in `.time` came; nothing if there is none.
  std::optional<MonoUs> oldest() const noexcept {
    if (mark.batch > 0) return mark.batch_at;
    return pending() > 0 ? std::optional(memory->pending_at) : std::nullopt;
  }

  /// A record that stands by itself: `encode(delay)` makes it. `ending`: the last ones.
  template <typename Encode>
  Status record(MonoUs now, Encode encode, bool ending = false) {
    if (ended || mark.ending != 0) return Error{Code::kGone, name + ": the recording has ended", 0};
    if (auto done = flush(now); !done) return done;
    if (under_way()) return refused(kTime, records_err);  // flush() was accepted in part just now
    const WriterMark before = mark;
    const std::int64_t delay = step(now);
    if (ending) mark.ending = 1;
    return put_records(encode(delay), before, now, false);
  }

  /// The bytes are in: their record is owed, and kept if it cannot be written now.
  Status speak_of_input(MonoUs now) {
    std::array<char, kDataRecordBytes> line;
    const WriterMark before = mark;
    const std::int64_t delay = step(now);
    mark.input_timed = written[kIn];
    const std::size_t length =
        encode_data_record(line.data(), 'I', delay, mark.input_timed - before.input_timed);
    return put_records({line.data(), length}, before, now, true);
  }

  Status look_again(const ResumeOptions& options, MonoUs now);
  Status read_back(File file, std::uint64_t from);
};

RecordingWriter::RecordingWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

RecordingWriter::~RecordingWriter() {
  // Best effort: timing that is owed. What fails here is what repair_tail() states.
  (void)state_->flush(state_->mark.last).ok();
}

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::create(const WriterOptions& options,
                                                                 const SessionInfo& info, MonoUs now) {
  auto state = std::make_unique<State>();
  if (options.write != nullptr) state->write = options.write;
  if (auto memory = state->remember_in(options.memory); !memory) return std::move(memory).error();
  NewFiles files(options.directory);
  for (int serial = 1;; ++serial) {
    if (serial > kMaxSerial)
      return Error{Code::kLimit,
                   options.name + ": " + std::to_string(kMaxSerial) + " recordings have this name", 0};
    state->name = serial == 1 ? options.name : options.name + "-" + std::to_string(serial);
    auto opened = files.open(state->name, options.input);
    if (opened) break;
    if (opened.error().code != Code::kExists) return std::move(opened).error();
  }
  if (auto done = files.set_owner_and_mode(options.group, options.mode); !done)
    return std::move(done).error();

  HeaderFacts facts{state->name, false, options.input};
  std::string header_note;
  if (options.append_only != AppendOnly::kOff) {
    auto set = files.set_flags();
    facts.append_only = set.ok();
    if (!set && options.append_only == AppendOnly::kRequired) return std::move(set).error();
    if (!set)
      header_note = encode_note(0, kOpelogNote, "these files are not append-only: " + set.error().message);
  }
  if (auto locked = lock_as_writer(files.fds[kTime].get(), state->name); !locked)
    return std::move(locked).error();

  Sealing sealing;
  if (options.opened) {
    auto opened = options.opened(state->name);
    if (!opened) return std::move(opened).error();
    sealing = std::move(*opened);
  }
  state->sealer = std::move(sealing.sealer);
  // Entered as opened before its first byte: where that fails, this is entered too.
  const auto give_up = [&state](Error error) {
    if (state->sealer) state->sealer->abandoned();
    return error;
  };
  const std::string first_line = encode_first_line(info);
  std::string header = encode_header(info, facts) + header_note;
  if (state->sealer) header += encode_note(0, kOpelogOpened, sealing.opened);
  for (const File file : {kLog, kIn, kTime}) {
    if (!files.fds[file]) continue;
    std::string_view left = file == kTime ? header : first_line;
    while (!left.empty()) {
      const std::ptrdiff_t n = write_once(state->write, files.fds[file].get(), left);
      if (n < 0) return give_up(state->refused(file, static_cast<int>(-n)));
      state->accepted(file, left.substr(0, static_cast<std::size_t>(n)), now);
      left.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  files.keep();
  state->fds = std::move(files.fds);
  state->inodes = files.inodes;
  state->append_only = facts.append_only;
  state->first = state->mark.last = state->mark.sealed_at = now;
  state->mark.time_bytes = state->written[kTime];
  state->mark.timed = state->written[kLog];  // first lines have no records
  state->mark.input_timed = state->written[kIn];
  state->keeps_seals = options.memory != nullptr;
  state->save_sealer();
  state->commit();
  state->dirty = true;
  return std::unique_ptr<RecordingWriter>(new RecordingWriter(std::move(state)));
}

// ---- going on in another process

// What the files hold now, against what was meant to be in them.
Status RecordingWriter::State::look_again(const ResumeOptions& options, MonoUs now) {
  const auto changed = [this](File file) {
    return Error{Code::kInvalid, name + std::string(kSuffixes[file]) + ": changed while nobody recorded", 0};
  };
  mark = memory->mark.get();
  const auto whole = [](std::string_view records) { return records.empty() || records.back() == '\n'; };
  if (!is_sound(mark) || !is_time(memory->pending_at) || !is_time(first) || first > mark.last ||
      !whole(batch_of(mark)) || !whole({memory->records.data(), mark.records}))
    return Error{Code::kInvalid, name + ": what was kept of its writer is damaged", 0};
  for (const File file : {kLog, kTime, kIn}) {
    if (!fds[file]) continue;
    auto facts = look_at(fds[file].get());
    if (!facts) return std::move(facts).error();
    inodes[file] = facts->inode;
    written[file] = facts->size;
  }
  if (written[kTime] < mark.time_bytes || written[kTime] > mark.time_bytes + mark.records)
    return changed(kTime);
  if (written[kLog] < mark.timed) return changed(kLog);
  if (written[kIn] < mark.input_timed) return changed(kIn);
  records_from = written[kTime] - mark.time_bytes;
  if (options.sealer) {
    std::array<std::uint64_t, kFiles> covered{};
    auto resumed = options.sealer(memory->sealers[mark.sealer & 1U], covered);
    if (!resumed) return std::move(resumed).error();
    sealer = std::move(*resumed);
    keeps_seals = true;
    for (const File file : {kLog, kTime, kIn}) {
      if (covered[file] > written[file]) return changed(file);
      if (auto read = read_back(file, covered[file]); !read) return read;
      if (written[file] > covered[file] && file != kTime) unsealed += written[file] - covered[file];
    }
    unsealed_at = now;
  }
  if (sealer) {
    sealer->resumed();
    sealer_changed = true;  // a seal's record may be what is under way; if nothing is, the last one is whole
    if (!under_way()) put_is_done();
  }
  if (auto rest = put_rest(now); !rest) return {};  // tried again, as ever
  // Killed between the bytes and their record.
  if (written[kIn] > mark.input_timed) (void)speak_of_input(now);
  return {};
}

Status RecordingWriter::State::read_back(File file, std::uint64_t from) {
  if (!fds[file] || from == written[file]) return {};
  auto readable = reopen(fds[file].get(), O_RDONLY);
  if (!readable) return std::move(readable).error();
  std::vector<char> buffer(kReadBytes);
  while (from < written[file]) {
    auto got = read_at(readable->get(), buffer.data(),
                       std::min<std::uint64_t>(buffer.size(), written[file] - from), from);
    if (!got) return std::move(got).error();
    if (*got == 0)
      return Error{Code::kInvalid, name + std::string(kSuffixes[file]) + ": shorter than it is", 0};
    sealer->written(file, {buffer.data(), *got});
    from += *got;
  }
  return {};
}

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::resume(ResumeOptions options, MonoUs now) {
  auto state = std::make_unique<State>();
  state->name = options.name;
  state->first = options.begun;
  state->append_only = options.append_only;
  state->fds = std::move(options.files);
  state->memory = options.memory;
  state->dirty = true;
  if (auto looked = state->look_again(options, now); !looked) return std::move(looked).error();
  return std::unique_ptr<RecordingWriter>(new RecordingWriter(std::move(state)));
}

std::vector<int> RecordingWriter::descriptors() const {
  std::vector<int> fds;
  for (const Fd& fd : state_->fds) {
    if (fd) fds.push_back(fd.get());
  }
  return fds;
}

const std::string& RecordingWriter::name() const noexcept {
  return state_->name;
}

Result<std::size_t> RecordingWriter::output(std::string_view bytes, MonoUs now, Digesting when) {
  State& s = *state_;
  if (s.ended || s.mark.ending != 0) return Error{Code::kGone, s.name + ": the recording has ended", 0};
  if (bytes.empty()) return Error{Code::kInvalid, s.name + ": no bytes to record", 0};
  // Timing that cannot be written is a record that cannot be kept: nothing more is accepted until it can.
  const auto oldest = s.oldest();
  if (s.pending() > 0 && now - s.memory->pending_at >= kTimingMergeUs) s.close_pending();
  if (s.under_way() || (oldest && now - *oldest >= kTimingWriteUs)) {
    if (auto done = s.flush(now); !done) return std::move(done).error();
    if (s.under_way()) return s.refused(kTime, s.records_err);
  }
  if (s.unsealed >= kSealBytes && s.sealer) {
    if (auto done = s.seal(now, false); !done) return std::move(done).error();
    if (s.under_way()) return s.refused(kTime, s.records_err);
  }
  if (s.pending() == 0) s.memory->pending_at = now;
  const std::ptrdiff_t n = write_once(s.write, s.fds[kLog].get(), bytes);
  if (n < 0) return s.refused(kLog, static_cast<int>(-n));
  s.accepted(kLog, bytes.substr(0, static_cast<std::size_t>(n)), now, when);
  return static_cast<std::size_t>(n);
}

void RecordingWriter::digest_output() {
  state_->digest();
}

Result<std::size_t> RecordingWriter::input(std::string_view bytes, MonoUs now) {
  State& s = *state_;
  if (s.ended || s.mark.ending != 0) return Error{Code::kGone, s.name + ": the recording has ended", 0};
  if (!s.fds[kIn]) return Error{Code::kInvalid, s.name + ": this recording keeps no input", 0};
  if (bytes.empty()) return Error{Code::kInvalid, s.name + ": no bytes to record", 0};
  if (auto done = s.flush(now); !done) return std::move(done).error();
  if (s.under_way()) return s.refused(kTime, s.records_err);
  if (s.unsealed >= kSealBytes && s.sealer) {
    if (auto done = s.seal(now, false); !done) return std::move(done).error();
    if (s.under_way()) return s.refused(kTime, s.records_err);
  }
  const std::ptrdiff_t n = write_once(s.write, s.fds[kIn].get(), bytes);
  if (n < 0) return s.refused(kIn, static_cast<int>(-n));
  s.accepted(kIn, bytes.substr(0, static_cast<std::size_t>(n)), now);
  if (auto done = s.speak_of_input(now); !done) return std::move(done).error();
  return static_cast<std::size_t>(n);
}

Status RecordingWriter::resized(int rows, int cols, MonoUs now) {
  return state_->record(now, [&](std::int64_t delay) { return encode_resize(delay, rows, cols); });
}

Status RecordingWriter::note(std::string_view name, std::string_view value, MonoUs now) {
  return state_->record(now, [&](std::int64_t delay) { return encode_note(delay, name, value); });
}

Status RecordingWriter::gap(const GapInfo& gap, MonoUs now) {
  return state_->record(now, [&](std::int64_t delay) { return encode_gap(delay, gap); });
}

Status RecordingWriter::end(const EndInfo& end, MonoUs now) {
  State& s = *state_;
  if (s.ended) return Error{Code::kGone, s.name + ": the recording has ended", 0};
  Status done;
  if (s.mark.ending == 0) {
    done = s.record(
        now, [&](std::int64_t delay) { return encode_end(delay, s.mark.last - s.first, end); }, true);
    if (!done) return done;
  }
  if (s.sealer && s.sealer->finished()) {
    s.sealer->closed(end);  // another process made the final seal
  } else if (s.sealer) {
    // At the time of the end's record, however late: a final seal's line has no delay.
    auto sealed = s.seal(s.mark.last, true);
    // What is begun and kept cannot be completed any more: the end is the writer's last chance.
    if (sealed && s.under_way()) sealed = s.refused(kTime, s.records_err);
    if (!sealed)
      done = Error{Code::kGone, s.name + ": the end cannot be sealed: " + sealed.error().message,
                   sealed.error().err};
    else
      s.sealer->closed(end);
  }
  s.ended = true;
  return done;
}

bool RecordingWriter::ending() const noexcept {
  return state_->mark.ending != 0;
}

Status RecordingWriter::pause(MonoUs now) {
  State& s = *state_;
  if (s.ended) return {};
  if (s.seals_on() && s.unsealed_at) return s.seal(now, false);
  return s.flush(now);
}

std::optional<MonoUs> RecordingWriter::flush_deadline() const noexcept {
  if (state_->under_way()) return state_->retry_at;
  const auto oldest = state_->oldest();
  const auto seal = state_->seal_deadline();
  if (!oldest) return seal;
  const MonoUs timing = std::max(*oldest + kTimingWriteUs, state_->retry_at);
  return seal ? std::min(timing, *seal) : timing;
}

Status RecordingWriter::flush(MonoUs now) {
  if (auto done = state_->flush(now); !done) return done;
  if (!state_->under_way() && state_->seal_due(now)) {
    if (auto done = state_->seal(now, false); !done) return done;
  }
  return state_->under_way() ? Status(state_->refused(kTime, state_->records_err)) : Status{};
}

bool RecordingWriter::dirty() const noexcept {
  return state_->dirty;
}

Result<std::vector<Fd>> RecordingWriter::take_for_sync() {
  std::vector<Fd> copies;
  for (const Fd& fd : state_->fds) {
    if (!fd) continue;
    auto copy = duplicate(fd.get());
    if (!copy) return std::move(copy).error();
    copies.push_back(std::move(*copy));
  }
  state_->dirty = false;
  return copies;
}

Result<std::vector<Fd>> RecordingWriter::take_for_file_system_sync() {
  std::vector<Fd> one;
  auto copy = duplicate(state_->fds[kLog].get());
  if (!copy) return std::move(copy).error();
  one.push_back(std::move(*copy));
  state_->dirty = false;
  return one;
}

MonoUs RecordingWriter::begun() const noexcept {
  return state_->first;
}
std::uint64_t RecordingWriter::log_bytes() const noexcept {
  return state_->written[kLog];
}
std::uint64_t RecordingWriter::time_bytes() const noexcept {
  return state_->written[kTime];
}
std::uint64_t RecordingWriter::time_meant() const noexcept {
  return state_->mark.time_bytes + state_->mark.records;
}
std::uint64_t RecordingWriter::bytes(int file) const noexcept {
  return file >= 0 && file < static_cast<int>(kFiles) ? state_->written[static_cast<std::size_t>(file)] : 0;
}
bool RecordingWriter::sealed() const noexcept {
  return state_->sealer != nullptr;
}
bool RecordingWriter::append_only() const noexcept {
  return state_->append_only;
}
std::uint64_t RecordingWriter::inode(int file) const noexcept {
  return file >= 0 && file < static_cast<int>(kFiles) ? state_->inodes[static_cast<std::size_t>(file)] : 0;
}

}  // namespace opelog::format
