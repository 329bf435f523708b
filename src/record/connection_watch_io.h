// ConnectionWatcher: looks at the host's ssh connections now and then, and states those that carry no
// session.
//
// A look walks /proc on a worker thread (the name service may block there too) and decides nothing; the loop
// compares it with the live sessions (connection_watch.h). One look at a time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/fact.h"
#include "core/loop_io.h"
#include "core/policy.h"
#include "record/connection_watch.h"
#include "record/unrecorded_login.h"

namespace opelog::record {

struct SshLook {
  std::vector<LoginServerProcess> servers;
  /// Every authenticated ssh connection of the host, with what the policy says of a login over it;
  /// Connection::carries is left false.
  std::vector<Connection> connections;
};
/// Blocks.
SshLook look_at_ssh(const Policy& policy);

class ConnectionWatcher {
 public:
  using Carries = std::function<bool(const Connection&)>;
  using Servers = std::function<void(const std::vector<LoginServerProcess>&)>;
  /// `carries` says whether a live session descends from a process; `servers` is told of those there are at
  /// each look, and may be empty.
  ConnectionWatcher(Loop& loop, FactSink facts, Carries carries, Servers servers);
  ~ConnectionWatcher();
  ConnectionWatcher(const ConnectionWatcher&) = delete;
  ConnectionWatcher& operator=(const ConnectionWatcher&) = delete;

  /// Looks every Policy::unrecorded_scan_ms; never if that is 0.
  void configure(const Policy& policy);

  /// Told of each connection that is stated.
  UnrecordedSink tell_unrecorded;

  [[nodiscard]] std::uint64_t stated() const noexcept { return stated_; }  ///< since the start
  [[nodiscard]] std::size_t unrecorded() const noexcept { return watch_.unrecorded(); }

 private:
  void look();

  Loop& loop_;
  FactSink facts_;
  Carries carries_;
  Servers servers_;
  std::shared_ptr<const Policy> policy_;
  ConnectionWatch watch_;
  Timer timer_;
  std::uint64_t stated_ = 0;
  bool looking_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::record
