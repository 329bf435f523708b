#!/usr/bin/env python3
"""Logins over a real sshd that never pass opelog-shell: exec events see them, and what they execute is recorded."""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402


def executed(host, recording):
    """The programs with their arguments, in their order."""
    listed = json.loads(host.opelog("commands", "--all", "--json", recording.name, check=True).text)
    return [process["text"] for command in listed for process in command["processes"]]


class Unrecorded(scene.Scene):
    """opelogtest-b is enrolled no more: his passwd shell is bash, as after somebody's usermod."""
    policy = sandbox.POLICY + "unrecorded_scan: 1s\n"
    rule = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.set_shell("opelogtest-b", "/bin/bash")
        cls.host.daemon.wait_log("servers-watched")

    def stated(self):
        return re.findall(r"terminal-unrecorded: .* user=(\S+) uid=\d+ client=(\S+) rule=(\S+) .*recording=(\S+)", self.host.daemon.log())

    def executed(self, recording):
        return executed(self.host, recording)

    def assert_before(self, recording, programs, commands=()):
        listed = json.loads(self.host.opelog("commands", "--all", "--json", recording.name, check=True).text)
        before = [process for command in listed if "before_us" in command for process in command["processes"]]
        texts = [process["text"] for process in before]
        # Debian's /etc/profile and the hook itself ask for something as well.
        self.assertEqual([text for text in texts if text not in ("id -u", "/usr/bin/opelog-shell --query")], programs)
        for process in before:
            self.assertTrue(0 < process["before_us"] < 2000000, process)
            self.assertEqual(process["at_us"], 0, process)
        self.assertEqual([process["exit_code"] for process in before if process["text"].startswith("/bin/sh")], [4])
        done = self.host.opelog("commands", recording.name, check=True)
        self.assertIn(f"{len(before)} programs ran before the recording began", done.err.decode())
        shown = json.loads(self.host.opelog("commands", "--json", recording.name, check=True).text)
        self.assertEqual([command["number"] for command in shown], list(range(1, len(shown) + 1)))
        self.assertFalse([command for command in shown if "before_us" in command], shown)
        texts = [command["text"] for command in shown]
        self.assertEqual([text for text in texts if text in commands], list(commands), texts)
        self.assertEqual(recording.replay(), recording.payload())


class BrokenEnrolment(Unrecorded):
    def test_what_he_executes_is_recorded_from_the_first_program_on(self):
        term = self.host.ssh_pty("opelogtest-b")
        term.expect(r"\$ $")
        term.send("/bin/echo one; sh -c 'exit 3'\r")
        term.expect(r"one\r\n.*\$ $")
        [recording] = self.new_recordings(1, ended=False)
        status = json.loads(self.host.opelog("status", "--json").out)
        self.assertTrue(any("never passed opelog-shell" in d["what"] for d in status["degraded"]), status)
        term.send("setsid sh -c '/bin/echo two > /tmp/two'\r")
        sandbox.wait_until(lambda: self.host.exists("/tmp/two"), "the second command")
        self.assertEqual(self.log_out(term, "exit 5"), 5)
        [recording] = self.new_recordings(1)
        executed = self.executed(recording)
        self.assertEqual(executed[0], "-bash")
        for text in ("/bin/echo one", "sh -c 'exit 3'", "/bin/echo two"):
            self.assertEqual(executed.count(text), 1, executed)
        shown = json.loads(self.host.opelog("show", "--json", recording.name, check=True).out)
        self.assertEqual((shown["how"], shown["user"], shown["client"], shown["kept"]["stdout"]),
                         ("unrecorded", "opelogtest-b", "127.0.0.1", "terminal"), shown)
        self.assertEqual(recording.notes()["EXIT_CODE"], ["5"])
        self.assertEqual(recording.payload(), b"")
        self.assertEqual(self.stated()[-1], ("opelogtest-b", "127.0.0.1", "operators", recording.name))
        self.assertNotIn("connection-unrecorded", self.host.daemon.log())
        sandbox.wait_until(lambda: json.loads(self.host.opelog("status", "--json").out)["degraded"] == [], "its end is seen")
        self.assertIn(b"a", self.host.sh(f"lsattr {sandbox.LOG_DIR}/{recording.name}.time", check=True).out.split()[0])

    def test_a_short_command_is_seen_as_well(self):
        self.assertEqual(self.host.ssh("opelogtest-b", "/bin/ls / > /dev/null; exit 4").rc, 4)
        [recording] = self.new_recordings(1)
        self.assertIn("/bin/ls /", self.executed(recording))
        self.assertEqual(recording.notes()["EXIT_CODE"], ["4"])
        self.assertEqual(json.loads(self.host.opelog("show", "--json", recording.name).out)["kept"]["stdout"], "other")

    def test_a_shim_that_may_pass_frees_nobody_but_itself(self):
        # Two shells down the rule's parent is not sshd.
        inner = """sh -c 'sh -c "/usr/bin/opelog-shell -c true; true"; true'"""
        done = self.host.ssh("opelogtest-b", f"{inner}; /bin/echo free; exec sleep 3")
        self.assertEqual(done.out, b"free\n")
        [recording] = self.new_recordings(1)
        for text in ("/bin/echo free", "sleep 3"):
            self.assertIn(text, self.executed(recording))

    def test_what_sshd_runs_for_itself_is_no_login(self):
        self.host.write("/usr/local/bin/keys", "#!/bin/sh\nsleep 0.3\ncat /root/key.pub\n", 0o755)
        self.host.sh("cp /root/key.pub /etc/keys.pub; chmod 644 /etc/keys.pub; sed -i s,/root/key.pub,/etc/keys.pub, /usr/local/bin/keys; "
                     "useradd -u 6001 -M opelogtest-keys", check=True)
        self.host.restart_sshd("AuthorizedKeysCommand /usr/local/bin/keys", "AuthorizedKeysCommandUser opelogtest-keys",
                               "AuthorizedKeysFile none")
        time.sleep(1.5)  # the next look finds the new sshd
        self.assertEqual(self.host.ssh("opelogtest-a", "sleep 3").rc, 0)
        self.new_recordings(0, "opelogtest-keys")
        self.new_recordings(1, "opelogtest-a")
        self.host.restart_sshd()
        time.sleep(1.5)

    def test_ssh_rc_of_who_passes_the_shim_is_no_login_of_its_own(self):
        self.host.write("/home/opelogtest-a/.ssh/rc", "sleep 0.2\n", owner="opelogtest-a")
        self.addCleanup(self.host.run, "rm", "/home/opelogtest-a/.ssh/rc")
        term = self.log_in()
        time.sleep(3)
        self.assertEqual(self.log_out(term), 0)
        self.new_recordings(1)

    def test_who_passes_the_shim_or_is_no_target_is_not_meant(self):
        before = self.stated()
        self.assertEqual(self.host.ssh("opelogtest-none", "/bin/ls / > /dev/null; sleep 3").rc, 0)
        self.assertEqual(self.host.ssh("opelogtest-a", "/bin/ls / > /dev/null; sleep 3").rc, 0)
        self.new_recordings(1, "opelogtest-a")
        self.new_recordings(1)
        self.assertEqual(self.stated(), before)

    def test_one_can_be_killed(self):
        term = self.host.ssh_pty("opelogtest-b")
        term.expect(r"\$ $")
        [recording] = self.new_recordings(1, ended=False)
        self.host.opelog("kill", recording.name, check=True)
        term.expect_eof()
        [recording] = self.new_recordings(1)
        self.assertIn('"reason":"killed"', recording.notes()["OPELOG_END"][0])


class Ended(Unrecorded):
    policy = Unrecorded.policy.replace("action: record\n", "action: record\n    on_unrecorded: end\n")

    def test_every_process_of_it_is_killed(self):
        term = self.host.ssh_pty("opelogtest-b")
        term.expect(r"\$ $")
        term.send("setsid nohup sh -c 'while :; do :; done' > /dev/null 2>&1 & setsid sleep 1000 & (while :; do :; done) &\r")
        term.expect_eof()
        [recording] = self.new_recordings(1)
        self.assertIn('"reason":"killed"', recording.notes()["OPELOG_END"][0])
        sandbox.wait_until(lambda: self.host.run("pgrep", "-u", "opelogtest-b").out == b"", "no process of his is left")
        self.assertNotEqual(self.executed(recording), [])


class BesideItsSession(Unrecorded):
    """ForceCommand starts the user's own shell first, and that reads a file of his."""
    sshd = ("Match User opelogtest-b\n  ForceCommand exec /usr/bin/opelog-shell --force",)

    def test_a_start_up_file_that_goes_on_without_the_shim(self):
        self.host.write("/home/opelogtest-b/.bashrc", "/usr/bin/opelog-shell -c true\nexec /bin/sh -c '/bin/echo free; sleep 1'\n")
        done = self.host.ssh("opelogtest-b", "ignored")
        self.assertIn(b"free\n", done.out)
        first, second = sorted(self.new_recordings(2), key=lambda r: "unrecorded" in self.how(r))
        self.assertEqual(self.how(second), "unrecorded")
        self.assertIn("/bin/echo free", self.executed(second))

    def how(self, recording):
        return json.loads(recording.notes()["OPELOG_SESSION"][0])["how"]

    def test_one_that_passes_the_shim_is_one_session_with_what_came_before(self):
        self.host.write("/home/opelogtest-b/.bashrc", "/bin/true ahead\n/bin/sh -c '/bin/echo marker > /dev/null; exit 4'\n")
        self.assertEqual(self.host.ssh("opelogtest-b", "/bin/echo in; sleep 3").out, b"in\n")
        [recording] = self.new_recordings(1)
        self.assertEqual(self.how(recording), "force")
        self.assert_before(recording, ["bash -c 'exec /usr/bin/opelog-shell --force'", "/bin/true ahead",
                                       "/bin/sh -c '/bin/echo marker > /dev/null; exit 4'", "/bin/echo marker"], ["bash -c '/bin/echo in; sleep 3'"])


class AheadOfAProfileHook(Unrecorded):
    def test_what_came_before_is_in_the_sessions_recording(self):
        self.host.write("/etc/profile.d/a-first.sh", "/bin/sh -c '/bin/echo marker > /dev/null; exit 4'\n")
        self.host.write("/etc/profile.d/opelog.sh", self.host.read("/usr/share/doc/opelog/examples/profile.d/opelog.sh"))
        term = self.host.ssh_pty("opelogtest-b")
        term.expect(r"\$ $")
        term.send("/bin/echo in\r")
        term.expect(r"\nin\r\n.*\$ $")
        self.assertEqual(self.log_out(term, "exit 5"), 5)
        [recording] = self.new_recordings(1)
        self.assert_before(recording, ["-bash", "/bin/sh -c '/bin/echo marker > /dev/null; exit 4'", "/bin/echo marker"])


class LeftBehind(scene.Scene):
    """What outlives its session belongs to it still."""

    def test_what_it_executes_later_is_a_recording_of_its_own(self):
        self.host.sh("mkfifo -m 666 /tmp/go", check=True)
        term = self.log_in()
        term.send("setsid nohup sh -c ': > /tmp/waits; read x < /tmp/go; /bin/echo later > /tmp/later; /bin/true; /bin/true' < /dev/null > /dev/null 2>&1 &\r")
        sandbox.wait_until(lambda: self.host.exists("/tmp/waits"), "what is to be left runs")
        self.assertEqual(self.log_out(term), 0)
        [session] = self.new_recordings(1)
        self.host.sh("echo go > /tmp/go", check=True)
        sandbox.wait_until(lambda: self.host.exists("/tmp/later"), "the process that is left has gone on")
        [left] = [r for r in self.new_recordings(2) if r.name != session.name]
        shown = json.loads(self.host.opelog("show", "--json", left.name, check=True).out)
        self.assertEqual((shown["how"], shown["left_by"], shown["user"], shown["client"]),
                         ("left", json.loads(session.notes()["OPELOG_SESSION"][0])["id"], "opelogtest-a", "127.0.0.1"))
        self.assertEqual(executed(self.host, left), ["/bin/echo later", "/bin/true", "/bin/true"])
        self.host.daemon.wait_log("session-left: ")
        self.assertNotIn("warning", self.host.daemon.log())


if __name__ == "__main__":
    sandbox.run_file()
