// ExecCapture: exec events by BPF programs in the kernel (exec_events.bpf.c).
//
// This is the only file that includes libbpf. Programs, maps and ring live as long as this object; nothing is
// pinned. The daemon is not woken for each event: a timer looks every kLookMs, and runs only while there is
// something to see. What the ring had no room for is counted there and told as lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/loop_io.h"
#include "core/result.h"
#include "record/exec_source.h"

namespace opelog::record {

struct ExecCaptureOptions {
  /// A power of two and of pages. 4 MiB hold 10,000 ordinary commands.
  std::uint32_t ring_bytes = 4U << 20;
  /// So full, the ring wakes the daemon at once.
  std::uint32_t wake_bytes = 256U << 10;
  /// The mount namespace whose paths are the host's; not our own, a service may have one to itself. Where it
  /// cannot be looked at, no process is told to be in another.
  const char* host_mounts = "/proc/1/ns/mnt";
};

class ExecCapture final : public ExecSource {
 public:
  /// Late enough to cost nothing, early enough that nobody notices.
  static constexpr std::uint64_t kLookMs = 50;

  /// Loads and attaches; takes about a quarter of a second (the kernel checks the programs).
  /// Code::kUnsupported if the kernel cannot do it, kDenied if we may not.
  static Result<std::unique_ptr<ExecCapture>> open(Loop& loop, ExecSink sink,
                                                   const ExecCaptureOptions& options = {});
  ~ExecCapture() override;

  Status join(int pidfd, std::uint64_t session, Membership membership) override;
  void forget(std::uint64_t session) override;
  Status watch_server(int pidfd) override;
  [[nodiscard]] bool follows_logins() const override { return true; }
  Status count_losses(std::uint64_t session) override;
  void release(std::uint64_t begun) override;
  [[nodiscard]] std::function<std::uint64_t(int pidfd)> session_probe() const override;
  void drain() override;
  [[nodiscard]] std::string describe() const override;

  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
  /// Turns of the loop that were for us.
  [[nodiscard]] std::uint64_t looks() const noexcept { return looks_; }
  /// Whether no timer runs: the next event wakes us.
  [[nodiscard]] bool asleep() const noexcept { return !timer_.active(); }

 private:
  struct Native;
  ExecCapture(Loop& loop, ExecSink sink, std::unique_ptr<Native> native);
  Status set_member(int pidfd, std::uint64_t session, Membership membership);
  int take(std::string_view entry);
  bool consume();
  void tell_losses();
  void woken();
  void look();

  ExecSink sink_;
  std::unique_ptr<Native> native_;
  Timer timer_;
  std::unique_ptr<Poll> poll_;
  std::map<std::uint64_t, std::uint64_t> sessions_;  ///< losses told so far
  std::uint64_t delivered_ = 0, lost_ = 0, malformed_ = 0, looks_ = 0, lost_begun_ = 0;
  int taken_ = 0;  ///< entries, in this turn
  int idle_ = 0;   ///< looks in a row without an event
  bool draining_ = false;
};

}  // namespace opelog::record
