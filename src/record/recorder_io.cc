#include "record/recorder_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/clock_io.h"
#include "record/kept_sessions_io.h"

namespace opelog::record {
namespace {

// Of an ambiguous prefix: what a person reads.
constexpr std::size_t kCandidatesNamed = 5;
constexpr std::uint64_t kSettledMs =
    20;                                  // a daemon that lives so long does not die of a session it took over
constexpr std::uint64_t kRoomMs = 1000;  // between looks whether the store has room again
constexpr std::uint64_t kSealTickMs = 500;  // a seal is due a second after what it covers

}  // namespace

Result<Fd> open_recordings_directory(const std::string& path, std::uint32_t group) {
  auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd && fd.error().err == ENOENT) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return error_from_errno(errno, "make " + path);
    fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd && (::fchown(fd->get(), 0, group) != 0 || ::fchmod(fd->get(), 0750) != 0)) {
      return error_from_errno(errno, "set up " + path);
    }
  }
  if (!fd) return std::move(fd).error();
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) return error_from_errno(errno, path);
  if (st.st_uid != 0)
    return Error{
        Code::kInvalid,
        path + ": belongs to uid " + std::to_string(st.st_uid) + ", not to root; run: chown root " + path, 0};
  return fd;
}

Recorder::Recorder(Loop& loop, UserWork& work, FactSink facts, RecordingHooks hooks)
    : loop_(loop),
      work_(work),
      facts_(std::move(facts)),
      hooks_(std::move(hooks)),
      disk_(loop, facts_, [this] { return !sessions_.empty() || !exec_only_.empty(); }),
      sweep_(loop, [this] { leaving_.clear(); }),
      settle_(loop,
              [this] {
                for (auto& [id, session] : sessions_) session->settled();
              }),
      seals_(loop, [this] { seal_exec_only(); }),
      room_(loop, [this] { keep_more(); }),
      sync_(
          loop, facts_,
          [this](const RecordingSync::Visit& visit) {
            for (auto& [id, session] : sessions_) visit(session->writer());
            for (ExecOnlyRecording* recording : exec_only_) visit(recording->writer());
          },
          hooks_.ledger, hooks_.sync_round) {}

Recorder::~Recorder() = default;

void Recorder::configure(const Policy& policy, RecordingPlace place) {
  if (policy.output_rate_per_user != policy_.output_rate_per_user) output_.clear();
  policy_ = policy;
  place_ = std::move(place);
  disk_.configure(policy_.directory, policy_.disk_reserve);
  sync_.configure(policy_.sync_interval_ms);
}

Result<StartedSession> Recorder::prepare(const Admission& admission, const Hello& hello,
                                         std::unique_ptr<OuterTerminal>& outer, format::SessionInfo info) {
  if (auto may = may_begin(info.uid); !may) return std::move(may).error();
  // Opened for each session: a directory that was moved away or made anew meanwhile is found where it is now.
  auto directory = open_recordings_directory(policy_.directory, place_.file_group);
  if (!directory) return std::move(directory).error();
  RecordingPlace place = place_;
  place.directory = directory->get();
  place.store = store_;
  auto started = start_session(policy_, place, admission, hello, outer, std::move(info));
  if (!started) return started;
  if (hooks_.opened) hooks_.opened(*started->parts.writer);  // before the guard can see it
  return started;
}

// Where little is free, a recording that begins counts as a block of each of its two files.
Status Recorder::may_begin(std::uint32_t uid) {
  constexpr std::uint64_t kBegun = 8192;
  disk_.watch();
  if (!disk_.reserve().may_write(uid)) return Error{Code::kLimit, kNoPart, 0};
  disk_.reserve().wrote(uid, kBegun);
  return {};
}

std::shared_ptr<TokenBucket> Recorder::output_of(std::uint32_t uid) {
  if (policy_.output_rate_per_user == 0) return nullptr;
  const MonoUs now = mono_now();
  // One that is in use or not full yet stays: who logs in again gets no new one.
  std::erase_if(output_, [now](const auto& entry) {
    return entry.second.use_count() == 1 && entry.second->available(now) == entry.second->most();
  });
  auto& bucket = output_[uid];
  if (!bucket) bucket = std::make_shared<TokenBucket>(output_bucket(policy_.output_rate_per_user, now));
  return bucket;
}

Result<std::unique_ptr<ExecOnlyRecording>> Recorder::open_exec_only(format::SessionInfo info, MonoUs begun) {
  if (auto may = may_begin(info.uid); !may) return std::move(may).error();
  auto directory = open_recordings_directory(policy_.directory, place_.file_group);
  if (!directory) return std::move(directory).error();
  RecordingPlace place = place_;
  place.directory = directory->get();
  auto id = new_session_id();
  if (!id) return std::move(id).error();
  info.id = std::move(*id);
  auto writer = open_recording(policy_, place, info, begun);
  if (!writer) return std::move(writer).error();
  if (hooks_.opened) hooks_.opened(**writer);
  auto recording = std::make_unique<ExecOnlyRecording>(std::move(info), std::move(*writer), disk_.reserve());
  exec_only_.insert(recording.get());
  if (!seals_.active()) seals_.start(kSealTickMs, kSealTickMs);
  return recording;
}

void Recorder::close_exec_only(ExecOnlyRecording& recording, const format::EndInfo& end) {
  if (const Status written = recording.end(end); !written)
    facts_({Level::kError,
            "record-failed",
            "the end could not be recorded: " + written.error().message,
            {{"session", recording.info().id}, {"recording", recording.writer().name()}}});
  exec_only_.erase(&recording);
  if (exec_only_.empty()) seals_.stop();
  if (hooks_.closed) hooks_.closed(recording.writer());
  sync_.closed(recording.writer());
}

void Recorder::precede(StartedSession& session, const HeldEvents& before) {
  if (before.events.empty() && before.missing == 0) return;
  const MonoUs now = mono_now();
  ExecLog log(*session.parts.writer);
  for (const ProcessEvent& event : before.events) log.take(event, now);
  if (before.missing > 0) log.lost(before.missing, kMoreBefore, now);
  session.parts.exec_missing = log.missing();
}

// What cannot be written now is tried again by the next tick.
void Recorder::seal_exec_only() {
  for (ExecOnlyRecording* recording : exec_only_) (void)recording->writer().flush(mono_now());
}

void Recorder::follow(const StartedSession& session, int shim_pidfd) {
  if (exec_ == nullptr) return;
  const format::SessionInfo& info = session.parts.info;
  const Status joined = exec_->join(shim_pidfd, session_number(info.id), Membership::kChildrenOnly);
  if (joined) return;
  (void)session.parts.writer->gap({"exec", "the session could not be followed: " + joined.error().message},
                                  mono_now());
  facts_({Level::kWarning,
          "exec-unfollowed",
          "what is executed in a session of " + info.user + " is not recorded: " + joined.error().message,
          {{"session", info.id}, {"user", info.user}}});
}

Session* Recorder::find(std::uint64_t number) {
  const auto it = sessions_.find(session_id(number));
  return it != sessions_.end() ? it->second.get() : nullptr;
}

bool Recorder::executed(const ProcessEvent& event) {
  Session* session = find(event.session);
  if (session == nullptr) return false;
  if (session->finished()) {
    if (hooks_.ended) hooks_.ended(event.session, session->info());
    return false;
  }
  session->executed(event);
  return true;
}

void Recorder::events_lost(std::uint64_t number, std::uint64_t count) {
  static const std::string kWhy = "more happened than could be fetched in time";
  if (number == 0) {
    for (const auto& [id, session] : sessions_) session->events_lost(count, kWhy);
  } else if (Session* session = find(number)) {
    session->events_lost(count, kWhy);
  }
}

void Recorder::discard(StartedSession& session, format::EndReason why) {
  format::EndInfo end;
  end.reason = why;
  (void)session.parts.writer->end(end, mono_now());
  if (exec_ != nullptr) exec_->forget(session_number(session.parts.info.id));
  if (hooks_.closed) hooks_.closed(*session.parts.writer);
  sync_.closed(*session.parts.writer);
  // To give the outer one back, and to close the inner one, may wait for their user.
  session.descriptors.clear();
  work_.drop(session.parts.info.uid, std::make_shared<InnerTerminal>(std::move(session.parts.inner)));
  work_.drop(session.parts.info.uid, std::shared_ptr<OuterTerminal>(std::move(session.parts.outer)));
}

Session& Recorder::add(SessionParts parts) {
  const std::string id = parts.info.id;
  parts.exec = exec_;
  parts.reserve = &disk_.reserve();
  parts.output_of_user = output_of(parts.info.uid);
  auto session = std::make_unique<Session>(loop_, work_, *buffer_, facts_, std::move(parts),
                                           [this](const std::string& which) { gone(which); });
  Session& s = *session;
  ++by_uid_[s.info().uid];
  sessions_.emplace(id, std::move(session));
  return s;
}

Status Recorder::run(SessionParts parts) {
  Session& s = add(std::move(parts));
  ++total_;
  facts_({Level::kInfo,
          "session-start",
          s.info().user + (s.info().terminal ? " on " + s.info().tty : std::string(" without a terminal")),
          {{"session", s.info().id},
           {"user", s.info().user},
           {"uid", std::to_string(s.info().uid)},
           {"client", s.info().client.empty() ? "UNKNOWN" : s.info().client},
           {"how", s.info().how},
           {"rule", s.info().rule},
           {"recording", s.writer().name()}}});
  auto started = s.start();
  if (!started)
    s.shutdown();
  else if (const Status kept = s.keep(); !kept)
    no_room(s, kept.error().message);
  return started;
}

void Recorder::no_room(const Session& session, const std::string& why) {
  if (!room_.active()) room_.start(kRoomMs, kRoomMs);
  if (std::exchange(told_no_room_, true)) return;
  facts_(
      {Level::kWarning,
       "store-full",
       why + ": this session and others that find no room end when opelogd does, unless room is found before",
       {{"session", session.info().id}, {"user", session.info().user}}});
}

// Those that began when there was no room.
void Recorder::keep_more() {
  for (auto& [id, session] : sessions_) {
    if (session->found_no_room()) (void)session->keep();
  }
  if (without_room() == 0) room_.stop();
}

std::size_t Recorder::without_room() const {
  return static_cast<std::size_t>(std::count_if(sessions_.begin(), sessions_.end(),
                                                [](const auto& s) { return s.second->found_no_room(); }));
}

// ---- over the daemon's end

Status Recorder::set_store(FdStore* store, SharedMemory buffer) {
  const bool another = static_cast<bool>(buffer);
  if (!another) {
    store->remove(kKeptBufferName);  // of another layout, if there is one
    auto made = SharedMemory::create("opelog-relay", sizeof(RelayBuffer));
    if (!made) return std::move(made).error();
    buffer = std::move(*made);
  }
  shared_buffer_ = std::move(buffer);
  buffer_ = static_cast<RelayBuffer*>(shared_buffer_.data());
  if (!another) {
    buffer_->prepare();
    (void)store->put({{kKeptBufferName, {shared_buffer_.fd()}}});
  }
  own_buffer_.reset();
  store_ = store;
  return {};
}

void Recorder::take_over(std::map<std::string, std::vector<Fd>> kept) {
  RecordingPlace place = place_;
  place.store = store_;
  std::vector<Session*> resumed;
  for (auto& [slot, fds] : kept) {
    const std::string id = kept_id(fds);
    auto parts = resume_session(id, fds, place);
    if (!parts) {
      give_up(slot, id, std::move(fds), parts.error().message);
      continue;
    }
    parts->slot = slot;
    Session& session = add(std::move(*parts));
    if (hooks_.taken_over) hooks_.taken_over(session.writer());
    if (auto recovered = session.recover(); !recovered) {
      session.shutdown();
      continue;
    }
    resumed.push_back(&session);
  }
  buffer_->prepare();  // what a former daemon left in it is in its session's memory now
  for (Session* session : resumed) session->go_on();
  if (resumed.empty()) return;
  disk_.watch();
  settle_.start(kSettledMs);
}

void Recorder::give_up(const std::string& slot, const std::string& id, std::vector<Fd> fds,
                       const std::string& why) {
  facts_({Level::kError, "session-lost", why, {{"session", id}}});
  shut_kept_sockets(fds);
  const std::uint32_t uid = user_of(fds);
  auto ending = std::make_shared<std::vector<Fd>>(std::move(fds));
  work_.run(
      uid, [ending] { end_kept(*ending); },
      [store = store_, slot] {
        store->remove(kept_outer_name(slot));
        store->remove(kept_name(slot));
      });
}

void Recorder::end_unkept() {
  room_.stop();
  std::vector<std::string> ids;
  for (const auto& [id, session] : sessions_) {
    if (!session->kept()) ids.push_back(id);
  }
  for (const std::string& id : ids) {
    if (auto it = sessions_.find(id); it != sessions_.end()) it->second->shutdown();
  }
}

bool Recorder::only_kept() const {
  return std::all_of(sessions_.begin(), sessions_.end(), [](const auto& s) { return s.second->kept(); });
}

void Recorder::hand_over() {
  for (auto& [id, session] : sessions_) {
    // Also one whose end is written and whose terminal somebody keeps waiting.
    if (session->kept() || session->finished()) session->hand_over();
  }
}

void Recorder::gone(const std::string& id) {
  auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  if (exec_ != nullptr) exec_->forget(session_number(id));
  if (hooks_.ended) hooks_.ended(session_number(id), it->second->info());
  if (hooks_.closed) hooks_.closed(it->second->writer());
  sync_.closed(it->second->writer());
  bytes_ended_ += it->second->bytes_out();
  auto uid = by_uid_.find(it->second->info().uid);
  if (uid != by_uid_.end() && --uid->second == 0) by_uid_.erase(uid);
  leaving_.push_back(std::move(it->second));
  sessions_.erase(it);
  sweep_.start(0);
}

std::uint64_t Recorder::bytes_out() const {
  std::uint64_t all = bytes_ended_;
  for (const auto& [id, session] : sessions_) all += session->bytes_out();
  return all;
}

int Recorder::count_of(std::uint32_t uid) const {
  auto it = by_uid_.find(uid);
  return it == by_uid_.end() ? 0 : it->second;
}

bool Recorder::covers(const std::vector<format::Ancestor>& ancestry,
                      const std::vector<std::uint64_t>& started) const {
  for (const auto& [id, session] : sessions_) {
    for (std::size_t i = 0; i < ancestry.size() && i < started.size(); ++i) {
      if (session->is_process_of(ancestry[i].pid, started[i])) return true;
    }
  }
  return false;
}

bool Recorder::descends_from(std::int64_t pid, std::uint64_t started) const {
  return std::any_of(sessions_.begin(), sessions_.end(),
                     [pid, started](const auto& s) { return s.second->descends_from(pid, started); });
}

void Recorder::each(const std::function<void(const Session&)>& visit) const {
  for (const auto& [id, session] : sessions_) visit(*session);
}

Result<std::string> Recorder::kill(const std::string& which, const std::string& who) {
  if (which.empty()) return Error{Code::kInvalid, "name a session", 0};
  Session* found = nullptr;
  std::string candidates;
  std::size_t count = 0;
  for (const auto& [id, session] : sessions_) {
    const std::string& name = session->writer().name();
    if (id == which || name == which) {
      found = session.get();
      count = 1;
      break;
    }
    if (id.rfind(which, 0) != 0 && name.rfind(which, 0) != 0) continue;
    found = session.get();
    if (++count <= kCandidatesNamed) candidates += (count > 1 ? ", " : "") + id + " (" + name + ")";
  }
  if (found == nullptr) return Error{Code::kNotFound, which + ": no such live session", 0};
  if (count > kCandidatesNamed) candidates += " and " + std::to_string(count - kCandidatesNamed) + " more";
  if (count > 1)
    return Error{
        Code::kInvalid,
        "\"" + which + "\" fits several live sessions: " + candidates + "; write more of the id or name", 0};
  std::string id = found->info().id;
  facts_({Level::kWarning,
          "session-kill",
          "session of " + found->info().user + " is ended by " + who,
          {{"session", id}, {"user", found->info().user}, {"recording", found->writer().name()}}});
  found->kill(who);
  return id;
}

void Recorder::shutdown() {
  room_.stop();
  std::vector<std::string> ids;
  for (const auto& [id, session] : sessions_) ids.push_back(id);
  for (const std::string& id : ids) {
    if (auto it = sessions_.find(id); it != sessions_.end()) it->second->shutdown();
  }
}

Status Recorder::sync_all() {
  auto directory = open_recordings_directory(policy_.directory, place_.file_group);
  return sync_.finish(directory ? directory->get() : -1);
}

std::string Recorder::describe() const {
  std::string text = "recorder sessions=" + std::to_string(sessions_.size()) +
                     " leaving=" + std::to_string(leaving_.size()) + " total=" + std::to_string(total_) +
                     (sync_.busy() ? " syncing" : "") + "\n" + disk_.describe();
  for (const auto& [id, session] : sessions_) text += session->describe() + "\n";
  return text;
}

}  // namespace opelog::record
