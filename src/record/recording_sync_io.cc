#include "record/recording_sync_io.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

namespace opelog::record {
namespace {

// One descriptor for each file system that `files` lie on.
std::vector<Fd> one_for_each_file_system(std::vector<Fd> files) {
  std::vector<Fd> kept;
  std::set<dev_t> seen;
  for (Fd& fd : files) {
    struct stat st {};
    if (::fstat(fd.get(), &st) == 0 && seen.insert(st.st_dev).second) kept.push_back(std::move(fd));
  }
  return kept;
}

}  // namespace

RecordingSync::RecordingSync(Loop& loop, FactSink facts, Each each, First first, Round round)
    : loop_(loop),
      facts_(std::move(facts)),
      each_(std::move(each)),
      first_(std::move(first)),
      round_(std::move(round)),
      timer_(loop, [this] { sync(); }) {}

RecordingSync::~RecordingSync() {
  *alive_ = false;
}

void RecordingSync::configure(int interval_ms) {
  timer_.stop();
  if (interval_ms <= 0) return nothing_to_do();
  const auto every = static_cast<std::uint64_t>(interval_ms);
  timer_.start(every, every);
}

void RecordingSync::nothing_to_do() {
  if (!round_) return;
  if (const auto done = round_()) done();
}

void RecordingSync::closed(format::RecordingWriter& writer) {
  if (!timer_.active()) nothing_to_do();  // nobody promises anything
  if (!writer.dirty()) return;
  auto files = writer.take_for_sync();
  if (!files) {
    whole_ = true;  // its file system is synced as a whole, once there is a descriptor for that
    return failed(files.error().err);
  }
  keep(std::move(*files));
}

void RecordingSync::keep(std::vector<Fd> files) {
  for (Fd& fd : files) last_.push_back(std::move(fd));
  if (last_.size() <= kSyncEach) return;
  last_ = one_for_each_file_system(std::move(last_));
  whole_ = true;
}

void RecordingSync::sync() {
  if (busy_) return;
  std::size_t dirty = last_.size();
  each_([&dirty](format::RecordingWriter& writer) { dirty += writer.dirty() ? 1 : 0; });
  if (dirty == 0) {
    if (!whole_) nothing_to_do();
    return;
  }
  const bool whole = std::exchange(whole_, false) || dirty > kSyncEach;
  auto files = std::make_shared<std::vector<Fd>>(std::exchange(last_, {}));
  auto err = std::make_shared<int>(0);
  auto first = std::make_shared<Fd>(first_ ? first_() : Fd());
  each_([&](format::RecordingWriter& writer) {
    if (!writer.dirty()) return;
    // Of a whole file system one descriptor is enough; a recording's directory may change with the policy.
    auto some = whole ? writer.take_for_file_system_sync() : writer.take_for_sync();
    if (!some) {
      *err = some.error().err;
      return;
    }
    for (Fd& fd : *some) files->push_back(std::move(fd));
    if (whole && files->size() > kSyncEach) *files = one_for_each_file_system(std::move(*files));
  });
  if (whole) *files = one_for_each_file_system(std::move(*files));
  busy_ = true;
  auto done = round_ ? round_() : std::function<void()>();
  auto queued = run_work(
      loop_,
      [files, first, err, whole] {
        if (*first && ::fdatasync(first->get()) != 0) *err = errno;
        first->reset();
        for (const Fd& fd : *files) {
          if ((whole ? ::syncfs(fd.get()) : ::fdatasync(fd.get())) != 0) *err = errno;
        }
        if (*err == 0) files->clear();
      },
      [this, files, err, whole, done = std::move(done), alive = alive_] {
        if (!*alive) return;
        busy_ = false;
        if (*err == 0) {
          if (done) done();
          return;
        }
        // The kernel tells an error once: only a sync that succeeds, of all of them, says that they are
        // there.
        whole_ = whole_ || whole;
        keep(std::move(*files));
        failed(*err);
      });
  if (queued) return;
  busy_ = false;
  whole_ = whole_ || whole;
  keep(std::move(*files));
  failed(queued.error().err);
}

Status RecordingSync::finish(int directory) {
  timer_.stop();
  int err = 0;
  const auto sync = [&err](int fd, int (*how)(int)) {
    if (how(fd) != 0) err = errno;
  };
  if (const Fd first = first_ ? first_() : Fd()) sync(first.get(), ::fdatasync);
  // What a round under way has, too.
  if (directory >= 0)
    sync(directory, ::syncfs);
  else
    err = ENOENT;
  for (const Fd& fd : std::exchange(last_, {})) sync(fd.get(), ::syncfs);
  if (err == 0) return {};
  failed(err);
  return Error{Code::kIo, error_from_errno(err, "sync the recordings").message, err};
}

void RecordingSync::failed(int err) {
  facts_({Level::kError,
          "sync-failed",
          error_from_errno(err, "recordings could not be synced to disk").message,
          {}});
}

}  // namespace opelog::record
