// Daemon: puts recorder, login server, guard, ledger, retention, hooks and control server on one loop and
// feeds them the configuration.
//
// Composition only: what each does is decided in its own room. Order of life: log, loop, then everything that
// has handles; all of it ends before the loop does. A configuration is loaded whole on a worker thread and
// swapped in one turn; a broken one changes nothing but the status. In three files: daemon_end_io.cc is how
// it ends, daemon_control_io.cc what the control socket asks, daemon_io.cc all else.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/config_io.h"
#include "app/event_hooks_io.h"
#include "app/host_ledger_io.h"
#include "core/event_counts.h"
#include "core/fact.h"
#include "core/log_io.h"
#include "core/loop_io.h"
#include "core/policy_file_io.h"
#include "record/connection_watch_io.h"
#include "record/control_server_io.h"
#include "record/entry_desk_io.h"
#include "record/exec_source.h"
#include "record/fd_store_io.h"
#include "record/kept_sessions_io.h"
#include "record/login_server_io.h"
#include "record/recorder_io.h"
#include "record/retention_io.h"
#include "record/systemd_io.h"
#include "record/unrecorded_logins_io.h"
#include "watch/guard_io.h"

namespace opelog::app {

/// What a daemon is to say of the time before its log was open; "" for nothing.
struct Before {
  std::string left;      ///< of a former daemon (only_daemon_io.h)
  std::string rejected;  ///< why the policy file is not the one in force
};

class Daemon final : private record::ControlHandler {
 public:
  /// `config` is the first one; `log_to_stderr` overrides the policy's log target.
  Daemon(Paths paths, Config config, std::unique_ptr<Log> log, bool log_to_stderr, Before before);
  ~Daemon() override;

  /// Sets everything up. An error means the daemon must not run.
  Status start();
  /// Until SIGTERM or SIGINT and the sessions' end. Returns the exit code.
  int run();

 private:
  // ControlHandler
  record::StatusAnswer status() override;
  std::vector<record::SessionRow> sessions() override;
  Result<std::string> kill(const std::string& session) override;
  void reload(Reply<std::string> reply) override;
  Status reopen_log() override;
  void thaw(int seconds, Reply<std::int64_t> reply) override;
  void freeze(Reply<std::int64_t> reply) override;
  std::string dump() override;
  void prune(const std::string& recording, format::PruneReason why, Reply<std::int64_t> reply) override;
  void compressed(const std::string& recording, Reply<std::int64_t> reply) override;
  Status viewed(uid_t uid, const std::string& recording, format::View what) override;
  void rotate_key(Reply<record::RotatedKeyAnswer> reply) override;

  Result<Fd> listener(std::vector<record::PassedFd>& passed, const char* name, unsigned group);
  void apply(Config config);
  void write_fallback();
  void load_again();
  void repair_then_guard();
  void open_exec(std::vector<Fd> kept);
  void configure_guard();
  void begin_guard();
  void asked_to_stop();
  void stop();
  void hand_over();
  void wait_for_the_end();
  void leave_calls();
  void enter_left_out(const char* what, const record::EntriesLeftOut& left);
  void own_opened(const format::RecordingWriter& writer, const std::string& directory);
  void own_closed(const format::RecordingWriter& writer);
  void state(Level level, const char* event, std::string text,
             std::vector<std::pair<std::string, std::string>> fields = {});

  Paths paths_;
  Config config_;
  std::unique_ptr<Log> log_;
  bool log_to_stderr_;
  LogConfig log_config_;  ///< what log_ was opened with
  FactSink facts_;
  EventCounts events_;
  WallUs started_ = 0;
  MonoUs started_mono_ = 0;
  WallUs loaded_ = 0;
  std::uint32_t shim_group_ = 0;  ///< `opelog`, looked up at the start
  std::string former_left_, policy_error_, fallback_error_;
  Status append_only_;  ///< whether the recordings' directory keeps the flag
  bool reloading_ = false, reload_again_ = false, stopping_ = false, guard_ready_ = false;
  std::vector<Reply<std::string>> reload_replies_;
  /// Our files in writing, by inode: the guard asks how long they should be.
  struct LiveFile {
    const format::RecordingWriter* writer;
    int number;  ///< 0 `.log`, 1 `.time`, 2 `.in`
    std::string directory;
  };
  void tell_own(std::uint64_t inode, const LiveFile& file);
  std::unordered_map<std::uint64_t, LiveFile> live_;  ///< by inode
  int exit_code_ = 0;

  Loop loop_;
  std::unique_ptr<EventHooks> hooks_;
  std::vector<std::uint64_t> exec_counted_;  ///< sessions of a former daemon that exec_ knows
  std::unique_ptr<record::FdStore> store_;   ///< nullptr: sessions end with the daemon
  /// Of logins, and of sessions: a directory server that does not answer keeps no session's terminal waiting.
  std::unique_ptr<record::UserWork> logins_work_, sessions_work_;
  std::unique_ptr<watch::Guard> guard_;
  std::unique_ptr<HostLedger> ledger_;        ///< outlives every recording
  std::unique_ptr<record::ExecSource> exec_;  ///< nullptr: there is none
  std::unique_ptr<record::Recorder> recorder_;
  std::unique_ptr<record::UnrecordedLogins> unrecorded_;  ///< nullptr: without exec events
  std::unique_ptr<record::LoginServer> logins_;
  std::unique_ptr<record::ConnectionWatcher> connections_;
  std::unique_ptr<record::RetentionDesk> retention_;
  std::unique_ptr<record::ViewDesk> views_;
  std::unique_ptr<record::UnrecordedDesk> unrecorded_desk_;
  std::unique_ptr<record::ControlServer> control_;
  std::unique_ptr<PolicyWatcher> policy_watcher_, enrolled_watcher_;
  std::vector<std::unique_ptr<Signal>> signals_;
  std::unique_ptr<Timer> watchdog_, stop_poll_;
  MonoUs stop_deadline_ = 0, same_until_ = 0;
  bool asking_ = false, handing_over_ = false;
};

}  // namespace opelog::app
