"""Sessions without a terminal: commands, scp, sftp, rsync and git pass byte for byte, and are accounted for."""

import hashlib
import json
import os

import sandbox
from scene import Scene

# Every byte value, no text encoding, larger than any buffer on the way.
BLOB = bytes(range(256)) * 64 + os.urandom(3 << 20)


class Commands(Scene):
    def test_stdout_and_stderr_stay_apart(self):
        done = self.host.ssh("opelogtest-a", "echo out; echo err >&2; exit 37")
        self.assertEqual((done.rc, done.out, done.err), (37, b"out\n", b"err\n"), done)
        [recording] = self.new_recordings()
        notes = recording.notes()
        self.assertEqual(notes["EXIT_CODE"], ["37"])
        self.assertEqual(notes["COMMAND"], ["echo out; echo err >&2; exit 37"])
        self.assertEqual(recording.payload(), b"", "payload is recorded only where the policy says so")

    def test_bytes_pass_both_ways_unchanged(self):
        done = self.host.ssh("opelogtest-a", "tee >(cat >&2); wait", input=BLOB, timeout=sandbox.DEADLINE * 3)
        self.assertEqual((done.rc, hashlib.sha256(done.out).digest(), hashlib.sha256(done.err).digest()),
                         (0, hashlib.sha256(BLOB).digest(), hashlib.sha256(BLOB).digest()))
        [recording] = self.new_recordings()
        end = " ".join(recording.notes()["OPELOG_END"])
        self.assertIn(str(2 * len(BLOB)), end)
        self.assertIn(str(len(BLOB)), end)

    def test_the_command_may_open_its_own_streams_by_name(self):
        done = self.host.ssh("opelogtest-a", "cat /dev/stdin > /dev/stdout; echo err > /dev/stderr", input=b"in")
        self.assertEqual((done.rc, done.out, done.err), (0, b"in", b"err\n"), done)

    def test_end_of_input_reaches_the_command(self):
        done = self.host.ssh("opelogtest-a", "cat; echo end", input=b"abc")
        self.assertEqual((done.rc, done.out), (0, b"abcend\n"), done)

    def test_a_command_that_closes_its_output_early_and_one_that_reads_nothing(self):
        done = self.host.ssh("opelogtest-a", "exec >&-; cat > /tmp/in; exit 4", input=b"x" * 100000)
        self.assertEqual((done.rc, done.out, done.err), (4, b"", b""), done)
        self.assertEqual(len(self.host.read("/tmp/in")), 100000)
        done = self.host.ssh("opelogtest-a", "exit 8", input=b"x" * 1000000)
        self.assertEqual(done.rc, 8, done)

    def test_death_by_signal(self):
        done = self.host.ssh("opelogtest-a", "kill -9 $$")
        self.assertEqual(done.rc, 255, done)
        [recording] = self.new_recordings()
        self.assertRegex(" ".join(recording.notes()["OPELOG_END"]), "9|KILL")

    def test_nothing_of_ours_stays_though_the_input_stays_open(self):
        rec = self.host.popen("opelog-shell", "--rec", "--", "echo", "done", user="opelogtest-a", stdin=-1, stdout=-1)
        self.assertEqual(rec.popen.stdout.read(), b"done\n")
        self.assertEqual(rec.wait(), 0)
        sandbox.wait_until(lambda: not self.host.sh("grep -sl opelog-waiter /proc/[0-9]*/comm || true").out,
                           "the end of what copies")
        rec.popen.stdin.close()

    def test_a_lost_connection_ends_the_command(self):
        client = self.host.popen(*self.host.ssh_argv("opelogtest-a", "echo $$ > /tmp/pid; exec sleep 1000"))
        sandbox.wait_until(lambda: self.host.exists("/tmp/pid") and self.host.read("/tmp/pid"), "the command runs")
        pid = self.host.read("/tmp/pid").decode().strip()
        client.signal(9)
        # Without a terminal nobody hangs up a command that neither reads nor writes, here as without opelog; but the
        # session's end must be stated once it is over.
        self.host.run("kill", pid)
        self.new_recordings()

    def test_interactive_shell_without_a_terminal(self):
        done = self.host.ssh("opelogtest-a", "bash -i", input=b"echo $((6*7)); exit 3\n")
        self.assertEqual((done.rc, done.out), (3, b"42\n"), done)
        self.new_recordings()


# Goes on with the socket that a recorded command had, when that has ended; and it sees the command close it.
SHARED_SOCKET = r"""
import os, socket
ours, theirs = socket.socketpair()
def start(*command):
    pid = os.fork()
    if pid == 0:
        for fd in (0, 1):
            os.dup2(theirs.fileno(), fd)
        os.execv("/usr/bin/opelog-shell", ["opelog-shell", "--rec", "--", *command])
    return pid
pid = start("sh", "-c", "read line; echo got $line")
text = b""
def read_until(end):
    global text
    while not text.endswith(end):
        text += ours.recv(100)
ours.sendall(b"word\n")
read_until(b"word\n")  # what it wrote may come after its end: the daemon passes it on
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
theirs.sendall(b"mine\n")
read_until(b"mine\n")
print(text.decode().replace("\n", "|"), flush=True)
ours.sendall(b"back\n")
print(theirs.recv(100).decode().strip(), flush=True)
pid = start("sh", "-c", "exec <&- >&-; exec sleep 1000")
theirs.close()
print(repr(ours.recv(100)), os.waitpid(pid, os.WNOHANG)[0], flush=True)
os.kill(pid, 9)
"""


class LeftToTheShell(Scene):
    """What is no stream is the shell's as it was, and the recording says so."""

    def kept(self, recording):
        return [json.loads(value) for value in recording.notes().get("OPELOG_KEPT", [])]

    def test_a_terminal_as_output_is_stated_and_warned_of(self):
        term = self.host.terminal("sh", "-c", "exec opelog-shell --rec -- sh -c 'echo shown; echo err >&2' < /dev/null 2> /tmp/err",
                                  user="opelogtest-a")
        term.expect("shown\r\n")
        self.assertEqual(term.wait(), 0)
        self.assertEqual(self.host.read("/tmp/err"), b"err\n")
        [recording] = self.new_recordings()
        self.assertEqual(self.kept(recording), [{"stdin": "device", "stdout": "terminal", "stderr": "file"}])
        self.assertEqual(json.loads(recording.notes()["OPELOG_END"][0])["bytes_out"], 0)
        said = self.host.opelog("show", recording.name, check=True).text
        self.assertRegex(said, r"(?m)^unrecorded +stdin \(device\), stdout \(terminal\), stderr \(file\): left to the shell")
        shown = json.loads(self.host.opelog("show", "--json", recording.name, check=True).out)
        self.assertEqual(shown["kept"], {"stdin": "device", "stdout": "terminal", "stderr": "file"})
        self.assertIn(b"stdout (terminal)", self.host.opelog("play", recording.name).err)
        self.host.daemon.wait_log(f"warning .*output-unrecorded: stdout of a session of opelogtest-a: a terminal.* session={shown['id']} ")

    def test_files_and_what_stands_beside_a_terminal(self):
        self.host.sh("opelog-shell --rec -- echo text > /tmp/out 2>&1 < /dev/null; chmod 644 /tmp/out", check=True, user="opelogtest-a")
        term = self.host.terminal("sh", "-c", "opelog-shell --rec -- sh -c 'echo text; echo err >&2' | cat > /tmp/piped; exit 3",
                                  user="opelogtest-a")
        self.assertEqual(term.wait(), 3)
        self.assertEqual((self.host.read("/tmp/out"), self.host.read("/tmp/piped")), (b"text\n", b"text\n"))
        first, second = sorted(self.new_recordings(2), key=lambda r: b"/tmp/piped" in r.log or b"err" in r.payload())
        self.assertEqual(self.kept(first), [{"stdin": "device", "stdout": "file", "stderr": "file"}])
        self.assertEqual(self.kept(second), [{"stdout": "other"}])
        self.assertEqual(second.payload(), b"err\r\n")
        self.assertNotRegex(self.host.daemon.log(), f"output-unrecorded.*({'|'.join(self.ids([first, second]))})")

    def ids(self, recordings):
        return [json.loads(r.notes()["OPELOG_SESSION"][0])["id"] for r in recordings]

    def test_under_sshd_nothing_is(self):
        self.host.ssh("opelogtest-a", "cat", input=b"x")
        self.host.ssh("opelogtest-a", "echo on a terminal", tty=True)
        self.log_out(self.log_in())
        for recording in self.new_recordings(3):
            self.assertNotIn(b"OPELOG_KEPT", recording.time)
            self.assertNotIn("unrecorded", self.host.opelog("show", recording.name, check=True).text)


class SharedSocket(Scene):
    """A socket of the user's is closed, and not shut down for his other processes."""

    def test_it_goes_on_after_the_command_and_ends_with_its_last_holder(self):
        self.host.write("/tmp/shared.py", SHARED_SOCKET.encode())
        done = self.host.run("python3", "/tmp/shared.py", user="opelogtest-a")
        self.assertEqual((done.rc, done.out), (0, b"got word|mine|\nback\nb'' 0\n"), done)
        self.new_recordings(2, may_leave=True)


class Copies(Scene):
    def setUp(self):
        super().setUp()
        self.host.write("/root/blob", BLOB)
        self.host.sh("rm -rf /home/opelogtest-a/got* /root/back*", check=True)

    def options(self):
        return self.host.ssh_options()

    def assert_arrived(self, path):
        self.assertEqual(hashlib.sha256(self.host.read(path)).digest(), hashlib.sha256(BLOB).digest())

    def test_scp_by_sftp_and_by_the_old_protocol(self):
        for flag in ("-q", "-qO"):
            with self.subTest(flag=flag):
                self.host.run("scp", flag, *self.options(), "/root/blob", "opelogtest-a@127.0.0.1:got", check=True)
                self.assert_arrived("/home/opelogtest-a/got")
                self.host.run("scp", flag, *self.options(), "opelogtest-a@127.0.0.1:got", "/root/back", check=True)
                self.assert_arrived("/root/back")
        self.new_recordings(4)

    def test_sftp(self):
        self.host.run("sftp", "-q", *self.options(), "-b", "-", "opelogtest-a@127.0.0.1",
                      input="put /root/blob got2\nget got2 /root/back2\n", check=True)
        self.assert_arrived("/home/opelogtest-a/got2")
        self.assert_arrived("/root/back2")
        self.new_recordings(1)

    def test_rsync(self):
        shell = " ".join(["ssh", *self.options()])
        self.host.run("rsync", "-a", "-e", shell, "/root/blob", "opelogtest-a@127.0.0.1:got3", check=True)
        self.assert_arrived("/home/opelogtest-a/got3")
        self.host.run("rsync", "-a", "-e", shell, "opelogtest-a@127.0.0.1:got3", "/root/back3", check=True)
        self.assert_arrived("/root/back3")
        self.new_recordings(2)

    def test_git(self):
        ssh = " ".join(["ssh", *self.options()])
        self.host.sh("""
            set -e
            git init -q --bare -b main /home/opelogtest-a/got.git; chown -R opelogtest-a: /home/opelogtest-a/got.git
            git init -q -b main /root/back-work; cd /root/back-work; cp /root/blob .; git add blob
            git -c user.name=t -c user.email=t@localhost commit -q -m one
            git push -q opelogtest-a@127.0.0.1:got.git main
            git clone -q opelogtest-a@127.0.0.1:got.git /root/back-clone
        """, env={"GIT_SSH_COMMAND": ssh}, check=True)
        self.assert_arrived("/root/back-clone/blob")
        self.new_recordings(2)


if __name__ == "__main__":
    sandbox.run_file()
