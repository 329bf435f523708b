#include "cli/doctor_checks.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

// An installation in which everything is right.
DoctorFacts healthy() {
  DoctorFacts f;
  f.as_root = true;
  f.gid_opelog = 101;
  f.gid_audit = 102;
  f.gid_breakglass = 103;
  const auto program = [](const char* path, std::uint32_t gid, std::uint32_t mode) {
    FileFacts file;
    file.path = path;
    file.exists = file.regular = true;
    file.gid = gid;
    file.mode = mode;
    return file;
  };
  f.shim = program("/usr/bin/opelog-shell", 101, 02711);
  f.waiter = program("/usr/lib/opelog/opelog-waiter", 0, 0711);
  f.daemon = program("/usr/sbin/opelogd", 0, 0755);
  f.config = program("/etc/opelog/opelog.yaml", 0, 0644);
  f.enrolled = program("/etc/opelog/enrolled", 0, 0644);
  f.directory = program("/var/log/ope_log", 102, 0750);
  f.directory.directory = true;
  f.login_socket = program("/run/opelog/login.sock", 101, 0660);
  f.control_socket = program("/run/opelog/control.sock", 102, 0660);
  f.login_socket.socket = f.control_socket.socket = true;
  f.policy.emplace();
  f.policy->rules.emplace_back();
  f.entries = {{"alice", "/bin/bash"}};
  f.accounts = {{"alice", 1000, 1000, "/usr/bin/opelog-shell"}, {"bob", 2000, 2000, "/bin/bash"}};
  f.targets = {"alice"};
  f.shells = {"/bin/bash"};
  f.systemd = f.unit_installed = f.unit_enabled = f.daemon_answers = true;
  f.append_only_error = "";
  f.peer_pidfd = true;
  f.free_bytes = 50ULL << 30;
  f.total_bytes = 100ULL << 30;
  f.free_files = 1000000;
  return f;
}

TEST(Doctor, AHealthyInstallationIsAllGood) {
  for (const auto& finding : judge(healthy())) EXPECT_EQ(finding.grade, Grade::kGood) << finding.what;
  EXPECT_EQ(doctor_exit(judge(healthy())), 0);
}

struct Damage {
  const char* what;
  void (*damage)(DoctorFacts&);
  Grade grade;
  const char* says;
  const char* remedy;
};

const Damage kDamages[] = {
    {"group", [](DoctorFacts& f) { f.gid_breakglass.reset(); }, Grade::kBroken, "opelog-breakglass",
     "systemd-sysusers"},
    {"shim gone", [](DoctorFacts& f) { f.shim.exists = false; }, Grade::kBroken,
     "opelog-shell is not installed", "reinstall"},
    {"shim readable", [](DoctorFacts& f) { f.shim.mode = 02755; }, Grade::kBroken, "mode 2755", "chmod 2711"},
    {"shim without setgid", [](DoctorFacts& f) { f.shim.mode = 0711; }, Grade::kBroken, "mode 0711",
     "chmod 2711"},
    {"shim of a user", [](DoctorFacts& f) { f.shim.uid = 1000; }, Grade::kBroken, "uid 1000",
     "chown root:opelog"},
    {"shim of another group", [](DoctorFacts& f) { f.shim.gid = 0; }, Grade::kBroken, "gid 0",
     "chown root:opelog"},
    {"waiter readable", [](DoctorFacts& f) { f.waiter.mode = 0755; }, Grade::kBroken, "opelog-waiter",
     "chmod 0711"},
    {"daemon writable", [](DoctorFacts& f) { f.daemon.mode = 0775; }, Grade::kBroken, "opelogd",
     "chmod 0755"},
    {"shells", [](DoctorFacts& f) { f.shells.push_back("/usr/bin/opelog-shell"); }, Grade::kWarning,
     "/etc/shells lists", "remove-shell"},
    {"policy broken",
     [](DoctorFacts& f) {
       f.policy.reset();
       f.policy_error = "x.yaml:1:2: no";
     },
     Grade::kBroken, "x.yaml:1:2", "policy check"},
    {"policy writable", [](DoctorFacts& f) { f.config.mode = 0664; }, Grade::kBroken, "changed by others",
     "chmod 0644"},
    {"no rules", [](DoctorFacts& f) { f.policy->rules.clear(); }, Grade::kWarning, "no rule", "man 5"},
    {"old policy in force", [](DoctorFacts& f) { f.policy_in_force_error = "y"; }, Grade::kBroken,
     "older policy", "reload"},
    {"no directory", [](DoctorFacts& f) { f.directory.exists = false; }, Grade::kWarning,
     "does not exist yet", "restart"},
    {"directory open", [](DoctorFacts& f) { f.directory.mode = 0777; }, Grade::kBroken, "not root's alone",
     "chmod 0750"},
    {"directory readable", [](DoctorFacts& f) { f.directory.mode = 0755; }, Grade::kWarning,
     "everybody may see", "chmod 0750"},
    {"no append-only", [](DoctorFacts& f) { f.append_only_error = "tmpfs"; }, Grade::kBroken,
     "logins are refused", "ext4"},
    {"append-only preferred",
     [](DoctorFacts& f) {
       f.append_only_error = "tmpfs";
       f.policy->append_only = AppendOnly::kPreferred;
     },
     Grade::kWarning, "no append-only", "ext4"},
    {"disk full", [](DoctorFacts& f) { f.free_bytes = 1 << 20; }, Grade::kWarning, "1.0M", "df -h"},
    {"disk nearly full", [](DoctorFacts& f) { f.free_bytes = 4ULL << 30; }, Grade::kWarning, "4.0G of 100G",
     "df -h"},
    {"inodes", [](DoctorFacts& f) { f.free_files = 12; }, Grade::kWarning, "12 more files", "df -i"},
    {"unit disabled", [](DoctorFacts& f) { f.unit_enabled = false; }, Grade::kWarning, "at boot",
     "systemctl enable"},
    {"unit missing", [](DoctorFacts& f) { f.unit_installed = false; }, Grade::kBroken, "not installed",
     "reinstall"},
    {"daemon silent",
     [](DoctorFacts& f) {
       f.daemon_answers = false;
       f.daemon_error = "no answer";
     },
     Grade::kBroken, "no answer", "systemctl restart"},
    {"login socket", [](DoctorFacts& f) { f.login_socket.exists = false; }, Grade::kBroken, "login.sock",
     "restart"},
    {"login socket open to all", [](DoctorFacts& f) { f.login_socket.mode = 0666; }, Grade::kBroken,
     "root:opelog 0660", "restart"},
    {"degraded",
     [](DoctorFacts& f) {
       f.degraded = {{"no fd store", "use systemd"}};
     },
     Grade::kWarning, "no fd store", "use systemd"},
    {"old kernel", [](DoctorFacts& f) { f.peer_pidfd = false; }, Grade::kNote, "SO_PEERPIDFD", ""},
    {"enrolled broken", [](DoctorFacts& f) { f.enrolled_error = "enrolled:3:1: no"; }, Grade::kBroken,
     "enrolled:3:1", "repair"},
    {"enrolled writable", [](DoctorFacts& f) { f.enrolled.mode = 0666; }, Grade::kBroken, "changed by others",
     "chmod 0644"},
    {"enrolled, but another shell", [](DoctorFacts& f) { f.accounts[0].shell = "/bin/zsh"; }, Grade::kBroken,
     "alice is enrolled, but", "opelog enroll alice"},
    {"shim without entry", [](DoctorFacts& f) { f.accounts[1].shell = "/usr/bin/opelog-shell"; },
     Grade::kBroken, "bob's login shell", "opelog enroll bob"},
    {"enrolled unknown here",
     [](DoctorFacts& f) {
       f.entries.push_back({"carol", "/bin/sh"});
     },
     Grade::kNote, "carol", "opelog unenroll carol"},
    {"enrolled, but no rule", [](DoctorFacts& f) { f.unrecorded = {"alice"}; }, Grade::kWarning,
     "their logins pass unrecorded: alice", "policy explain --user alice --parent sshd"},
    {"target not enrolled", [](DoctorFacts& f) { f.targets.push_back("bob"); }, Grade::kWarning,
     "nothing catches their logins: bob", "opelog enroll bob"},
    {"no hook",
     [](DoctorFacts& f) {
       f.entries.clear();
       f.accounts.clear();
       f.targets.clear();
     },
     Grade::kWarning, "no hook", "opelog enroll"},
    {"ForceCommand", [](DoctorFacts& f) { f.hooks.force_command = {"/etc/ssh/sshd_config"}; }, Grade::kNote,
     "weak alone", ""},
    {"profile hook", [](DoctorFacts& f) { f.hooks.profile = {"/etc/profile.d/opelog.sh"}; }, Grade::kNote,
     "is weak", ""},
    {"torn",
     [](DoctorFacts& f) {
       f.torn = {"a"};
       f.torn_count = 9;
     },
     Grade::kWarning, "a and 8 more", "opelog show a"},
    {"corrupt",
     [](DoctorFacts& f) {
       f.corrupt = {"c"};
       f.corrupt_count = 1;
     },
     Grade::kBroken, "corrupt recordings: c", "opelog show c"},
    {"flag lost",
     [](DoctorFacts& f) {
       f.unflagged = {"u"};
       f.unflagged_count = 1;
     },
     Grade::kWarning, "without the append-only flag: u", "freeze"},
};

TEST(Doctor, FindsEachDamageAndSaysTheRemedy) {
  for (const auto& d : kDamages) {
    DoctorFacts facts = healthy();
    d.damage(facts);
    const auto findings = judge(facts);
    bool found = false;
    for (const auto& finding : findings) {
      if (finding.grade == d.grade && finding.what.find(d.says) != std::string::npos &&
          finding.remedy.find(d.remedy) != std::string::npos)
        found = true;
    }
    EXPECT_TRUE(found) << d.what;
    const int expected = d.grade == Grade::kBroken ? 2 : d.grade == Grade::kWarning ? 1 : 0;
    EXPECT_EQ(doctor_exit(findings), expected) << d.what;
  }
}

TEST(Doctor, AnOrdinaryUserIsNotToldThatWhatHeCannotSeeIsBroken) {
  DoctorFacts f = healthy();
  f.as_root = false;
  f.append_only_error.reset();
  f.daemon_answers = false;
  f.daemon_code = Code::kDenied;
  f.recordings_error = "permission denied";
  EXPECT_EQ(doctor_exit(judge(f)), 0);
}

TEST(Doctor, ATreeThatDoesNotRunHasNoDaemon) {
  DoctorFacts f = healthy();
  f.running = false;
  f.daemon_answers = f.systemd = false;
  f.login_socket = f.control_socket = {};
  EXPECT_EQ(doctor_exit(judge(f)), 0);
}

}  // namespace
}  // namespace opelog::cli
