// LoginServer: logins from the connection to the verdict.
//
// Accepts shims, reads their HELLO without ever waiting, has the kernel and the name service asked on a
// worker thread, lets admission.h decide and answers. A connection that says nothing, says too much, or comes
// too often is closed and counted; other logins and sessions feel nothing of it. Recorded sessions go to the
// Recorder.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/fact.h"
#include "core/fd_io.h"
#include "core/loop_io.h"
#include "core/policy.h"
#include "record/login_claims.h"
#include "record/login_lookup_io.h"
#include "record/recorder_io.h"
#include "record/unrecorded_login.h"
#include "record/user_work_io.h"

namespace opelog::record {

/// What the login server needs of the configuration; replaced as a whole on reload.
struct LoginConfig {
  Policy policy;
  std::string policy_digest;
  std::map<std::string, std::string> enrolled;  ///< user name to real shell
  std::string shim_path;                        ///< the installed opelog-shell
};

struct LoginCounts {
  std::uint64_t recorded = 0, passed = 0, refused = 0, failed = 0, unrecorded = 0;
};

class LoginServer {
 public:
  static Result<std::unique_ptr<LoginServer>> open(Loop& loop, UserWork& work, Fd listener, FactSink facts,
                                                   Recorder& recorder);
  ~LoginServer();
  LoginServer(const LoginServer&) = delete;
  LoginServer& operator=(const LoginServer&) = delete;

  void configure(LoginConfig config);
  /// Who is told of each login that met its shim; must outlive this.
  void set_claims(LoginClaims* claims) { claims_ = claims; }
  /// Told of each login that passes although a rule wanted it recorded.
  UnrecordedSink tell_unrecorded;
  /// Takes no more logins; those under way are dropped.
  void stop();

  [[nodiscard]] int pending() const noexcept { return static_cast<int>(pending_.size()); }
  [[nodiscard]] const LoginCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] std::string describe() const;

 private:
  struct Pending;
  struct Start;

  LoginServer(Loop& loop, UserWork& work, Fd listener, FactSink facts, Recorder& recorder);
  void accept_some();
  void wait_for_resources(int error);
  void readable(std::uint64_t id);
  void look_up(std::uint64_t id);
  void decide(std::uint64_t id, const std::shared_ptr<LoginLookup>& found, LoginTerminal& terminal);
  void record(std::uint64_t id, const std::shared_ptr<LoginLookup>& found, LoginTerminal& terminal,
              const Admission& admission);
  void not_started(std::uint64_t id, const Start& start, const std::string& why);
  void run(std::uint64_t id, const std::shared_ptr<Start>& start);
  void refuse(Pending& pending, const std::string& message, int exit_code);
  bool answer(Pending& pending, const Verdict& verdict, const std::vector<Fd>& descriptors);
  void drop(std::uint64_t id);
  void put_away(std::uint32_t uid, Fd socket);
  void unsettled(std::uint64_t id, const Error& why);
  void malformed(std::uint64_t id, const std::string& what);
  void expire();
  void passes_unrecorded(const LoginLookup& found, const std::string& rule, const std::string& why) const;
  void state(Level level, const char* event, const std::string& text, const LoginLookup* found = nullptr,
             const std::string& rule = {});

  Loop& loop_;
  UserWork& work_;
  Fd listener_;
  FactSink facts_;
  Recorder& recorder_;
  HeldEvents claim(const LoginLookup& found, BegunLogin::Claim claim);

  LoginClaims* claims_ = nullptr;
  LoginConfig config_;
  HostFacts host_;
  std::unique_ptr<Poll> poll_;
  Timer expiry_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Pending>> pending_;
  std::unordered_map<std::uint32_t, int> pending_by_uid_;
  LoginCounts counts_;
  bool accepting_fails_ = false;  ///< stated when it begins and when it is over
  std::uint64_t busy_told_ = 0;   ///< refused for business since the last statement
  std::unique_ptr<char[]> packet_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< a token for work that outlives us
};

}  // namespace opelog::record
