#include "cli/doctor_checks.h"

#include <algorithm>
#include <cstdio>

#include "cli/time_text.h"

namespace opelog::cli {
namespace {

/// Below this free part of the file system, or these bytes, an administrator should act.
constexpr std::uint64_t kFewBytes = 256ULL << 20;
constexpr std::uint64_t kFewPercent = 5;
constexpr std::uint64_t kFewFiles = 10000;
constexpr const char* kShimPath = "/usr/bin/opelog-shell";

class Findings {
 public:
  void good(std::string what) { list_.push_back({Grade::kGood, std::move(what), ""}); }
  void note(std::string what, std::string remedy = "") {
    list_.push_back({Grade::kNote, std::move(what), std::move(remedy)});
  }
  void warn(std::string what, std::string remedy) {
    list_.push_back({Grade::kWarning, std::move(what), std::move(remedy)});
  }
  void broken(std::string what, std::string remedy) {
    list_.push_back({Grade::kBroken, std::move(what), std::move(remedy)});
  }
  std::vector<Finding> take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

std::string octal(std::uint32_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

std::string listed(const std::vector<std::string>& names, std::uint64_t count) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  if (count > names.size()) out += " and " + std::to_string(count - names.size()) + " more";
  return out;
}

void check_groups(const DoctorFacts& f, Findings& out) {
  std::string missing;
  if (!f.gid_opelog) missing += " opelog";
  if (!f.gid_audit) missing += " opelog-audit";
  if (!f.gid_breakglass) missing += " opelog-breakglass";
  if (missing.empty())
    out.good("the groups exist");
  else
    out.broken("groups are missing:" + missing, "systemd-sysusers opelog.conf");
}

// One program with the owner and mode it must have; `group` without a value: root's.
void check_program(const FileFacts& file, std::optional<std::uint32_t> gid, const char* group,
                   std::uint32_t mode, bool exact, Findings& out) {
  if (!file.exists || !file.regular) {
    out.broken(file.path + " is not installed", "apt-get install --reinstall opelog");
    return;
  }
  const bool owner = file.uid == 0 && (!gid || file.gid == *gid);
  const bool good_mode = exact ? file.mode == mode : (file.mode & 022) == 0 && (file.mode & 0100) != 0;
  if (owner && good_mode) {
    out.good(file.path + " is in order");
    return;
  }
  out.broken(
      file.path + " has uid " + std::to_string(file.uid) + ", gid " + std::to_string(file.gid) + ", mode " +
          octal(file.mode) + "; it must be root:" + group + " " + octal(mode),
      std::string("chown root:") + group + " " + file.path + " && chmod " + octal(mode) + " " + file.path);
}

void check_programs(const DoctorFacts& f, Findings& out) {
  // Readable, the shim could be traced during its start; without the group it cannot reach the daemon.
  check_program(f.shim, f.gid_opelog, "opelog", 02711, true, out);
  check_program(f.waiter, 0, "root", 0711, true, out);
  check_program(f.daemon, 0, "root", 0755, false, out);
  if (std::find(f.shells.begin(), f.shells.end(), kShimPath) != f.shells.end()) {
    out.warn("/etc/shells lists opelog-shell: an enrolled user can leave it by himself with chsh",
             std::string("remove-shell ") + kShimPath);
  } else {
    out.good("/etc/shells does not list opelog-shell");
  }
}

void check_policy(const DoctorFacts& f, Findings& out) {
  const auto& file = f.config;
  if (!f.policy) {
    if (!f.as_root && file.exists && (file.mode & 04) == 0)
      out.note(file.path + " is readable by root only", "sudo opelog doctor");
    else
      out.broken("the policy: " + f.policy_error, "opelog policy check " + file.path);
    return;
  }
  if (file.uid != 0 || (file.mode & 022) != 0) {
    out.broken(file.path + " can be changed by others than root, so opelogd refuses it",
               "chown root:root " + file.path + " && chmod 0644 " + file.path);
  } else {
    out.good("the policy is valid: " + counted(f.policy->rules.size(), "rule"));
  }
  if (f.policy->rules.empty())
    out.warn("the policy has no rule: nobody is recorded", "see `man 5 opelog.yaml`");
  if (!f.policy_in_force_error.empty())
    out.broken("opelogd keeps an older policy: " + f.policy_in_force_error,
               "opelog policy check && opelog reload");
}

void check_directory(const DoctorFacts& f, Findings& out) {
  const auto& d = f.directory;
  if (!d.exists || !d.directory) {
    out.warn(d.path + " does not exist yet; opelogd makes it when it starts", "systemctl restart opelogd");
    return;
  }
  if (d.uid != 0 || (d.mode & 022) != 0) {
    out.broken(d.path + " is not root's alone (uid " + std::to_string(d.uid) + ", mode " + octal(d.mode) +
                   "): others could put files into it",
               "chown root:opelog-audit " + d.path + " && chmod 0750 " + d.path);
  } else if ((d.mode & 05) != 0) {
    out.warn(d.path + " has mode " + octal(d.mode) + ": everybody may see who was here and when",
             "chmod 0750 " + d.path);
  } else {
    out.good(d.path + " is in order");
  }
  if (f.append_only_error) {
    if (f.append_only_error->empty()) {
      out.good("the append-only flag works there");
    } else if (f.policy && f.policy->append_only == AppendOnly::kRequired) {
      out.broken("no append-only flag in " + d.path + ": " + *f.append_only_error +
                     "; the policy requires it, so logins are refused",
                 "move recordings.directory to ext4, xfs or btrfs, or set recordings.append_only: preferred");
    } else {
      out.warn("no append-only flag in " + d.path + ": " + *f.append_only_error,
               "move recordings.directory to ext4, xfs or btrfs");
    }
  } else {
    out.note("whether the append-only flag works was not tried", f.as_root ? "" : "sudo opelog doctor");
  }
  if (f.free_bytes && f.total_bytes &&
      (*f.free_bytes < kFewBytes || *f.free_bytes / kFewPercent < *f.total_bytes / 100)) {
    out.warn("only " + format_size(*f.free_bytes) + " of " + format_size(*f.total_bytes) +
                 " are free for recordings",
             "df -h " + d.path);
  } else if (f.free_bytes) {
    out.good(format_size(*f.free_bytes) + " are free for recordings");
  }
  if (f.free_files && *f.free_files < kFewFiles)
    out.warn("only " + std::to_string(*f.free_files) + " more files fit on the file system of recordings",
             "df -i " + d.path);
}

void check_daemon(const DoctorFacts& f, Findings& out) {
  if (!f.running) return;
  if (!f.systemd)
    out.note("systemd does not run here: sessions end when opelogd restarts, and you start it yourself");
  else if (!f.unit_installed)
    out.broken("opelogd.service is not installed", "apt-get install --reinstall opelog");
  else if (!f.unit_enabled)
    out.warn("opelogd does not start at boot",
             "systemctl enable --now opelogd.service opelogd.socket opelogd-control.socket");
  else
    out.good("opelogd starts at boot");
  const char* start = f.systemd ? "systemctl restart opelogd; journalctl -u opelogd -n 50" : "opelogd";
  if (f.daemon_answers)
    out.good("opelogd answers");
  else if (f.daemon_code == Code::kDenied && !f.as_root)
    out.note("whether opelogd answers: not seen, you are not in the group opelog-audit",
             "sudo opelog doctor");
  else
    out.broken(f.daemon_error, start);
  const auto socket = [&](const FileFacts& file, std::optional<std::uint32_t> gid, const char* group) {
    if (!file.exists || !file.socket) {
      out.broken(file.path + " does not exist: nobody can reach opelogd there", start);
    } else if (file.uid != 0 || (gid && file.gid != *gid) || (file.mode & 0777) != 0660) {
      out.broken(file.path + " must be root:" + group + " 0660", start);
    } else {
      out.good(file.path + " is in order");
    }
  };
  socket(f.login_socket, f.gid_opelog, "opelog");
  socket(f.control_socket, f.gid_audit, "opelog-audit");
  for (const auto& [what, remedy] : f.degraded) out.warn("opelogd says: " + what, remedy);
  if (f.peer_pidfd && !*f.peer_pidfd) {
    out.note(
        "this kernel has no SO_PEERPIDFD (Linux 6.5): the process that logs in is named by its number and "
        "start time instead");
  }
}

void check_enrolled(const DoctorFacts& f, Findings& out) {
  if (!f.enrolled_error.empty()) {
    out.broken("the list of enrolled users: " + f.enrolled_error,
               "repair the line named there: user:/real/shell");
    return;
  }
  if (f.enrolled.exists && (f.enrolled.uid != 0 || (f.enrolled.mode & 022) != 0)) {
    out.broken(f.enrolled.path + " can be changed by others than root",
               "chown root:root " + f.enrolled.path + " && chmod 0644 " + f.enrolled.path);
  }
  const auto enrolled = [&](const std::string& user) {
    return std::any_of(f.entries.begin(), f.entries.end(), [&](const Enrolled& e) { return e.user == user; });
  };
  std::size_t in_order = 0;
  for (const auto& entry : f.entries) {
    const auto account = find_user(f.accounts, entry.user);
    if (!account) {
      out.note(
          "enrolled user " + entry.user + " does not stand in /etc/passwd (a directory service, or removed)",
          "if he is gone: opelog unenroll " + entry.user);
    } else if (account->shell != kShimPath) {
      out.broken(entry.user + " is enrolled, but his login shell is " + account->shell +
                     ": he is not recorded by it",
                 "opelog unenroll " + entry.user + " && opelog enroll " + entry.user);
    } else {
      ++in_order;
    }
  }
  for (const auto& account : f.accounts) {
    if (account.shell == kShimPath && !enrolled(account.user)) {
      out.broken(
          account.user + "'s login shell is opelog-shell, but nobody knows his real one: he cannot log in",
          "usermod -s /bin/bash " + account.user + " && opelog enroll " + account.user);
    }
  }
  if (in_order > 0) out.good(counted(in_order, "enrolled user") + " in order (login shell: the strong hook)");
  if (!f.unrecorded.empty()) {
    const std::string& first = f.unrecorded.front();
    const std::size_t shown = std::min(f.unrecorded.size(), kNamesKept);
    out.warn("no rule of the policy records enrolled users, their logins pass unrecorded: " +
                 listed({f.unrecorded.begin(), f.unrecorded.begin() + static_cast<std::ptrdiff_t>(shown)},
                        f.unrecorded.size()),
             "opelog policy explain --user " + first + " --parent sshd, then change rules: in " +
                 f.config.path + ", or: opelog unenroll " + first);
  }
  std::vector<std::string> open;
  std::uint64_t count = 0;
  for (const auto& target : f.targets) {
    if (enrolled(target)) continue;
    if (++count <= kNamesKept) open.push_back(target);
  }
  const bool weak = !f.hooks.force_command.empty() || !f.hooks.profile.empty();
  if (count > 0) {
    out.warn("the policy names users who are not enrolled" +
                 std::string(weak ? ", only a weak hook may catch them: "
                                  : " and nothing catches their logins: ") +
                 listed(open, count),
             "opelog enroll " + open.front());
  }
  for (const auto& file : f.hooks.force_command) {
    out.note("ForceCommand in " + file +
             " is weak alone: sshd runs it by the user's shell, which reads his ~/.bashrc first; with "
             "enrolled users it is fine");
  }
  for (const auto& file : f.hooks.profile) {
    out.note("the hook " + file +
             " is weak: only interactive login shells read it, and a user can get around it; enrolled users "
             "do not need it");
  }
  if (f.entries.empty() && !weak) out.warn("no hook: no login ever reaches opelog", "opelog enroll USER");
}

void check_recordings(const DoctorFacts& f, Findings& out) {
  if (!f.recordings_error.empty()) {
    out.note("the recordings were not looked at: " + f.recordings_error,
             f.as_root ? "" : "sudo opelog doctor");
    return;
  }
  out.good(counted(f.recordings, "recording") + ", " + std::to_string(f.live) + " live");
  if (f.torn_count > 0)
    out.warn("recordings without an end (a crash, or cut): " + listed(f.torn, f.torn_count),
             "opelog show " + f.torn.front());
  if (f.corrupt_count > 0)
    out.broken("corrupt recordings: " + listed(f.corrupt, f.corrupt_count),
               "opelog show " + f.corrupt.front());
  if (f.unflagged_count > 0 && f.policy && f.policy->append_only != AppendOnly::kOff) {
    out.warn("recordings without the append-only flag: " + listed(f.unflagged, f.unflagged_count),
             "opelog freeze");
  }
}

}  // namespace

const char* grade_word(Grade grade) noexcept {
  switch (grade) {
    case Grade::kGood:
      return "good";
    case Grade::kNote:
      return "note";
    case Grade::kWarning:
      return "warning";
    case Grade::kBroken:
      return "broken";
  }
  return "broken";
}

std::vector<Finding> judge(const DoctorFacts& facts) {
  Findings out;
  check_groups(facts, out);
  check_programs(facts, out);
  check_policy(facts, out);
  check_directory(facts, out);
  check_daemon(facts, out);
  check_enrolled(facts, out);
  check_recordings(facts, out);
  return out.take();
}

int doctor_exit(const std::vector<Finding>& findings) noexcept {
  int exit = 0;
  for (const auto& finding : findings) {
    if (finding.grade == Grade::kBroken) return 2;
    if (finding.grade == Grade::kWarning) exit = 1;
  }
  return exit;
}

}  // namespace opelog::cli
