// WriterMemory: what a RecordingWriter must know to go on in another process, after this one was killed at
// any instruction (docs/formats/kept-session.md).
//
// Plain memory, zeroed at first; a session's lies where it outlives the daemon. The files themselves say how
// much of them is written; this says what was meant to be, and what their bytes are. Invariants: `mark`
// changes as a whole; the bytes of `records` do not change while the mark says that they are under way, nor
// those of `batch` that it counts. Another layout of this means another kSessionMemoryLayout
// (record/session_memory.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/clock.h"
#include "core/two_copies.h"

namespace opelog::format {

/// What a RecordingSealer must know, its secret too; its own business.
struct SealerMark {
  std::array<std::uint8_t, 256> bytes;
};

struct WriterMark {
  std::uint64_t time_bytes;  ///< size of `.time` without anything of `records`
  std::uint64_t timed;  ///< bytes of `.log` that records speak of: in `.time`, under way, or in the batch
  std::uint64_t input_timed;  ///< the same of `.in`
  std::int64_t last;          ///< of the last record begun
  std::int64_t batch_at;
  std::int64_t sealed_at;
  std::uint32_t batch;    ///< bytes of WriterMemory::batch
  std::uint32_t records;  ///< bytes of WriterMemory::records that are under way to `.time`
  std::uint32_t ending;   ///< 1: the records of the end are under way, or there
  std::uint32_t sealer;   ///< which of WriterMemory::sealers holds
};

/// Ten `O` records are below 400 bytes.
constexpr std::size_t kBatchBytes = 2048;
/// The longest note that is made, an exec event's, with every byte escaped and split.
constexpr std::size_t kRecordsBytes = 512 * 1024;

/// Whether another process may go on from it: nothing in it names what is not there.
constexpr bool is_sound(const WriterMark& mark) noexcept {
  return mark.batch <= kBatchBytes && mark.records <= kRecordsBytes && mark.sealer <= 1 &&
         is_time(mark.last) && is_time(mark.batch_at) && is_time(mark.sealed_at);
}

struct WriterMemory {
  TwoCopies<WriterMark> mark;
  std::array<SealerMark, 2> sealers;  ///< with secrets: never copied, and erased when the other one holds
  std::int64_t pending_at;            ///< when the first byte came that no record speaks of
  std::array<char, kBatchBytes> batch;
  std::array<char, kRecordsBytes> records;
};

}  // namespace opelog::format
