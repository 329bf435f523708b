// KeptSessions: what the service manager's store gives a daemon back of the one before: sessions, the buffer
// that their relays shared, what tells of their processes, and the ledger's locks.
//
// Nothing in it is believed before it is looked at: a descriptor is what the session's memory says only if
// device and inode are the same.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "core/shared_memory_io.h"
#include "record/relay_memory.h"
#include "record/session_io.h"
#include "record/session_start_io.h"
#include "record/systemd_io.h"

namespace opelog::record {

/// Names in the store: of the relay buffer, and of what exec events need.
constexpr const char* kKeptBufferName = "opelog-relay";
constexpr const char* kKeptExecName = "opelog-exec";
constexpr const char* kKeptLedgerName = "opelog-ledger";
/// Daemons that may take over a session and die of it before it is given up.
constexpr std::uint32_t kMostAttempts = 5;

struct KeptSessions {
  std::map<std::string, std::vector<Fd>> sessions;  ///< by slot
  SharedMemory buffer;                              ///< of a RelayBuffer; empty: a new one is to be made
  std::vector<Fd> exec;                             ///< of ExecSource::keep()
  std::vector<Fd> ledger;                           ///< its locked files
  FdStore::Counts there;                            ///< all that the store holds of these
};

/// Whether sessions of another daemon are handed to this process; before take_passed_fds().
bool are_sessions_passed();

/// Takes what is a session's, or the buffer, out of `passed`.
KeptSessions take_kept(std::vector<PassedFd>& passed);

/// Whose they are; "" if their memory does not say it.
std::string kept_id(const std::vector<Fd>& fds);

/// What another daemon's session goes on with, out of `fds`. On an error those that must be ended are in
/// `fds` still.
Result<SessionParts> resume_session(const std::string& id, std::vector<Fd>& fds, const RecordingPlace& place);

/// Locks belong to the open files, which others may still have: the store, and what is left of a daemon.
void unlock(const std::vector<Fd>& files);
/// Shuts sockets down whoever else holds them: the waiter ends its login.
void shut_kept_sockets(const std::vector<Fd>& fds);
/// Whose the inner terminal is; 0 if there is none.
std::uint32_t user_of(const std::vector<Fd>& fds);
/// Hangs terminals up whoever else holds them. May wait for their user: on a thread of his.
void end_kept(std::vector<Fd>& fds);

}  // namespace opelog::record
