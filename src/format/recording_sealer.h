// RecordingSealer: who is told of every byte a recording's files take, and says what a seal of them is.
// SealKnowledge: what such a seal says, for the repair.
//
// The interface between writer and repair and what seals (seal/session_sealer_io.h, seal/seal_record.h);
// format/ knows nothing of keys.
// When a seal is made is the writer's business (kSealUs and below), what it holds the sealer's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "core/sha256.h"
#include "format/session_info.h"
#include "format/writer_memory.h"

namespace opelog::format {

/// A seal is due this long after the first byte that none covers …
constexpr std::int64_t kSealUs = kUsPerS;
/// … when so many bytes of `.log` and `.in` are not covered …
constexpr std::uint64_t kSealBytes = 1 << 20;
/// … and after this long without anything new.
constexpr std::int64_t kSealIdleUs = 300 * kUsPerS;

class RecordingSealer {
 public:
  virtual ~RecordingSealer() = default;

  /// `bytes` were accepted by file 0 `.log`, 1 `.time` or 2 `.in`, in this order.
  virtual void written(std::size_t file, std::string_view bytes) = 0;
  /// The value of an OPELOG_SEAL record that covers all that was written, `at_us` after the beginning. What
  /// is written from now on, this record first, belongs to the next one.
  virtual Result<std::string> seal(std::int64_t at_us, bool final) = 0;
  /// The record of the last seal() was refused, and nothing of it is in the file: as if seal() had not been
  /// called.
  virtual void refused() = 0;
  /// The record of the last seal() is in the file, whole; of one made by another process perhaps once more.
  virtual void recorded() = 0;
  /// What another one needs to go on from the last seal() (or its beginning), the secret that signs next
  /// among it.
  virtual void save(SealerMark& mark) const = 0;
  /// The writer goes on with it: what was read back is told, and the files are as they were left.
  virtual void resumed() = 0;
  /// The final seal was made.
  [[nodiscard]] virtual bool finished() const = 0;
  /// The recording could not be begun, and nothing of it is left.
  virtual void abandoned() = 0;
  /// The final seal is written.
  virtual void closed(const EndInfo& end) = 0;
};

/// What a seal says of a recording's files, numbered as in RecordingSealer::written().
struct SealClaim {
  std::array<std::uint64_t, 3> sizes{};  ///< up to where it covers each; from where the one before did
  std::array<Digest, 3> digests{};       ///< of what it covers, behind the domain
};
/// How seals are read; empty if nobody can.
struct SealKnowledge {
  std::array<std::string_view, 3> domains;
  /// The value of an OPELOG_SEAL record; nullopt if it is none.
  std::optional<SealClaim> (*read)(std::string_view value) = nullptr;
};

}  // namespace opelog::format
