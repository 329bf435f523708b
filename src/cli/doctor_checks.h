// What is right and wrong with an installation, judged from facts. Pure: doctor_facts_io.h gathers, tests
// invent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/account_files.h"
#include "core/enrolled.h"
#include "core/policy.h"
#include "core/result.h"

namespace opelog::cli {

struct FileFacts {
  std::string path;
  bool exists = false;
  bool directory = false, regular = false, socket = false;
  std::uint32_t uid = 0, gid = 0, mode = 0;  ///< mode without the type
};

struct HookFacts {
  std::vector<std::string>
      force_command;                 ///< files of sshd's configuration whose ForceCommand names opelog-shell
  std::vector<std::string> profile;  ///< files in /etc/profile.d that do
};

struct DoctorFacts {
  bool as_root = false;  ///< some things only root can see
  bool running = true;   ///< the system that runs, not a tree named by --root
  std::optional<std::uint32_t> gid_opelog, gid_audit, gid_breakglass;
  FileFacts shim, waiter, daemon, config, enrolled, directory, login_socket, control_socket;
  std::optional<Policy> policy;
  std::string policy_error;
  std::vector<Enrolled> entries;
  std::string enrolled_error;
  std::vector<PasswdEntry> accounts;
  std::vector<std::string>
      unrecorded;  ///< enrolled accounts that no rule of the policy could ever record or refuse
  std::vector<std::string> targets;  ///< accounts whose ssh login the policy records or refuses
  std::vector<std::string> shells;
  HookFacts hooks;
  bool systemd = false, unit_installed = false, unit_enabled = false;
  bool daemon_answers = false;
  Code daemon_code = Code::kGone;
  std::string daemon_error;
  std::vector<std::pair<std::string, std::string>>
      degraded;                                  ///< what the daemon says is missing, and the remedy
  std::string policy_in_force_error;             ///< from the daemon
  std::optional<std::string> append_only_error;  ///< "" works; absent: not tried
  std::optional<bool> peer_pidfd;
  std::optional<std::uint64_t> free_bytes, total_bytes, free_files;
  std::uint64_t recordings = 0, live = 0;
  std::vector<std::string> torn, corrupt, unflagged;  ///< the first kNamesKept of each
  std::uint64_t torn_count = 0, corrupt_count = 0, unflagged_count = 0;
  std::string recordings_error;
};

/// Names of each kind that are listed; the rest is only counted.
constexpr std::size_t kNamesKept = 5;

enum class Grade { kGood, kNote, kWarning, kBroken };

struct Finding {
  Grade grade = Grade::kGood;
  std::string what;
  std::string remedy;  ///< a command, "" for kGood and where none is needed
};

const char* grade_word(Grade grade) noexcept;
std::vector<Finding> judge(const DoctorFacts& facts);
/// 0 all well (notes too), 1 warnings, 2 something is broken.
int doctor_exit(const std::vector<Finding>& findings) noexcept;

}  // namespace opelog::cli
