// A host made for tests: recordings by the real writer and sealer, a ledger of real entries and checkpoints,
// all as values that a test may damage before it asks for the verdict.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/session_info.h"
#include "seal/host_verdict_io.h"
#include "seal/ledger_entry.h"
#include "seal/merkle.h"
#include "seal/session_verdict.h"
#include "seal/signing_key_io.h"

namespace opelog::seal::testing {

/// Files of one recording: 0 .log, 1 .time, 2 .in.
using Files = std::array<std::optional<std::string>, 3>;

class MadeHost {
 public:
  MadeHost();

  /// What a session does, step by step; times are in microseconds since its beginning.
  struct Script {
    bool input = false;
    int chunks = 3;          ///< of output, one a second and so one for each seal
    std::size_t bytes = 40;  ///< of each
    bool commands = false;   ///< before each one, "command-0" and so on, is executed
    /// kElsewhere: it has its end, but the daemon was killed before the ledger had it, and the next one saw
    /// no file.
    enum class End { kExit, kCrash, kLive, kElsewhere } end = End::kExit;
  };
  /// Records one; returns its name.
  std::string record(const Script& script);
  void add(EntryBody body);
  /// Signs all entries so far.
  void checkpoint();
  /// The last checkpoint of the same epoch once more, over what is there now: what a thief of the key can do.
  void checkpoint_again();

  [[nodiscard]] LedgerVerdict ledger() const;
  /// The verdict on one recording, by the ledger as it is (nullptr: none).
  [[nodiscard]] static SessionVerdict verdict(const std::string& name, const Files& files,
                                              const LedgerVerdict* ledger);
  [[nodiscard]] SessionVerdict verdict(const std::string& name) const;
  [[nodiscard]] std::vector<SessionVerdict> all() const;

  std::map<std::string, Files> recordings;
  std::vector<std::string> entries;
  std::vector<std::string> checkpoints;
  std::vector<Pin> pins;
  std::string origin = "opelog/0123456789abcdef0123456789abcdef";

 private:
  struct Keys {
    SigningKey current, next;
  };
  std::optional<Keys> keys_;
  std::optional<SigningKey> log_, used_;
  std::uint64_t epoch_ = 1, last_no_ = 0;
  WallUs now_ = 1795000000000000;
};

/// The words of a verdict's findings, in order.
std::vector<std::string> words(const std::vector<Finding>& findings);
bool has(const std::vector<Finding>& findings, const std::string& what);

}  // namespace opelog::seal::testing
