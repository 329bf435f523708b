#!/usr/bin/env python3
"""Escapes that were once possible, each carried out as the recorded user over a real login. Rows of docs/threats.md."""

import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402

# Kills each new sshd of its own uid as soon as that has a child, which is about to become the shim.
KILL_SSHD = r'''
import os, signal, sys, time
me, end, hits, known = os.getuid(), time.time() + float(sys.argv[1]), 0, {e for e in os.listdir('/proc') if e.isdigit()}
print('looking', flush=True)
while time.time() < end:
    for pid in [e for e in os.listdir('/proc') if e.isdigit() and e not in known]:
        try:
            name, status = open(f'/proc/{pid}/comm').read(), open(f'/proc/{pid}/status').read()
            if not name.startswith('sshd') or f'Uid:\t{me}\t' not in status:
                continue
            while not (children := open(f'/proc/{pid}/task/{pid}/children').read().split()):
                pass
            os.kill(int(pid), signal.SIGKILL)
            hits += 1
            known.update([pid, *children])
        except OSError:
            known.add(pid)
print('killed', hits, flush=True)
'''

# Gives the shim a socket whose description it keeps, and makes that block again and again.
BLOCKING_SOCKET = r'''
import fcntl, os, select, socket
ours, theirs = socket.socketpair()
if os.fork() == 0:
    os.dup2(os.open('/dev/null', os.O_RDONLY), 0)
    os.dup2(theirs.fileno(), 1)
    os.dup2(theirs.fileno(), 2)
    os.execv('/usr/bin/opelog-shell', ['opelog-shell', '--rec', '--', 'sh', '-c', 'sleep 0.5; exec yes'])
print('set', flush=True)
while not select.select([0], [], [], 0.002)[0]:
    fcntl.fcntl(theirs, fcntl.F_SETFL, fcntl.fcntl(theirs, fcntl.F_GETFL) & ~os.O_NONBLOCK)
'''

# Gives the shim a socket and a pipe and tells which.
OWN_DESCRIPTORS = r'''
import os, socket, sys
ours, theirs = socket.socketpair()
reading, writing = os.pipe()
inodes = [os.fstat(fd).st_ino for fd in (ours.fileno(), theirs.fileno(), reading)]
if os.fork() == 0:
    os.dup2(theirs.fileno(), 0)
    os.dup2(writing, 1)
    os.execv('/usr/bin/opelog-shell', ['opelog-shell', '--rec', '--', 'sh', '-c', 'echo up; cat'])
theirs.close()
os.close(writing)
os.read(reading, 3)
print(*inodes, flush=True)
sys.stdin.read()
ours.sendall(b'last words')
ours.close()
print(os.read(reading, 100).decode(), flush=True)
'''

# Sends a descriptor whose last close waits over its own output, if that is a socket.
SENT_DESCRIPTOR = r'''
import os, socket, struct, time
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 30)
    time.sleep(20)
    open('/tmp/waited', 'w')
    os._exit(0)
victims = []
for _ in range(8):
    listener = socket.create_server(('127.0.0.1', 0), backlog=1)
    victim = socket.create_connection(listener.getsockname())
    victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 25))
    victim.setblocking(False)
    try:
        while True:
            victim.send(bytes(65536))
    except BlockingIOError:
        victims.append((listener, victim.detach()))
out = socket.socket(fileno=os.dup(1))
for _, fd in victims:
    out.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', fd))])
    os.close(fd)
time.sleep(60)
'''

# Asks the daemon something and sends with it a socket whose last close waits.
LINGERING_DESCRIPTOR = r'''
import errno, os, socket, struct, sys
listener = socket.create_server(('127.0.0.1', 0), backlog=1)
victim = socket.create_connection(listener.getsockname())
victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 20))
victim.setblocking(False)
try:
    while True:
        victim.send(bytes(65536))
except BlockingIOError:
    pass
control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.connect('/run/opelog/control.sock')
control.send(b'{"op":"status"}')
control.recv(65536)
print('asked', flush=True)
try:
    control.sendmsg([b'{"op":"status"}'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', victim.fileno()))])
    os.close(victim.detach())  # the last close is the daemon's
    print('sent', flush=True)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
'''

# Opens the terminal again and again, and writes to it once it can.
WRITE_LATER = r'''
import os, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end = time.time() + 6
while time.time() < end:
    try:
        os.write(os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), b'UNRECORDED-OUTPUT\r\n')
    except OSError:
        pass
'''


class LostParent(scene.Scene):
    """Rows 2 and 4: whoever kills the sshd that serves him while it starts his login is recorded all the same."""
    sshd = ("PermitUserRC no", "DisableForwarding yes")

    def test_a_login_whose_sshd_is_killed_meanwhile_is_a_session(self):
        self.host.write("/tmp/kill.py", KILL_SSHD.encode())
        killer = self.host.popen("python3", "/tmp/kill.py", "8", user="opelogtest-a", stdout=-1)
        self.assertEqual(killer.popen.stdout.readline(), b"looking\n")
        for number in range(6):
            self.host.ssh("opelogtest-a", f"echo ran >> /tmp/ran-{number}")
        said = killer.popen.stdout.readline().decode()
        killer.wait()
        self.assertGreater(int(said.split()[1]), 0, "no sshd was killed, so nothing was tried")
        commands = [c for r in self.host.recordings() for c in r.notes().get("COMMAND", [])]
        for number in range(6):
            if self.host.exists(f"/tmp/ran-{number}"):
                self.assertIn(f"echo ran >> /tmp/ran-{number}", commands)


class Descriptors(scene.Scene):
    """Rows 6, 7 and 9: what a user does to descriptors he shares with the daemon holds up nobody else."""

    def test_a_socket_that_is_made_to_block(self):
        self.host.write("/tmp/block.py", BLOCKING_SOCKET.encode())
        blocker = self.host.popen("python3", "/tmp/block.py", user="opelogtest-a", stdin=-1, stdout=-1)
        self.assertEqual(blocker.popen.stdout.readline(), b"set\n")
        self.new_recordings(1, ended=False)
        for _ in range(4):
            self.assertEqual(self.host.ssh("opelogtest-b", "echo others").out, b"others\n")
        self.assertTrue(blocker.running(), "another user's logins waited until the socket was gone")
        blocker.popen.stdin.close()
        blocker.wait()


    def test_a_descriptor_sent_over_an_output_is_not_closed_by_the_daemon(self):
        # A socket as output, as sshd gives one or as `rec` finds it.
        self.host.write("/tmp/rights.py", SENT_DESCRIPTOR.encode())
        self.host.write("/tmp/passer.py", b"import os, socket, sys\nours, theirs = socket.socketpair()\n"
                        b"if os.fork() == 0:\n    os.dup2(theirs.fileno(), 1)\n"
                        b"    os.execv('/usr/bin/opelog-shell', ['opelog-shell', '--rec', '--', 'python3', '/tmp/rights.py'])\n"
                        b"theirs.close()\nprint(ours.recv(1).decode(), flush=True)\nsys.stdin.read()\n")
        sender = self.host.popen("python3", "/tmp/passer.py", user="opelogtest-a", stdin=-1, stdout=-1)
        self.new_recordings(1, "opelogtest-a", ended=False)
        time.sleep(2)  # what was sent has arrived; the daemon says nothing of it
        for _ in range(3):
            self.assertEqual(self.host.ssh("opelogtest-b", "echo others").out, b"others\n")
        self.assertFalse(self.host.exists("/tmp/waited"), "another user's logins waited for the descriptor")
        sender.popen.stdin.close()
        self.host.opelog("kill", "opelogtest-a", check=True)

    def test_none_of_them_is_the_daemons(self):
        # Whatever a call on them could be made to wait for, the daemon makes none.
        self.host.write("/tmp/own.py", OWN_DESCRIPTORS.encode())
        own = self.host.popen("python3", "/tmp/own.py", user="opelogtest-a", stdin=-1, stdout=-1)
        inodes = own.popen.stdout.readline().decode().split()
        self.assertEqual(len(inodes), 3)
        folder = f"/proc/{self.host.daemon.pid}/fd"  # its number outside
        held = [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)]
        self.assertTrue([link for link in held if link.startswith("socket:[")])
        for inode in inodes:
            self.assertEqual([link for link in held if link.endswith(f"[{inode}]")], [])
        own.popen.stdin.close()
        self.assertEqual(own.popen.stdout.readline(), b"last words\n")
        own.wait()


class ControlSocket(scene.Scene):
    """Row 6: an auditor sends a descriptor whose close waits to where none is wanted."""

    def test_no_descriptor_can_be_sent_there(self):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.getsockopt(socket.SOL_SOCKET, 83)
            except OSError:
                self.skipTest("this kernel is older than SO_PASSRIGHTS (6.16): what is left is in docs/threats.md")
        self.host.add_user("opelogtest-audit", 2500, groups=("opelog-audit",))
        self.host.write("/tmp/linger.py", LINGERING_DESCRIPTOR.encode())
        sender = self.host.popen("python3", "/tmp/linger.py", user="opelogtest-audit", stdin=-1, stdout=-1)
        self.assertEqual(sender.popen.stdout.readline(), b"asked\n")
        self.assertEqual(sender.popen.stdout.readline(), b"EPERM\n")
        self.host.opelog("status", check=True)
        self.assertEqual(self.host.ssh("opelogtest-b", "echo others").out, b"others\n")
        self.assertTrue(sender.running(), "others waited until the descriptor was closed")
        sender.popen.stdin.close()
        sender.wait()


class OuterTerminal(scene.Scene):
    """Row 3: the login's own terminal shows nothing that is not in the record, before, during and after the session."""

    def test_nothing_is_written_to_it_after_the_end_of_the_record(self):
        self.host.write("/tmp/later.py", WRITE_LATER.encode())
        term = self.log_in()
        term.send("setsid -f python3 /tmp/later.py $SSH_TTY; sleep 0.3; echo re''ady\r")
        term.expect(r"\nready\r\n")
        self.log_out(term)
        self.assertNotIn(b"UNRECORDED-OUTPUT", term.output)
        [recording] = self.new_recordings(1)
        self.assert_replays(recording, term.output)
        time.sleep(7)  # the writer's own end: the next login may get the same terminal

    def test_ssh_rc_gets_no_shell_on_it(self):
        rc = "/home/opelogtest-a/.ssh/rc"
        self.host.write(rc, b"exec bash --norc -i <&1 >&1 2>&1\n", owner="opelogtest-a")
        term = self.log_in()
        term.send("echo SECRET-$((6*7)); tty\r")
        term.expect("SECRET-42")
        self.log_out(term)
        self.host.sh(f"rm {rc}")
        [recording] = self.new_recordings(1)
        self.assertIn(b"SECRET-42", recording.payload())
        self.assertIn("~/.ssh/rc", self.host.daemon.log())


class StoppedBeforeTheQuestion(scene.Scene):
    """Row 17: with `daemon_absent: pass`, nobody brings that about by stopping his shim for longer than it waits."""
    policy = sandbox.POLICY + "daemon_absent: pass\n"

    def test_a_shim_that_was_stopped_asks_all_the_same(self):
        # Found by its name at once, stopped within its first instructions or soon after.
        script = ("import os, signal, sys, time\n"
                  "known = set(os.listdir('/proc')); print('looking', flush=True)\n"
                  "while True:\n"
                  "    for e in os.listdir('/proc'):\n"
                  "        if not e.isdigit() or e in known: continue\n"
                  "        try: name = open(f'/proc/{e}/comm').read()\n"
                  "        except OSError: continue\n"
                  "        if name.startswith('opelog-shell'):\n"
                  "            try: os.kill(int(e), signal.SIGSTOP)\n"
                  "            except OSError: sys.exit('gone')\n"
                  "            print('stopped', flush=True); time.sleep(17); os.kill(int(e), signal.SIGCONT); sys.exit()\n"
                  "        elif not name.startswith('sshd'): known.add(e)\n")
        self.host.write("/tmp/stop.py", script.encode())
        stopper = self.host.popen("python3", "/tmp/stop.py", user="opelogtest-a", stdout=-1)
        self.assertEqual(stopper.popen.stdout.readline(), b"looking\n")
        done = self.host.ssh("opelogtest-a", "echo ran-$((40+2))", timeout=60)
        stopper.popen.kill()
        self.assertNotIn(b"NOT recorded", done.err)
        recorded = [r for r in self.host.recordings() if "echo ran-$((40+2))" in r.notes().get("COMMAND", [])]
        self.assertEqual(b"ran-42" in done.out, len(recorded) == 1 and done.rc == 0, done)


if __name__ == "__main__":
    sandbox.run_file()
