// ControlServer: answers `opelog status`, `kill`, … over the control socket
// (docs/formats/control-protocol.md).
//
// Root may ask everything, an auditor only to look; who asks is taken from the socket. A client costs at most
// one request buffer and one answer; a slow, silent or babbling one is dropped and nobody else feels it.
// Descriptors have no business here: the kernel refuses them (from Linux 6.16 on) or drops them unseen. The
// handler is lent and must outlive the server; it is called on the loop's thread and must not destroy the
// server.
#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/fact.h"
#include "core/fd_io.h"
#include "core/loop_io.h"
#include "record/control_message.h"

namespace opelog::record {

/// The daemon, as the control socket sees it.
class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  virtual StatusAnswer status() = 0;
  virtual std::vector<SessionRow> sessions() = 0;
  virtual Result<std::string> kill(const std::string& session) = 0;  ///< id of the one session meant
  /// Called once, now or in a later turn; the client may be gone by then, that is the server's business.
  template <typename T>
  using Reply = std::function<void(Result<T>)>;
  virtual void reload(Reply<std::string> reply) = 0;  ///< digest of the policy now in force
  virtual Status reopen_log() = 0;
  virtual void thaw(int seconds, Reply<std::int64_t> reply) = 0;  ///< files
  virtual void freeze(Reply<std::int64_t> reply) = 0;             ///< files
  virtual std::string dump() = 0;
  virtual void prune(const std::string& recording, format::PruneReason why,
                     Reply<std::int64_t> reply) = 0;                                     ///< bytes
  virtual void compressed(const std::string& recording, Reply<std::int64_t> reply) = 0;  ///< bytes
  /// `uid` is the kernel's word.
  virtual Status viewed(uid_t uid, const std::string& recording, format::View what) = 0;
  virtual void rotate_key(Reply<RotatedKeyAnswer> reply) = 0;
};

struct ControlLimits {
  std::size_t connections = 32;        ///< in all; further ones are told so and closed
  std::size_t connections_of_uid = 8;  ///< so that one auditor cannot keep root out
  std::uint64_t silence_ms = 30000;    ///< without a request, or without taking an answer
};

class ControlServer {
 public:
  /// `listener`: listening, SOCK_SEQPACKET (listen_seqpacket() or passed by systemd). `auditors`: group that
  /// may look; the socket's mode admits it, and this is checked once more.
  static Result<std::unique_ptr<ControlServer>> start(Loop& loop, Fd listener, std::optional<gid_t> auditors,
                                                      ControlHandler& handler, FactSink facts,
                                                      ControlLimits limits = {});
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }

 private:
  class Connection;
  ControlServer(Loop& loop, Fd listener, std::optional<gid_t> auditors, ControlHandler& handler,
                FactSink facts, ControlLimits limits);
  void accept_some();
  bool accept_one();
  void drop(Connection* connection);

  Loop& loop_;
  Fd listener_;
  std::optional<gid_t> auditors_;
  ControlHandler& handler_;
  FactSink facts_;
  ControlLimits limits_;
  std::list<std::unique_ptr<Connection>> connections_;
  Timer pause_;  ///< after accept(2) ran out of descriptors
  std::unique_ptr<Poll> poll_;
};

}  // namespace opelog::record
