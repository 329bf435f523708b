// The control protocol's packets (docs/formats/control-protocol.md) as values. Pure.
//
// Requests come from a socket that auditors may open, so the decoder takes exactly the documented objects:
// flat, known keys once each, strings and integers only. Answers never exceed a packet; whatever is
// longer is split over several, the last without "more".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "format/retention.h"
#include "format/view_word.h"

namespace opelog::record {

constexpr std::size_t kMaxRequest = 4096;  ///< bytes of a request packet
constexpr std::size_t kMaxAnswerPacket =
    65536;  ///< bytes of one answer packet; a reader's buffer of that size fits
constexpr int kDefaultThawSeconds = 300;
constexpr int kMaxThawSeconds =
    86400;  ///< a forgotten freeze must not leave recordings open for longer than a day

struct StatusRequest {};
struct SessionsRequest {};
struct KillRequest {
  std::string session;
};  ///< id or prefix of id or name
struct ReloadRequest {};
struct ReopenLogRequest {};
struct ThawRequest {
  int seconds = kDefaultThawSeconds;
};
struct FreezeRequest {};
struct DumpRequest {};
struct PruneRequest {
  std::string recording;  ///< its base name
  format::PruneReason why = format::PruneReason::kAge;
};
struct CompressedRequest {
  std::string recording;
};
struct RotateKeyRequest {};
/// What whoever asks has begun to read; who that is, the socket says.
struct ViewedRequest {
  std::string recording;  ///< base name; "" where it is of many
  format::View what = format::View::kPlay;
};
using ControlRequest = std::variant<StatusRequest, SessionsRequest, KillRequest, ReloadRequest,
                                    ReopenLogRequest, ThawRequest, FreezeRequest, DumpRequest, PruneRequest,
                                    CompressedRequest, RotateKeyRequest, ViewedRequest>;

/// Code::kInvalid with what is wrong.
Result<ControlRequest> decode_request(std::string_view packet);
/// The "op" word.
const char* request_word(const ControlRequest& request) noexcept;
/// Only root may ask this; the others auditors too.
bool needs_root(const ControlRequest& request) noexcept;

struct StatusAnswer {
  std::string version;
  std::int64_t pid = 0;
  WallUs started = 0;
  std::int64_t uptime_s = 0;
  struct {
    std::string file, digest;
    WallUs loaded = 0;
    std::string error;  ///< of the last reload that failed, "" if the file in force is the file on disk
  } policy;
  std::uint64_t sessions = 0, pending = 0;
  std::uint64_t recorded_total = 0, refused_total = 0, passed_total = 0, failed_total = 0;
  std::uint64_t unrecorded_total =
      0;  ///< logins that passed against the policy, and connections without a session
  struct {
    std::vector<std::string> directories;
    std::uint64_t flagged = 0, findings = 0, overflows = 0;
  } guard;
  std::uint64_t unkept = 0;       ///< sessions that a restart of the daemon ends
  std::uint32_t kept_layout = 0;  ///< of the others' memory: a daemon of another one ends them, too
  std::uint64_t held = 0;         ///< sessions whose output waits for the record
  std::uint64_t limited = 0;      ///< sessions whose output is faster than its rate now
  struct {
    std::uint64_t free = 0, reserve = 0;
    bool low = false;
  } disk;                            ///< where recordings are; zeros until somebody has looked
  std::uint64_t bytes_recorded = 0;  ///< output of sessions since the start, ended ones too
  std::uint64_t calls_waiting = 0;   ///< calls on users' terminals, running and waiting for a thread
  std::uint64_t log_failures = 0;    ///< facts that the log did not take
  std::map<std::string, std::uint64_t> events;  ///< how often each was stated since the start
  struct Degraded {
    std::string what, remedy;
  };
  std::vector<Degraded> degraded;
};

/// The key of the host's own signatures, and how many entries the checkpoint counts that both signed.
struct RotatedKeyAnswer {
  std::string log, former;
  std::uint64_t size = 0;
};

struct SessionRow {
  std::string id, name, user;
  std::uint32_t uid = 0;
  std::string client, tty, inner_tty;
  WallUs started = 0;
  bool terminal = false;
  std::string state;
  std::uint64_t bytes_out = 0, bytes_in = 0;
  std::int64_t pid = 0;
};

/// Every encoder gives the packets of one answer, each at most kMaxAnswerPacket bytes.
using Packets = std::vector<std::string>;
Packets encode_status(const StatusAnswer& status);
Packets encode_sessions(const std::vector<SessionRow>& sessions);
Packets encode_dump(std::string_view text);
Packets encode_killed(const std::string& session);
Packets encode_reloaded(const std::string& digest);
Packets encode_files(std::int64_t files);  ///< of thaw and freeze
Packets encode_bytes(std::int64_t bytes);  ///< of prune and compressed: removed
Packets encode_rotated(const RotatedKeyAnswer& keys);
Packets encode_ok();
Packets encode_error(const Error& error);

}  // namespace opelog::record
