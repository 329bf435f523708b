// Logins that began before this daemon did: real processes, real events, a recording on the disk. How logins
// over sshd fare is in tests/e2e/unrecorded_test.py.
#include "record/unrecorded_logins_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "core/clock_io.h"
#include "core/policy_parse.h"
#include "probe.h"
#include "record/exec_capture_io.h"

namespace opelog::record {
namespace {

using namespace test;

// A shell that waits for `go` before it runs the script.
Child begun_process(const std::string& program, const std::string& script) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setsid();
    ::execl(program.c_str(), program.c_str(), "-c", script.c_str(), nullptr);
    ::_exit(98);
  }
  return Child(pid);
}

TEST(UnrecordedLogins, OneThatBeganBeforeIsRecordedAsWhoLoggedInAndSaysSo) {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "this kernel has no BTF";
  ScratchDirectory scratch;
  const std::string server = scratch / "sshd";
  std::filesystem::copy("/bin/sh", server);
  for (const char* gate : {"start", "gate", "end"}) ASSERT_EQ(::mkfifo((scratch / gate).c_str(), 0600), 0);
  const auto open_gate = [&](const char* gate) { std::ofstream(scratch / gate) << "x\n"; };
  const auto waits = [&](const char* gate) { return "read x < " + (scratch / gate); };

  Loop loop;
  UserWork work(loop);
  auto policy = parse_policy("version: 1\nrecordings: { directory: " + (scratch / "records") +
                                 ", append_only: off }\nrules:\n  - name: all\n    match: { uid: [0] }\n"
                                 "    action: record\n",
                             "policy");
  ASSERT_TRUE(policy) << policy.error().message;
  std::vector<Fact> facts;
  const FactSink sink_of_facts = [&](const Fact& fact) { facts.push_back(fact); };
  const auto turn_until = [&](const std::function<bool()>& done) {
    const MonoUs deadline = mono_now() + kDeadlineMs * kUsPerMs;
    while (!done() && mono_now() < deadline) {
      loop.run_once(false);
      ::usleep(500);
    }
    EXPECT_TRUE(done());
  };
  ExecCaptureOptions options;
  options.host_mounts = "/proc/self/ns/mnt";
  std::uint64_t number = 0;
  int seen = 0;
  ExecSink earlier_sink;
  earlier_sink.event = [&](ProcessEvent&& event) {
    number = event.session;
    ++seen;
  };
  auto earlier = ExecCapture::open(loop, earlier_sink, std::move(options));
  ASSERT_TRUE(earlier) << earlier.error().message;
  // The login is root's; what it starts later runs as somebody else from its first program on.
  Child process =
      begun_process(server, waits("start") + "; /usr/bin/python3 -c '" +
                                "import os\n"
                                "open(\"" +
                                (scratch / "gate") +
                                "\").read()\n"
                                "if os.fork() == 0:\n"
                                "  os.setresuid(65534, 65534, 65534)\n"
                                "  os.execv(\"/bin/sh\", [\"sh\", \"-c\", \"/bin/true; exit 0\"])\n"
                                "os.wait()\n"
                                "open(\"" +
                                (scratch / "end") + "\").read()'; exit 0");
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid(), 0)));
  turn_until([&] {
    std::ifstream comm("/proc/" + std::to_string(process.pid()) + "/comm");
    std::string name;
    return static_cast<bool>(comm >> name) && name == "sshd";
  });
  ASSERT_TRUE((*earlier)->watch_server(pidfd.get()));
  open_gate("start");
  turn_until([&] { return seen == 1; });
  ExecCaptureOptions next;
  next.host_mounts = "/proc/self/ns/mnt";
  next.kept = (*earlier)->keep();
  earlier->reset();

  std::unique_ptr<ExecCapture> capture;
  {
    Recorder recorder(loop, work, sink_of_facts, {});
    std::unique_ptr<UnrecordedLogins> logins;
    ExecSink sink;
    sink.event = [&](ProcessEvent&& event) { logins->executed(std::move(event)); };
    sink.lost = [&](std::uint64_t which, std::uint64_t count) { logins->events_lost(which, count); };
    auto opened = ExecCapture::open(loop, sink, std::move(next));
    ASSERT_TRUE(opened) << opened.error().message;
    capture = std::move(*opened);
    ASSERT_EQ(static_cast<int>(capture->adoption().how), static_cast<int>(ExecAdoption::How::kWhole));
    RecordingPlace place;
    recorder.configure(*policy, place);
    logins = std::make_unique<UnrecordedLogins>(loop, sink_of_facts, recorder, *capture);
    logins->configure({*policy, "digest", {}, "/usr/bin/opelog-shell"});
    open_gate("gate");
    turn_until([&] { return logins->recorded() == 1; });
    open_gate("end");
    turn_until([&] { return logins->recorded() == 0; });
    logins->shutdown();
    logins.reset();
    EXPECT_TRUE(recorder.sync_all());
  }
  capture.reset();
  const int status = process.wait();
  EXPECT_EQ(status, 0);
  std::string stated;
  for (const Fact& fact : facts) {
    if (fact.event != std::string("terminal-unrecorded")) continue;
    for (const auto& [key, value] : fact.fields) stated += key + "=" + value + " ";
  }
  EXPECT_NE(stated.find("uid=0 "), std::string::npos) << stated;
  std::string times;
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "records")) {
    if (entry.path().extension() != ".time") continue;
    std::ifstream file(entry.path());
    times.append(std::istreambuf_iterator<char>(file), {});
  }
  EXPECT_NE(times.find("the login began before opelogd looked"), std::string::npos) << times;
  EXPECT_NE(times.find("/bin/true"), std::string::npos) << times;
  loop.run();
}

}  // namespace
}  // namespace opelog::record
