// Recorder: all live sessions of the host, and what concerns more than one of them.
//
// Owns every Session; starts them, finds them, syncs their files to disk on a worker thread, ends them all at
// a stop. Does not decide who is recorded (admission.h) nor talk to unanswered logins (login_server_io.h).
// The guard is told of our own files by hooks, because record/ knows nothing of watch/.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/fact.h"
#include "core/loop_io.h"
#include "core/policy.h"
#include "core/result.h"
#include "record/begun_login.h"
#include "record/disk_space_io.h"
#include "record/exec_only_recording_io.h"
#include "record/exec_source.h"
#include "record/outer_terminal_io.h"
#include "record/recording_sync_io.h"
#include "record/session_io.h"
#include "record/session_start_io.h"
#include "record/user_work_io.h"

namespace opelog::record {

struct RecordingHooks {
  std::function<void(const format::RecordingWriter&)> opened;
  /// Of another daemon's session, whose recording may be elsewhere than new ones.
  std::function<void(const format::RecordingWriter&)> taken_over;
  std::function<void(const format::RecordingWriter&)> closed;
  /// A session is over; its number as exec events have it.
  std::function<void(std::uint64_t number, const format::SessionInfo&)> ended;
  /// Of the ledger's entries: on the disk before the recordings they speak of. May be invalid.
  std::function<Fd()> ledger;
  /// A round of syncing begins: what it returns is called when recordings as they are now are on the disk.
  RecordingSync::Round sync_round;
};

/// Opens the recordings' directory, made with mode 0750 root:`group` if it does not exist. Code::kInvalid if
/// it is not a directory that belongs to root. A directory others may write to is used all the same and
/// reported by doctor.
Result<Fd> open_recordings_directory(const std::string& path, std::uint32_t group);

class Recorder {
 public:
  Recorder(Loop& loop, UserWork& work, FactSink facts, RecordingHooks hooks);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void configure(const Policy& policy, RecordingPlace place);

  /// Where exec events come from; must outlive the sessions. Its sink must call executed() and events_lost().
  void set_exec(ExecSource* source) { exec_ = source; }
  /// What the session's login did before the shim had its verdict, into its recording.
  void precede(StartedSession& session, const HeldEvents& before);
  /// What the shim starts belongs to its session: before the shim has its verdict.
  void follow(const StartedSession& session, int shim_pidfd);
  [[nodiscard]] bool has(std::uint64_t session) { return find(session) != nullptr; }
  /// False if there is no such session any more.
  bool executed(const ProcessEvent& event);
  void events_lost(std::uint64_t session, std::uint64_t count);

  /// Makes the session; the caller sends the verdict and then hands over the shim's connection with run().
  Result<StartedSession> prepare(const Admission& admission, const Hello& hello,
                                 std::unique_ptr<OuterTerminal>& outer, format::SessionInfo info);
  Status run(SessionParts parts);
  /// One that will not run after all: its recording ends so.
  void discard(StartedSession& session, format::EndReason why);

  /// A recording without a session, for what is only seen to be executed. `info` but for the id; `begun` is
  /// the zero of its delays.
  Result<std::unique_ptr<ExecOnlyRecording>> open_exec_only(format::SessionInfo info, MonoUs begun);
  void close_exec_only(ExecOnlyRecording& recording, const format::EndInfo& end);

  // ---- over the daemon's end (session_keep_io.cc)

  /// Where sessions are kept for the next daemon; nullptr: nowhere. Before the first session. `buffer` is the
  /// one of the former daemon, or empty.
  Status set_store(FdStore* store, SharedMemory buffer);
  /// Goes on with the former daemon's sessions; those that cannot are ended and stated. After configure().
  void take_over(std::map<std::string, std::vector<Fd>> sessions);
  /// Ends what is not kept; then, once only_kept(), hand_over() leaves the rest to the next daemon.
  void end_unkept();
  [[nodiscard]] bool only_kept() const;
  /// Live sessions that end with the daemon because the store has no room for them.
  [[nodiscard]] std::size_t without_room() const;
  void hand_over();
  /// Begins a round of syncing, unless one is under way.
  void sync() { sync_.sync(); }

  [[nodiscard]] int count() const noexcept { return static_cast<int>(sessions_.size()); }
  [[nodiscard]] int count_of(std::uint32_t uid) const;
  /// Calls on terminals of his sessions that run or wait.
  [[nodiscard]] std::size_t calls_of(std::uint32_t uid) const { return work_.count_of(uid); }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  /// Bytes of output of all sessions, ended ones too.
  [[nodiscard]] std::uint64_t bytes_out() const;
  /// Whether one of these processes (started at clock ticks after boot, one for each) is the shim or the
  /// shell of a live session.
  [[nodiscard]] bool covers(const std::vector<format::Ancestor>& ancestry,
                            const std::vector<std::uint64_t>& started) const;
  /// Whether a live session's login was started below that process.
  [[nodiscard]] bool descends_from(std::int64_t pid, std::uint64_t started) const;
  /// Visits all live sessions.
  void each(const std::function<void(const Session&)>& visit) const;
  /// By session id or recording name, unique prefix.
  Result<std::string> kill(const std::string& which, const std::string& who);
  /// Ends all sessions; returns at once, gone() tells when none is left.
  void shutdown();
  /// Then: blocks until every recording is on the disk.
  Status sync_all();
  [[nodiscard]] bool idle() const noexcept { return sessions_.empty(); }
  /// What is free where recordings are.
  [[nodiscard]] DiskSpace& disk() noexcept { return disk_; }
  [[nodiscard]] std::string describe() const;

 private:
  Session& add(SessionParts parts);
  void give_up(const std::string& slot, const std::string& id, std::vector<Fd> fds, const std::string& why);
  void no_room(const Session& session, const std::string& why);
  void keep_more();
  Status may_begin(std::uint32_t uid);
  std::shared_ptr<TokenBucket> output_of(std::uint32_t uid);
  void gone(const std::string& id);
  void seal_exec_only();
  Session* find(std::uint64_t number);

  Loop& loop_;
  UserWork& work_;
  FactSink facts_;
  RecordingHooks hooks_;
  ExecSource* exec_ = nullptr;
  Policy policy_;
  RecordingPlace place_;
  FdStore* store_ = nullptr;
  SharedMemory shared_buffer_;  ///< of a RelayBuffer
  std::unique_ptr<RelayBuffer> own_buffer_ = std::make_unique<RelayBuffer>();
  RelayBuffer* buffer_ = own_buffer_.get();
  DiskSpace disk_;                                                          ///< outlives the recordings
  std::unordered_map<std::uint32_t, std::shared_ptr<TokenBucket>> output_;  ///< of users, where it has a rate
  std::map<std::string, std::unique_ptr<Session>> sessions_;                ///< by id
  std::set<ExecOnlyRecording*> exec_only_;                                  ///< their owners close them
  std::vector<std::unique_ptr<Session>> leaving_;  ///< deleted in the next turn, outside their own calls
  std::unordered_map<std::uint32_t, int> by_uid_;
  std::uint64_t total_ = 0, bytes_ended_ = 0;
  bool told_no_room_ = false;
  Timer sweep_;
  Timer settle_;  ///< after take_over()
  Timer seals_;   ///< of recordings without a session, which have no timer of their own
  Timer room_;    ///< while sessions are not kept for want of room
  RecordingSync sync_;
};

}  // namespace opelog::record
