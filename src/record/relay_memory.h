// RelayMemory: the bytes that a relay holds, in memory that outlives its process
// (docs/formats/kept-session.md).
//
// Plain memory. A chunk on its way is in the RelayBuffer, which all sessions of a loop share, with the stage
// it has reached; what could go no further is in its flow's memory. Invariant: at every instruction each byte
// that was read is in one of them or has gone on, but for what `stage` says cannot be known. Pure:
// resume_flow() is what another process makes of what it finds. Another layout of this means another
// kSessionMemoryLayout.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace opelog::record {

/// 64 KiB: what a pty holds, and what a socket or pipe gives in one read; larger brings nothing measurable.
constexpr std::size_t kChunk = 65536;

/// Bytes that wait; at most one chunk. Changes by one store.
class HeldBytes {
 public:
  [[nodiscard]] std::string_view view() const noexcept {
    const std::uint64_t now = where_.load(std::memory_order_acquire);
    const std::size_t first = std::min<std::size_t>(now >> 32U, kChunk);
    return {bytes_.data() + first, std::min<std::size_t>(now & 0xffffffffU, kChunk - first)};
  }
  [[nodiscard]] bool empty() const noexcept { return view().empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return view().size(); }
  /// Replaces what is there; `bytes` (at most kChunk) may lie in it.
  void assign(std::string_view bytes) noexcept;
  /// Behind what is there. False: they do not fit, nothing is changed.
  [[nodiscard]] bool append(std::string_view bytes) noexcept;
  void drop(std::size_t first) noexcept;
  void clear() noexcept { where_.store(0, std::memory_order_release); }

 private:
  std::atomic<std::uint64_t> where_;  ///< first byte above, count below
  std::array<char, kChunk> bytes_;
};

struct FlowMemory {
  std::uint64_t bytes;  ///< that have gone on
  std::uint32_t source_ended, done;
  HeldBytes unrecorded;  ///< read, not accepted yet
  HeldBytes backlog;     ///< accepted, not written yet
};

/// The chunk on its way. Where nothing was read, `bytes` hold a pattern: so a read that nobody saw end can be
/// seen.
struct RelayBuffer {
  enum Stage : std::uint32_t {
    kIdle,
    kReading,   ///< whether it was read, and how much, only the pattern tells
    kRead,      ///< `size` bytes are here
    kAccepted,  ///< the owner took `taken`
    kWriting,   ///< whether they have gone on nobody knows
    kWritten,   ///< `sent` have
    kFlushing,  ///< the flow's backlog is being written: as kWriting
  };
  RelayBuffer() { prepare(); }
  /// Memory that was zeroed, or another process's.
  void prepare() noexcept;
  /// The chunk is through: the pattern again where it was.
  void done(std::size_t used) noexcept;
  void reached(Stage stage) noexcept {
    stage_.store(stage, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // what is stored next is not stored before
  }
  [[nodiscard]] Stage stage() const noexcept {
    return static_cast<Stage>(stage_.load(std::memory_order_acquire));
  }
  /// Of a read that nobody saw end: bytes up to the last that is not the pattern's.
  [[nodiscard]] std::size_t seen() const noexcept;

  std::uint64_t turn = 0;     ///< counts what was on its way here
  std::uint64_t session = 0;  ///< the relay's number
  std::int32_t flow = 0;
  std::uint32_t size = 0, taken = 0, sent = 0;
  std::uint64_t recorded = 0;  ///< what the owner had recorded of this flow before
  std::uint64_t bytes_on = 0;  ///< FlowMemory::bytes before
  std::array<char, kChunk> bytes;

 private:
  std::atomic<std::uint32_t> stage_;
};

/// What the owner has recorded of a flow tells how much of a chunk it took: its bytes, or (all or none) that
/// it did.
enum class Taken { kCounted, kAllOrNone };

struct ResumedFlow {
  std::uint64_t maybe_lost =
      0;  ///< bytes that were read and may be more than are known: neither recorded nor shown
  std::uint64_t maybe_unshown = 0;  ///< recorded, and nobody knows whether they went on: they do not again
};

/// What nobody can know of what `left` holds of the flow; before resume_flow(), which takes it.
[[nodiscard]] ResumedFlow torn_of(const FlowMemory& flow, const RelayBuffer& left) noexcept;
/// Puts what `left` holds of the flow into its memory. `recorded`: what the owner has recorded of it now. A
/// second time, by another process that finds both so, changes nothing.
void resume_flow(FlowMemory& flow, const RelayBuffer& left, Taken how, std::uint64_t recorded);

}  // namespace opelog::record
