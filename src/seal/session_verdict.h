// The verdict on one recording: its files against its seals, and those against the ledger
// (docs/formats/seals.md, "One recording"). Pure: bytes come through RecordingBytes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "seal/finding.h"
#include "seal/ledger_verdict.h"

namespace opelog::seal {

/// A recording's files as they were written: uncompressed. 0 `.log`, 1 `.time`, 2 `.in`.
class RecordingBytes {
 public:
  virtual ~RecordingBytes() = default;
  /// nullopt: there is none.
  [[nodiscard]] virtual std::optional<std::uint64_t> size(std::size_t file) = 0;
  /// The bytes from `from` up to `to` (at most size()), in pieces.
  virtual Status read(std::size_t file, std::uint64_t from, std::uint64_t to,
                      const std::function<void(std::string_view)>& take) = 0;
};

struct SessionQuestion {
  std::string recording;  ///< base name
  bool live = false;      ///< a writer holds it
  /// nullptr: there is none.
  const LedgerVerdict* ledger = nullptr;
};

/// An error means a file could not be read; what it holds is never one.
Result<SessionVerdict> verify_session(RecordingBytes& files, const SessionQuestion& question);

}  // namespace opelog::seal
