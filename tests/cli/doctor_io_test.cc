#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "support_io.h"

namespace opelog::cli {
namespace {

using format::testing::spill;
using testing::opelog;
using testing::TempDir;

TEST(DoctorCommand, FindsWhatIsMissingInATree) {
  TempDir dir;
  const auto ran = opelog({"doctor", "--root", dir.path(), "--json"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.out.find("/usr/bin/opelog-shell is not installed"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.err, "");
}

TEST(DoctorCommand, SaysOnATerminalWhomItWaitsFor) {
  testing::OnPty doctor({"doctor", "--control", "/nonexistent/s"});
  EXPECT_TRUE(doctor.wait_for("asking opelogd, for at most 5 s ...\r\x1B[K"));
  EXPECT_EQ(opelog({"doctor", "--control", "/nonexistent/s"}).err, "");
}

TEST(DoctorCommand, SeesHooksInConfigurationFiles) {
  TempDir dir;
  std::filesystem::create_directories(dir.file("etc/ssh/sshd_config.d"));
  std::filesystem::create_directories(dir.file("etc/profile.d"));
  spill(dir.file("etc/ssh/sshd_config.d/opelog.conf"),
        "Match User x\n\tForceCommand /usr/bin/opelog-shell --force\n");
  spill(dir.file("etc/ssh/sshd_config"), "# ForceCommand opelog-shell\n");
  spill(dir.file("etc/profile.d/opelog.sh"), "exec /usr/bin/opelog-shell --hook\n");
  const auto ran = opelog({"doctor", "--root", dir.path()});
  EXPECT_NE(ran.out.find("sshd_config.d/opelog.conf is weak alone"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("ForceCommand in " + dir.file("etc/ssh/sshd_config") + " "), std::string::npos)
      << "a comment is no hook";
  EXPECT_NE(ran.out.find("profile.d/opelog.sh is weak"), std::string::npos);
}

TEST(DoctorCommand, SeesRecordingsWithoutAnEnd) {
  TempDir dir;
  std::filesystem::create_directories(dir.file("rec"));
  TempDir recordings;
  testing::begin_recording(recordings, "alice_20261122140509_192.0.2.7", format::testing::sample_info(),
                           {{0, "x"}});
  std::filesystem::create_directories(dir.file("rec"));
  for (const char* suffix : {".log", ".time"}) {
    const std::string name = std::string("alice_20261122140509_192.0.2.7") + suffix;
    spill(dir.file("rec/" + name), format::testing::slurp(recordings.file(name)));
  }
  const auto ran = opelog({"doctor", "--root", dir.path(), "--directory", "/rec"});
  EXPECT_NE(ran.out.find("without an end (a crash, or cut): alice_20261122140509_192.0.2.7"),
            std::string::npos)
      << ran.out;
}

TEST(DoctorCommand, AUsersTargetThatIsNotEnrolledIsNamed) {
  TempDir dir;
  std::filesystem::create_directories(dir.file("etc/opelog"));
  spill(dir.file("etc/passwd"),
        "alice:x:5000:5000::/home/alice:/bin/bash\ndaemon:x:6000:1::/:/usr/sbin/nologin\n");
  spill(dir.file("etc/opelog/opelog.yaml"), format::testing::slurp(OPELOG_SOURCE_DIR "/etc/opelog.yaml"));
  const auto ran = opelog({"doctor", "--root", dir.path()});
  EXPECT_NE(ran.out.find("nothing catches their logins: alice\n"), std::string::npos) << ran.out;
}

TEST(DoctorCommand, AnEnrolledUserWhomNoRuleRecordsIsNamed) {
  TempDir dir;
  std::filesystem::create_directories(dir.file("etc/opelog"));
  spill(
      dir.file("etc/passwd"),
      "alice:x:5000:100::/home/alice:/usr/bin/opelog-shell\nbob:x:2000:200::/home/bob:/usr/bin/opelog-shell\n"
      "carol:x:2001:201::/home/carol:/usr/bin/opelog-shell\n");
  spill(dir.file("etc/group"), "staff:x:300:other,carol\n");
  spill(dir.file("etc/opelog/enrolled"), "alice:/bin/bash\nbob:/bin/bash\ncarol:/bin/bash\n");
  spill(dir.file("etc/opelog/opelog.yaml"),
        "version: 1\nrules:\n  - { name: a, match: { uid: 5000, parent: sshd } }\n"
        "  - { name: b, match: { group: staff, client: 192.0.2.1 } }\n");
  const auto ran = opelog({"doctor", "--root", dir.path()});
  EXPECT_NE(ran.out.find("their logins pass unrecorded: bob\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("-> opelog policy explain --user bob --parent sshd"), std::string::npos) << ran.out;
}

TEST(DoctorCommand, OfADaemonThatIsDownItDoesNotSendPeopleToItself) {
  TempDir dir;
  const auto ran = opelog({"doctor", "--control", dir.file("none"), "--directory", dir.path()});
  EXPECT_NE(ran.out.find("opelogd does not answer at " + dir.file("none") + ": "), std::string::npos)
      << ran.out;
  EXPECT_EQ(ran.out.find("`opelog doctor` finds"), std::string::npos) << ran.out;
}

}  // namespace
}  // namespace opelog::cli
