// ExecMembership: which processes belong to a session, followed from outside by forks and exits.
//
// Pure. For the proc connector, where the kernel does not keep it for us: numbers of processes are used
// again, so an exit must be seen for an entry to be right. After events were lost, retain() and adopt()
// repair it as well as can be. At most kMaxMembers processes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/clock.h"
#include "record/exec_source.h"
#include "record/proc_connector_message.h"

namespace opelog::record {

/// About 6 MB; a host has at most 4 million processes, and a session's owner a limit.
constexpr std::size_t kMaxMembers = 65536;

class ExecMembership {
 public:
  /// False if the table is full.
  bool join(std::int64_t pid, std::uint64_t session, Membership membership, MonoUs now);

  struct Step {
    enum class Kind {
      kNothing,
      kExec,  ///< `pid`, `parent`
      kExit,  ///< all of them
      kFull,  ///< a child that could not be taken in: it is lost, with all it will do
    };
    Kind kind = Kind::kNothing;
    std::uint64_t session = 0;
    std::int64_t pid = 0, parent = 0;
    std::uint32_t status = 0, execs = 0;
    MonoUs duration = 0;  ///< since the last exec or the start
    bool operator==(const Step&) const = default;
  };
  Step step(const ConnectorEvent& event);

  /// After a loss: removes all but those for which `alive` is true; returns the others' sessions, one for
  /// each.
  std::vector<std::uint64_t> retain(const std::function<bool(std::int64_t pid)>& alive);
  /// A child found in /proc. False unless its parent is a member and it is not, and there is room.
  bool adopt(std::int64_t pid, std::int64_t parent, MonoUs now);

  [[nodiscard]] std::size_t count() const noexcept { return members_.size(); }

 private:
  struct Member {
    std::uint64_t session = 0;
    std::int64_t parent = 0;
    MonoUs since = 0;     ///< of the last exec or the start
    MonoUs taken_in = 0;  ///< what the kernel tells of an earlier time is of another process
    std::uint32_t execs = 0, threads = 1;
    std::uint32_t status = 0;  ///< of its first thread, if that has ended
    bool quiet = false;
  };
  std::unordered_map<std::int64_t, Member> members_;
};

}  // namespace opelog::record
