// ExecSource: where the events of sessions' processes come from; ExecSink: where they go.
//
// Two sources: exec_capture_io.h (BPF: complete) and proc_connector_io.h (where BPF cannot be had: what it
// could not learn is marked). Who joins a process and writes its events does not care which. Everything
// happens on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "record/exec_event.h"
#include "record/exec_ring.h"

namespace opelog::record {

/// Called from within drain() or a turn of the loop; may call join() and forget(), must not destroy the
/// source, must not throw.
struct ExecSink {
  std::function<void(ProcessEvent&& event)> event;
  /// So many further events are lost (0: nobody knows how many); session 0: nobody knows whose, so they may
  /// be anybody's.
  std::function<void(std::uint64_t session, std::uint64_t count)> lost;
};

/// Sessions' numbers are above.
constexpr std::uint64_t kLastBegun = OPELOG_RING_LAST_BEGUN;

enum class Membership {
  kProcess,       ///< it and all it starts from now on
  kChildrenOnly,  ///< only what it starts: the shim, whose own doings are ours
};

class ExecSource {
 public:
  ExecSource() = default;
  virtual ~ExecSource() = default;
  ExecSource(const ExecSource&) = delete;
  ExecSource& operator=(const ExecSource&) = delete;

  /// From now on the process and what it starts belong to `session` (any number but 0), and no more to the
  /// one before. Code::kGone if it has ended.
  virtual Status join(int pidfd, std::uint64_t session, Membership membership) = 0;
  /// The session takes no more: losses of what is left of it are not told. Its events still are.
  virtual void forget(std::uint64_t session) = 0;
  /// A process at which logins begin (sshd), and what it starts while that is a server's too. From the first
  /// other program on, each is told under a number of its own, up to kLastBegun. Code::kUnsupported where
  /// the source cannot: then nothing of what follows does anything.
  virtual Status watch_server(int pidfd) = 0;
  [[nodiscard]] virtual bool follows_logins() const = 0;
  /// From now on what is lost of a login that has begun is told, until forget(). Before, it is told of
  /// OPELOG_RING_SERVERS: of any of them.
  virtual Status count_losses(std::uint64_t begun) = 0;
  /// Nothing more is told of a login that has begun.
  virtual void release(std::uint64_t begun) = 0;
  /// Which session or begun login a process belongs to; 0: none, or it has ended. What is returned may be
  /// called on any thread, and may outlive the source.
  [[nodiscard]] virtual std::function<std::uint64_t(int pidfd)> session_probe() const = 0;
  /// Delivers all that has happened so far, without waiting. Cheap if nothing has: call it before output is
  /// recorded, and the order of the records is that of the events.
  virtual void drain() = 0;
  /// Descriptors by which a later source can go on from here, whatever becomes of this one; none if it
  /// cannot.
  [[nodiscard]] virtual std::vector<Fd> keep() const { return {}; }
  /// One line for `opelog status`.
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace opelog::record
