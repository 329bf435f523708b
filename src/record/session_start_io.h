// From an admitted login to a session ready to run: terminals or streams, recording, and what the shim gets.
//
// Everything that can fail happens here, before the shim has an answer; on failure all is as it was before
// (the outer terminal given back, no file left), so that the policy can still refuse or pass.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "record/admission.h"
#include "record/descriptor_kind_io.h"
#include "record/login_message.h"
#include "record/session_io.h"

namespace opelog::record {

/// Where and how recordings are kept; from the policy, resolved.
struct RecordingPlace {
  int directory = -1;  ///< open descriptor
  std::uint32_t file_group = 0;
  std::uint32_t tty_group = 5;  ///< group of pty slaves
  std::string utmp;             ///< where logins are listed; "": nowhere
};

struct StartedSession {
  SessionParts parts;
  Verdict verdict;
  std::vector<Fd> descriptors;  ///< for the verdict, in its order
};

/// Whether the login is one with a terminal: standard input is one.
bool has_terminal(const std::array<Fd, 3>& descriptors);

/// `info` is complete but for terminals, size and recording flags. `descriptors` are the shim's 0, 1, 2.
Result<StartedSession> start_session(const Policy& policy, const RecordingPlace& place,
                                     const Admission& admission, const Hello& hello,
                                     const std::array<Fd, 3>& descriptors, format::SessionInfo info);

}  // namespace opelog::record
