// UnrecordedLogins: logins that began at a login server (sshd) and never met the shim; and what outlives its
// session.
//
// A broken enrolment, or `exec bash` in a start-up file ahead of a hook: nothing relays that terminal, but
// exec events see all that is executed. What has to be done is begun_login.h's to say; here logins are looked
// up (on a thread), recorded without their terminal, stated once, and ended where the rule says so. Needs a
// source that tells where logins begin; without one there is nothing here, and connection_watch_io.h remains.
// Processes that a session left behind (nohup) belong to it still: what they execute after its end becomes a
// recording of the same kind.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "core/fact.h"
#include "core/loop_io.h"
#include "record/begun_login.h"
#include "record/connection_watch.h"
#include "record/exec_only_recording_io.h"
#include "record/exec_source.h"
#include "record/login_claims.h"
#include "record/login_server_io.h"
#include "record/recorder_io.h"
#include "record/unrecorded_login.h"
#include "record/user_work_io.h"

namespace opelog::record {

class UnrecordedLogins final : public LoginClaims {
 public:
  UnrecordedLogins(Loop& loop, FactSink facts, Recorder& recorder, ExecSource& source);
  ~UnrecordedLogins() override;
  UnrecordedLogins(const UnrecordedLogins&) = delete;
  UnrecordedLogins& operator=(const UnrecordedLogins&) = delete;

  void configure(const LoginConfig& config);
  /// Told of each login that could not even be recorded without its terminal.
  UnrecordedSink tell_unrecorded;
  /// Servers that run now; those already watched cost nothing.
  void watch(const std::vector<LoginServerProcess>& servers);

  /// An event of a begun login (ProcessEvent::session up to kLastBegun), or of a session that has ended.
  void executed(ProcessEvent event);
  /// What is executed under its number from now on was left behind by it.
  void session_ended(std::uint64_t number, const format::SessionInfo& info);
  /// Session 0: anybody's.
  void events_lost(std::uint64_t number, std::uint64_t count);
  HeldEvents claimed(int shim_pidfd, std::int64_t pid, std::uint32_t uid, BegunLogin::Claim claim) override;

  /// By session id or recording name; Code::kNotFound if it is none of these.
  Result<std::string> kill(const std::string& which, const std::string& who);
  /// Ends the recordings; the processes go on.
  void shutdown();

  /// Whether one that is looked after was started by that process.
  [[nodiscard]] bool started_by(std::int64_t pid) const;
  [[nodiscard]] std::size_t recorded() const;                            ///< logins, now
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }  ///< since the start
  [[nodiscard]] std::string describe() const;

 private:
  struct Lookup;
  struct Login;
  using Logins = std::map<std::uint64_t, std::unique_ptr<Login>>;

  Login* find_or_begin(std::uint64_t number, std::uint32_t uid);
  void look_up(std::uint64_t number, Login& login);
  void review(std::uint64_t number);
  static format::SessionInfo unrecorded_info(const Lookup& found, const HostFacts& host);
  Status open_recording_of(std::uint64_t number, Login& login);
  void record(std::uint64_t number, Login& login);
  void end(Login& login);
  void forget(Logins::iterator login);
  void over(Logins::iterator login);
  void remember(std::uint64_t number, std::shared_ptr<Lookup> found);
  void scan();
  void look_after();

  Loop& loop_;
  FactSink facts_;
  Recorder& recorder_;
  ExecSource& source_;
  std::function<std::uint64_t(int pidfd)> probe_;
  UserWork work_;  ///< lookups: many logins of one user wait for each other
  std::shared_ptr<const LoginConfig> config_;
  HostFacts host_;
  Logins logins_;
  /// Of logins without a process that is known: one that only forked may execute something yet.
  std::map<std::uint64_t, std::shared_ptr<Lookup>> past_;
  std::deque<std::uint64_t> past_order_;
  std::set<std::pair<std::int64_t, std::uint64_t>> servers_;
  std::uint64_t total_ = 0;
  std::map<std::uint32_t, std::size_t> of_user_;  ///< logins, by who executed their first program
  std::size_t held_bytes_ = 0;
  MonoUs crowded_told_ = INT64_MIN / 2;
  bool scanning_ = false;
  bool stopped_ = false;
  Timer timer_, slow_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::record
