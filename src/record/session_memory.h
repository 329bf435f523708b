// SessionMemory: all that a session is, besides its descriptors and its recording's header, in memory that
// outlives the daemon (docs/formats/kept-session.md says how another one goes on with it).
//
// Plain memory, zeroed at first. Invariant: whatever is told to the outside (a record, a packet to the shim,
// a hung up terminal) is told again by who finds the mark as it was before: so each is either harmless when
// repeated, or stands in the mark first. kSessionMemoryLayout changes with any member of it, of WriterMemory
// or RelayMemory: a daemon of another layout ends these sessions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/two_copies.h"
#include "format/writer_memory.h"
#include "record/outer_terminal_io.h"
#include "record/output_rate.h"
#include "record/relay_memory.h"
#include "record/session_machine.h"

namespace opelog::record {

constexpr std::uint64_t kSessionMemoryMagic = 0x6f70656c6f67736dU;
constexpr std::uint32_t kSessionMemoryLayout = 3;
constexpr std::size_t kMarkedAncestors = 32;  ///< as many as a header has
constexpr std::size_t kMarkedText = 240;

/// Which descriptor is which: device and inode, unique among those of one session.
struct DescriptorMark {
  std::uint64_t device, inode;
  bool operator==(const DescriptorMark&) const = default;
};
enum KeptDescriptor : std::size_t {
  kKeptLog,
  kKeptTime,
  kKeptIn,
  kKeptShim,
  kKeptOuter,        ///< terminal
  kKeptOuterSocket,  ///< of a terminal that stays the user's
  kKeptMaster,
  kKeptSlave,
  kKeptStreams,  ///< outer and inner of each of the three
  kKeptDescriptors = kKeptStreams + 6,
};

/// What a gap record counts, and forgets once it is written.
enum class Counted : std::uint32_t {
  kNothing,
  kDropped,
  kLostOutput,
  kLostInput,
  kHiddenInput,
  kLostSizes,
  kLostEvents,
};

/// Of SessionQuota; what its buckets held is beside it, for it changes with every chunk.
struct QuotaMark {
  std::uint64_t size_limit, output_rate, dropped;
  std::uint32_t on_output_rate, drop_stated, above_told, size_reached;
};

struct SessionMark {
  std::array<DescriptorMark, kKeptDescriptors> descriptors;  ///< zeros: there is none
  MachineMark machine;
  std::int64_t begun;  ///< zero of the recording's delays
  std::int64_t shell_pid;
  std::uint64_t shell_started, shim_started;
  std::array<std::uint64_t, kMarkedAncestors> ancestry_started;
  std::uint32_t ancestors;
  std::uint32_t append_only;
  OuterTerminalMark outer;
  std::array<std::int32_t, 3> same_as;  ///< of the streams
  std::int32_t stream_now;
  std::int32_t rows, cols, width, height;
  std::int64_t held_since;
  std::int64_t paused_at;  ///< 0: not handed over in order
  QuotaMark quota;
  std::uint64_t lost_output, hidden_input, lost_input, lost_sizes;
  std::uint64_t lost_events;                ///< of what was executed, not stated yet
  std::uint64_t maybe_lost, maybe_unshown;  ///< by a kill, not stated yet
  std::uint64_t torn_turn;                  ///< RelayBuffer::turn of the last chunk that is counted there
  std::uint64_t took_turn;                  ///< RelayBuffer::turn of the chunk of which …
  std::uint64_t took;              ///< … so much was taken that the counts have and the files do not show
  std::uint64_t stating_from;      ///< size of `.time` before the gap that states `stating`
  std::uint32_t resumes;           ///< that the recording does not say yet
  std::uint32_t resumed_in_order;  ///< all of them were
  Counted stating;
  std::uint32_t unrecorded, failure_told, utmp_moved, sealed;
  std::array<char, kMarkedText> failure;  ///< ends with NUL
};

struct SessionMemory {
  std::uint64_t magic;
  std::uint32_t layout;
  std::uint32_t attempts;  ///< daemons that took it over and have not lived long since
  std::uint64_t number;    ///< the session's id
  TwoCopies<SessionMark> mark;
  TwoCopies<OutputRateMark> rate;
  format::WriterMemory writer;
  std::array<FlowMemory, 3> flows;
};

/// What in the mark nobody can go on from; "" if one can.
const char* fault_of(const SessionMark& mark) noexcept;
/// Takes out of the mark what it counts and the recording says already: `time_meant` is what `.time` will
/// hold of what was begun.
void settle_stated(SessionMark& mark, std::uint64_t time_meant) noexcept;

/// Secrets lie before it: to be locked into memory.
constexpr std::size_t kSecretsEnd = offsetof(SessionMemory, writer) +
                                    offsetof(format::WriterMemory, sealers) +
                                    sizeof(format::WriterMemory::sealers);

}  // namespace opelog::record
