// From an admitted login to a session ready to run: terminals or streams, recording, and what the shim gets.
//
// Everything that can fail happens here, before the shim has an answer; on failure all is as it was before
// (the outer terminal given back; a recording that was begun says that it failed), so that the policy can
// still refuse or pass.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "record/admission.h"
#include "record/login_message.h"
#include "record/session_io.h"

namespace opelog::record {

/// Where and how recordings are kept; from the policy, resolved.
struct RecordingPlace {
  int directory = -1;  ///< open descriptor
  std::uint32_t file_group = 0;
  std::uint32_t tty_group = 5;  ///< group of pty slaves
  std::string utmp;             ///< where logins are listed; "": nowhere
  /// Enters a session in the ledger before its recording NAME holds a byte; empty: nothing is sealed.
  std::function<Result<format::Sealing>(const format::SessionInfo&, const std::string& name)> seal;
  /// Goes on with the seals of one whose daemon has ended (ResumeOptions::sealer).
  std::function<Result<std::unique_ptr<format::RecordingSealer>>(const format::SealerMark&,
                                                                 std::array<std::uint64_t, 3>& covered)>
      resume_seal;
  FdStore* store = nullptr;  ///< where sessions are kept for the next daemon
};

/// 16 hex digits, drawn at random.
Result<std::string> new_session_id();
/// An id as exec events and kept sessions have it.
std::uint64_t session_number(const std::string& id);
std::string session_id(std::uint64_t number);

/// Makes the recording's files for a complete `info`; `begun` is the zero of its delays.
Result<std::unique_ptr<format::RecordingWriter>> open_recording(const Policy& policy,
                                                                const RecordingPlace& place,
                                                                const format::SessionInfo& info, MonoUs begun,
                                                                format::WriterMemory* memory = nullptr);

struct StartedSession {
  SessionParts parts;
  Verdict verdict;
  std::vector<Fd> descriptors;  ///< for the verdict, in its order
};

/// `info` is complete but for the terminals that are opened here, size and recording flags. `outer`, opened
/// and not yet taken, is moved from on success only; null: a login without a terminal, or one whose terminal
/// stays the user's.
Result<StartedSession> start_session(const Policy& policy, const RecordingPlace& place,
                                     const Admission& admission, const Hello& hello,
                                     std::unique_ptr<OuterTerminal>& outer, format::SessionInfo info);

/// The last step, of a login whose terminal came along: takes that out of the user's hands, and kills the
/// descriptors the shim could show a refusal on. Waits for whoever is within a write(2) to it, for as long as
/// he likes: on a thread (UserWork).
Status take_terminal(StartedSession& session);

}  // namespace opelog::record
