// ExecEvents: what a recording's notes say was executed, for join_commands() and lists of processes.
//
// Fed with each note and gap of a recording in order. An exec and its process' exit become one event; where a
// process executes several programs in turn (env, exec), each has the exit. Any bytes are allowed. Memory:
// proportional to the events that are kept. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "format/session_info.h"
#include "replay/command_list.h"

namespace opelog::replay {

class ExecEvents {
 public:
  /// Whether it was one of ours.
  bool note(const std::string& name, const std::string& value);
  /// From now on execs are only counted; how the known ones end is still taken.
  void keep_no_more() noexcept { keep_ = false; }
  /// Of kind "exec": further events that are missing.
  void gap(const format::GapInfo& gap);

  [[nodiscard]] const std::vector<ExecEvent>& events() const noexcept { return events_; }
  /// Execs that came behind keep_no_more().
  [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }
  [[nodiscard]] std::uint64_t missing() const noexcept { return missing_; }
  /// Notes of execs or exits that could not be read.
  [[nodiscard]] std::uint64_t unreadable() const noexcept { return unreadable_; }

 private:
  std::vector<ExecEvent> events_;
  std::unordered_map<std::int64_t, std::vector<std::size_t>> running_;  ///< by pid, what it has executed
  bool before_ = false;  ///< the last exec was before the start
  std::uint64_t missing_ = 0, unreadable_ = 0, left_out_ = 0;
  bool keep_ = true;
};

/// The words of a command line, joined by blanks; those that a shell would not leave as they are, quoted.
std::string command_line(const std::vector<std::string>& argv);

}  // namespace opelog::replay
