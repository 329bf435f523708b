// enroll and unenroll on a tree of their own (--root): the machine's passwd is never touched.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support_io.h"

namespace opelog::cli {
namespace {

using format::testing::slurp;
using format::testing::spill;
using testing::opelog;
using testing::Ran;
using testing::TempDir;

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/bash\nalice:x:5000:5000::/home/alice:/bin/zsh\nstuck:x:5001:5001::/:/usr/bin/"
    "opelog-shell\n";

class Enroll : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may change login shells";
    for (const char* folder : {"etc/opelog", "usr/bin", "bin"})
      std::filesystem::create_directories(tree.file(folder));
    spill(tree.file("etc/passwd"), kPasswd);
    spill(tree.file("etc/shadow"), "root:*:1::::::\nalice:*:1::::::\nstuck:*:1::::::\n");
    spill(tree.file("etc/group"), "root:x:0:\nopelog:x:77:\nalice:x:5000:\n");
    spill(tree.file("bin/zsh"), "#!/bin/sh\n");
    ::chmod(tree.file("bin/zsh").c_str(), 0755);
    spill(shim, "shim");
    ASSERT_EQ(::chown(shim.c_str(), 0, 77), 0);
    ::chmod(shim.c_str(), 02711);
  }
  Ran run(std::vector<std::string> words) {
    words.insert(words.end(), {"--root", tree.path()});
    return opelog(words);
  }
  std::string passwd() { return slurp(tree.file("etc/passwd")); }
  std::string enrolled() { return slurp(tree.file("etc/opelog/enrolled")); }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  TempDir tree;
  std::string shim = tree.file("usr/bin/opelog-shell");
};

TEST_F(Enroll, ChangesTheShellRemembersTheOldAndGivesItBack) {
  auto ran = run({"enroll", "alice"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(has(passwd(), "alice:x:5000:5000::/home/alice:/usr/bin/opelog-shell\n")) << passwd();
  EXPECT_TRUE(has(enrolled(), "alice:/bin/zsh\n"));
  struct stat st {};
  ASSERT_EQ(::stat(tree.file("etc/opelog/enrolled").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0644U);

  ran = run({"enroll", "alice"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(has(ran.out, "enrolled already"));

  ran = run({"unenroll", "alice"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(passwd(), kPasswd);
  EXPECT_FALSE(has(enrolled(), "alice"));
  EXPECT_EQ(run({"unenroll", "alice"}).status, 1);
}

TEST_F(Enroll, DryRunChangesNothing) {
  const auto ran = run({"enroll", "--dry-run", "alice"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out.substr(0, 7), "would: ");
  EXPECT_EQ(passwd(), kPasswd);
  EXPECT_FALSE(std::filesystem::exists(tree.file("etc/opelog/enrolled")));
}

TEST_F(Enroll, RefusesAWrongShim) {
  const struct { unsigned mode, gid; } cases[] = {{0755, 77}, {0711, 77}, {02711, 0}, {02755, 77}};
  for (const auto& c : cases) {
    ASSERT_EQ(::chown(shim.c_str(), 0, c.gid), 0);
    ::chmod(shim.c_str(), c.mode);
    const auto ran = run({"enroll", "alice"});
    EXPECT_EQ(ran.status, 5) << std::oct << c.mode;
    EXPECT_TRUE(has(ran.err, "chmod 2711")) << ran.err;
  }
  std::filesystem::remove(shim);
  EXPECT_EQ(run({"enroll", "alice"}).status, 3);
  std::filesystem::create_symlink("/bin/true", shim);
  EXPECT_EQ(run({"enroll", "alice"}).status, 5);
  EXPECT_EQ(passwd(), kPasswd);
}

TEST_F(Enroll, RefusesWhoseRealShellNobodyKnows) {
  auto ran = run({"enroll", "stuck"});
  EXPECT_EQ(ran.status, 5);
  EXPECT_TRUE(has(ran.err, "usermod -s"));
  EXPECT_EQ(run({"unenroll", "stuck"}).status, 5);
}

TEST_F(Enroll, AnUnknownUserIsNotFound) {
  EXPECT_EQ(run({"enroll", "nobody-here"}).status, 3);
  EXPECT_EQ(run({"unenroll", "nobody-here"}).status, 3);
}

TEST_F(Enroll, SaysIfNoRuleRecordsTheUser) {
  const auto policy = [this](const std::string& rules) {
    spill(tree.file("etc/opelog/opelog.yaml"), "version: 1\nrules:\n" + rules);
  };
  const std::string unrecorded =
      "no rule of " + tree.file("etc/opelog/opelog.yaml") + " records alice (uid 5000)";
  policy("  - { name: a, match: { uid: 1000 } }\n");
  auto ran = run({"enroll", "--dry-run", "alice"});
  EXPECT_TRUE(has(ran.err, unrecorded)) << ran.err;
  ran = run({"enroll", "alice"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_TRUE(has(ran.out, "alice enrolled")) << ran.out;
  EXPECT_TRUE(has(ran.err, unrecorded)) << ran.err;
  EXPECT_TRUE(has(ran.err, "policy explain --user alice --parent sshd")) << ran.err;
  EXPECT_TRUE(has(run({"enroll", "alice"}).err, unrecorded)) << "also of one who is enrolled already";
  // What the rest of a rule asks for is known at a login only: silence.
  for (const char* rules :
       {"  - { name: a, match: { uid: 5000, parent: sshd, client: 192.0.2.1, terminal: false } }\n",
        "  - { name: a, match: { group: alice, ancestor: x } }\n",
        "  - { name: p, match: { user: alice, terminal: false }, action: pass }\n"
        "  - { name: a, match: { user: alice } }\n"}) {
    policy(rules);
    EXPECT_EQ(run({"enroll", "alice"}).err, "") << rules;
  }
  policy("  - { name: p, match: { user: alice }, action: pass }\n  - { name: a }\n");
  EXPECT_TRUE(has(run({"enroll", "alice"}).err, unrecorded));
}

TEST_F(Enroll, UnenrollForgetsAUserWhoIsGone) {
  spill(tree.file("etc/opelog/enrolled"), "gone:/bin/zsh\n");
  auto ran = run({"unenroll", "gone"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_FALSE(has(enrolled(), "gone"));
  ran = run({"unenroll", "gone"});
  EXPECT_EQ(ran.status, 3);
  EXPECT_TRUE(has(ran.err, "neither")) << ran.err;
  EXPECT_FALSE(has(ran.err, "/real/shell")) << "that is how to enroll";
}

TEST_F(Enroll, AFailingUsermodLeavesNothingBehind) {
  std::filesystem::remove(tree.file("etc/passwd"));
  std::filesystem::create_directories(tree.file("elsewhere"));
  spill(tree.file("elsewhere/passwd"), kPasswd);
  std::filesystem::create_symlink(tree.file("elsewhere/passwd"), tree.file("etc/passwd"));
  std::filesystem::remove(tree.file("etc/shadow"));
  spill(tree.file("etc/passwd.lock"), std::to_string(::getpid()));  // somebody holds passwd's lock
  const auto ran = run({"enroll", "alice"});
  EXPECT_EQ(ran.status, 7) << ran.err;
  EXPECT_EQ(passwd(), kPasswd);
  EXPECT_FALSE(has(enrolled(), "alice"));
}

TEST_F(Enroll, ABrokenListIsNotOverwritten) {
  spill(tree.file("etc/opelog/enrolled"), "alice /bin/zsh\n");
  const auto ran = run({"enroll", "alice"});
  EXPECT_EQ(ran.status, 5);
  EXPECT_TRUE(has(ran.err, "enrolled:1:")) << ran.err;
  EXPECT_EQ(enrolled(), "alice /bin/zsh\n");
}

TEST_F(Enroll, AShellThatIsNoProgramIsRefused) {
  std::filesystem::remove(tree.file("bin/zsh"));
  EXPECT_EQ(run({"enroll", "alice"}).status, 5);
}

TEST_F(Enroll, UnenrollKeepsAShellSomebodyGaveMeanwhile) {
  ASSERT_EQ(run({"enroll", "alice"}).status, 0);
  std::string text = passwd();
  text.replace(text.find("/usr/bin/opelog-shell"), 21, "/bin/other");
  spill(tree.file("etc/passwd"), text);
  const auto ran = run({"unenroll", "alice"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(has(passwd(), "alice:x:5000:5000::/home/alice:/bin/other\n"));
  EXPECT_FALSE(has(enrolled(), "alice"));
}

}  // namespace
}  // namespace opelog::cli
