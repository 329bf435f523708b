#include "record/process_facts_io.h"

#include <sys/ptrace.h>

#include <cstdlib>

#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;

class ProcessFactsOf : public ::testing::Test {
 protected:
  // Credentials and facts of whoever connects next.
  Result<ProcessFacts> next_facts(const std::string& shim = OPELOG_PEER_PROBE) {
    socket_ = listener_.accept();
    if (!socket_) return Error{Code::kGone, "nobody connected", 0};
    auto peer = peer_credentials(socket_.get());
    if (!peer) return std::move(peer).error();
    peer_ = std::move(peer).value();
    return read_process_facts(peer_, shim);
  }

  // A copy of the probe that a stranger can run.
  std::string install_probe(mode_t mode, gid_t group) {
    const auto path = scratch_ / "opelog-shell";
    std::filesystem::copy_file(OPELOG_PEER_PROBE, path, std::filesystem::copy_options::overwrite_existing);
    EXPECT_EQ(::chown(path.c_str(), 0, group), 0);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  ScratchDirectory scratch_;
  Listener listener_{scratch_ / "socket"};
  Fd socket_;
  PeerCredentials peer_;
};

TEST_F(ProcessFactsOf, AChainOfProcessesIsReportedNearestFirstUpToPidOne) {
  const auto child = spawn({OPELOG_PEER_PROBE, "depth", "2", "connect", listener_.path()});
  const auto facts = next_facts();
  ASSERT_TRUE(facts) << facts.error().message;
  ASSERT_GE(facts->ancestry.size(), 4u);
  EXPECT_EQ(facts->exe, OPELOG_PEER_PROBE);
  EXPECT_EQ(facts->ancestry[0].exe, OPELOG_PEER_PROBE);
  EXPECT_EQ(facts->ancestry[1].exe, OPELOG_PEER_PROBE);
  EXPECT_EQ(facts->ancestry[1].pid, child.pid());
  EXPECT_EQ(facts->ancestry[2].pid, ::getpid());
  EXPECT_EQ(facts->ancestry.back().pid, 1);
  EXPECT_EQ(facts->ancestor_exes.size(), facts->ancestry.size());
  EXPECT_EQ(facts->ancestor_exes[0], OPELOG_PEER_PROBE);
  EXPECT_EQ(facts->ancestry_started.size(), facts->ancestry.size());
  EXPECT_FALSE(facts->ancestry_cut);
  EXPECT_FALSE(facts->traced);
  EXPECT_EQ(peer_.uid, 0u);
}

TEST_F(ProcessFactsOf, AChainLongerThanTheBoundIsCutAndSaysSo) {
  const auto child = spawn({OPELOG_PEER_PROBE, "depth", "80", "connect", listener_.path()});
  const auto facts = next_facts();
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->ancestry.size(), kMaxAncestors);
  EXPECT_TRUE(facts->ancestry_cut);
}

TEST_F(ProcessFactsOf, AHostileNameDoesNotHideTheParent) {
  const auto child =
      spawn({OPELOG_PEER_PROBE, "depth", "1", "name", ") S 1 1 (\n", "connect", listener_.path()});
  const auto facts = next_facts();
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->ancestry[0].pid, child.pid());
}

TEST_F(ProcessFactsOf, AnOrphanHasTheReaperAsParentAndNoTraceOfItsOrigin) {
  auto child = spawn({OPELOG_PEER_PROBE, "daemonise", "connect", listener_.path()});
  child.wait();
  const auto facts = next_facts();
  ASSERT_TRUE(facts) << facts.error().message;
  for (const auto& ancestor : facts->ancestry) EXPECT_NE(ancestor.exe, OPELOG_PEER_PROBE);
  EXPECT_EQ(facts->ancestry.back().pid, 1);
}

TEST_F(ProcessFactsOf, CredentialsAreTheKernelsAndThePidfdNamesTheProcess) {
  const auto probe = install_probe(0755, 0);
  auto child = spawn({probe, "connect", listener_.path()}, kStranger);
  const auto facts = next_facts(probe);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(peer_.uid, kStranger);
  EXPECT_EQ(peer_.gid, kStrangerGroup);
  EXPECT_EQ(peer_.pid, child.pid());
  EXPECT_EQ(facts->real_uid, kStranger);
  EXPECT_TRUE(still_running(peer_));
  socket_.reset();
  child.wait();
  EXPECT_FALSE(still_running(peer_));
  const auto later = read_process_facts(peer_, probe);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Code::kGone);
}

TEST_F(ProcessFactsOf, AZombieIsNotRunning) {
  auto child = spawn({OPELOG_PEER_PROBE, "connect", listener_.path()});
  ASSERT_TRUE(next_facts());
  ::kill(child.pid(), SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(still_running(peer_));
}

TEST_F(ProcessFactsOf, APeerThatEndedBeforeItWasAskedIsGone) {
  auto child = spawn({OPELOG_PEER_PROBE, "connect", listener_.path()});
  const auto socket = listener_.accept();
  ASSERT_TRUE(socket);
  ::kill(child.pid(), SIGKILL);
  child.wait();
  const auto peer = peer_credentials(socket.get());
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().code, Code::kGone);
}

TEST_F(ProcessFactsOf, TheSetgidUnreadableShimIsProven) {
  const auto probe = install_probe(02711, 64999);
  const auto child = spawn({probe, "connect", listener_.path()}, kStranger);
  const auto facts = next_facts(probe);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_TRUE(facts->shim.proven) << facts->shim.reason;
  EXPECT_EQ(peer_.uid, kStranger);
  EXPECT_EQ(peer_.gid, 64999u);
  EXPECT_EQ(facts->exe, probe);
}

TEST_F(ProcessFactsOf, ADumpableShimIsNotProven) {
  const auto probe = install_probe(0755, 0);
  const auto child = spawn({probe, "connect", listener_.path()}, kStranger);
  const auto facts = next_facts(probe);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_FALSE(facts->shim.proven);
  EXPECT_NE(facts->shim.reason.find("dumpable"), std::string::npos) << facts->shim.reason;
}

TEST_F(ProcessFactsOf, AnotherProgramIsNotTheShim) {
  const auto probe = install_probe(02711, 64999);
  const auto child = spawn({probe, "connect", listener_.path()}, kStranger);
  const auto facts = next_facts(OPELOG_PEER_PROBE);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_FALSE(facts->shim.proven);
  EXPECT_NE(facts->shim.reason.find(probe), std::string::npos) << facts->shim.reason;
}

TEST_F(ProcessFactsOf, AMissingShimPathProvesNothing) {
  const auto child = spawn({OPELOG_PEER_PROBE, "connect", listener_.path()});
  const auto facts = next_facts(scratch_ / "absent");
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_FALSE(facts->shim.proven);
}

TEST_F(ProcessFactsOf, ATracedShimIsNotProven) {
  const auto child = spawn({OPELOG_PEER_PROBE, "connect", listener_.path()});
  socket_ = listener_.accept();
  ASSERT_TRUE(socket_);
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, child.pid(), nullptr, nullptr), 0);
  auto peer = peer_credentials(socket_.get());
  ASSERT_TRUE(peer) << peer.error().message;
  const auto facts = read_process_facts(*peer, OPELOG_PEER_PROBE);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_TRUE(facts->traced);
  EXPECT_FALSE(facts->shim.proven);
  EXPECT_NE(facts->shim.reason.find("traced"), std::string::npos);
}

// The attack: a user shows his own program as /usr/sbin/sshd, in a mount namespace of his own.
TEST_F(ProcessFactsOf, APathInAUsersOwnMountNamespaceIsNotBelieved) {
  const auto probe = install_probe(0755, 0);
  const auto child = spawn({"unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                            "mount --bind " + probe +
                                " /usr/sbin/sshd && exec /usr/sbin/sshd depth 1 connect " + listener_.path()},
                           kStranger);
  const auto facts = next_facts(probe);
  if (!facts && facts.error().message == "nobody connected") GTEST_SKIP() << "no user namespaces here";
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->ancestry[0].exe, "/usr/sbin/sshd") << "the text is kept for the record";
  EXPECT_EQ(facts->ancestry[0].uid, kStranger);
  EXPECT_EQ(facts->ancestor_exes[0], "") << "the policy must not see it";
  EXPECT_EQ(peer_.uid, kStranger);
}

// sshd in a sandbox of its service: root made that namespace, so its paths count, also for the user's
// processes in it.
TEST_F(ProcessFactsOf, PathsInANamespaceThatRootMadeAreBelieved) {
  if (std::getenv("OPELOG_ROOT_MOUNT") != nullptr)
    GTEST_SKIP() << "in a chroot the kernel tells paths of other namespaces from the real root on";
  const auto probe = install_probe(0755, 0);
  const auto child = spawn({"unshare", "--mount", "sh", "-c",
                            "setpriv --reuid 65534 --regid 65534 --clear-groups " + probe +
                                " depth 1 connect " + listener_.path() + "; true"});
  const auto facts = next_facts(probe);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->ancestry[0].uid, kStranger);
  EXPECT_EQ(facts->ancestor_exes[0], probe);
}

TEST_F(ProcessFactsOf, AReplacedProgramIsStillCalledByItsPath) {
  const auto probe = install_probe(0755, 0);
  const auto child = spawn({probe, "depth", "1", "connect", listener_.path()});
  socket_ = listener_.accept();
  ASSERT_TRUE(socket_);
  ASSERT_EQ(::unlink(probe.c_str()), 0);
  auto peer = peer_credentials(socket_.get());
  ASSERT_TRUE(peer) << peer.error().message;
  const auto facts = read_process_facts(*peer, OPELOG_PEER_PROBE);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->ancestor_exes[0], probe);
}

TEST(PeerCredentialsOf, ASocketWithoutAPeerIsAnError) {
  const Fd alone(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(peer_credentials(alone.get()));
}

}  // namespace
}  // namespace opelog::record
