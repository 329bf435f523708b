#include "watch/guard_io.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/append_only_io.h"
#include "core/clock_io.h"
#include "core/fd_io.h"
#include "watch/guarded_file_io.h"
#include "watch/inotify_decode.h"

namespace opelog::watch {

static_assert(mask::kModify == IN_MODIFY && mask::kAttrib == IN_ATTRIB &&
              mask::kCloseWrite == IN_CLOSE_WRITE && mask::kCloseNoWrite == IN_CLOSE_NOWRITE &&
              mask::kMovedFrom == IN_MOVED_FROM && mask::kMovedTo == IN_MOVED_TO &&
              mask::kCreate == IN_CREATE && mask::kDelete == IN_DELETE &&
              mask::kDeleteSelf == IN_DELETE_SELF && mask::kMoveSelf == IN_MOVE_SELF &&
              mask::kUnmount == IN_UNMOUNT && mask::kOverflow == IN_Q_OVERFLOW &&
              mask::kIgnored == IN_IGNORED && mask::kIsDirectory == IN_ISDIR);

namespace {

// No IN_MODIFY: our recorder writes in such a directory thousands of times a second. IN_CLOSE_NOWRITE,
// because chattr raises nothing else.
constexpr std::uint32_t kDirectoryMask = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |
                                         IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_DELETE_SELF | IN_MOVE_SELF |
                                         IN_EXCL_UNLINK | IN_ONLYDIR;

// 8 KiB: at most 512 events, as a rule 170, so that a turn with a flag to set for each stays below 4 ms.
constexpr std::size_t kReadBytes = 8192;
// Raw events kept for the dump: one burst of a login and what came before it.
constexpr std::size_t kRingEvents = 256;

constexpr const char* kMoreDescriptors = "raise the daemon's LimitNOFILE";

Error watch_error(int err) {
  return error_from_errno(err, err == ENOSPC ? "inotify watches are used up" : "watch");
}

}  // namespace

struct Guard::State {
  struct Watched {
    std::string path;
    Fd fd;
    Place place;
    int wd = -1;
    std::unordered_map<std::uint64_t, int> files;  ///< inode to watch; bounded by GuardLimits::file_watches
    bool scanning = false;
    Why scan_why = Why::kSweep;
  };
  struct FileWatch {
    DirectoryId directory = 0;
    std::uint64_t inode = 0;
  };
  struct RingEvent {
    MonoUs when = 0;
    InotifyEvent event;
  };

  State(Loop& l, FactSink f, GuardLimits limits)
      : loop(l), facts(std::move(f)), table(limits), timer(l, [this] { tick(); }), scanner(l, [this] {
          scan();
        }) {}

  Loop& loop;
  FactSink facts;
  LiveSize live_size;
  GuardTable table;
  Fd inotify;
  std::unique_ptr<Poll> poll;
  Timer timer;    ///< the table's deadline
  Timer scanner;  ///< the next slice of a scan
  std::optional<MonoUs> timer_at;
  std::map<DirectoryId, Watched> directories;
  std::unordered_map<int, DirectoryId> directory_watches;
  std::unordered_map<int, FileWatch> file_watches;
  DirectoryId scanned_last = 0;
  std::deque<Action> actions;
  bool acting = false;
  std::deque<RingEvent> ring;
  std::vector<Done> waiting;  ///< for the rotation under way

  void tell(const Event& event);
  void act(const Action& action);
  void act_on(const action::Arm& a);
  void act_on(const action::Disarm& a);
  void act_on(const action::Examine& a);
  void act_on(const action::WatchFile& a);
  void act_on(const action::UnwatchFile& a);
  void act_on(const action::Flag& a);
  void act_on(const action::Rescan& a);
  void act_on(const action::State& a) { facts(a.fact); }
  void act_on(const action::Rotated& a);

  void look(DirectoryId id, const std::string& name, Why why);
  void release(Watched& w);
  void tick();
  void scan();
  void readable(int error);
  void take(std::string_view bytes);
  void take(const InotifyEvent& event);
};

// ---- the machine's turn

void Guard::State::tell(const Event& event) {
  for (Action& action : table.step(event, mono_now())) actions.push_back(std::move(action));
  if (acting) return;  // the outermost call works the queue off, in order
  acting = true;
  while (!actions.empty()) {
    const Action next = std::move(actions.front());
    actions.pop_front();
    std::visit([this](const auto& a) { act_on(a); }, next);
  }
  acting = false;
  const std::optional<MonoUs> wanted = table.deadline();
  if (wanted == timer_at) return;
  timer_at = wanted;
  if (wanted) {
    timer.start_at(*wanted, mono_now());
  } else {
    timer.stop();
  }
}

void Guard::State::tick() {
  timer_at.reset();
  tell(event::Tick{});
}

void Guard::State::act_on(const action::Rotated& a) {
  const std::vector<Done> done = std::exchange(waiting, {});
  for (const Done& d : done) {
    if (d) d(a.files);
  }
}

// ---- directories

void Guard::State::release(Watched& w) {
  for (const auto& [inode, wd] : w.files) {
    file_watches.erase(wd);
    ::inotify_rm_watch(inotify.get(), wd);
  }
  w.files.clear();
  if (w.wd >= 0) {
    directory_watches.erase(w.wd);
    ::inotify_rm_watch(inotify.get(), w.wd);
  }
  w.wd = -1;
  w.fd.reset();
  w.place = {};
  w.scanning = false;
}

void Guard::State::act_on(const action::Arm& a) {
  Watched& w = directories[a.directory];
  w.path = a.path;
  event::ArmDone done;
  done.directory = a.directory;
  const auto found = find_directory(a.path);
  if (found && w.fd && w.wd >= 0 && *found == w.place) {
    done.outcome = ArmOutcome::kUnchanged;
    return tell(done);
  }
  const bool unwatched = found && w.fd && *found == w.place;  // armed, but only sweeps guard it
  if (!unwatched) release(w);
  const auto refuse = [&](const Error& error) {
    release(w);
    done.outcome = error.code == Code::kNotFound ? ArmOutcome::kAbsent : ArmOutcome::kRefused;
    done.reason = error.message;
    done.remedy = error.code == Code::kNotFound ? "create the directory"
                  : error.code == Code::kLimit  ? kMoreDescriptors
                                                : "name a real directory in the policy";
    tell(done);
  };
  if (!found) return refuse(found.error());
  for (const auto& [id, other] : directories) {
    if (id == a.directory || !other.fd || other.place.inode != found->inode ||
        other.place.device != found->device) {
      continue;
    }
    done.outcome = ArmOutcome::kAlias;
    done.alias_of = id;
    return tell(done);
  }
  if (!unwatched) {
    auto opened = open_directory(a.path);
    if (!opened) return refuse(opened.error());
    w.fd = std::move(opened->fd);
    w.place = opened->place;
    const auto probed = probe_append_only(a.path);
    done.supported = probed.ok() || probed.error().code != Code::kUnsupported;
    if (!done.supported) done.reason = probed.error().message;
  }
  // By descriptor, so that it is this very directory and not what the path leads to by now.
  const std::string self = "/proc/self/fd/" + std::to_string(w.fd.get());
  w.wd = ::inotify_add_watch(inotify.get(), self.c_str(), kDirectoryMask);
  const int refused = w.wd < 0 ? errno : 0;
  if (refused != 0) {
    if (unwatched) return;  // stated when it began
    done.watched = false;
    done.reason = watch_error(refused).message;
    done.remedy = "raise fs.inotify.max_user_watches";
  } else {
    directory_watches[w.wd] = a.directory;
  }
  done.outcome = ArmOutcome::kArmed;
  done.inode = w.place.inode;
  done.device = w.place.device;
  tell(done);
}

void Guard::State::act_on(const action::Disarm& a) {
  const auto it = directories.find(a.directory);
  if (it == directories.end()) return;
  release(it->second);
  directories.erase(it);
}

// ---- files

void Guard::State::look(DirectoryId id, const std::string& name, Why why) {
  const auto it = directories.find(id);
  if (it == directories.end() || !it->second.fd) return;
  event::Looked looked;
  looked.directory = id;
  looked.name = name;
  looked.look = look_at(it->second.fd.get(), it->second.place, name);
  looked.why = why;
  if (live_size && looked.look.kind == FileKind::kRegular && table.is_live(id, looked.look.inode)) {
    looked.expected_size = live_size(looked.look.inode);
  }
  tell(looked);
}

void Guard::State::act_on(const action::Examine& a) {
  look(a.directory, a.name, a.why);
}

void Guard::State::act_on(const action::WatchFile& a) {
  const auto it = directories.find(a.directory);
  if (it == directories.end() || !it->second.fd) return;
  Watched& w = it->second;
  event::WatchRefused refused;
  refused.directory = a.directory;
  refused.inode = a.inode;
  const PinnedFile pinned = pin_file(w.fd.get(), w.place, a.name, a.inode);
  if (!pinned.fd) {
    refused.reason = pinned.reason;
    refused.passing = pinned.outcome != FlagOutcome::kFailed;
    refused.remedy = kMoreDescriptors;
    return tell(refused);
  }
  const std::string self = "/proc/self/fd/" + std::to_string(pinned.fd.get());
  const int wd = ::inotify_add_watch(inotify.get(), self.c_str(), IN_MODIFY);
  if (wd < 0) {
    refused.reason = watch_error(errno).message;
    return tell(refused);
  }
  w.files[a.inode] = wd;
  file_watches[wd] = {a.directory, a.inode};
  if (look_at(pinned.fd.get(), w.place).size > 0) look(a.directory, a.name, Why::kTouched);
}

void Guard::State::act_on(const action::UnwatchFile& a) {
  const auto it = directories.find(a.directory);
  if (it == directories.end()) return;
  const auto file = it->second.files.find(a.inode);
  if (file == it->second.files.end()) return;
  file_watches.erase(file->second);
  ::inotify_rm_watch(inotify.get(), file->second);
  it->second.files.erase(file);
}

void Guard::State::act_on(const action::Flag& a) {
  const auto it = directories.find(a.directory);
  if (it == directories.end() || !it->second.fd) return;
  tell(change_flag(it->second.fd.get(), it->second.place, a));
}

// ---- scans

void Guard::State::act_on(const action::Rescan& a) {
  const auto it = directories.find(a.directory);
  if (it == directories.end() || !it->second.fd) return;
  rewind_entries(it->second.fd.get());
  it->second.scanning = true;
  it->second.scan_why = a.why;
  if (!scanner.active()) scanner.start(0);
}

void Guard::State::scan() {
  // The next directory in turn that has something left: one huge directory does not keep others waiting.
  auto it = directories.upper_bound(scanned_last);
  for (std::size_t n = 0; n <= directories.size(); ++n, ++it) {
    if (it == directories.end()) it = directories.begin();
    if (it == directories.end()) return;
    if (it->second.scanning) break;
  }
  if (!it->second.scanning) return;
  const DirectoryId id = scanned_last = it->first;
  const Why why = it->second.scan_why;
  const auto names = read_entries(it->second.fd.get());
  if (!names) {
    it->second.scanning = false;
    tell(event::ScanFailed{id, names.error().message, names.error().code == Code::kNotFound});
  } else if (names->empty()) {
    it->second.scanning = false;
    tell(event::ScanEnded{id, why});
  } else {
    for (const std::string& name : *names) look(id, name, why);
  }
  const bool more = std::any_of(directories.begin(), directories.end(),
                                [](const auto& entry) { return entry.second.scanning; });
  // A sweep is in no hurry: it leaves a millisecond to others between two slices.
  if (more) scanner.start(why == Why::kSweep ? 1 : 0);
}

// ---- events

void Guard::State::readable(int error) {
  alignas(inotify_event) std::array<char, kReadBytes> buffer;
  if (error != 0) {
    facts(Fact{Level::kError,
               "guard-degraded",
               "the inotify descriptor cannot be watched; only sweeps guard",
               {{"reason", error_from_errno(error, "poll").message}, {"remedy", "restart the daemon"}}});
    return;
  }
  const ssize_t n = ::read(inotify.get(), buffer.data(), buffer.size());
  if (n > 0) take(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
}

void Guard::State::take(std::string_view bytes) {
  const DecodedEvents decoded = decode_inotify(bytes);
  for (const InotifyEvent& event : decoded.events) {
    if (ring.size() == kRingEvents) ring.pop_front();
    ring.push_back(RingEvent{mono_now(), event});
    take(event);
  }
  if (decoded.fault != DecodeFault::kNone) {
    tell(event::Overflowed{std::string("malformed event: ") + fault_name(decoded.fault)});
  }
}

void Guard::State::take(const InotifyEvent& event) {
  if ((event.mask & mask::kOverflow) != 0) return tell(event::Overflowed{"the kernel's queue was full"});
  if (const auto it = file_watches.find(event.wd); it != file_watches.end()) {
    const FileWatch watch = it->second;
    if ((event.mask & mask::kIgnored) != 0) {  // the file is gone
      if (const auto d = directories.find(watch.directory); d != directories.end())
        d->second.files.erase(watch.inode);
      file_watches.erase(it);
      return;
    }
    return tell(event::FileModified{watch.directory, watch.inode});
  }
  const auto it = directory_watches.find(event.wd);
  if (it == directory_watches.end()) return;  // queued before its watch was removed
  const DirectoryId id = it->second;
  if ((event.mask & mask::kIgnored) != 0) {
    directory_watches.erase(it);
    directories[id].wd = -1;
  }
  tell(event::Notified{id, event.mask, event.name});
}

// ---- what others call

Guard::Guard(std::unique_ptr<State> state) : state_(std::move(state)) {}
Guard::~Guard() = default;

Result<std::unique_ptr<Guard>> Guard::open(Loop& loop, FactSink facts, GuardLimits limits) {
  auto state = std::make_unique<State>(loop, std::move(facts), limits);
  state->inotify = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!state->inotify)
    return error_from_errno(errno, "create an inotify descriptor (fs.inotify.max_user_instances?)");
  State* self = state.get();
  auto poll = Poll::open(loop, self->inotify.get(), [self](int, int error) { self->readable(error); });
  if (!poll) return std::move(poll).error();
  self->poll = std::move(*poll);
  if (auto watched = self->poll->watch(Poll::kReadable); !watched) return std::move(watched).error();
  return std::unique_ptr<Guard>(new Guard(std::move(state)));
}

void Guard::configure(const std::vector<GuardedDirectory>& directories, int sweep_ms) {
  state_->tell(event::Configured{directories, sweep_ms});
}

void Guard::set_live_size(LiveSize live_size) {
  state_->live_size = std::move(live_size);
}

void Guard::own_created(const std::string& directory, const std::string& name, std::uint64_t inode,
                        bool flagged) {
  state_->tell(event::OwnCreated{directory, name, inode, flagged});
}

void Guard::own_closed(std::uint64_t inode, std::uint64_t size) {
  state_->tell(event::OwnClosed{inode, size});
}
void Guard::own_removed(std::uint64_t inode) {
  state_->tell(event::OwnRemoved{inode});
}

void Guard::thaw(int seconds, Done done) {
  if (seconds < 1 || seconds > kThawSecondsLimit) {
    if (done) done(Error{Code::kInvalid, "seconds must be 1 to " + std::to_string(kThawSecondsLimit), 0});
    return;
  }
  if (state_->table.rotating()) {
    if (done) done(Error{Code::kExists, "another thaw or freeze is under way", 0});
    return;
  }
  state_->waiting.push_back(std::move(done));
  state_->tell(event::Thaw{seconds});
}

void Guard::freeze(Done done) {
  if (state_->table.rotating() && state_->table.thawed()) {
    if (done) done(Error{Code::kExists, "a thaw is under way", 0});
    return;
  }
  const bool joins = state_->table.rotating();  // the thaw's time was over at this moment
  if (joins && state_->waiting.size() >= 32) {  // as many as there are control connections
    if (done) done(Error{Code::kLimit, "too many wait for a freeze", 0});
    return;
  }
  state_->waiting.push_back(std::move(done));
  if (!joins) state_->tell(event::Freeze{});
}

GuardStatus Guard::status() const {
  return state_->table.status();
}

std::string Guard::describe() const {
  std::string out = state_->table.describe();
  out += "  last " + std::to_string(state_->ring.size()) +
         " inotify events (microseconds, watch, what, name):\n";
  for (const State::RingEvent& r : state_->ring) {
    out += "    " + std::to_string(r.when) + " " + std::to_string(r.event.wd) + " " +
           mask_words(r.event.mask) +
           (r.event.cookie != 0 ? " cookie " + std::to_string(r.event.cookie) : "") + " " +
           printable(r.event.name) + "\n";
  }
  return out;
}

void Guard::inject(std::string_view bytes) {
  state_->take(bytes);
}

}  // namespace opelog::watch
