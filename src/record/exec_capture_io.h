// ExecCapture: exec events by BPF programs in the kernel (exec_events.bpf.c).
//
// What it has in the kernel is exec_kernel_io.h's, and outlives this object if somebody keeps its descriptors
// (keep()): given to the next one, nothing of what happens between is lost or told twice. The daemon is not
// woken for each event: a timer looks every kLookMs, and runs only while there is something to see. What the
// ring had no room for is counted there and told as lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd_io.h"
#include "core/loop_io.h"
#include "core/result.h"
#include "record/exec_kernel_io.h"
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
  /// What an earlier capture gave by keep(), if there was one.
  std::vector<Fd> kept;
};

/// What came of the descriptors that were kept.
struct ExecAdoption {
  enum class How {
    kNothing,  ///< none were given, or nothing could be made of them: all begins anew
    kWhole,    ///< it goes on with them, as if it were the earlier capture
    kCarried,  ///< other programs deliver now; who belongs to what was taken over, and what was not told yet
  };
  How how = How::kNothing;
  std::string problem;  ///< why not all that was given could be made use of; "" if nothing was wrong
  /// Sessions and begun logins whose losses are counted since then: those that nobody takes on should be
  /// forgotten.
  std::vector<std::uint64_t> counted;
};

class ExecCapture final : public ExecSource {
 public:
  /// Late enough to cost nothing, early enough that nobody notices.
  static constexpr std::uint64_t kLookMs = 50;

  /// Goes on with what was kept, at once; where that is of another build or with other options, or there is
  /// none, loads and attaches, which takes about a quarter of a second (the kernel checks the programs). The
  /// sink is called from the first turn of the loop or drain() on, with what happened meanwhile first.
  /// Code::kUnsupported if the kernel cannot do it, kDenied if we may not.
  static Result<std::unique_ptr<ExecCapture>> open(Loop& loop, ExecSink sink,
                                                   ExecCaptureOptions options = {});
  ~ExecCapture() override;

  Status join(int pidfd, std::uint64_t session, Membership membership) override;
  void forget(std::uint64_t session) override;
  Status watch_server(int pidfd) override;
  [[nodiscard]] bool follows_logins() const override { return true; }
  Status count_losses(std::uint64_t session) override;
  void release(std::uint64_t begun) override;
  [[nodiscard]] std::function<std::uint64_t(int pidfd)> session_probe() const override;
  void drain() override;
  [[nodiscard]] std::vector<Fd> keep() const override;
  [[nodiscard]] std::string describe() const override;

  [[nodiscard]] const ExecAdoption& adoption() const noexcept { return adoption_; }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
  /// Turns of the loop that were for us.
  [[nodiscard]] std::uint64_t looks() const noexcept { return looks_; }
  /// Whether no timer runs: the next event wakes us.
  [[nodiscard]] bool asleep() const noexcept { return !timer_.active(); }

 private:
  class Ring;
  ExecCapture(Loop& loop, ExecSink sink);
  void adopt(ExecKernel::Found found);
  Status begin_to_look(Loop& loop);
  Status set_member(int pidfd, std::uint64_t session, Membership membership);
  int take(std::string_view entry);
  bool consume();
  void tell_losses();
  void tell_uncertain();
  void woken();
  void look();

  ExecSink sink_;
  std::unique_ptr<ExecKernel> kernel_;
  std::unique_ptr<Ring> ring_;
  std::vector<std::unique_ptr<Ring>> earlier_;  ///< of captures before: taken first, then let go
  ExecAdoption adoption_;
  std::set<std::uint64_t> uncertain_;  ///< of whom something may be missing, not told yet
  Timer timer_;
  std::unique_ptr<Poll> poll_;
  std::map<std::uint64_t, std::uint64_t> sessions_;  ///< losses told so far
  std::uint64_t delivered_ = 0, lost_ = 0, malformed_ = 0, looks_ = 0;
  int taken_ = 0;  ///< entries, in this turn
  int idle_ = 0;   ///< looks in a row without an event
  bool draining_ = false;
};

}  // namespace opelog::record
