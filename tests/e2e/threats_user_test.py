#!/usr/bin/env python3
"""Attacks by the recorded user, each carried out as that user over a real login. Rows of docs/threats.md.

Row 1 (files) is in append_only_test.py and tests/watch/guard_attack_test.cc, row 2 against the shim's processes in
tests/shim/attack_test.cc; here is what needs a whole login.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402

# Tries every way to a terminal or process from inside a session; prints a line a try.
TRIES = r'''
import ctypes, errno, fcntl, os, signal, sys, termios
libc = ctypes.CDLL(None, use_errno=True)
outer, waiter = sys.argv[1], int(sys.argv[2])
def attempt(name, call):
    try:
        call()
        print(name, "WORKED", flush=True)
    except (OSError, PermissionError) as error:
        print(name, "refused", errno.errorcode.get(error.errno, error.errno), flush=True)
def syscall(number, *args):
    if libc.syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), "syscall")
def inject():
    fd = os.open("/dev/tty", os.O_RDWR)
    fcntl.ioctl(fd, termios.TIOCSTI, b"x")
attempt("open-read", lambda: os.open(outer, os.O_RDONLY | os.O_NOCTTY))
attempt("open-write", lambda: os.open(outer, os.O_WRONLY | os.O_NOCTTY))
attempt("chown", lambda: os.chown(outer, os.getuid(), -1))
attempt("chmod", lambda: os.chmod(outer, 0o666))
attempt("waiter-fds", lambda: os.listdir("/proc/%d/fd" % waiter))
attempt("waiter-environ", lambda: open("/proc/%d/environ" % waiter, "rb").read())
attempt("waiter-mem", lambda: open("/proc/%d/mem" % waiter, "rb"))
def ptrace():
    if libc.ptrace(16, waiter, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
attempt("ptrace", ptrace)
attempt("pidfd-getfd", lambda: syscall(438, os.pidfd_open(waiter), 3, 0))
attempt("login-socket", lambda: __import__("socket").socket(1, 5).connect("/run/opelog/login.sock"))
attempt("control-socket", lambda: __import__("socket").socket(1, 5).connect("/run/opelog/control.sock"))
attempt("recordings", lambda: os.listdir("/var/log/ope_log"))
'''


class Terminals(scene.Scene):
    """Rows 2 and 3: the waiter and the outer terminal are out of the user's reach."""

    def inside(self, term):
        """(outer terminal, pid of the waiter) of a session, as an attacker inside finds them."""
        term.send("echo W=$PPID O=$(awk '{print $7}' /proc/$PPID/stat).\r")
        found = term.expect(rb"W=(\d+) O=(\d+)\.")
        device = int(found[2])
        return f"/dev/pts/{(device & 0xff) | ((device >> 12) & 0xfff00)}", int(found[1])

    def test_nothing_of_the_outer_side_can_be_opened_traced_or_changed(self):
        self.host.write("/tmp/tries.py", TRIES.encode())
        term = self.log_in()
        outer, waiter = self.inside(term)
        term.send(f"python3 /tmp/tries.py {outer} {waiter}; echo TRIED\r")
        term.expect(rb"\nTRIED")
        said = term.output.decode()
        self.assertNotIn("WORKED", said)
        self.assertEqual(len(re.findall(r"refused", said)), 12, said)
        self.assertEqual(self.log_out(term), 0)
        self.new_recordings(1)

    def test_a_process_that_spins_on_opening_the_terminal_ends_with_a_dead_descriptor(self):
        """It wins the race before the node changes hands, and has nothing of it: the terminal is revoked."""
        self.host.write("/tmp/spin.py", b'''
import os, sys, time
held, end = {}, time.monotonic() + 6
print("spinning", flush=True)
while time.monotonic() < end:
    for n in range(8):
        path = "/dev/pts/%d" % n
        if path in held:
            continue
        try:
            held[path] = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            pass
alive = []
for path, fd in held.items():
    try:
        os.write(fd, b"STOLEN-" + path.encode())
        alive.append(path)
    except OSError:
        pass
print("held", sorted(held), "alive", sorted(alive), flush=True)
''')
        spinner = self.host.popen("python3", "/tmp/spin.py", user="opelogtest-a", stdout=-1)
        self.assertEqual(spinner.popen.stdout.readline(), b"spinning\n")
        terms = [self.log_in() for _ in range(3)]
        inner = set()
        for term in terms:
            term.send("tty\r")
            inner.add(term.expect(rb"/dev/pts/\d+")[0].decode())
        said = spinner.popen.stdout.read().decode()
        spinner.wait()
        alive = set(re.findall(r"/dev/pts/\d+", said.split("alive")[1]))
        self.assertLessEqual(alive, inner, f"an outer terminal is still open: {said}")
        for term in terms:
            self.log_out(term)
        # What he wrote to inner terminals is in the record like all output there; what he wrote to outer ones
        # was shown nowhere.
        for recording, term in zip(self.new_recordings(3), terms):
            self.assert_replays(recording, term.output)

    def test_killing_the_waiter_ends_the_session_and_never_leaves_a_shell(self):
        term = self.log_in()
        _, waiter = self.inside(term)
        term.send(f"for s in TERM INT USR1 ALRM SEGV ABRT; do kill -$s {waiter}; done; echo st''ill\r")
        term.expect(r"\nstill\r\n")
        term.send("trap '' HUP TERM; echo SHELL=$$.\r")
        shell = int(term.expect(rb"SHELL=(\d+)\.")[1])
        term.send(f"kill -KILL {waiter}; sleep 1000\r")
        term.expect_eof()
        [recording] = self.new_recordings(1)
        self.assertIn('"reason":"shim"', recording.notes()["OPELOG_END"][0])
        sandbox.wait_until(lambda: not self.host.exists(f"/proc/{shell}"), "the end of the shell")
        # The dying waiter takes the terminal along: the record may have more than was still shown, never less.
        self.assertTrue(recording.payload().startswith(term.output), (recording.payload()[-200:], term.output[-200:]))
        self.assertEqual(recording.replay(), recording.payload())

    def stop(self, term, waiter):
        """The user stops the waiter of his own session; it stands still when this returns."""
        term.send(f"kill -STOP {waiter}; until grep -q '^State:.T' /proc/{waiter}/status; do sleep 0.01; done; echo stop''ped\r")
        term.expect(rb"\nstopped\r\n")

    def test_a_stopped_waiter_delays_nobody_and_goes_on_when_continued(self):
        term, other = self.log_in(rows=24, cols=80), self.log_in("opelogtest-b")
        _, waiter = self.inside(term)
        self.stop(term, waiter)
        term.send("echo mine-$((6*7))\r")
        term.expect(r"\nmine-42\r\n")
        [recording] = [r for r in self.host.recordings("opelogtest-a") if r.name not in self.seen]
        sandbox.wait_until(lambda: b"mine-42" in recording.payload(), "the record has what was shown")
        self.assertFalse(recording.ended())
        other.send("echo others-$((6*7))\r")
        other.expect(r"\nothers-42\r\n")
        self.assertEqual(self.host.ssh("opelogtest-b", "echo new").out, b"new\n")
        self.assertEqual(self.host.opelog("status").rc, 0)
        term.resize(31, 99)  # told when the waiter runs again
        term.send("stty size; kill -CONT %d\r" % waiter)
        term.expect(r"\n24 80\r\n")
        sandbox.wait_until(lambda: b"SIGWINCH ROWS=31 COLS=99" in recording.time, "the new size is in the record")
        # The record has it a moment before the terminal inside has.
        term.send("until [ \"$(stty size)\" = '31 99' ]; do :; done; echo se''en\r")
        term.expect(r"\nseen\r\n")
        self.assertEqual(self.log_out(term, "exit 3"), 3)
        self.assertEqual(self.log_out(other), 0)
        for done in self.new_recordings(3):
            self.assertIn('"reason":"exit"', done.notes()["OPELOG_END"][0])
        self.assert_replays(recording, term.output)

    def test_a_waiter_that_stays_stopped_is_ended_after_the_shell(self):
        term = self.log_in()
        _, waiter = self.inside(term)
        self.stop(term, waiter)
        term.send("echo after-$((6*7))\r")
        term.expect("after-42")
        term.send("exit 3\r")
        term.expect_eof(60)
        [recording] = self.new_recordings(1)
        self.assertIn(b"after-42", recording.payload())
        self.assertIn('"reason":"shim"', recording.notes()["OPELOG_END"][0])
        self.assertTrue(recording.payload().startswith(term.output), (recording.payload()[-200:], term.output[-200:]))
        sandbox.wait_until(lambda: not self.host.exists(f"/proc/{waiter}"), "the end of the waiter")
        self.assertEqual(self.host.ssh("opelogtest-a", "echo again").out, b"again\n")

    def test_characters_cannot_be_typed_into_the_outer_terminal(self):
        term = self.log_in()
        term.send("python3 -c 'import fcntl,termios; fcntl.ioctl(0, termios.TIOCSTI, b\"x\")'; echo rc=$?\r")
        term.expect(rb"rc=\d")  # whatever the kernel allows on the inner terminal is input there, and recorded as echo
        self.log_out(term, "\x15exit 0")  # what was injected stands on the inner line
        [recording] = self.new_recordings(1)
        self.assert_replays(recording, term.output)


# Settings of the inner terminal, each tried and then put back; what the kernel refuses is all the same.
TERMINAL_GAMES = r'''
import errno, fcntl, os, struct, sys, termios, time
EXTPROC, TIOCEXCL, TIOCNXCL, TIOCPKT, TIOCSETD, TIOCSIG, TIOCSTI, TIOCVHANGUP, TIOCGPTPEER, TIOCSPTLCK = (
    0o200000, 0x540C, 0x540D, 0x5420, 0x5423, 0x40045436, 0x5412, 0x5437, 0x5441, 0x40045431)
N_TTY, N_NULL = 0, 27
fd = os.open("/dev/tty", os.O_RDWR)
results = open("/tmp/games.results", "w")
usual = termios.tcgetattr(fd)
def attempt(name, call):
    try:
        call()
        said = "done"
    except (OSError, termios.error) as error:
        said = errno.errorcode[error.args[0]]
    termios.tcsetattr(fd, termios.TCSANOW, usual)
    os.write(1, b"[%s %s]\n" % (name.encode(), said.encode()))
    print(name, said, file=results, flush=True)  # a flush may take the line on the terminal along
def number(request, value):
    return lambda: fcntl.ioctl(fd, request, struct.pack("i", value))
def flags(index, on=0, off=0):
    def change():
        now = termios.tcgetattr(fd)
        now[index] = now[index] & ~off | on
        termios.tcsetattr(fd, termios.TCSANOW, now)
        os.write(1, b"(as set)")
    return change
def speed(value):
    def change():
        now = termios.tcgetattr(fd)
        now[4] = now[5] = value
        termios.tcsetattr(fd, termios.TCSANOW, now)
        os.write(1, b"(as set)")
    return change
def stopped():
    termios.tcflow(fd, termios.TCOOFF)
    os.set_blocking(fd, False)
    try:
        os.write(fd, b"(not now)")
    except BlockingIOError:
        pass
    finally:
        os.set_blocking(fd, True)
        termios.tcflow(fd, termios.TCOON)
def window(rows, cols):
    return lambda: fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
def ldisc():
    fcntl.ioctl(fd, TIOCSETD, struct.pack("i", N_NULL))
    try:
        os.write(fd, b"(nowhere)")
    finally:
        fcntl.ioctl(fd, TIOCSETD, struct.pack("i", N_TTY))
attempt("extproc", flags(3, EXTPROC))
attempt("extproc-raw", flags(3, EXTPROC, termios.ICANON | termios.ECHO))
attempt("hupcl", flags(2, termios.HUPCL))
attempt("no-cread", flags(2, 0, termios.CREAD))
attempt("ixoff", flags(0, termios.IXOFF | termios.IXANY))
attempt("tostop", flags(3, termios.TOSTOP))
attempt("noflsh", flags(3, termios.NOFLSH))
attempt("opost", flags(1, 0, termios.OPOST))
attempt("olcuc", flags(1, 0o2))
attempt("parity", flags(0, termios.PARMRK | termios.INPCK | termios.ISTRIP))
attempt("speed-0", speed(termios.B0))
attempt("exclusive", number(TIOCEXCL, 0))
attempt("not-exclusive", number(TIOCNXCL, 0))
attempt("packet-mode", number(TIOCPKT, 1))
attempt("signal", number(TIOCSIG, 18))
attempt("lock", number(TIOCSPTLCK, 1))
attempt("peer", lambda: fcntl.ioctl(fd, TIOCGPTPEER, os.O_RDWR))
attempt("vhangup", number(TIOCVHANGUP, 0))
attempt("no-ldisc", number(TIOCSETD, 29))
attempt("null-ldisc", ldisc)
attempt("stopped", stopped)
attempt("flush", lambda: termios.tcflush(fd, termios.TCIOFLUSH))
attempt("break", lambda: termios.tcsendbreak(fd, 0))
for rows, cols in ((0, 0), (65535, 65535), (1, 1), (24, 80)):
    attempt("window-%d" % rows, window(rows, cols))
os.write(1, b"[games over]\n")
'''


class InnerTerminal(scene.Scene):
    """Rows 2, 3, 9: what a user does to the terminal inside his session changes nothing about its record."""

    def test_no_setting_costs_the_record_a_byte_or_the_session_its_end(self):
        self.host.write("/tmp/games.py", TERMINAL_GAMES.encode())
        term, other = self.log_in(), self.log_in("opelogtest-b")
        term.send("python3 /tmp/games.py\r")
        term.expect(r"\[games over\]\r\n")
        tried = dict(line.split() for line in self.host.read("/tmp/games.results").splitlines())
        self.assertEqual(len(tried), 27, tried)
        self.assertEqual(tried[b"packet-mode"], b"ENOTTY", "it is the master's, which is the daemon's")
        self.assertNotEqual(tried[b"vhangup"], b"done")
        term.send("stty sane; echo well-$((6*7))\r")
        term.expect(r"\nwell-42\r\n")
        other.send("echo others-$((6*7))\r")
        other.expect(r"\nothers-42\r\n")
        self.assertEqual(self.log_out(other), 0)
        self.assertEqual(self.log_out(term, "exit 5"), 5)
        for recording, shown in zip(self.new_recordings(2), (term, other)):
            self.assertIn('"reason":"exit"', recording.notes()["OPELOG_END"][0])
            self.assert_replays(recording, shown.output)

    def assert_ends_in_order(self, term, **end):
        term.expect_eof(60)
        [recording] = self.new_recordings(1)
        said = json.loads(recording.notes()["OPELOG_END"][0])
        self.assertEqual({key: said.get(key) for key in end}, end)
        self.assert_replays(recording, term.output)
        self.assertEqual(self.host.opelog("status").rc, 0)
        self.assertEqual(self.host.ssh("opelogtest-b", "echo others").out, b"others\n")

    def test_a_session_that_ends_while_its_output_is_stopped(self):
        for stopped in ("\x13", ""):
            with self.subTest(by="^S" if stopped else "TCOOFF"):
                self.setUp()
                term = self.log_in()
                if stopped:
                    term.send("stty -F /dev/tty ixon; (sleep 1; kill -9 $$) & echo re''ady; cat\r")
                    term.expect(r"\nready\r\n")
                    term.send(stopped)
                else:
                    term.send("python3 -c 'import os, termios; termios.tcflow(0, termios.TCOOFF); os.kill(os.getppid(), 9)'\r")
                self.assert_ends_in_order(term, reason="exit", signal=9)

    def test_output_stopped_by_the_user_waits_for_him_and_delays_nobody(self):
        term = self.log_in()
        term.send("stty ixon; echo re''ady; cat\r")
        term.expect(r"\nready\r\n")
        term.send("\x13")
        term.send("later-$((1))\r" * 3)
        self.assertEqual(self.host.ssh("opelogtest-b", "echo others").out, b"others\n")
        term.send("\x11")
        term.expect(r"later-.*later-.*later-")
        term.send("\x04")
        term.expect(r"\$ $")
        self.assertEqual(self.log_out(term), 0)
        recording = self.new_recordings(2)[0]
        self.assert_replays(recording, term.output)

    def test_a_line_discipline_that_takes_nothing_leaves_a_session_that_ends_with_its_connection(self):
        term = self.log_in()
        term.send("python3 -c 'import fcntl, struct; fcntl.ioctl(0, 0x5423, struct.pack(\"i\", 27)); open(\"/tmp/null\", \"w\")'\r")
        sandbox.wait_until(lambda: self.host.exists("/tmp/null"), "the terminal takes nothing from here on")
        self.assertEqual(self.host.ssh("opelogtest-b", "echo others").out, b"others\n")
        self.assertEqual(self.host.opelog("status").rc, 0)
        shown = term.output
        term.hang_up()
        [recording] = self.new_recordings(1, "opelogtest-a")
        self.assertIn('"reason":"hangup"', recording.notes()["OPELOG_END"][0])
        self.assertTrue(recording.payload().startswith(shown))
        self.assertEqual(recording.replay(), recording.payload())
        sandbox.wait_until(lambda: self.host.run("pgrep", "-u", "opelogtest-a").out == b"", "no process of his is left")


class ConnectionsWithoutASession(scene.Scene):
    """Row 4: where sshd starts no shell there is no session, and the daemon says so."""
    policy = sandbox.POLICY + "unrecorded_scan: 1s\n"

    def stated(self):
        return re.findall(r"connection-unrecorded: .* user=(\S+) uid=\d+ client=(\S+) rule=(\S+)", self.host.daemon.log())

    def client(self, user, *options):
        return self.host.popen(*self.host.ssh_argv(user, options=options), stdin=subprocess.DEVNULL)

    def end(self, process):
        process.signal(signal.SIGTERM)
        process.wait()

    def test_forwarding_alone_is_stated_once_and_counted(self):
        before = len(self.stated())
        client = self.client("opelogtest-a", "LocalForward=127.0.0.1:7777 127.0.0.1:22", "SessionType=none")
        sandbox.wait_until(lambda: len(self.stated()) > before, "the connection is stated")
        self.assertEqual(self.stated()[before:], [("opelogtest-a", "127.0.0.1", "operators")])
        status = json.loads(self.host.opelog("status", "--json").out)
        self.assertGreaterEqual(status["unrecorded_total"], 1)
        self.assertTrue(any("carry no session" in d["what"] for d in status["degraded"]), status)
        time.sleep(3)  # three more looks
        self.assertEqual(len(self.stated()), before + 1)
        entry = self.ledger_entries("unrecorded")[-1]
        self.assertEqual([entry[name] for name in ("what", "user", "client", "rule")], ["connection", "opelogtest-a", "127.0.0.1", "operators"])
        self.end(client)
        sandbox.wait_until(lambda: json.loads(self.host.opelog("status", "--json").out)["degraded"] == [], "the connection's end is seen")

    def test_the_built_in_sftp_server_is_stated(self):
        before = len(self.stated())
        self.host.restart_sshd("Subsystem sftp internal-sftp")
        client = self.host.popen("sftp", "-q", *self.host.ssh_options(), "opelogtest-a@127.0.0.1", stdin=subprocess.PIPE)
        sandbox.wait_until(lambda: len(self.stated()) > before, "the connection is stated")
        client.popen.stdin.close()
        client.wait()
        self.host.restart_sshd()

    def test_a_connection_of_root_is_one_connection(self):
        before = len(self.stated())
        self.host.sh("mkdir -pm700 /root/.ssh; cp /root/key.pub /root/.ssh/authorized_keys", check=True)
        self.host.write("/etc/opelog/opelog.yaml", (self.policy.replace("rules:\n", "rules:\n  - { name: root, match: { uid: 0 } }\n")).encode())
        self.host.opelog("reload", check=True)
        client = self.client("root", "LocalForward=127.0.0.1:7779 127.0.0.1:22", "SessionType=none")
        sandbox.wait_until(lambda: len(self.stated()) > before, "the connection is stated")
        self.end(client)
        self.assertEqual(self.stated()[before:], [("root", "127.0.0.1", "root")])

    def test_recorded_and_unwanted_connections_are_not_stated(self):
        before = len(self.stated())
        bystander = self.client("opelogtest-none", "LocalForward=127.0.0.1:7778 127.0.0.1:22", "SessionType=none")
        term = self.log_in()
        time.sleep(4)
        self.assertEqual(self.log_out(term), 0)
        self.end(bystander)
        self.assertEqual(self.stated()[before:], [])


class WaysAround(scene.Scene):
    """Row 4: every way to a shell over ssh is a session, or says that it is not."""

    def test_an_interactive_bash_without_terminal_is_a_session(self):
        done = self.host.ssh("opelogtest-a", "bash -i", input=b"echo in-$((40+2))\nexit 4\n")
        self.assertEqual(done.rc, 4)
        self.assertIn(b"in-42", done.out)
        [recording] = self.new_recordings(1)
        self.assertIn("bash -i", recording.notes()["COMMAND"][0])

    def test_a_shell_on_a_forced_terminal_is_a_session(self):
        term = self.host.ssh_pty("opelogtest-a", "sh")
        term.expect(r"\$ $")
        term.send("echo on-$((40+2)); exit\r")
        term.wait()
        [recording] = self.new_recordings(1)
        self.assertIn(b"on-42", recording.payload())

    def test_start_up_files_that_exec_something_else_stay_inside_the_session(self):
        for name in (".bashrc", ".bash_profile", ".profile"):
            self.host.write(f"/home/opelogtest-b/{name}", b"exec /bin/sh -i\n", owner="opelogtest-b")
        term = self.host.ssh_pty("opelogtest-b")
        term.expect(r"\$ $")
        term.send("echo inside-$((40+2))\r")
        term.expect("inside-42")
        self.log_out(term)
        [recording] = self.new_recordings(1, "opelogtest-b")
        self.assert_replays(recording, term.output)

    def test_ssh_rc_runs_through_the_shim(self):
        self.host.sh("mkdir -p /home/opelogtest-b/.ssh; echo 'echo RC-RAN >&2' > /home/opelogtest-b/.ssh/rc; "
                     "chown -R opelogtest-b /home/opelogtest-b/.ssh/rc")
        done = self.host.ssh("opelogtest-b", "echo command")
        self.assertIn(b"command", done.out)
        self.assertIn(b"RC-RAN", done.err)
        commands = sorted(r.notes()["COMMAND"][0] for r in self.new_recordings(2, "opelogtest-b"))
        self.assertIn("echo command", commands)
        self.host.sh("rm /home/opelogtest-b/.ssh/rc")

    def test_running_the_shim_by_hand_gives_a_shell_that_is_in_the_record_already(self):
        term = self.log_in()
        term.send("opelog-shell; echo left-$?\r")
        term.expect(r"\$ ")
        term.send("echo nested-$((40+2)); exit 9\r")
        term.expect("left-9")
        self.log_out(term)
        [recording] = self.new_recordings(1)
        self.assertIn(b"nested-42", recording.payload())

    def test_leaving_the_session_by_setsid_and_asking_again_gives_nothing(self):
        """Its parent is gone, so nobody can say that it was not sshd: what would be recorded there is not run beside the record."""
        term = self.log_in()
        term.send("setsid -f sh -c 'sleep 0.2; opelog-shell -c \"id -u > /tmp/escaped\"' ; sleep 0.1\r")
        self.host.daemon.wait_log("login-refused")
        self.assertFalse(self.host.exists("/tmp/escaped"))
        self.log_out(term)
        self.new_recordings(1)


class Environment(scene.Scene):
    """Row 5: what the user may set changes neither policy nor names."""
    sshd = ("AcceptEnv *", "PermitUserEnvironment yes")

    def test_hostile_variables(self):
        environment = {
            "SSH_CLIENT": "../../x 1 2", "SSH_CONNECTION": "6.6.6.6 1 7.7.7.7 22", "SSH_TTY": "/dev/null",
            "LC_ALL": "xx_YY.bogus", "LANG": "../..", "TERM": "x\ny\x1b]0;t\x07", "SHELL": "/bin/false", "USER": "root",
            "LOGNAME": "../root", "HOME": "/nonexistent", "OPELOG_SESSION": "0000000000000000", "TZ": "/etc/shadow",
            "OPELOG_LOGIN_SOCKET": "/tmp/evil", "LD_PRELOAD": "/tmp/evil.so", "LD_LIBRARY_PATH": "/tmp",
            "GCONV_PATH": "/tmp", "BASH_ENV": "/tmp/evil", "ENV": "/tmp/evil", "IFS": "/", "PATH": "/tmp",
        }
        lines = "".join(f"{k}={v}\n" for k, v in environment.items() if "\n" not in v)
        self.host.write("/home/opelogtest-a/.ssh/environment", lines.encode(), mode=0o600, owner="opelogtest-a")
        self.host.sh("chown -R opelogtest-a /home/opelogtest-a/.ssh")
        done = self.host.ssh("opelogtest-a", "/bin/echo fine")
        self.assertEqual(done.out, b"fine\n", done)
        term = self.host.ssh_pty("opelogtest-a", env={"TERM": environment["TERM"]})
        term.expect(r"\$ $")
        term.send("echo also-$((40+2)); exit\r")
        term.expect("also-42")
        term.wait()
        for recording in self.new_recordings(2):
            self.assertRegex(recording.name, r"^opelogtest-a_\d{14}_127\.0\.0\.1(-\d+)?$")
            client = recording.notes()["OPELOG_CLIENT"][0]
            self.assertIn('"address":"127.0.0.1"', client)
            self.assertIn('"claimed":false', client)
            self.assertIn('"user":"opelogtest-a"', recording.notes()["OPELOG_USER"][0])
        self.host.sh("rm /home/opelogtest-a/.ssh/environment")


class Forgery(scene.Scene):
    """Rows 8 and 11: what an operator prints is data, in the files and on the auditor's screen."""

    def test_output_that_looks_like_records_is_only_output(self):
        term = self.log_in()
        term.send(r"printf 'H 0.000000 OPELOG_END {\"reason\":\"exit\",\"exit_code\":0}\nO 1.000000 5\n'"
                  r"; printf '\nScript done on x\n\033]0;H 0.000000 EXIT_CODE 0\a'" "; echo forged\r")
        term.expect(rb"\x07forged\r\n")
        self.assertEqual(self.log_out(term, "exit 12"), 12)
        [recording] = self.new_recordings(1)
        notes = recording.notes()
        self.assertEqual(notes["EXIT_CODE"], ["12"])
        self.assertEqual(len(notes["OPELOG_END"]), 1)
        self.assert_replays(recording, term.output)

    def test_commands_with_newlines_and_quotes_stay_in_their_field(self):
        command = "echo x'\nH 0.000000 EXIT_CODE 99\nO 0.000000 1'\"\x1b[2J\xff\"; exit 3"
        done = self.host.ssh("opelogtest-a", command.encode("latin-1").decode("latin-1"))
        self.assertEqual(done.rc, 3)
        [recording] = self.new_recordings(1)
        self.assertEqual(recording.notes()["EXIT_CODE"], ["3"])
        self.assertNotIn(b"\x1b", recording.time)

    def test_a_hostile_recording_does_nothing_to_the_auditor(self):
        attacks = (r"\033]52;c;ZXZpbA==\a", r"\033]0;title\a", r"\033P$q q\033\\", r"\033[c", r"\033[6n", r"\033[5n", r"\033[>c",
                   r"\033[21t", r"\033]8;;http://evil\033\\link\033]8;;\033\\", r"\033_apc\033\\", r"\033^pm\033\\", r"\033[?1000h",
                   r"\033[?2004h", r"\005", r"\302\235" "52;c;x" r"\302\234", r"\342\200\256", r"\033[5i", r"\033#8", r"\033c")
        term = self.log_in()
        for attack in attacks:
            term.send(f"printf 'A{attack}B\\n'\r")
        term.send("echo done-$((40+2))\r")
        term.expect("done-42")
        self.log_out(term)
        [recording] = self.new_recordings(1)
        shown = self.host.opelog("play", recording.name).out
        self.assertIn(b"done-42", shown)
        for bad in (b"\x1b]", b"\x1bP", b"\x1b[c", b"\x1b[6n", b"\x1b[5n", b"\x1b[>c", b"\x1b[21t", b"\x1b_", b"\x1b^", b"\x05",
                    b"\xc2\x9d", b"\xe2\x80\xae", b"\x1b[?1000h", b"\x1b[5i", b"\x1bc"):
            self.assertNotIn(bad, shown, f"{bad!r} reached the auditor's terminal")
        raw = self.host.opelog("play", "--raw", recording.name).out
        self.assertIn(b"\x1b]52;c;ZXZpbA==\x07", raw, "--raw opts out")
        for command in (("ls",), ("show", recording.name), ("ls", "--json")):
            self.assertNotIn(b"\x1b]", self.host.opelog(*command).out)


if __name__ == "__main__":
    sandbox.require_sandbox()
    unittest.main()
