// What a recording says about its session: the header's values, and the end's.
//
// Plain values, without any knowledge of how they are written (timing_record.h) or where they come from
// (record/). Strings hold outside bytes; the encoder makes them safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"

namespace opelog::format {

/// One process above the login, nearest first.
struct Ancestor {
  std::int64_t pid = 0;
  std::uint32_t uid = 0;
  std::string exe;
  bool operator==(const Ancestor&) const = default;
};

/// What a descriptor was that was left to the shell as it was; what passes there is neither recorded nor
/// counted.
enum class Kept { kNot, kTerminal, kFile, kDevice, kOther };
/// "terminal", "file", "device", "other"; "" for kNot.
const char* kept_word(Kept kept) noexcept;
/// The three descriptors' names: "stdin", "stdout", "stderr".
constexpr std::array<const char*, 3> kStreamNames = {"stdin", "stdout", "stderr"};

struct SessionInfo {
  std::string id;       ///< 16 lower-case hex digits, random
  std::string host;     ///< host name
  std::string host_id;  ///< /etc/machine-id
  std::string boot_id;
  WallUs started = 0;

  std::string user;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t loginuid = 0xffffffff;       ///< audit login uid, -1 unset
  std::uint32_t audit_session = 0xffffffff;  ///< -1 unset
  std::int64_t shim_pid = 0;

  std::string client;  ///< peer address as text, "" if there is none
  std::uint16_t client_port = 0;
  bool client_claimed = false;  ///< from SSH_CONNECTION, not from the kernel
  std::vector<Ancestor> ancestry;

  /// "login", "command", "force", "hook", "rec"; without its output: "unrecorded" (it never met the shim),
  /// "left" (of processes that outlived their session)
  std::string how;
  std::string left_by;  ///< id of the session that left it behind, "" otherwise
  bool terminal = false;
  std::string tty;        ///< outer terminal, "/dev/pts/3"
  std::string inner_tty;  ///< the one the session runs on
  std::string term;       ///< TERM as claimed
  int rows = 0, cols = 0;
  std::string shell;                    ///< the real one
  std::optional<std::string> command;   ///< -c CMD
  std::optional<std::string> original;  ///< SSH_ORIGINAL_COMMAND, claimed
  std::array<Kept, 3> kept{};           ///< of 0, 1, 2; claimed by the user's side

  std::string rule;           ///< name of the rule that matched
  std::string policy_digest;  ///< lower-case hex, of the policy file's bytes; "" if unknown
  bool records_input = false;
  bool records_payload = false;
  bool operator==(const SessionInfo&) const = default;
};

/// Why a session ended. Words are in the format document.
enum class EndReason {
  kExit,      ///< the shell ended by itself (exit code or signal)
  kHangup,    ///< the outer terminal went away (connection lost)
  kKilled,    ///< `opelog kill`
  kShim,      ///< the waiter was killed or broke off
  kFailure,   ///< recording failed and the policy says cut
  kShutdown,  ///< the daemon stopped
  kLimit,     ///< the recording reached limits.session_size
  kIdle,      ///< nothing happened for limits.idle_end
  kCrash,     ///< written later, by whoever completed the torn tail
};
const char* end_reason_word(EndReason reason) noexcept;
std::optional<EndReason> parse_end_reason(const std::string& word) noexcept;

struct EndInfo {
  EndReason reason = EndReason::kExit;
  std::optional<int> exit_code;  ///< of the shell, if it exited and we know
  std::optional<int> signal;     ///< that ended it
  std::uint64_t bytes_out = 0;   ///< shown to the operator (stdout and stderr of streams)
  std::uint64_t bytes_err = 0;   ///< of them, stderr of streams
  std::uint64_t bytes_in = 0;    ///< typed or sent
  bool operator==(const EndInfo&) const = default;
};

/// Something that is not in the record although it happened.
struct GapInfo {
  std::string what;         ///< "output", "input", "timing", …
  std::string why;          ///< one sentence
  std::uint64_t bytes = 0;  ///< 0 if unknown
  std::uint64_t count = 0;  ///< of events, where it is events that are missing
  bool operator==(const GapInfo&) const = default;
};

}  // namespace opelog::format
