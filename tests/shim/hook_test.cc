// etc/profile.d/opelog.sh as the shells read it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"

namespace {

constexpr const char* kHook = "/mnt/opelog/hook.sh";

// The shipped file, with the installed program's path turned to the sandbox's.
void install_hook() {
  std::string text = read_text(OPELOG_SOURCE_DIR "/etc/profile.d/opelog.sh");
  const std::string installed = "/usr/bin/opelog-shell";
  int found = 0;
  for (std::size_t at = 0; (at = text.find(installed, at)) != std::string::npos; ++found)
    text.replace(at, installed.size(), kShell);
  ASSERT_EQ(found, 3);
  write_text(kHook, text, 0644);
}

const char* const kShells[] = {"/bin/dash", "/bin/bash", "/bin/zsh"};

Start hooked(const std::string& shell, const std::string& options, const std::string& prelude = "") {
  Start start;
  start.program = shell;
  start.arguments = {shell, options, prelude + ". " + kHook + "; echo alive"};
  start.environment = {"PATH=/usr/bin:/bin", "HOME=/nonexistent"};
  return start;
}

bool missing(const std::string& shell) {
  return ::access(shell.c_str(), X_OK) != 0;
}

std::string output(Start start, const std::function<void()>& meanwhile = {}) {
  Pipe out;
  start.descriptors[1] = out.write_end.get();
  Child child(start);
  if (meanwhile) meanwhile();
  std::string text = out.all();
  child.wait();
  return text;
}

void answer_query(Sandbox& sandbox, unsigned recorded) {
  Talk talk = sandbox.accept();
  EXPECT_EQ(talk.greeting().head.how, static_cast<std::uint32_t>(OPELOG_HOW_QUERY));
  VerdictSpec spec;
  spec.recorded = recorded;
  talk.send(verdict(spec));
}

TEST(Hook, WithoutTheProgramNothingHappens) {
  Sandbox sandbox;
  install_hook();
  ASSERT_EQ(::unlink(kShell), 0);
  for (const std::string shell : kShells) {
    if (missing(shell)) continue;
    for (const char* prelude : {"", "set -eu; ", "set -f; "})
      EXPECT_EQ(output(hooked(shell, "-ic", prelude)), "alive\n") << shell << prelude;
  }
}

TEST(Hook, AShellThatIsNotInteractiveIsNotTouched) {
  Sandbox sandbox;
  sandbox.listen();
  install_hook();
  for (const std::string shell : kShells) {
    if (missing(shell)) continue;
    EXPECT_EQ(output(hooked(shell, "-c")), "alive\n") << shell;
  }
  EXPECT_FALSE(sandbox.somebody_waits());
}

TEST(Hook, WhoIsNotRecordedGoesOn) {
  Sandbox sandbox;
  sandbox.listen();
  install_hook();
  for (const std::string shell : kShells) {
    if (missing(shell)) continue;
    for (const char* prelude : {"", "set -eu; "})
      EXPECT_EQ(output(hooked(shell, "-ic", prelude), [&] { answer_query(sandbox, 0); }), "alive\n")
          << shell << prelude;
  }
}

TEST(Hook, WhoIsRecordedContinuesInTheShim) {
  Sandbox sandbox;
  sandbox.listen();
  install_hook();
  for (const std::string shell : kShells) {
    if (missing(shell)) continue;
    const std::string text = output(hooked(shell, "-ic"), [&] {
      answer_query(sandbox, 1);
      Talk talk = sandbox.accept();
      EXPECT_EQ(talk.greeting().head.how, static_cast<std::uint32_t>(OPELOG_HOW_HOOK));
      talk.send(verdict({}));
    });
    EXPECT_EQ(text.rfind("arg 6 -probe\nenv ", 0), 0U) << shell << text;
    EXPECT_EQ(text.find("alive"), std::string::npos) << shell;
  }
}

// Even if the daemon says "recorded" to every question and then lets the login pass.
TEST(Hook, NeverGoesRound) {
  Sandbox sandbox;
  sandbox.listen();
  install_hook();
  write_text("/mnt/opelog/again", std::string("#!/bin/bash -i\n. ") + kHook + "\necho once\n", 0755);
  for (const bool recorded : {false, true}) {
    const std::string text = output(hooked("/bin/bash", "-ic"), [&] {
      answer_query(sandbox, 1);
      Talk talk = sandbox.accept();
      const Greeting greeting = talk.greeting();
      VerdictSpec spec;
      spec.shell = "/mnt/opelog/again";
      if (!recorded) return talk.send(verdict(spec));
      talk.record_streams(greeting, spec);
      talk.started();
      talk.ended();
      talk.done();
    });
    EXPECT_EQ(text, "once\n");
    EXPECT_FALSE(sandbox.somebody_waits());
  }
}

}  // namespace
