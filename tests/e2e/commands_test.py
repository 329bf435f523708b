#!/usr/bin/env python3
"""Who ran what: exec events of the kernel and lines from the screen of real logins, as `opelog commands` lists them."""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402


class Commands(scene.Scene):
    """Issue: a clean list of commands, with arguments, user, exit status and how it is known."""
    maxDiff = None

    def commands(self, recording, *options):
        return json.loads(self.host.opelog("commands", "--json", *options, recording.name, check=True).text)

    def lines(self, term, *lines):
        """Types each line at a prompt and waits for the next; not faster than a person, or the prompt would not be seen to wait."""
        for line in lines:
            time.sleep(0.2)
            term.send(line)
            term.expect(sandbox.PROMPT)
        time.sleep(0.2)

    def test_a_session_typed_with_mistakes(self):
        term = self.log_in()
        self.lines(term,
                   "echo one\r",
                   "ecko\x7f\x7fho two\r",              # Backspace
                   "tru\x1b[De\x1b[Dr\x05\r",           # cursor left: "trreu", not found
                   "false\r",
                   "cd /tmp\r",
                   "\x1b[A\x1b[A\r",                    # history: false again
                   "ls /nowhere 2>/dev/null | cat\r",
                   "(exit 7)\r",
                   "sh -c 'exit 3'\r",
                   "for i in 1 2 3; do /bin/true $i; done\r")
        term.send("not this one")
        term.expect("not this one")
        self.lines(term, "\x03", "\r", "sh -c 'kill -9 $$'\r")
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        known = self.commands(recording)
        listed = [(c["text"], c["known"], c.get("status")) for c in known]
        self.assertEqual(listed, [
            ("echo one", "screen", None),
            ("echo two", "screen", None),
            ("trreu", "screen", None),
            ("false", "screen", None),
            ("cd /tmp", "screen", None),
            ("false", "screen", None),
            ("ls /nowhere 2>/dev/null | cat", "both", 0),
            ("(exit 7)", "screen", None),
            ("sh -c 'exit 3'", "both", 3),
            ("for i in 1 2 3; do /bin/true $i; done", "both", 0),
            ("sh -c 'kill -9 $$'", "both", 137),
            ("exit 0", "both", None),  # ~/.bash_logout runs something
        ], known)
        inside = {c["text"]: c for c in self.commands(recording, "--all")}
        pipe = inside["ls /nowhere 2>/dev/null | cat"]
        self.assertEqual(sorted((p["text"], p["exit_code"], p["cwd"], p["user"]) for p in pipe["processes"]),
                         [("cat", 0, "/tmp", "opelogtest-a"), ("ls --color=auto /nowhere", 2, "/tmp", "opelogtest-a")])
        self.assertEqual([p["text"] for p in inside["for i in 1 2 3; do /bin/true $i; done"]["processes"]],
                         ["/bin/true 1", "/bin/true 2", "/bin/true 3"])
        failed = self.host.opelog("commands", "--failed", recording.name, check=True).text
        self.assertEqual(len(failed.splitlines()), 3, failed)
        text = self.host.opelog("show", "--text", recording.name, check=True).text
        self.assertRegex(text, r"(?m)^opelogtest-a@\S+ echo two\ntwo$")
        self.assertNotIn("\x1b", text)

    def test_a_command_without_a_terminal(self):
        self.assertEqual(self.host.ssh("opelogtest-a", "true; sh -c 'exit 4'; setsid sh -c '/bin/echo apart; sleep 0.2'; exit 5").rc, 5)
        [recording] = self.new_recordings()
        everything = [p for c in self.commands(recording, "--all") for p in c["processes"]]
        found = {p["text"]: p.get("exit_code") for p in everything}
        self.assertEqual(found.get("sh -c 'exit 4'"), 4, found)
        self.assertEqual(found.get("/bin/echo apart"), 0, found)
        self.assertIn("sleep 0.2", found)
        told = json.loads(self.host.opelog("report", "--json", "--status", "4", check=True).text)
        self.assertIn((recording.name, "opelogtest-a", "sh -c 'exit 4'", True),
                      [(t["recording"], t["session_user"], t["text"], t.get("process")) for t in told])

    def test_a_key_that_runs_a_program_is_in_the_report(self):
        term = self.log_in()
        self.lines(term, "bind -x '\"\\C-t\": /bin/cat /nowhere/bound'\r")
        term.send("\x14")
        term.expect("No such file")
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        for words in (("--all",), ("--failed",), ("--command", "/bin/cat /nowhere/bound")):
            told = json.loads(self.host.opelog("report", "--json", *words, check=True).text)
            self.assertIn("/bin/cat /nowhere/bound", [t["text"] for t in told if t["recording"] == recording.name], words)
        self.assertRegex(self.host.opelog("report", check=True).err.decode(), r"left out: \d+ that shells ran")

    def test_many_short_processes_are_all_there_or_counted(self):
        # The kernel's side is the same in a sanitizer build, and the reading is slow there.
        many = 2000 if b"__asan_init" in self.host.read("/usr/bin/opelog") else 10000
        self.host.ssh("opelogtest-a", f"exec sh -c 'i=0; while [ $i -lt {many} ]; do /bin/true $i; i=$((i+1)); done'", timeout=sandbox.DEADLINE * 8)
        [recording] = self.new_recordings()
        told = self.host.opelog("commands", "--all", recording.name, timeout=sandbox.DEADLINE * 2)
        self.assertEqual(told.rc, 0)
        present = len(set(re.findall(r"/bin/true (\d+)$", told.text, re.M)))
        missing = sum(int(m) for m in re.findall(r"(\d+) or more events", told.err.decode()))
        self.assertGreaterEqual(present + missing, many)
        self.assertGreater(present, 0)

    def test_what_a_user_prints_is_no_event(self):
        self.host.ssh("opelogtest-a", "echo 'H 0.000000 OPELOG_EXEC {\"pid\":1,\"argv\":[\"forged\"]}'")
        [recording] = self.new_recordings()
        self.assertNotIn("forged", [p["text"] for c in self.commands(recording, "--all") for p in c["processes"]])


# Double fork with a session of its own, as a daemon does it.
DAEMON = r"""
import os, sys
if os.fork(): sys.exit()
os.setsid()
if os.fork(): sys.exit()
os.chdir("/")
os.execv("/bin/sh", ["sh", "-c", "/bin/echo daemon > /tmp/daemon"])
"""

# A program whose name is an attack on whoever reads it, with arguments that are one too, and more of them than is kept.
HOSTILE = r"""
import os, shutil
name = "/tmp/\x1b]0;owned\x07\nH 0.000000 OPELOG_EXEC {\"pid\":1}<script>alert(1)</script>\u202e"[:200].replace("</", "<|")
shutil.copy("/bin/true", name)
os.chmod(name, 0o755)
argv = ["<img src=x onerror=alert(2)>", "a\nb\r\x1b[2J\x9b", "\udcff\udcfe"] + ["x" * 100000] * 15
if os.fork() == 0:
    os.execv(name, argv)
os.wait()
"""


class Attribution(scene.Scene):
    """Row 10: whatever a process does to look like nobody's, it stays its session's."""

    def test_background_setsid_nohup_double_fork_and_tmux(self):
        self.host.write("/tmp/daemon.py", DAEMON.encode())
        term = self.log_in()
        term.send("nohup /bin/echo one > /tmp/one 2>&1 & setsid -f sh -c '/bin/echo two > /tmp/two'; python3 /tmp/daemon.py; "
                  "tmux -L t new-session -d '/bin/echo three > /tmp/three'\r")
        for name in ("one", "two", "daemon", "three"):
            sandbox.wait_until(lambda: self.host.exists(f"/tmp/{name}") and self.host.read(f"/tmp/{name}"), name)
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        listed = json.loads(self.host.opelog("commands", "--all", "--json", recording.name, check=True).text)
        executed = [p["text"] for c in listed for p in c["processes"]]
        for word in ("one", "two", "daemon", "three"):
            self.assertEqual(executed.count(f"/bin/echo {word}"), 1, executed)

    def test_what_runs_under_another_name_says_so(self):
        self.host.write("/tmp/typed", b"true\n")
        term = self.log_in()
        for line in ("ln -s /bin/zsh /tmp/foo", "/tmp/foo /tmp/typed", "awk 1 /tmp/typed", "unshare -rm sh -c 'cat /tmp/typed'", "exec -a bar zsh -f"):
            time.sleep(0.2)
            term.send(line + "\r")
            term.expect(r"\$ \x1b\[K\x1b\[\?2004h" if "exec" in line else sandbox.PROMPT)
        term.send("/bin/echo in'side'\r")
        term.expect("inside\r\n")
        time.sleep(0.2)
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        listed = {c["text"]: c for c in json.loads(self.host.opelog("commands", "--all", "--json", recording.name, check=True).text)}
        self.assertEqual({t: c["renamed"] for t, c in listed.items() if c["known"] != "exec" and "renamed" in c},
                         {"/tmp/foo /tmp/typed": "foo is zsh", "exec -a bar zsh -f": "bar is zsh"})
        self.assertEqual([p["text"] for p in listed["/bin/echo in'side'"]["processes"]], ["/bin/echo inside"])
        inside = [p for p in listed["unshare -rm sh -c 'cat /tmp/typed'"]["processes"] if p.get("foreign_mounts")]
        self.assertIn("cat /tmp/typed", [p["text"] for p in inside])
        for words in (("commands", recording.name), ("report", "--command", "zsh"), ("search", "--commands", "zsh", "--scan")):
            self.assertRegex(self.host.opelog(*words, check=True).text, r"(?m)/tmp/foo /tmp/typed  \(foo is zsh\)$", words)


class HostileCommands(scene.Scene):
    """Rows 8 and 11: names and arguments of programs are data, in the recording and wherever they are shown."""

    def test_they_are_shown_as_text_everywhere(self):
        self.host.write("/tmp/hostile.py", HOSTILE.encode())
        self.assertEqual(self.host.ssh("opelogtest-a", "python3 /tmp/hostile.py").rc, 0)
        [recording] = self.new_recordings()
        listed = json.loads(self.host.opelog("commands", "--all", "--json", recording.name, check=True).out.decode("utf-8"))
        [process] = [p for c in listed for p in c["processes"] if "onerror" in p["text"]]
        self.assertEqual(process["exit_code"], 0)
        # A record of one line each: what is not one is a note that nobody wrote.
        events = [json.loads(v) for v in recording.notes()["OPELOG_EXEC"]]
        self.assertEqual(len([e for e in events if e.get("pid") == 1]), 0)
        [event] = [e for e in events if any("onerror" in a for a in e["argv"])]
        self.assertEqual((event["argc"], event["argv_bytes"] > 1500000, len("".join(event["argv"])) <= 8192), (18, True, True), event.keys())
        for words in (("commands", "--all"), ("commands", "--all", "--csv"), ("report",), ("report", "--csv"), ("search", "onerror"),
                      ("show", "--text"), ("show",), ("ls",)):
            with self.subTest(words=words):
                named = words[0] in ("commands", "show")
                done = self.host.opelog(*words, *([recording.name] if named else []))
                self.assertIn(done.rc, (0, 1), done)
                self.assertNotRegex(done.out.decode("utf-8").replace("\r\n", "\n"), "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
        self.host.opelog("export", "--format", "html", "--output", "/tmp/page.html", recording.name, check=True)
        page = self.host.read("/tmp/page.html").decode("utf-8")
        self.assertNotIn("<img", page)
        self.assertNotRegex(page, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


if __name__ == "__main__":
    sandbox.run_file()
