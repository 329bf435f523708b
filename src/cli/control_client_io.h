// ControlClient: the asking side of docs/formats/control-protocol.md.
//
// Blocking with limits on time and size; what the daemon answers is parsed and never trusted to be well
// formed.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "format/json_text.h"

namespace opelog::cli {

/// Bytes of one packet, from the protocol.
constexpr std::size_t kMaxAnswer = 65536;
/// Packets of one answer: 2,000 sessions need some 20.
constexpr std::size_t kMaxPackets = 1024;
/// A daemon that is silent for longer is not working; where systemd holds the socket it may not even run.
constexpr int kAnswerSeconds = 5;
/// Of thaw and freeze: 100,000 files take seconds, and a file under a lease is tried for a minute.
constexpr int kFilesAnswerSeconds = 120;

class ControlClient {
 public:
  /// Code::kGone with the remedy if nobody answers there, Code::kDenied if we may not ask.
  static Result<ControlClient> connect(
      const std::string& socket, std::chrono::milliseconds patience = std::chrono::seconds(kAnswerSeconds));

  /// Sends a request and returns the packets of the answer, parsed. A refusal is its Error.
  Result<std::vector<format::JsonValue>> ask(const std::string& request);

 private:
  ControlClient(Fd fd, std::string path, std::chrono::milliseconds patience)
      : fd_(std::move(fd)), path_(std::move(path)), patience_(patience) {}
  Result<std::string> receive();
  Fd fd_;
  std::string path_;
  std::chrono::milliseconds patience_;  ///< of silence, until we give up
};

}  // namespace opelog::cli
