#include "record/client_address_io.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "probe.h"
#include "record/proc_directory_io.h"

namespace opelog::record {
namespace {

using namespace test;

// A real sshd in network, mount and pid namespaces of its own, with two accounts that exist only there. Each
// login runs the probe, which says a tag, SSH_CONNECTION as sshd set it, and waits until we let it go.
constexpr const char* kScript = R"(
set -e
probe=$2
# sshd leaves directories for forwarded agents in /tmp: in one that ends with us, with our own in its place.
mount --make-rprivate / && mount --bind "$1" /mnt && mount -t tmpfs -o mode=1777 none /tmp && mkdir -p "$1" && mount --bind /mnt "$1" && umount /mnt
cd "$1"
mount -t proc proc /proc && ip link set lo up
ip link add veth0 type veth peer name veth1 && ip link set veth0 up && ip link set veth1 up
cp /etc/passwd passwd; cp /etc/group group; cp /etc/shadow shadow
echo 'opelogtest:x:20001:20001::/tmp:/bin/bash' >>passwd
echo 'opelogtest:x:20001:' >>group
echo 'opelogtest:*:19000:0:99999:7:::' >>shadow
sed -i 's,^root:[^:]*:,root:*:,' shadow
for f in passwd group shadow; do mount --bind $f /etc/$f; done
mount -t tmpfs -o mode=755 none /run && mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f key; cp key.pub keys; chmod 644 keys
cat >conf <<C
Port 2222
AddressFamily any
HostKey $1/host
AuthorizedKeysFile $1/keys
PermitRootLogin yes
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
LogLevel DEBUG1
C
/usr/sbin/sshd -D -E $1/log -f conf &
eval $(ssh-agent) >/dev/null; ssh-add -q key
python3 -c 'import socket, time
s = [socket.create_server(("127.0.0.1", 8080))]
while True: s.append(s[0].accept()[0])' &
ready() { for i in $(seq 500); do (exec 3<>/dev/tcp/127.0.0.1/$1) 2>/dev/null && return; sleep .02; done; echo "port $1 never opened" >&2; exit 1; }
ready 2222; ready 8080
opts="-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ExitOnForwardFailure=yes -i key -p 2222"
login() { tag=$1; shift; ssh $opts "$@" "$probe connect $PWD/socket $tag \$SSH_CONNECTION" </dev/null; }
forwards="-A -L 127.0.0.1:3001:127.0.0.1:8080 -D 127.0.0.1:3002 -R 127.0.0.1:3003:127.0.0.1:8080"
hold() { exec 7<>/dev/tcp/127.0.0.1/3001 8<>/dev/tcp/127.0.0.1/3003; }   # connections through the forwards

login v4 opelogtest@127.0.0.1
login v4-terminal -tt opelogtest@127.0.0.1
login v6 opelogtest@::1
login mapped -4 opelogtest@127.0.0.2
for who in opelogtest root; do
  ssh -M -S ctl -f -N $opts $forwards $who@127.0.0.1
  hold
  login mux-$who -S ctl $who@127.0.0.1
  login mux-again-$who -S ctl -tt $who@127.0.0.1
  exec 7>&- 8>&-
  ssh -S ctl -O exit $who@127.0.0.1 2>/dev/null
done
login root root@::1
zone=$(ip -6 -o addr show dev veth0 scope link | awk '{print $4}' | cut -d/ -f1)
for i in $(seq 200); do ip -6 -o addr show dev veth1 scope link | grep -q tentative || break; sleep .05; done
peer=$(ip -6 -o addr show dev veth1 scope link | awk '{print $4}' | cut -d/ -f1)
login link-local "opelogtest@$peer%veth1"
ssh $opts opelogtest@127.0.0.1 "$probe daemonise connect $PWD/socket orphan \$SSH_CONNECTION" </dev/null
/usr/sbin/sshd -f conf -p 2223 -D -E $1/log2 & ready 2223
login other-port -p 2223 opelogtest@127.0.0.1
$probe connect $PWD/socket end none 0 none 0
)";

// What the kernel knows, without pidfd_getfd(2) (as under a strict yama or a system call filter).
ClientAddress find_without_copies(const ProcessFacts& facts) {
  ClientAddress client;
  std::thread([&] {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{4, code};
    EXPECT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    EXPECT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);  // this thread only
    EXPECT_LT(::syscall(SYS_pidfd_getfd, -1, 0, 0), 0);
    EXPECT_EQ(errno, EPERM);
    client = find_client_address(facts, "");
  }).join();
  return client;
}

// As by a daemon without a network (PrivateNetwork).
ClientAddress find_from_elsewhere(const ProcessFacts& facts) {
  ClientAddress client;
  std::thread([&] {
    EXPECT_EQ(::unshare(CLONE_NEWNET), 0);  // this thread only
    client = find_client_address(facts, "");
  }).join();
  return client;
}

void check_login(const std::string& tag, const std::string& address, const std::string& port,
                 const ProcessFacts& facts) {
  SCOPED_TRACE(tag);
  const auto client = find_client_address(facts, "198.51.100.1 1 ::1 22");
  const auto by_table = find_without_copies(facts);
  EXPECT_EQ(find_from_elsewhere(facts).text, client.claimed ? "" : client.text);
  if (tag == "orphan") {  // no sshd above it any more: only what is claimed
    EXPECT_TRUE(client.claimed);
    EXPECT_EQ(client.text, "198.51.100.1");
    EXPECT_EQ(client.port, 1);
    EXPECT_FALSE(client.bytes);
    EXPECT_EQ(by_table.text, "");
    return;
  }
  EXPECT_FALSE(client.claimed);
  EXPECT_TRUE(client.bytes);
  EXPECT_EQ(std::to_string(client.port), port);
  EXPECT_EQ(std::to_string(by_table.port), port);
  EXPECT_FALSE(by_table.claimed);
  const auto plain = [](std::string text) { return text.substr(0, text.find('%')); };
  EXPECT_EQ(plain(client.text), plain(address));
  EXPECT_EQ(plain(by_table.text), plain(address));
  EXPECT_EQ(client.text.find('%') != std::string::npos, tag == "link-local") << client.text;
  const auto& exes = facts.ancestor_exes;
  EXPECT_NE(std::find(exes.begin(), exes.end(), "/usr/sbin/sshd"), exes.end());
}

TEST(ClientAddress, EveryKindOfLoginToARealSshdIsTracedToItsClient) {
  if (std::getenv("OPELOG_ROOT_MOUNT") != nullptr)
    GTEST_SKIP() << "in a chroot the kernel tells paths of other namespaces from the real root on";
  if (!std::filesystem::exists("/usr/sbin/sshd")) GTEST_SKIP() << "no sshd here";
  ScratchDirectory scratch;
  Listener listener(scratch / "socket");
  const std::string probe = scratch / "probe";
  std::filesystem::copy_file(OPELOG_PEER_PROBE, probe);
  const auto script = spawn({"unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c",
                             kScript, "bash", scratch.path(), probe});
  std::vector<std::string> seen;
  std::string tag;
  while (tag != "end") {
    std::string said;
    const auto socket = listener.accept(&said);
    ASSERT_TRUE(socket) << "no login after " << tag << "; sshd's log:\n"
                        << read_file(scratch / "log", 1 << 20).value();
    std::string address, port;
    std::istringstream(said) >> tag >> address >> port;
    seen.push_back(tag);
    auto peer = peer_credentials(socket.get());
    ASSERT_TRUE(peer) << tag << ": " << peer.error().message;
    const auto facts = read_process_facts(*peer, probe);
    ASSERT_TRUE(facts) << tag << ": " << facts.error().message;
    if (tag != "end") check_login(tag, address, port, *facts);
  }
  const std::vector<std::string> wanted = {
      "v4",       "v4-terminal",    "v6",   "mapped",     "mux-opelogtest", "mux-again-opelogtest",
      "mux-root", "mux-again-root", "root", "link-local", "orphan",         "other-port",
      "end"};
  EXPECT_EQ(seen, wanted);
}

TEST(ClientAddress, WithoutAnSshdOnlyAWellFormedClaimCounts) {
  ProcessFacts facts;
  const auto claimed = find_client_address(facts, "2001:db8::1 4711 ::1 22");
  EXPECT_TRUE(claimed.claimed);
  EXPECT_EQ(claimed.text, "2001:db8::1");
  EXPECT_EQ(claimed.port, 4711);
  EXPECT_FALSE(claimed.bytes) << "the policy must not decide by a claim";
  const auto none = find_client_address(facts, "../../etc/x 1 ::1 22");
  EXPECT_FALSE(none.claimed);
  EXPECT_EQ(none.text, "");
}

// This process, with a connection, in the place of an sshd.
class PretendedSshd : public ::testing::Test {
 protected:
  void SetUp() override {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof name;
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&name), length), 0);
    ASSERT_EQ(::listen(listener_.get(), 1), 0);
    ASSERT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&name), &length), 0);
    ASSERT_EQ(::connect(connection_.get(), reinterpret_cast<sockaddr*>(&name), length), 0);
    auto self = ProcDirectory::open(::getpid());
    ASSERT_TRUE(self);
    facts_.ancestry.push_back({::getpid(), 0, "/usr/sbin/sshd"});
    facts_.ancestry_started.push_back(self->stat()->started);
  }
  Fd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  Fd connection_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ProcessFacts facts_;
};

TEST_F(PretendedSshd, OfRootIsAskedUnderBothNames) {
  EXPECT_EQ(find_client_address(facts_, "").text, "127.0.0.1");
  facts_.ancestry[0].exe = "/usr/lib/openssh/sshd-session";
  EXPECT_EQ(find_client_address(facts_, "").text, "127.0.0.1");
}

// A program of a user that is called sshd holds any connection he likes.
TEST_F(PretendedSshd, OfAUserIsNotAsked) {
  facts_.ancestry[0].uid = 1000;
  EXPECT_EQ(find_client_address(facts_, "").text, "");
}

TEST_F(PretendedSshd, ThatIsAnotherProcessByNowIsNotAsked) {
  facts_.ancestry_started[0] -= 1;
  EXPECT_EQ(find_client_address(facts_, "").text, "");
}

TEST_F(PretendedSshd, WithAnotherNameIsNotAsked) {
  facts_.ancestry[0].exe = "/usr/sbin/sshd2";
  EXPECT_EQ(find_client_address(facts_, "").text, "");
}

}  // namespace
}  // namespace opelog::record
