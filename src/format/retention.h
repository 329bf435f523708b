// Retention: which closed recordings are to be compressed or pruned, and why each is. Pure.
//
// Invariants: the same recordings, policy and time give the same answer, whatever their order; of a user the
// oldest go first, of equally old ones the one whose name comes first; for max_size and the reserve those of
// whoever has most, and none of a user who has no more than his share: nobody's flood drives out what others
// did. What is live, held, another's than root's, or younger than keep_at_least is never pruned. All this
// also if a limit cannot be kept then.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/policy.h"

namespace opelog::format {

/// A recording that has no more bytes than this is not compressed: its files would not take fewer blocks of
/// the disk.
constexpr std::uint64_t kSmallRecording = 12 * 1024;

/// What retention knows of a recording.
struct RetainedRecording {
  std::string name;  ///< base name
  std::string id;    ///< "" where it is not known
  std::string user;
  WallUs changed = 0;             ///< last change of its files
  std::uint64_t bytes = 0;        ///< of its files as they are stored
  std::uint64_t plain_bytes = 0;  ///< of those under the names they were written to
  bool live = false;
  bool foreign = false;  ///< a file of it belongs to another than root
};

/// Why a recording is removed; the word is of the control protocol and of facts.
enum class PruneReason { kAge, kSize, kUserSize, kReserve };
/// age, size, user-size, reserve
const char* prune_word(PruneReason reason) noexcept;

/// Whether the policy holds it: by its user, its id or its name.
bool is_held(const Retention& policy, const RetainedRecording& recording);

/// Of each hold that holds nothing of `recordings`: one sentence. It may be misspelt.
std::vector<std::string> idle_holds(const Retention& policy,
                                    const std::vector<RetainedRecording>& recordings);

/// Why it must not be pruned now: one sentence; "" if it may be.
std::string not_to_prune(const Retention& policy, const RetainedRecording& recording, WallUs now);

/// Why the policy asks for no pruning of this kind of it: one sentence; "" if it may.
std::string not_asked_for(const Retention& policy, const RetainedRecording& recording, PruneReason reason,
                          WallUs now);

struct RetainDecision {
  enum class Action { kKeep, kCompress, kPrune };
  std::size_t recording = 0;  ///< which one of those given
  Action action = Action::kKeep;
  PruneReason reason = PruneReason::kAge;  ///< of kPrune
  std::string why;                         ///< one sentence; "" of a recording that nothing is said of
};

/// Compression comes between the two: what is saved by it need not be pruned.
enum class RetainStep {
  kAgeAndSpace,  ///< prune what is older than keep_for, and for the reserve; compress
  kSizes,        ///< prune for max_size_per_user, max_size and the reserve
};

struct RetainPlan {
  std::vector<RetainDecision> decisions;  ///< one of each recording, the oldest first
  std::vector<std::string> unmet;         ///< limits that cannot be kept, one sentence each
};

/// `free_bytes`: what the recordings' file system has left.
RetainPlan decide_retention(const Retention& policy, const std::vector<RetainedRecording>& recordings,
                            std::uint64_t free_bytes, WallUs now, RetainStep step);

/// "90 d", "12 h", "30 s": an age in its largest whole unit.
std::string age_text(std::int64_t seconds);

}  // namespace opelog::format
