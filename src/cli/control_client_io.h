// ControlClient: the asking side of docs/formats/control-protocol.md.
//
// Blocking with limits on time and size; what the daemon answers is parsed and never trusted to be well
// formed.
#pragma once

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
/// A thaw of 100,000 files takes seconds; a daemon silent for longer is not working.
constexpr int kAnswerSeconds = 60;

class ControlClient {
 public:
  /// Code::kGone with the remedy if nobody answers there, Code::kDenied if we may not ask.
  static Result<ControlClient> connect(const std::string& socket);

  /// Sends a request and returns the packets of the answer, parsed. A refusal is its Error.
  Result<std::vector<format::JsonValue>> ask(const std::string& request);

 private:
  ControlClient(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<std::string> receive();
  Fd fd_;
  std::string path_;
};

}  // namespace opelog::cli
