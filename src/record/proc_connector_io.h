// ProcConnector: exec events without BPF, by the kernel's proc connector and a look at /proc.
//
// The second choice: the kernel tells numbers only, and what else there is to say is read from /proc, too
// late for short processes. What could not be learned is marked. Of a user's process nothing is read on the
// loop: its memory can be made to wait for ever (userfaultfd, FUSE), so one thread for each session reads it,
// and a user who stops that one loses events of his own session only; these are counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/loop_io.h"
#include "core/result.h"
#include "record/exec_membership.h"
#include "record/exec_source.h"
#include "record/proc_directory_io.h"

namespace opelog::record {

class ProcConnector final : public ExecSource {
 public:
  /// Needs CAP_NET_ADMIN and a netlink socket (kDenied), and the host's first pid and user namespace
  /// (kUnsupported).
  static Result<std::unique_ptr<ProcConnector>> open(Loop& loop, ExecSink sink);
  ~ProcConnector() override;

  Status join(int pidfd, std::uint64_t session, Membership membership) override;
  void forget(std::uint64_t session) override;
  Status watch_server(int pidfd) override;
  Status count_losses(std::uint64_t session) override;
  void release(std::uint64_t begun) override;
  [[nodiscard]] bool follows_logins() const override { return false; }
  [[nodiscard]] std::function<std::uint64_t(int pidfd)> session_probe() const override;
  void drain() override;
  [[nodiscard]] std::string describe() const override;

 private:
  /// An event, and where to read what it lacks.
  struct Look {
    ProcessEvent event;
    std::unique_ptr<ProcDirectory> process;
  };
  struct Queue {
    std::vector<Look> waiting;
    bool reading = false;
  };
  ProcConnector(Loop& loop, ExecSink sink, Fd socket);
  void take(const ConnectorEvent& event);
  void push(Look look);
  void read_next(std::uint64_t session);
  void deliver(std::vector<Look>& looks, std::uint64_t session);
  void repair();
  void lose(std::uint64_t session, std::uint64_t count);

  Loop& loop_;
  ExecSink sink_;
  Fd socket_;
  std::unique_ptr<Poll> poll_;
  ExecMembership members_;
  std::map<std::uint64_t, Queue> queues_;  ///< by session; those that have something
  std::size_t open_ = 0;                   ///< directories held by all queues
  std::uint64_t delivered_ = 0, lost_ = 0, overflows_ = 0;
  bool unsure_ = false;  ///< an overflow has not been repaired yet
  MonoUs repaired_at_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::record
