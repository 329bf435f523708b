#!/usr/bin/env python3
"""Escapes that were once possible, each carried out as the recorded user over a real login. Rows of docs/threats.md."""

import os
import re
import select
import signal
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

# slow.py CALL FILE: makes a call on its standard input, a terminal, that waits for as long as it likes: the call's memory is a
# file of a file system of its own, which never answers. To be started by SLOWLY. When the call waits its number is in FILE;
# killed, it lets go. Whoever answers must not have the terminal, or could not be killed when others wait for it.
SLOW_MEMORY = r'''
import ctypes, mmap, os, signal, struct, sys, termios, time
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open('/tmp/fuse', os.O_RDWR)
if libc.mount(b'slow', b'/mnt', b'fuse', 0, b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fuse) != 0:
    sys.exit('no file system of his own: ' + os.strerror(ctypes.get_errno()))
def beside(call, *words):
    pid = os.fork()
    if pid == 0:
        os.close(fuse)
        call(*words)
        os._exit(0)
    return pid
def slow_call():
    memory = mmap.mmap(os.open('/mnt/file', os.O_RDWR), 4096)
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    if sys.argv[1] == 'write':
        libc.write(0, address, 100)
    elif sys.argv[1] == 'read':
        libc.read(0, address, 1000)
    else:
        libc.ioctl(0, ctypes.c_ulong(termios.TIOCGWINSZ), address)
def change_settings(released):
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.read(released, 1)
    termios.tcsetattr(0, termios.TCSANOW, termios.tcgetattr(0))
beside(slow_call)
if sys.argv[1] == 'read':  # the reader has the settings locked, and one who waits to change them stops all who look at them
    released, release = os.pipe()
    changer = beside(change_settings, released)
for fd in 0, 1, 2:
    os.dup2(os.open('/dev/null', os.O_RDWR), fd)
def attributes(node):
    return struct.pack('=6Q10I', node, 4096, 8, 0, 0, 0, 0, 0, 0, 0o40755 if node == 1 else 0o100644, 1, 0, 0, 0, 4096, 0)
while True:
    request = os.read(fuse, 1 << 20)
    opcode, unique, node = struct.unpack_from('=IQQ', request, 4)
    if opcode == 15:  # READ
        if sys.argv[1] == 'read':
            os.write(release, b'x')
            while b') D ' not in open(f'/proc/{changer}/stat', 'rb').read():
                time.sleep(0.01)
        with open(sys.argv[2] + '.new', 'w') as file:
            file.write(str(os.getpid()))
        os.rename(sys.argv[2] + '.new', sys.argv[2])
        continue
    if opcode in (2, 36):  # FORGET and INTERRUPT want no answer
        continue
    answer = {26: struct.pack('=4I2H2I2HI28x', 7, 31, 65536, 0, 16, 12, 65536, 1, 16, 0, 0),  # INIT
              1: struct.pack('=4Q2I', 2, 0, 3600, 3600, 0, 0) + attributes(2),                # LOOKUP
              3: struct.pack('=Q2I', 3600, 0, 0) + attributes(node),                          # GETATTR
              14: struct.pack('=Q2I', 0, 0, 0), 18: b'', 25: b''}.get(opcode)                 # OPEN, RELEASE, FLUSH
    error = 0 if answer is not None else -38
    answer = answer or b''
    os.write(fuse, struct.pack('=IiQ', 16 + len(answer), error, unique) + answer)
'''
SLOWLY = ("unshare", "--user", "--map-root-user", "--mount", "python3", "/tmp/slow.py")

# `opelog rec` on a terminal of his own, which somebody is within a write to when it is hung up.
OWN_TERMINAL = r'''
import fcntl, os, signal, subprocess, sys, termios, threading, time
master, slave = os.openpty()
if os.fork() == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)
    os.closerange(3, 50)
    os.execv('/usr/bin/opelog-shell', ['opelog-shell', '--rec', '--', 'sh', '-c', 'echo up; exec cat'])
shown = b''
while b'up' not in shown:
    shown += os.read(master, 100)
slow = subprocess.Popen([*sys.argv[1:], 'write', '/tmp/slow.pid'], stdin=slave)
os.close(slave)
while not os.path.exists('/tmp/slow.pid'):
    time.sleep(0.01)
def hang_up():
    os.close(master)
    print('hung up', flush=True)
closing = threading.Thread(target=hang_up)
closing.start()
print('hangs up', flush=True)
sys.stdin.read()
slow.kill()
closing.join()
'''

# A login on a terminal whose other side is his own, as after su; somebody asks that side for its size when it changes.
OWN_LOGIN = r'''
import fcntl, os, signal, subprocess, sys, termios, time
master, slave = os.openpty()
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)
    os.closerange(3, 50)
    os.execv('/usr/bin/opelog-shell', ['-opelog-shell', '-c', 'echo up; exec cat'])
shown = b''
while b'up' not in shown:
    try:
        shown += os.read(master, 100)
    except OSError:  # the slave is revoked at this moment
        time.sleep(0.01)
slow = subprocess.Popen([*sys.argv[1:], 'size', '/tmp/slow.pid'], stdin=master)
while not os.path.exists('/tmp/slow.pid'):
    time.sleep(0.01)
os.kill(child, signal.SIGWINCH)
print('asked', flush=True)
sys.stdin.read()
slow.kill()
os.write(master, b'\x04')
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
'''

# A login on a terminal whose other side is his own; once it is recorded he opens it anew by that side, with somebody within a
# write to it, and hangs it up.
OWN_LOGIN_OPENED = OWN_LOGIN.split("slow = ")[0] + r'''
try:
    again = fcntl.ioctl(master, 0x5441, os.O_RDWR | os.O_NOCTTY)  # TIOCGPTPEER
except OSError as error:
    print(error.strerror, flush=True)
    fcntl.ioctl(master, termios.TIOCNXCL)
    try:
        again = fcntl.ioctl(master, 0x5441, os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        print(error.strerror, flush=True)
        sys.exit()
slow = subprocess.Popen([*sys.argv[1:], 'write', '/tmp/slow.pid'], stdin=again)
os.close(again)
while not os.path.exists('/tmp/slow.pid'):
    time.sleep(0.01)
os.close(master)
print('hung up', flush=True)
sys.stdin.read()
slow.kill()
'''

# Logins on terminals of his own, each of which somebody is within a write to, so that it cannot be taken. Three rounds of ten.
KEPT_LOGINS = r'''
import fcntl, os, subprocess, sys, termios, time
passed, ends, slow = 0, set(), []
for turn in range(3):
    children = []
    for i in range(10):
        master, slave = os.openpty()
        file = '/tmp/slow.%d.%d' % (turn, i)
        slow.append(subprocess.Popen([*sys.argv[1:], 'write', file], stdin=slave))
        while not os.path.exists(file):
            time.sleep(0.01)
        child = os.fork()
        if child == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd, to in enumerate((slave, slave, os.open('/dev/null', os.O_RDWR))):  # what it says would wait as well
                os.dup2(to, fd)
            os.closerange(3, 500)
            os.execv('/usr/bin/opelog-shell', ['-opelog-shell', '-c', 'touch /tmp/passed; exit 0'])
        children.append((child, master, slave))
    for child, _, _ in children:
        ends.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(*sorted(ends), os.path.exists('/tmp/passed'), flush=True)
sys.stdin.read()
for process in slow:
    process.kill()
'''

# Sends logins to a daemon that does not read (it is stopped), kills the shims, and hangs their terminals up with somebody within a
# write to each: what is left of them is in messages that nobody has read.
UNREAD_LOGINS = r'''
import fcntl, os, subprocess, sys, termios, threading, time
shims, ends, slow = [], [], []
for i in range(6):
    master, slave = os.openpty()
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        own = os.open(os.ttyname(slave), os.O_RDWR)
        for fd, to in enumerate((own, own, os.open('/dev/null', os.O_RDWR))):
            os.dup2(to, fd)
        os.closerange(3, 500)
        os.execv('/usr/bin/opelog-shell', ['-opelog-shell', '-c', 'exit 0'])
    shims.append(child)
    ends.append((master, slave))
time.sleep(1)  # each has sent its question and waits
for i, (_, slave) in enumerate(ends):
    file = '/tmp/slow.%d' % i
    slow.append(subprocess.Popen([*sys.argv[1:], 'write', file], stdin=slave))
    while not os.path.exists(file):
        time.sleep(0.01)
    os.close(slave)
for child in shims:
    os.kill(child, 9)
    os.waitpid(child, 0)
for master, _ in ends:
    threading.Thread(target=os.close, args=(master,), daemon=True).start()
time.sleep(0.5)
print('hung up', flush=True)
sys.stdin.read()
for process in slow:
    process.kill()
'''

# A login whose terminal is being taken, which somebody is within a write to; says what became of it when told.
BEING_TAKEN = r'''
import fcntl, os, subprocess, sys, termios, time
master, slave = os.openpty()
slow = subprocess.Popen([*sys.argv[1:], 'write', '/tmp/slow.x'], stdin=slave)
while not os.path.exists('/tmp/slow.x'):
    time.sleep(0.01)
if os.fork() == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd, to in enumerate((slave, slave, os.open('/dev/null', os.O_RDWR))):
        os.dup2(to, fd)
    os.closerange(3, 50)
    os.execv('/usr/bin/opelog-shell', ['-opelog-shell', '-c', 'exit 0'])
print('up', flush=True)
sys.stdin.readline()
slow.kill()
sys.stdin.readline()
try:
    os.close(fcntl.ioctl(master, 0x5441, os.O_RDWR | os.O_NOCTTY))  # TIOCGPTPEER
    opens = 'opens'
except OSError as error:
    opens = error.strerror
print(opens, os.fstat(slave).st_uid == os.getuid(), bool(termios.tcgetattr(master)[3] & termios.ECHO), flush=True)
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


class OwnFileSystem(scene.Scene):
    """A user has memory that comes as slowly as he likes."""
    policy = sandbox.POLICY.replace(", parent: [sshd, sshd-session]", "")

    def setUp(self):
        super().setUp()
        self.host.write("/tmp/slow.py", SLOW_MEMORY.encode())
        self.host.sh("rm -f /tmp/slow.pid; [ -c /tmp/fuse ] || mknod -m 666 /tmp/fuse c 10 229")  # everybody's, as on Debian
        probe = self.host.run(*SLOWLY[:-1], "-c", SLOW_MEMORY.split("def beside")[0], user="opelogtest-a")
        if probe.rc:
            self.skipTest(f"a user has no FUSE file system here: {probe.err.decode()[-200:]}")

    def assert_others_are_served(self):
        for _ in range(3):
            self.assertEqual(self.host.ssh("opelogtest-b", "echo others").out, b"others\n")
        self.host.opelog("status", check=True)


class SlowMemory(OwnFileSystem):
    """Row 9: no call that waits for a file system of the user's is made on the daemon's loop."""
    policy = OwnFileSystem.policy.replace("action: record\n", "action: record\n    input: true\n")

    def wait_for_call(self):
        sandbox.wait_until(lambda: self.host.exists("/tmp/slow.pid"), "the call waits")
        self.addCleanup(self.host.sh, "kill -9 $(cat /tmp/slow.pid)")

    def let_go(self):
        self.host.run("kill", "-9", self.host.read("/tmp/slow.pid").decode(), check=True)

    def test_a_hang_up_of_his_own_terminal(self):
        self.host.write("/tmp/own.py", OWN_TERMINAL.encode())
        own = self.host.popen("python3", "/tmp/own.py", *SLOWLY, user="opelogtest-a", stdin=-1, stdout=-1)
        self.assertEqual(own.popen.stdout.readline(), b"hangs up\n")
        [recording] = self.new_recordings(1, "opelogtest-a")  # with an end
        self.assertIn('"reason":"hangup"', recording.notes()["OPELOG_END"][0])
        self.assert_others_are_served()
        self.assertEqual(select.select([own.popen.stdout], [], [], 0)[0], [], "the hang-up does not wait: nothing is shown")
        own.popen.stdin.close()
        self.assertEqual(own.popen.stdout.readline(), b"hung up\n")
        own.wait()

    def test_the_size_of_the_terminal_inside(self):
        term = self.log_in()
        [recording] = self.new_recordings(1, "opelogtest-a", ended=False)
        term.send(" ".join(SLOWLY) + " size /tmp/slow.pid &\r")
        self.wait_for_call()
        term.resize(33, 99)
        sandbox.wait_until(lambda: b"SIGWINCH ROWS=33 COLS=99" in recording.time, "the new size is told")
        self.assert_others_are_served()
        self.let_go()
        term.send("until [ \"$(stty size)\" = '33 99' ]; do :; done; echo se''en\r")
        term.expect(r"seen\r\n")  # bash may draw its line once more between
        self.assertEqual(self.log_out(term), 0)

    def test_the_size_of_a_terminal_whose_other_side_is_his(self):
        self.host.write("/tmp/login.py", OWN_LOGIN.encode())
        login = self.host.popen("python3", "/tmp/login.py", *SLOWLY, user="opelogtest-a", stdin=-1, stdout=-1)
        self.assertEqual(login.popen.stdout.readline(), b"asked\n")
        self.addCleanup(self.host.sh, "kill -9 $(cat /tmp/slow.pid)")
        self.assert_others_are_served()
        login.popen.stdin.close()
        self.assertEqual(login.popen.stdout.readline(), b"0\n")
        [recording] = self.new_recordings(1, "opelogtest-a")
        self.assertIn('"reason":"exit"', recording.notes()["OPELOG_END"][0])

    def test_a_terminal_whose_other_side_is_his_is_not_opened_again(self):
        self.host.write("/tmp/login.py", OWN_LOGIN_OPENED.encode())
        login = self.host.popen("python3", "/tmp/login.py", *SLOWLY, user="opelogtest-a", stdin=-1, stdout=-1)
        self.addCleanup(self.host.sh, "kill -9 $(cat /tmp/slow.pid)")
        self.assertEqual(login.popen.stdout.readline(), b"Device or resource busy\n")
        self.assertEqual(login.popen.stdout.readline(), b"Device or resource busy\n")
        login.popen.stdin.close()
        login.wait()
        [recording] = self.new_recordings(1, "opelogtest-a")
        self.assertIn('"reason":"hangup"', recording.notes()["OPELOG_END"][0])
        self.assert_others_are_served()

    def test_whether_the_terminal_inside_echoes(self):
        term = self.log_in()
        term.send(" ".join(SLOWLY) + " read /tmp/slow.pid\r")
        term.expect(r"slow.pid\r\n")
        term.send("x" * 200 + "\r")
        self.wait_for_call()
        term.send("zzz")
        self.assert_others_are_served()
        self.let_go()
        term.expect("Killed")
        term.send("\recho ali''ve\r")  # what is left of the lines before is no command
        term.expect(r"\nalive\r\n")
        self.assertEqual(self.log_out(term), 0)


class KeptWaiting(OwnFileSystem):
    """Rows 2 and 9: who keeps the daemon's calls on his terminals waiting uses up what is his, gets no shell for it, and others are
    served."""
    policy = OwnFileSystem.policy.replace("action: record\n", "action: record\n    input: true\n    on_start_failure: pass\n") + "limits: { login_timeout: 3s, max_pending_logins: 64 }\n"

    def test_logins_whose_terminals_cannot_be_taken(self):
        running = self.log_in()
        self.host.write("/tmp/logins.py", KEPT_LOGINS.encode())
        logins = self.host.popen("python3", "/tmp/logins.py", *SLOWLY, user="opelogtest-a", stdin=-1, stdout=-1)
        self.addCleanup(self.host.sh, "kill -9 $(cat /tmp/slow.*)")
        self.assertEqual(logins.popen.stdout.readline(), b"77 False\n")
        self.assertLess(len(os.listdir(f"/proc/{self.host.daemon.pid}/task")), 16 + 10)
        self.assertIn("user-work uid=", self.dump())
        self.assert_others_are_served()
        running.send("echo al''ive\r")  # his own session does not wait for them either
        running.expect(r"\nalive\r\n")
        logins.popen.stdin.close()
        logins.wait()
        self.assertEqual(self.log_out(running), 0)
        sandbox.wait_until(lambda: "user-work" not in self.dump(), "all is let go of")
        self.assertEqual(self.host.ssh("opelogtest-a", "echo again").out, b"again\n")

    def dump(self):
        return self.host.opelog("dump", check=True).text


class LeftBehind(OwnFileSystem):
    """Row 9: a daemon whose calls somebody keeps waiting does not wait for him with its end: the next one begins, others' sessions go
    on, and what is left of it holds nothing of theirs, and is gone when he lets go."""
    host_options = {"keeps_sessions": True}

    @classmethod
    def prepare(cls):
        cls.host.hold_sockets()

    def setUp(self):
        super().setUp()
        if not self.host.daemon.process.running():
            self.host.start_daemon(None, self.daemon)

    def keep_waiting(self, term):
        """A call of the daemon's on the terminal of that session waits from here on."""
        term.send("setsid " + " ".join(SLOWLY) + " size /tmp/slow.pid &\r")
        sandbox.wait_until(lambda: self.host.exists("/tmp/slow.pid"), "the call waits")
        self.addCleanup(self.host.sh, "kill -9 $(cat /tmp/slow.pid)")
        term.resize(33, 99)
        self.wait_for_dump("user-work uid=1000 running=")

    def wait_for_dump(self, words):
        sandbox.wait_until(lambda: words in self.host.opelog("dump", check=True).text, f"the daemon tells: {words}")

    def let_go(self):
        self.host.run("kill", "-9", self.host.read("/tmp/slow.pid").decode(), check=True)

    def end_daemon(self, number):
        """(its number, its exit status): the main process ends, and threads of the daemon are left."""
        daemon = self.host.daemon.process
        pid = daemon.pid
        daemon.signal(number)
        status = daemon.wait()
        self.assertEqual(self.state_of(pid), "Z", "nothing of it waits")
        return pid, status

    def state_of(self, pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return None

    def held_by(self, pid):
        """What the threads that are left have open, besides 0 to 2."""
        held = set()
        for task in os.listdir(f"/proc/{pid}/task"):
            folder = f"/proc/{pid}/task/{task}/fd"
            held |= {os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder) if int(fd) > 2}
        return held

    def goes_on(self, term):
        term.send("echo still-$((40 + 2))\r")
        term.expect(r"\nstill-42\r\n")

    def wait_until_gone(self, pid):
        sandbox.wait_until(lambda: self.state_of(pid) is None, f"the daemon that was left is gone, not {self.state_of(pid)}")

    def test_a_restart(self):
        his, others = self.log_in(), self.log_in("opelogtest-b")
        self.keep_waiting(his)
        pid, status = self.end_daemon(signal.SIGUSR2)
        self.assertEqual(status, 0)
        self.assertRegex(self.host.daemon.log(), "calls-left: [0-9]+ calls")
        held = self.held_by(pid)
        self.assertTrue(held, "the terminal of the call")
        self.assertEqual([name for name in held if not re.match(r"/dev/(ptmx|pts/)|/ptmx", name)], [])
        self.assertLess(len(held), 3, held)
        self.host.start_daemon(None, self.daemon)
        self.assertEqual(len(re.findall("session-resumed", self.host.daemon.log())), 2)
        self.goes_on(others)
        self.assert_others_are_served()
        his.send("echo his-$((40 + 2))\r")
        his.expect(r"\nhis-42\r\n")
        self.assertEqual(self.log_out(others, "exit 4"), 4)
        self.assertEqual(self.state_of(pid), "Z")
        self.let_go()
        self.wait_until_gone(pid)
        his.send("until [ \"$(stty size)\" = '33 99' ]; do :; done; echo se''en\r")
        his.expect(r"seen\r\n")
        self.assertEqual(self.log_out(his, "exit 5"), 5)
        for recording in self.host.wait_recordings(5):  # three of assert_others_are_served()
            self.assertIn('"reason":"exit"', recording.notes()["OPELOG_END"][0])

    def test_b_hang_up_is_done_by_the_next_one(self):
        his, others = self.log_in(), self.log_in("opelogtest-b")
        his.send("setsid " + " ".join(SLOWLY) + " write /tmp/slow.pid &\r")
        sandbox.wait_until(lambda: self.host.exists("/tmp/slow.pid"), "the call waits")
        self.addCleanup(self.host.sh, "kill -9 $(cat /tmp/slow.pid)")
        self.host.opelog("kill", "opelogtest-a", check=True)
        his.expect_eof()
        self.wait_for_dump("user-work uid=1000 running=")
        pid, status = self.end_daemon(signal.SIGUSR2)
        self.assertEqual(status, 0)
        self.host.start_daemon(None, self.daemon)
        self.goes_on(others)
        self.assert_others_are_served()
        self.let_go()
        self.wait_until_gone(pid)
        self.assertEqual(self.log_out(others), 0)
        sandbox.wait_until(lambda: not [n for n in self.host.manager.store if n.startswith("oi")], "an empty store")
        self.assertNotIn("session-end: session of opelogtest-a", self.host.daemon.log(), "the daemon before has said it")
        [killed] = self.new_recordings(1, "opelogtest-a")
        self.assertEqual(re.findall('"reason":"(\\w+)"', " ".join(killed.notes()["OPELOG_END"])), ["killed"])
        self.wait_signed()
        self.pin_key()
        _, verdict = self.verify(killed.name)
        self.assertEqual(self.verdict_of(verdict, killed.name), ("intact", "complete", []), verdict)

    def test_c_stop(self):
        his, others = self.log_in(), self.log_in("opelogtest-b")
        self.keep_waiting(his)
        pid, status = self.end_daemon(signal.SIGTERM)
        self.assertEqual(status, 0)
        others.expect_eof()
        for recording in self.new_recordings(2):
            self.assertIn('"reason":"shutdown"', recording.notes()["OPELOG_END"][0])
        self.let_go()
        self.wait_until_gone(pid)

    def test_d_restart_while_a_terminal_is_being_taken(self):
        others = self.log_in("opelogtest-b")
        self.host.write("/tmp/taken.py", BEING_TAKEN.encode())
        login = self.host.popen("python3", "/tmp/taken.py", *SLOWLY, user="opelogtest-a", stdin=-1, stdout=-1)
        self.addCleanup(self.host.sh, "kill -9 $(cat /tmp/slow.x)")
        self.assertEqual(login.popen.stdout.readline(), b"up\n")
        [recording] = self.new_recordings(1, "opelogtest-a", ended=False)
        pid, status = self.end_daemon(signal.SIGUSR2)
        self.assertEqual(status, 0)
        self.host.start_daemon(None, self.daemon)
        sandbox.wait_until(recording.ended, "the next daemon completes it")
        self.goes_on(others)
        login.popen.stdin.close()
        self.wait_until_gone(pid)
        login.wait()
        self.assertEqual(self.log_out(others), 0)

    def test_e_kill(self):
        his, others = self.log_in(), self.log_in("opelogtest-b")
        self.keep_waiting(his)
        pid, status = self.end_daemon(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        left = r"calls-left: what is left of a former opelogd, process \d+, is in calls"
        self.host.start_daemon(None, self.daemon)
        self.assertRegex(self.host.daemon.log(), left)
        self.goes_on(others)
        self.assert_others_are_served()
        self.host.daemon.process.signal(signal.SIGUSR2)
        self.host.daemon.process.wait()
        self.host.start_daemon(None, self.daemon)
        self.assertEqual(self.state_of(pid), "Z")
        self.assertNotRegex(self.host.daemon.log(), left, "it was waited for once")
        self.goes_on(others)
        self.let_go()
        self.wait_until_gone(pid)
        self.assertEqual(self.log_out(others, "exit 4"), 4)
        self.assertEqual(self.log_out(his, "exit 5"), 5)


class UnreadLogins(OwnFileSystem):
    """Row 9: a login that is refused unread leaves its terminal in the message; that is not closed on the loop either."""
    policy = OwnFileSystem.policy + "limits: { login_timeout: 3s, max_pending_logins: 8 }\n"

    def test_others_are_served(self):
        self.host.write("/tmp/unread.py", UNREAD_LOGINS.encode())
        self.host.daemon.process.signal(signal.SIGSTOP)
        self.addCleanup(self.host.daemon.process.signal, signal.SIGCONT)
        logins = self.host.popen("python3", "/tmp/unread.py", *SLOWLY, user="opelogtest-a", stdin=-1, stdout=-1)
        self.addCleanup(self.host.sh, "kill -9 $(cat /tmp/slow.*)")
        self.assertEqual(logins.popen.stdout.readline(), b"hung up\n")
        self.host.daemon.process.signal(signal.SIGCONT)
        self.assert_others_are_served()
        logins.popen.stdin.close()
        logins.wait()


class StoppedWhileTaking(OwnFileSystem):
    """Row 15: a stop while a terminal is being taken gives it back and ends the recording."""

    def test_terminal_and_recording(self):
        self.host.write("/tmp/taken.py", BEING_TAKEN.encode())
        login = self.host.popen("python3", "/tmp/taken.py", *SLOWLY, user="opelogtest-a", stdin=-1, stdout=-1)
        self.assertEqual(login.popen.stdout.readline(), b"up\n")
        [recording] = self.new_recordings(1, "opelogtest-a", ended=False)
        daemon = self.host.daemon
        os.kill(daemon.pid, signal.SIGTERM)
        daemon.wait_log("daemon-stopping")
        login.popen.stdin.write(b"\n")
        login.popen.stdin.flush()
        daemon.wait_log("daemon-stop:")
        self.assertTrue(recording.ended())
        login.popen.stdin.write(b"\n")
        login.popen.stdin.flush()
        self.assertEqual(login.popen.stdout.readline(), b"opens True True\n")
        login.wait()


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
        done = self.host.ssh("opelogtest-a", "echo ran-$((40+2))")
        stopper.popen.kill()
        self.assertNotIn(b"NOT recorded", done.err)
        recorded = [r for r in self.host.recordings() if "echo ran-$((40+2))" in r.notes().get("COMMAND", [])]
        self.assertEqual(b"ran-42" in done.out, len(recorded) == 1 and done.rc == 0, done)


if __name__ == "__main__":
    sandbox.run_file()
