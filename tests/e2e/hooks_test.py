"""The ways in which opelog-shell is reached: login shell, ForceCommand, profile.d hook, several at once, `opelog rec`, su; with
the shells people use. A target is recorded exactly once; whoever is not a target cannot tell that opelog is there."""

import fcntl
import json
import os
import re
import struct
import termios

import sandbox
from scene import Scene

PLAIN, RECORDED = "opelogtest-none", "opelogtest-a"
PROMPT = r"\$ (\x1b\[K)?$"
SHELLS = [s for s in ("/bin/bash", "/bin/dash", "/usr/bin/zsh") if os.path.exists(s)]
# `exec`, because sshd runs it by the user's shell and not every shell does so by itself.
FORCE = "ForceCommand exec /usr/bin/opelog-shell --force"
HOOK = "/usr/share/doc/opelog/examples/profile.d/opelog.sh"

# dash has no history and zsh many prompts: one prompt for all, and nothing that draws lines anew.
def quiet(host, user):
    host.write(f"/home/{user}/.zshrc", "PS1='$ '; unsetopt zle prompt_cr prompt_sp\n", owner=user)


def environment(data, user):
    """{name: value} of `env -0`, what differs between any two logins made alike."""
    variables = dict(v.split("=", 1) for v in data.decode("utf-8", "backslashreplace").split("\0") if v)
    for name in ("SSH_CLIENT", "SSH_CONNECTION"):
        if name in variables:
            variables[name] = " ".join(w for i, w in enumerate(variables[name].split()) if i != 1)
    variables.pop("_", None)
    return {n: v.replace(user, "USER") for n, v in variables.items()}


class Hooks(Scene):
    enroll = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for user in (PLAIN, RECORDED):
            quiet(cls.host, user)

    def setUp(self):
        super().setUp()
        for user in (PLAIN, RECORDED):
            self.host.set_shell(user, "/bin/bash")
        self.host.run("rm", "-f", "/etc/profile.d/opelog.sh")

    def hook(self):
        self.host.write("/etc/profile.d/opelog.sh", self.host.read(HOOK))

    def enrolled(self, user, shell):
        """The real shell in the daemon's list, ours in passwd."""
        self.host.write("/etc/opelog/enrolled", f"{user}:{shell}\n")
        self.host.set_shell(user, "/usr/bin/opelog-shell")
        self.host.daemon.hup()
        sandbox.wait_until(lambda: self.shell_of(user) == shell, f"{user} has {shell}")
        self.seen = {r.name for r in self.host.recordings()}

    def shell_of(self, user):
        done = self.host.ssh(user, "readlink /proc/$$/exe; true")  # not the last word, or readlink is what is seen
        return {"/usr/bin/dash": "/bin/dash", "/usr/bin/bash": "/bin/bash", "/bin/zsh": "/usr/bin/zsh"}.get(
            done.text.strip(), done.text.strip())

    def interactive(self, user, command, status):
        term = self.host.ssh_pty(user, env={"PS1": "$ "}, options=("SendEnv=PS1",))
        term.expect(PROMPT)
        term.send(command + f"; exit {status}\r")
        self.assertEqual(term.wait(), status, term.output)
        return term.output

    def one_terminal_recording(self, shown, whole=True):
        [recording] = self.new_recordings()
        if whole:
            self.assert_replays(recording, shown)
        else:  # the weak hook: something was shown before it came into play
            self.assertTrue(shown.endswith(recording.payload()), (shown, recording.payload()))
            self.assertEqual(recording.replay(), recording.payload())
        return json.loads(recording.notes()["OPELOG_SESSION"][0])

    def assert_command(self, user, recordings, how):
        done = self.host.ssh(user, "echo out; echo err >&2; exit 9")
        self.assertEqual((done.rc, done.out, done.err), (9, b"out\n", b"err\n"))
        new = self.new_recordings(recordings)
        if recordings:
            session = json.loads(new[-1].notes()["OPELOG_SESSION"][0])
            self.assertEqual((session["how"], session["terminal"]), (how, False))
        return new


class LoginShell(Hooks):
    def test_with_bash_dash_and_zsh(self):
        for shell in SHELLS:
            with self.subTest(shell=shell):
                self.enrolled(RECORDED, shell)
                shown = self.interactive(RECORDED, "echo zero=$0 shell=$SHELL", 7)
                self.assertIn(f"zero=-{os.path.basename(shell)} shell={shell}\r\n".encode(), shown)
                session = self.one_terminal_recording(shown)
                self.assertEqual((session["how"], session["shell"]), ("login", shell))
                self.seen = {r.name for r in self.host.recordings()}
                self.assert_command(RECORDED, 1, "command")

    def test_login_shell_reads_the_users_profile_once(self):
        for shell in SHELLS:
            with self.subTest(shell=shell):
                self.enrolled(RECORDED, shell)
                for name in (".profile", ".zprofile"):
                    self.host.write(f"/home/{RECORDED}/{name}", "echo profile >> ~/read\n", owner=RECORDED)
                self.addCleanup(self.host.sh, f"cd /home/{RECORDED} && rm -f .profile .zprofile read")
                self.host.sh(f"rm -f /home/{RECORDED}/read")
                self.interactive(RECORDED, "true", 0)
                self.assertEqual(self.host.read(f"/home/{RECORDED}/read"), b"profile\n")

    def test_two_hooks_and_three_record_once(self):
        """Login shell with ForceCommand and with the profile.d hook."""
        self.hook()
        self.host.restart_sshd(FORCE)
        for shell in SHELLS:
            with self.subTest(shell=shell):
                self.enrolled(RECORDED, shell)
                shown = self.interactive(RECORDED, "echo zero=$0", 5)
                self.assertIn(f"zero=-{os.path.basename(shell)}\r\n".encode(), shown)
                self.one_terminal_recording(shown)
                self.seen = {r.name for r in self.host.recordings()}
                self.assert_command(RECORDED, 1, "command")
        self.host.restart_sshd()

    def test_su_to_an_enrolled_user_inside_passes_and_is_in_the_same_recording(self):
        self.host.run("chpasswd", input="opelogtest-b:open sesame\n", check=True)
        self.host.write("/etc/opelog/enrolled", f"opelogtest-b:/bin/bash\n{RECORDED}:/bin/bash\n")
        for user in ("opelogtest-b", RECORDED):
            self.host.set_shell(user, "/usr/bin/opelog-shell")
        self.host.daemon.hup()
        sandbox.wait_until(lambda: self.host.ssh("opelogtest-b", "true").rc == 0, "the list is read")
        self.seen = {r.name for r in self.host.recordings()}
        term = self.host.ssh_pty(RECORDED)
        term.expect(PROMPT)
        term.send("su - opelogtest-b\r")
        term.expect("Password: ")
        term.send("open sesame\r")
        term.expect(r"opelogtest-b@.*\$ $")
        term.send("id -un; echo $0 $SHELL; exit 8\r")
        term.expect(r"\nopelogtest-b\r\n-bash /bin/bash\r")
        term.expect(PROMPT)
        term.send("opelog-shell -c 'echo nested; exit 6'; exit $?\r")
        self.assertEqual(term.wait(), 6)
        self.assertIn(b"\nnested\r", term.output)
        self.one_terminal_recording(term.output)


class ForceCommand(Hooks):
    def test_with_and_without_a_command_of_the_users(self):
        self.host.restart_sshd(FORCE)
        for shell in SHELLS:
            with self.subTest(shell=shell):
                self.seen = {r.name for r in self.host.recordings()}
                self.host.set_shell(RECORDED, shell)
                shown = self.interactive(RECORDED, "echo zero=$0", 7)
                self.assertIn(f"zero=-{os.path.basename(shell)}\r\n".encode(), shown)
                session = self.one_terminal_recording(shown)
                self.assertEqual((session["how"], session["shell"]), ("force", shell))
                self.seen = {r.name for r in self.host.recordings()}
                [recording] = self.assert_command(RECORDED, 1, "force")
                self.assertEqual(json.loads(recording.notes()["OPELOG_COMMAND"][0])["original"], "echo out; echo err >&2; exit 9")
                self.seen = {r.name for r in self.host.recordings()}
                # On a terminal with a command: recorded as a terminal session.
                done = self.host.ssh(RECORDED, "echo on $0; exit 3", tty=True)
                self.assertEqual((done.rc, done.out), (3, f"on {os.path.basename(shell)}\r\n".encode()))
                self.one_terminal_recording(done.out)
        self.host.restart_sshd()

    def test_without_exec_a_shell_that_waits_is_refused_and_not_silently_killed(self):
        """dash stays as the terminal session's leader: to revoke the terminal would send it SIGHUP."""
        self.host.restart_sshd(FORCE.replace("exec ", ""))
        self.host.set_shell(RECORDED, "/bin/dash")
        done = self.host.ssh(RECORDED, tty=True)
        self.assertEqual(done.rc, 77, done)
        self.assertIn(b"opelog: this login cannot be recorded and is refused", done.out)
        self.host.daemon.wait_log(r"ForceCommand exec /usr/bin/opelog-shell --force")
        self.new_recordings(0)
        self.assert_command(RECORDED, 1, "force")  # without a terminal nothing is revoked
        self.host.restart_sshd()

    def test_the_environment_is_that_of_a_plain_login(self):
        for shell in SHELLS:
            seen = []
            for lines in ((), (FORCE,)):
                self.host.restart_sshd(*lines)
                self.host.set_shell(RECORDED, shell)
                seen.append(environment(self.host.ssh(RECORDED, "env -0").out, RECORDED))
            with self.subTest(shell=shell):
                plain, forced = seen
                self.assertEqual(forced.pop("SSH_ORIGINAL_COMMAND"), "env -0")
                self.assertIn("OPELOG_SESSION", forced)
                forced.pop("OPELOG_SESSION")
                self.assertEqual(forced.pop("SHLVL", None) or "1", plain.pop("SHLVL", None) or "1")
                self.assertEqual(forced, plain)
        self.host.restart_sshd()


class ProfileHook(Hooks):
    # What goes past the hook is not noticed here, however long the machine takes for it: unrecorded_test.py has that.
    policy = sandbox.POLICY + "unrecorded_scan: 0s\n"

    def test_bash_and_dash_continue_in_a_recorded_shell(self):
        self.hook()
        for shell in ("/bin/bash", "/bin/dash"):
            with self.subTest(shell=shell):
                self.seen = {r.name for r in self.host.recordings()}
                self.host.set_shell(RECORDED, shell)
                shown = self.interactive(RECORDED, "echo zero=$0 hook=$OPELOG_HOOK pid=$$", 7)
                match = re.search(rb"\nzero=(\S+) hook=(\d+) pid=(\d+)\r", shown)
                self.assertEqual(match[1].decode(), "-" + os.path.basename(shell))
                self.assertEqual(match[2], match[3])
                self.assertEqual(self.one_terminal_recording(shown, whole=False)["how"], "hook")
                self.seen = {r.name for r in self.host.recordings()}
                # A command reads no profile: as weak as it is documented.
                self.assert_command(RECORDED, 0, "")

    def test_a_login_shell_inside_is_not_recorded_again(self):
        self.hook()
        for inner in ("bash --login", "bash -lc 'echo in'", "dash -l"):
            with self.subTest(inner=inner):
                self.seen = {r.name for r in self.host.recordings()}
                term = self.host.ssh_pty(RECORDED)
                term.expect(PROMPT)
                term.send(inner + "\r")
                term.expect(PROMPT)
                term.send("echo level=$SHLVL; exit 0\r")
                if "-lc" not in inner:  # that one has ended by itself
                    term.expect(PROMPT)
                    term.send("exit 0\r")
                self.assertEqual(term.wait(), 0)
                self.one_terminal_recording(term.output, whole=False)

    def test_without_the_program_nobody_notices_the_hook(self):
        self.hook()
        self.host.run("mv", "/usr/bin/opelog-shell", "/usr/bin/opelog-shell.away", check=True)
        try:
            self.interactive(RECORDED, "true", 4)
        finally:
            self.host.run("mv", "/usr/bin/opelog-shell.away", "/usr/bin/opelog-shell", check=True)
        self.new_recordings(0)


class NotATarget(Hooks):
    """Exactly as without opelog, by every hook."""

    def look(self, prepare, command=None):
        self.host.restart_sshd()
        self.setUp()
        prepare()
        self.seen = {r.name for r in self.host.recordings()}
        if command:
            done = self.host.ssh(PLAIN, command)
            return done.rc, environment(done.out, PLAIN), done.err
        term = self.host.ssh_pty(PLAIN)
        term.expect(PROMPT)
        term.send("env -0 > /tmp/env; echo $0 $-; shopt login_shell; ps -o pid= -p $PPID >/dev/null; trap; exit 5\r")
        rc = term.wait()
        return rc, environment(self.host.read("/tmp/env"), PLAIN), term.output

    def test_environment_and_shell_are_equal(self):
        ways = {"login shell": lambda: self.enrolled(PLAIN, "/bin/bash"), "ForceCommand": lambda: self.host.restart_sshd(FORCE),
                "profile.d": self.hook}
        for command in (None, "env -0"):
            plain = self.look(lambda: None, command)
            for name, prepare in ways.items():
                with self.subTest(hook=name, command=command):
                    got = self.look(prepare, command)
                    if name == "ForceCommand" and command:
                        self.assertEqual(got[1].pop("SSH_ORIGINAL_COMMAND"), "env -0")  # sshd's own doing
                    self.assertEqual(got, plain)
                    self.new_recordings(0)
        self.host.restart_sshd()


class OfOnesOwnWill(Hooks):
    """`opelog rec`: the terminal stays the caller's. A shell of his own is around it, which goes on afterwards."""

    def modes(self, term):
        return termios.tcgetattr(term.master)

    def start(self, *argv, **options):
        env = {"PS1": "$ "}
        return self.host.terminal("opelog", "rec", *argv, user=PLAIN, env=env, **options)

    def inside(self, command="", shown=r"opelogtest:.*\$ $"):  # .bashrc's prompt, not the outer one
        """A terminal that stands at the prompt of a recorded shell, and its settings at the prompt of the outer one."""
        term = self.host.terminal("bash", "--norc", user=PLAIN, env={"PS1": "outer$ "})
        term.expect(r"outer\$ $")
        before = self.modes(term)
        term.send(f"opelog rec {command}; echo status $?\r")
        term.expect(shown)
        return term, before

    def assert_back(self, term, before, status):
        term.expect(rf"^status ({status})\r\n")
        term.expect(r"outer\$ $")
        self.assertEqual(self.modes(term), before)
        term.send("echo still-$((6*7))\r")
        term.expect(r"\nstill-42\r\n")

    def end(self, recording):
        return json.loads(recording.notes()["OPELOG_END"][0])

    def test_a_shell_of_ones_own_with_resize_exit_code_and_the_terminal_as_before(self):
        term, before = self.inside()
        term.resize(33, 99)
        term.send("until [ \"$(stty size)\" = '33 99' ]; do :; done; echo seen; tty; exit 23\r")
        term.expect(r"\nseen\r")
        term.expect(r"outer\$ $")
        [recording] = self.new_recordings()
        self.assertIn(b"status 23\r\n", term.output)
        self.assertIn(recording.payload(), term.output)
        self.assertEqual(recording.replay(), recording.payload())
        self.assertIn(b"SIGWINCH ROWS=33 COLS=99\n", recording.time)
        self.assertEqual(recording.notes()["EXIT_CODE"], ["23"])
        self.assertRegex(recording.name, r"_UNKNOWN(-\d+)?$")
        session = json.loads(recording.notes()["OPELOG_SESSION"][0])
        self.assertEqual((session["how"], session["terminal"], session["rows"], session["cols"]), ("rec", True, 24, 80))
        self.assertRegex(session["tty"], r"^/dev/pts/\d+$")
        self.assertNotEqual(session["tty"], session["inner_tty"])
        term.send("echo still\r")
        term.expect(r"\nstill\r")
        term.expect(r"outer\$ $")
        self.assertEqual(self.modes(term), before)

    def test_a_command_of_ones_own_and_its_status(self):
        for words, status in ((("sh", "-c", "echo \"$1\"; exit 7", "sh", "a  b"), 7), (("true",), 0), (("nosuchprogram",), 127),
                              (("sh", "-c", "kill -TERM $$"), -15)):
            with self.subTest(words=words):
                self.seen = {r.name for r in self.host.recordings()}
                term = self.start("--", *words)
                status_got = term.wait()
                self.assertIn(status_got, (status, 128 - status), term.output)
                [recording] = self.new_recordings()
                self.assert_replays(recording, term.output)
                if words[-1] == "a  b":
                    self.assertEqual(term.output, b"a  b\r\n")

    def test_the_keys_that_stop_and_interrupt_are_for_what_runs_inside(self):
        term, before = self.inside()
        term.send("sh -c 'echo g''o; exec sleep 1000'\r")
        term.expect(r"\ngo\r\n")
        term.send("\x03")
        term.expect(PROMPT)
        term.send("echo rc=$?; sh -c 'echo ag''ain; exec cat'\r")
        term.expect(r"\nrc=130\r\nagain\r\n")
        term.send("\x1a")
        term.expect(r"Stopped")
        term.expect(PROMPT)
        term.send("fg\r")
        term.expect(r"exec cat'\r\n")
        term.send("word\r")
        term.expect(r"word\r\nword\r\n")
        term.send("\x03")
        term.expect(PROMPT)
        term.send("exit 4\r")
        self.assert_back(term, before, 4)
        [recording] = self.new_recordings()
        self.assertEqual(self.end(recording)["exit_code"], 4)

    def test_what_was_typed_before_it_began_is_for_what_runs_inside(self):
        term = self.host.terminal("sh", "-c", "echo re''ady; read go; exec opelog rec -- sh -c 'read x; echo got $x'", user=PLAIN)
        term.expect(r"ready\r\n")
        term.send("go\rhello\r")
        term.expect(r"\ngot hello\r\n")
        self.assertEqual(term.wait(), 0)

    def test_ended_by_an_administrator(self):
        term, before = self.inside()
        [recording] = self.new_recordings(ended=False)
        self.host.opelog("kill", recording.name, check=True)
        term.expect("\r\nopelog: this session is ended by ")
        self.assert_back(term, before, r"\d+")
        [recording] = self.new_recordings()
        self.assertEqual(self.end(recording)["reason"], "killed")

    def test_the_daemon_stops_or_dies(self):
        for end, said in (("stop", "the recorder stops"), ("kill", "the recorder is gone")):
            with self.subTest(end=end):
                self.seen = {r.name for r in self.host.recordings()}
                # A shell that does not end by itself when its terminal is hung up.
                term, before = self.inside("-- sh -c \"trap '' HUP; echo u''p; exec sleep 1000\"", r"\nup\r\n")
                getattr(self.host.daemon, end)()
                try:
                    term.expect(f"\nopelog: {said}; this session ends[\r\n]+")
                    self.assert_back(term, before, 69)
                finally:
                    self.host.start_daemon(self.policy, self.daemon)
                [recording] = self.new_recordings()
                self.assertEqual(self.end(recording)["reason"], "shutdown" if end == "stop" else "crash")

    def test_a_terminal_that_is_closed_ends_the_session(self):
        term = self.start("--", "sh", "-c", "echo up; read x")
        term.expect("up\r\n")
        term.hang_up()
        [recording] = self.new_recordings()
        self.assertEqual(self.end(recording)["reason"], "hangup")

    def test_what_is_redirected_is_left_to_the_command(self):
        term = self.host.terminal("sh", "-c", "opelog rec -- sh -c 'echo text; echo err >&2' > /tmp/out; exit 4", user=PLAIN)
        self.assertEqual(term.wait(), 4)
        self.assertEqual((self.host.read("/tmp/out"), term.output), (b"text\n", b"err\r\n"))
        [recording] = self.new_recordings()
        self.assertEqual(recording.payload(), b"err\r\n")
        self.assertEqual(json.loads(recording.notes()["OPELOG_KEPT"][0]), {"stdout": "file"})

    def test_the_daemon_never_has_the_terminal(self):
        term = self.start("--", "sh", "-c", "echo up; read x")
        term.expect("up\r\n")
        number = struct.unpack("I", fcntl.ioctl(term.master, 0x80045430, bytes(4)))[0]  # TIOCGPTN
        terminal = os.stat(f"/dev/pts/{number}")
        folder = f"/proc/{self.host.daemon.pid}/fd"  # its number outside
        held = [os.stat(f"{folder}/{fd}") for fd in os.listdir(folder)]
        self.assertGreater(len(held), 10)
        self.assertNotIn((terminal.st_dev, terminal.st_ino), [(h.st_dev, h.st_ino) for h in held])
        term.send("\r")
        self.assertEqual(term.wait(), 0)

    def test_without_a_terminal(self):
        done = self.host.run("/usr/bin/opelog-shell", "--rec", "--", "sh", "-c", "cat; echo err >&2; exit 3", user=PLAIN, input=b"in")
        self.assertEqual((done.rc, done.out, done.err), (3, b"in", b"err\n"), done)
        self.new_recordings(1)


if __name__ == "__main__":
    sandbox.run_file()
