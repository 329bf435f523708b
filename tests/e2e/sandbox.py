"""A private Linux host for end-to-end tests: the real programs at their real paths, nothing of the machine touched.

Host is a mount, pid, net, uts and ipc namespace in which /usr, /etc and /var are overlays, /home, /root, /run and /tmp
are fresh, 127.0.0.0/8 and ::1 are up, and /var/log/ope_log lies on a file system with a working append-only flag. opelog
is installed into it as `cmake --install` would, so that opelogd, sshd, useradd, chattr and scriptreplay are all the real
ones. When the Host is closed, or the test process dies in whatever way, every process in it is killed and
every file removed, append-only ones too.

    with Host() as host:                         # users exist, opelog is installed
        host.enroll()                            # opelog-shell is everybody's login shell
        host.start_daemon(POLICY)                # waits for READY=1
        host.start_sshd()                        # key login for every user of USERS
        done = host.ssh("opelogtest-a", "exit 37")           # -> Done(rc, out, err)
        term = host.ssh_pty("opelogtest-a")                  # a real pty -> Terminal
        term.expect(PROMPT); term.send("echo hi\\r"); term.expect("hi"); term.send("exit\\r"); term.wait()
        [rec] = host.recordings("opelogtest-a")              # -> Recording
        assert rec.replay() == rec.payload()                 # scriptreplay's bytes

What there is
  Host(users=USERS, log_image_mb=0, own_pts=True, install=True)
    run(*argv, user, input, env, timeout, check) -> Done      popen(*argv, user, env, **Popen) -> Process
    terminal(*argv, user, env, rows, cols) -> Terminal        any program on a pty of its own
    path(p)      the same file as seen from outside           read(p) write(p, data, mode, owner) append(p, data)
    add_user(name, uid, shell, groups)                        set_shell(user, shell)
    enroll(*users)   opelog-shell becomes their login shell; everybody's without arguments
    start_daemon(policy, argv, env) -> Daemon                 daemon.stop() .kill() .hup() .pid .log() .wait_log(re)
    start_sshd(*options, pam) ; restart_sshd(*options, pam)   ssh(user, *command, ...) ; ssh_pty(user, *command, ...)
    ssh_argv(user, ...)   for scp, sftp, rsync, git           opelog(*args) -> Done
    recordings(user) -> [Recording]   wait_recordings(n, user, ended)   log_dir
  Terminal: send, expect(regex), expect_eof, output, resize, hang_up, wait, close
  Recording: name, path, log, time, header, payload(), timing(), notes(), ended(), replay()
  wait_until(predicate, what, deadline)  waits for a condition; nothing here sleeps for luck.
  require_sandbox()   for the top of a test file: skips with the reason where namespaces are impossible.

A build is found by OPELOG_BUILD (a CMake build directory) or OPELOG_STAGE (what `DESTDIR=… cmake --install` made).
OPELOG_TEST_BOUNDS=1: every opelogd has what units/opelogd.service allows it, and no more (unit_bounds.py).
"""

import contextlib
import ctypes
import fcntl
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager import Manager  # noqa: E402
import unit_bounds  # noqa: E402

# Every wait in the tests ends here at the latest; generous because two sanitizer builds may share one core.
DEADLINE = float(os.environ.get("OPELOG_TEST_DEADLINE", "90"))

# A script starts what it puts in the background with these ignored, and every shell tested from there would ignore them too.
# A handler is reset by whatever is executed; here they go on to be ignored.
for _name in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_name) == signal.SIG_IGN:
        signal.signal(_name, lambda *_: None)

# linux/fs.h: what lsattr and chattr ask for.
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_APPEND_FL = 0x80086601, 0x40086602, 0x20

# The recipe's targets: uid 1000 or >= 5000. The 2000 one is nobody's target; the odd name tests file names.
USERS = {
    "opelogtest-a": 1000,
    "opelogtest-b": 5001,
    "opelogtest-none": 2000,
    "opelogtest.odd_x": 5002,
}

# The original recipe as a policy.
POLICY = """\
version: 1
rules:
  - name: operators
    match: { uid: [1000, "5000-"], parent: [sshd, sshd-session] }
    action: record
log: { target: stderr, level: debug }
"""

# Debian's prompt at the end of what was read; readline may clear the rest of the line behind it.
PROMPT = r"\$ (?:\x1b\[K)?\Z"

LOG_DIR = "/var/log/ope_log"
LEDGER_DIR = "/var/log/opelog-ledger"
SKIP = 77  # ctest's SKIP_RETURN_CODE

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000)
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_libc = ctypes.CDLL(None, use_errno=True)


class SandboxError(Exception):
    """The private host could not be made, or a program in it did not do what it must."""


def wait_until(predicate, what, deadline=None):
    """Polls until predicate() is true and returns its value; AssertionError naming `what` at the deadline."""
    end = time.monotonic() + (deadline or DEADLINE)
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline or DEADLINE:g} s: {what}")
        time.sleep(0.005)


class Done:
    """What a finished program left: exit code (or -signal), stdout and stderr."""

    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err

    def __iter__(self):
        return iter((self.rc, self.out, self.err))

    def __repr__(self):
        return f"Done(rc={self.rc}, out={self.out[-2000:]!r}, err={self.err[-2000:]!r}, argv={self.argv})"

    @property
    def text(self):
        return self.out.decode("utf-8", "backslashreplace")


# --- the namespace ---------------------------------------------------------------------------------------------

def _call(result, what):
    if result < 0:
        err = ctypes.get_errno()
        raise SandboxError(f"{what}: {os.strerror(err)}")
    return result


def _mount(*args):
    done = subprocess.run(["mount", *args], capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"mount {' '.join(args)}: {done.stderr.strip()}")


def has_append_only(directory):
    """Whether `chattr +a` works on a file made in `directory`."""
    fd, name = tempfile.mkstemp(dir=directory)
    os.close(fd)
    try:
        return subprocess.run(["chattr", "+a", name], capture_output=True).returncode == 0
    finally:
        subprocess.run(["chattr", "-a", name], capture_output=True)
        os.unlink(name)


def remove_tree(path):
    """Removes a directory with whatever flags its files carry."""
    subprocess.run(["chattr", "-R", "-f", "-a", "-i", path], capture_output=True)
    shutil.rmtree(path, ignore_errors=True)


def _keep(base, own_pts, image_mb):
    """The keeper: outlives the test process, and cleans up when the namespace has ended. Speaks lines on stdout."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    inside = os.fork()
    if inside == 0:
        try:
            _call(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")
            os.waitpid(_enter_namespaces(base, own_pts, image_mb), 0)
        except (SandboxError, OSError) as error:
            print(f"error {error}", flush=True)
        os._exit(0)
    os.close(0)
    os.waitpid(inside, 0)
    remove_tree(base)


def _enter_namespaces(base, own_pts, image_mb):
    outside = os.getppid()
    _call(_libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET), "unshare")
    private = _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
    first = os.fork()
    if first:
        print(f"pid {first}", flush=True)
        return first
    try:
        _call(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_DFL)
        if not private:
            _prove_private(base, outside)
        _build_file_systems(base, own_pts, image_mb)
    except (SandboxError, OSError, subprocess.CalledProcessError) as error:
        print(f"error {error}", flush=True)
        os._exit(1)
    print("ready", flush=True)
    _first_process()
    return 0


def _prove_private(base, outside):
    """In a chroot "/" is no mount point and cannot be made private: see whether a mount shows outside."""
    probe = os.path.join(base, "probe")
    os.mkdir(probe)
    before = os.stat(probe).st_dev
    _mount("-t", "tmpfs", "probe", probe)
    seen = os.stat(f"/proc/{outside}/root{probe}").st_dev
    subprocess.run(["umount", probe], check=True)
    if seen != before:
        raise SandboxError("this chroot shares its mounts with the machine: bind-mount it onto itself first")


def _build_file_systems(base, own_pts, image_mb):
    _mount("-t", "proc", "proc", "/proc")
    disk = os.path.join(base, "disk")
    os.mkdir(disk)
    if image_mb or not has_append_only(base):
        image = os.path.join(base, "image")
        with open(image, "wb") as file:
            file.truncate((image_mb or 2048) << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True, capture_output=True)
        _mount("-o", "loop", image, disk)
    for name in ("ope_log", "opelog-ledger"):
        os.mkdir(os.path.join(disk, name), 0o700)
    scratch = os.path.join(base, "scratch")
    os.mkdir(scratch)
    _mount("-t", "tmpfs", "-o", "mode=755", "scratch", scratch)

    # What is needed from `base` is bound below /run before the overlay on /var hides it.
    _mount("-t", "tmpfs", "-o", "mode=755", "run", "/run")
    for name in ("disk", "stage", "exchange"):
        os.mkdir("/run/host-" + name, 0o700)
        _mount("--bind", os.path.join(base, name), "/run/host-" + name)
    for name in ("usr", "etc", "var"):
        upper, work = (os.path.join(scratch, name + end) for end in (".upper", ".work"))
        os.mkdir(upper)
        os.mkdir(work)
        _mount("-t", "overlay", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}", "/" + name)
    for path, mode in (("/root", "700"), ("/home", "755"), ("/tmp", "1777"), ("/dev/shm", "1777")):
        _mount("-t", "tmpfs", "-o", "mode=" + mode, path[1:].replace("/", "-"), path)
    if own_pts:
        _mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620,gid=5", "devpts", "/dev/pts")
    for path in ("/run/lock", "/run/sshd", LOG_DIR, LEDGER_DIR):
        os.makedirs(path, exist_ok=True)
    _mount("--bind", "/run/host-disk/ope_log", LOG_DIR)
    _mount("--bind", "/run/host-disk/opelog-ledger", LEDGER_DIR)
    os.chdir("/")
    socket.sethostname("opelogtest")
    _loopback_up()


def _loopback_up():
    """What `ip link set lo up` does, without iproute2."""
    siocsifflags, siocgifflags, iff_up = 0x8914, 0x8913, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack_from("h", fcntl.ioctl(control, siocgifflags, request), 16)[0]
        fcntl.ioctl(control, siocsifflags, struct.pack("16sh22x", b"lo", flags | iff_up))


def _first_process():
    """PID 1 of the host: reaps, and ends (with everything else) when the test process closes its end."""
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass
        if 0 in ready and not os.read(0, 4096):
            os._exit(0)


def require_sandbox():
    """At the top of a test file: ends it with ctest's skip code and the reason where no Host can be made."""
    if os.geteuid() != 0:
        print("skipped: needs root (namespaces, users, sshd)")
        sys.exit(SKIP)
    try:
        Host(users={}, install=False).close()
    except SandboxError as error:
        print(f"skipped: no private host possible here: {error}")
        sys.exit(SKIP)


# --- programs in it --------------------------------------------------------------------------------------------

def children(parent):
    """The numbers of its children."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{entry}/stat", "rb") as file:
                    if int(file.read().rsplit(b")", 1)[1].split()[1]) == parent:
                        yield int(entry)


class Process:
    """A running program of the host. `pid` is its number outside, `inner_pid` inside."""

    def __init__(self, host, popen, argv):
        self.host, self.popen, self.argv = host, popen, argv

    @property
    def pid(self):
        def child():
            # The entering process forks once into the pid namespace; its only child is the program.
            for pid in children(self.popen.pid):
                return pid
            if self.popen.poll() is not None:
                raise AssertionError(f"ended with {self.popen.returncode}: {self.argv}")
            return None
        if not getattr(self, "_pid", None):
            self._pid = wait_until(child, f"a process for {self.argv}")
        return self._pid

    @property
    def inner_pid(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"^NSpid:.*\s(\d+)$", file.read(), re.M).group(1))

    def signal(self, number):
        os.kill(self.pid, number)
        if number == signal.SIGCONT:
            self.popen.send_signal(number)  # nsenter stops itself when its child is stopped

    def running(self):
        return self.popen.poll() is None

    def wait(self, timeout=None):
        return self.popen.wait(timeout or DEADLINE)


class DaemonProcess(Process):
    """opelogd itself; what was started, and ends as it does, is the unit's main process, `main_pid`."""

    @property
    def main_pid(self):
        return super().pid

    @property
    def pid(self):
        def is_opelogd(pid):
            with contextlib.suppress(OSError):
                return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "opelogd"

        def of(pid):
            for child in children(pid):
                if is_opelogd(pid) and is_opelogd(child):
                    return child
                if found := of(child):  # the main process is not what was started
                    return found
            return None

        def child():
            if self.popen.poll() is not None:
                raise AssertionError(f"ended with {self.popen.returncode}: {self.argv}")
            return of(self.main_pid)
        if not getattr(self, "_daemon", None):
            self._daemon = wait_until(child, f"a daemon for {self.argv}")
        return self._daemon


class Terminal:
    """A program on its own pseudo terminal, with an expect-like interface. Reads only when asked to."""

    def __init__(self, start, rows=24, cols=80):
        self.master, slave = os.openpty()
        self.resize(rows, cols)
        modes = termios.tcgetattr(slave)
        modes[0] |= 0x4000  # IUTF8, as terminals have it
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self._written = bytearray()
        self._output = b""  # the same as it was when last asked for
        self._seen = 0      # what expect() has consumed
        self._eof = False

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = start(stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal)
        os.close(slave)
        os.set_blocking(self.master, False)

    @property
    def output(self):
        """Everything it ever wrote."""
        if len(self._output) != len(self._written):
            self._output = bytes(self._written)
        return self._output

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        end = time.monotonic() + DEADLINE
        while data:
            _, writable, _ = select.select([], [self.master], [], 0.1)
            if writable:
                data = data[os.write(self.master, data):]
            else:
                self._read(0)
            if time.monotonic() > end:
                raise AssertionError(f"terminal takes no input; last output {self.output[-500:]!r}")

    def _read(self, timeout):
        if self._eof:
            return False
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._eof = True
        self.keep(data)
        return bool(data)

    def keep(self, data):
        """For those who read `master` themselves: what they read is output like any other."""
        self._written += data

    def expect(self, regex, deadline=None):
        """Waits until `regex` (str or bytes) matches what has not been consumed; consumes through its end."""
        pattern = re.compile(regex.encode() if isinstance(regex, str) else regex, re.M | re.S)
        end = time.monotonic() + (deadline or DEADLINE)
        while True:
            match = pattern.search(self._written, self._seen)
            if match:
                self._seen = match.end()
                return match
            left = end - time.monotonic()
            if self._eof or left <= 0:
                why = "the terminal ended" if self._eof else "deadline"
                raise AssertionError(f"{why} before {regex!r}; got {self.output[self._seen:][-1500:]!r}")
            self._read(left)

    def settle(self, seconds):
        """Waits for some output, and then until nothing more has come for a while: a program has drawn what was typed."""
        self.expect(".")
        while self._read(seconds):
            pass

    def pump(self, seconds):
        """Reads whatever comes for a while, to show that nothing does. Not a way to wait for something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._eof:
            self._read(max(0.0, end - time.monotonic()))

    @property
    def ended(self):
        return self._eof

    def expect_eof(self, deadline=None):
        end = time.monotonic() + (deadline or DEADLINE)
        while not self._eof:
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"terminal did not end; last output {self.output[-1500:]!r}")
            self._read(left)

    def wait(self, deadline=None):
        """Reads to the end and returns the exit status."""
        self.expect_eof(deadline)
        return self.process.wait(deadline)

    def hang_up(self):
        """The connection is lost: SIGHUP to the program."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
            self._eof = True

    def close(self):
        self.hang_up()
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.signal(signal.SIGKILL)
            return self.process.wait()


class Daemon:
    """opelogd in the host, with its log and its notifications."""

    def __init__(self, host, argv, env):
        self.host, self.argv = host, argv
        if host.manager is None:
            host.manager = Manager(host.exchange, host.keeps_sessions)
        self.manager = host.manager
        self.manager.forget()
        self.log_path = os.path.join(host.exchange, f"opelogd.{len(host.daemons)}.log")
        argv, copies, preexec = self.manager.starting(argv)
        with open(self.log_path, "wb") as log:
            started = host.popen(*argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=not copies,
                                 preexec_fn=preexec, env={"NOTIFY_SOCKET": "/run/host-exchange/notify", **(env or {})})
        self.process = DaemonProcess(host, started.popen, argv)
        for fd in copies:
            os.close(fd)

    def notified(self, word):
        return self.manager.said(word)

    def wait_ready(self):
        def ready():
            if not self.process.running():
                raise AssertionError(f"opelogd ended with {self.process.popen.returncode}: {self.log()}")
            return self.notified("READY=1")
        try:
            wait_until(ready, "READY=1 from opelogd")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None
        return self

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, "rb") as file:
            return file.read().decode("utf-8", "backslashreplace")

    def wait_log(self, regex, deadline=None):
        return wait_until(lambda: re.search(regex, self.log()), f"{regex!r} in the log:\n{self.log()}", deadline)

    def hup(self):
        self.process.signal(signal.SIGHUP)

    def stop(self):
        """SIGTERM (a graceful end), and the exit status."""
        if self.process.running():
            self.process.signal(signal.SIGTERM)
        return self.process.wait()

    def kill(self):
        if self.process.running():
            self.process.signal(signal.SIGKILL)
        return self.process.wait()


# --- recordings ------------------------------------------------------------------------------------------------

def of_what_was_left(time):
    """Of the bytes of a .time: they are not of a session, but of the processes that one left behind."""
    return b'"how":"left"' in time


class Recording:
    """The files of one session as a plain reader of util-linux recordings sees them."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name

    def __repr__(self):
        return f"Recording({self.name})"

    def path(self, end):
        return os.path.join(self.directory, self.name + end)

    @property
    def log(self):
        with open(self.path(".log"), "rb") as file:
            return file.read()

    @property
    def time(self):
        with open(self.path(".time"), "rb") as file:
            return file.read()

    @property
    def header(self):
        return self.log.split(b"\n", 1)[0]

    def payload(self):
        """What the terminal showed: everything after the header line."""
        return self.log.split(b"\n", 1)[1]

    def timing(self):
        """[(letter, delay as text, rest)] of every record; an AssertionError for a malformed one."""
        records = []
        for line in self.time.split(b"\n")[:-1]:
            match = re.fullmatch(rb"([OISH]) (\d+\.\d{6}) (.+)", line)
            assert match, f"malformed timing record {line!r} in {self.name}"
            records.append((match[1].decode(), match[2].decode(), match[3].decode("utf-8", "backslashreplace")))
        assert self.time.endswith(b"\n"), f"torn last record in {self.name}"
        return records

    def notes(self):
        """{name: [value, …]} of the H records; the parts of a split value are joined."""
        notes = {}
        for letter, _, rest in self.timing():
            if letter == "H":
                name, _, value = rest.partition(" ")
                name, _, part = name.partition(":")
                values = notes.setdefault(name, [])
                if part and not part.startswith("1/"):
                    values[-1] += value
                else:
                    values.append(value)
        return notes

    def ended(self):
        # The record, not what a command line or a program says of one.
        return re.search(rb"^H \d+\.\d{6} OPELOG_END .*\n(?:H \d+\.\d{6} OPELOG_SEAL .*\n)?\Z", self.time,
                         re.MULTILINE) is not None

    def replay(self, *options):
        """The bytes that util-linux scriptreplay shows (it adds one newline at its end, taken off here)."""
        done = subprocess.run(["scriptreplay", "-d", "1000000", *options, "--timing", self.path(".time"),
                               "--log-out", self.path(".log")], capture_output=True, timeout=DEADLINE * 4)
        assert done.returncode == 0 and not done.stderr, f"scriptreplay: {done.returncode} {done.stderr!r}"
        assert done.stdout.endswith(b"\n")
        return done.stdout[:-1]


# --- the host --------------------------------------------------------------------------------------------------

class Host:
    def __init__(self, users=None, log_image_mb=0, own_pts=True, install=True, keeps_sessions=False):
        self.users = dict(USERS if users is None else users)
        self.daemons, self.sshd, self._terminals, self._processes = [], None, [], []
        self.manager, self.keeps_sessions = None, keeps_sessions
        self.base = tempfile.mkdtemp(prefix="opelog-e2e.", dir="/var/tmp")
        os.chmod(self.base, 0o711)
        self.exchange = os.path.join(self.base, "exchange")
        os.mkdir(self.exchange)
        os.mkdir(os.path.join(self.base, "stage"))
        self._keeper = None
        try:
            self._start(own_pts, log_image_mb)
            self._forget_the_machine()
            if install:
                self._install()
            if self.users:
                self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/key", check=True)
            for name, uid in self.users.items():
                self.add_user(name, uid)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self, own_pts, log_image_mb):
        self._keeper = subprocess.Popen(
            [sys.executable, "-B", os.path.abspath(__file__), "--keep", self.base, str(int(own_pts)), str(log_image_mb)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        words = {}
        while "ready" not in words:
            line = self._keeper.stdout.readline().decode().strip()
            word, _, rest = line.partition(" ")
            if word in ("error", ""):
                raise SandboxError(rest or "the namespace ended at once")
            words[word] = rest
        self.pid1 = int(words["pid"])

    def _forget_the_machine(self):
        """The machine's people and its own opelog, if any, are not part of the host."""
        gone = set()
        for line in self.read("/etc/passwd").decode("utf-8", "surrogateescape").splitlines():
            name, _, uid = line.split(":")[:3]
            if 1000 <= int(uid) != 65534:
                gone.add(name)
        for file in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"):
            if self.exists("/etc/" + file):
                path = self.path("/etc/" + file)
                with open(path, "rb+") as data:
                    lines = data.read().splitlines(keepends=True)
                    data.seek(0)
                    data.truncate()
                    data.write(b"".join(line for line in lines if os.fsdecode(line.split(b":")[0]) not in gone))
        self.sh("rm -rf /etc/opelog /var/lib/opelog /var/log/opelog.log /etc/profile.d/*opelog* "
                "/etc/ssh/sshd_config.d/*opelog*", check=True)

    def close(self):
        """Ends every process of the host and removes its files."""
        for terminal in self._terminals:
            terminal.hang_up()
        if self.manager:
            self.manager.close()
            self.manager = None
        if self._keeper:
            self._keeper.stdin.close()
            self._keeper.stdout.close()
            try:
                self._keeper.wait(60)
            finally:
                self._keeper = None
                for popen in self._processes:
                    popen.wait(10)
        elif os.path.isdir(self.base):
            remove_tree(self.base)

    # -- programs

    def _argv(self, argv, user):
        enter = ["nsenter", "-t", str(self.pid1), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]
        if user:
            enter += ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"]
        return enter + list(argv)

    def _env(self, user, env):
        home = f"/home/{user}" if user else "/root"
        base = {"PATH": PATH, "HOME": home, "USER": user or "root", "LOGNAME": user or "root", "SHELL": "/bin/bash",
                "LANG": "C.UTF-8", "TERM": "xterm"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                base[name] = os.environ[name]
        return {**base, **(env or {})}

    def entry(self, *argv, user=None, env=None):
        """(argv, env) that run a program of the host from this process, for a caller that wants its own terminal."""
        return self._argv(argv, user), self._env(user, env)

    def popen(self, *argv, user=None, env=None, **options):
        """Starts a program; options as of subprocess.Popen."""
        popen = subprocess.Popen(self._argv(argv, user), env=self._env(user, env), **options)
        self._processes.append(popen)
        return Process(self, popen, argv)

    def run(self, *argv, user=None, input=b"", env=None, timeout=None, check=False):
        """Runs a program to its end. With check=True a failure is an AssertionError that shows everything."""
        input = input.encode() if isinstance(input, str) else input
        done = subprocess.run(self._argv(argv, user), env=self._env(user, env), input=input, capture_output=True,
                              timeout=timeout or DEADLINE)
        result = Done(argv, done.returncode, done.stdout, done.stderr)
        if check and result.rc:
            raise AssertionError(f"must succeed: {result}")
        return result

    def sh(self, script, *args, **options):
        """Runs `sh -c script` with $1… from args."""
        return self.run("sh", "-c", script, "sh", *args, **options)

    def terminal(self, *argv, user=None, env=None, rows=24, cols=80):
        """Starts a program on a pty of its own."""
        terminal = Terminal(lambda **fds: self.popen(*argv, user=user, env=env, **fds), rows, cols)
        self._terminals.append(terminal)
        return terminal

    # -- files

    def path(self, inner):
        """A path of the host as this process can open it."""
        return f"/proc/{self.pid1}/root{inner}"

    def read(self, inner):
        with open(self.path(inner), "rb") as file:
            return file.read()

    def exists(self, inner):
        return os.path.lexists(self.path(inner))

    def write(self, inner, data, mode=0o644, owner=None):
        data = data.encode() if isinstance(data, str) else data
        os.makedirs(os.path.dirname(self.path(inner)), exist_ok=True)
        with open(self.path(inner), "wb") as file:
            file.write(data)
        os.chmod(self.path(inner), mode)
        if owner:
            self.run("chown", f"{owner}:", inner, check=True)

    def append(self, inner, data):
        with open(self.path(inner), "ab") as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def in_spite_of_the_guard(self, inner, act):
        """Does act(path) to a file that a guard keeps append-only, as root by hand: the flag is taken off and the act follows
        at once, again until the guard is not the quicker one (a chattr and a mv are two programs: it always may be)."""
        path = self.path(inner)
        until = time.monotonic() + DEADLINE
        while True:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                flags = struct.unpack("l", fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(8)))[0]
                fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("l", flags & ~FS_APPEND_FL))
                return act(path)
            except PermissionError:
                if time.monotonic() > until:
                    raise
            finally:
                os.close(fd)

    # -- opelog and users

    def _install(self):
        stage = os.environ.get("OPELOG_STAGE")
        if not stage:
            build = os.environ.get("OPELOG_BUILD")
            if not build:
                raise SandboxError("set OPELOG_BUILD to a build directory or OPELOG_STAGE to an installed tree")
            stage = os.path.join(self.base, "stage")
            subprocess.run(["cmake", "--install", build], env={**os.environ, "DESTDIR": stage}, check=True,
                           stdout=subprocess.DEVNULL)
        # A pipe, because neither side sees the other's paths; existing directories keep their own modes. By name and never
        # ".": "/" is the machine's own, and tar would make it 0700 while it extracts.
        pack = subprocess.Popen(["tar", "-C", stage, "--owner=0", "--group=0", "-cf", "-", *sorted(os.listdir(stage))],
                                stdout=subprocess.PIPE)
        subprocess.run(self._argv(["tar", "-C", "/", "--no-overwrite-dir", "-xf", "-"], None), stdin=pack.stdout,
                       env=self._env(None, None), check=True)
        pack.stdout.close()
        if pack.wait():
            raise SandboxError(f"cannot pack {stage}")
        self.run("/usr/lib/opelog/opelog-setup", check=True)
        # The mount point was there before, so the set-up left it as it is.
        self.sh(f"chown root:opelog-audit {LOG_DIR}; chmod 750 {LOG_DIR}", check=True)

    def add_user(self, name, uid, shell="/bin/bash", groups=()):
        extra = ["-G", ",".join(groups)] if groups else []
        # A locked password ("!") would make sshd without PAM refuse the account; "*" does not.
        self.run("useradd", "--badname", "-m", "-U", "-u", str(uid), "-s", shell, "-p", "*", *extra, name, check=True)
        home = f"/home/{name}"
        self.write(f"{home}/.ssh/authorized_keys", self.read("/root/key.pub"), 0o600)
        self.write(f"{home}/.hushlogin", b"")
        self.write(f"{home}/.inputrc", "set enable-bracketed-paste off\n")
        self.run("chown", "-R", f"{name}:{name}", home, check=True)

    def set_shell(self, user, shell):
        """The login shell in passwd, as `chsh` by root."""
        self.run("usermod", "-s", shell, user, check=True)

    def enroll(self, *users, shell="/bin/bash"):
        """Makes opelog-shell the login shell of users (default: all of them), as `opelog enroll` would. Before the daemon
        starts, or follow it with daemon.hup()."""
        for user in users or self.users:
            self.append("/etc/opelog/enrolled", f"{user}:{shell}\n")
            self.set_shell(user, "/usr/bin/opelog-shell")

    def start_daemon(self, policy=POLICY, argv=("/usr/sbin/opelogd",), env=None, ready=True):
        """Writes the policy (None: leaves the file) and starts opelogd; returns when it is ready."""
        if policy is not None:
            self.write("/etc/opelog/opelog.yaml", policy)
        if argv[0] == "/usr/sbin/opelogd" and os.environ.get("OPELOG_TEST_BOUNDS"):
            argv = unit_bounds.opelogd_in_bounds(self, argv)
        daemon = Daemon(self, list(argv), env)
        self.daemons.append(daemon)
        return daemon.wait_ready() if ready else daemon

    def hold_sockets(self):
        """The daemon's sockets are the manager's from now on, as those of socket units are. Before the first daemon."""
        self.manager = self.manager or Manager(self.exchange, self.keeps_sessions)
        self.sh("mkdir -p /run/opelog", check=True)
        for name, group in (("login", "opelog"), ("control", "opelog-audit")):
            held = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
            held.bind(self.path(f"/run/opelog/{name}.sock"))
            held.listen(1024)
            held.setblocking(False)
            self.sh(f"chgrp {group} /run/opelog/{name}.sock; chmod 660 /run/opelog/{name}.sock", check=True)
            self.manager.listeners[name] = held.detach()

    @property
    def daemon(self):
        return self.daemons[-1]

    def opelog(self, *args, **options):
        return self.run("opelog", *args, **options)

    # -- ssh

    def start_sshd(self, *options, pam=False):
        """sshd on port 22 of the host, with extra configuration lines in front (the first value wins in sshd)."""
        if not self.exists("/etc/ssh/opelogtest_key"):
            self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/opelogtest_key", check=True)
            key = b" ".join(self.read("/etc/ssh/opelogtest_key.pub").split()[:2])
            self.write("/root/known_hosts", b"127.0.0.1,::1,localhost " + key + b"\n", 0o600)
        lines = [o for o in options if not o.startswith("Match")]
        match = [o for o in options if o.startswith("Match")]
        self.write("/etc/ssh/opelogtest_config", "\n".join([
            *lines, "Port 22", "ListenAddress 0.0.0.0", "ListenAddress ::", "HostKey /etc/ssh/opelogtest_key",
            f"UsePAM {'yes' if pam else 'no'}", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
            "PrintMotd no", "PrintLastLog no", "UseDNS no", "AcceptEnv LANG LC_*", "MaxStartups 1000:30:2000",
            "MaxSessions 100", "PidFile none",
            *(() if any(o.startswith("Subsystem sftp ") for o in lines)  # sshd takes no second one
              else ["Subsystem sftp /usr/lib/openssh/sftp-server"]), *match, ""]))
        with open(os.path.join(self.exchange, "sshd.log"), "ab") as log:
            self.sshd = self.popen("/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/opelogtest_config",
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def listening():
            if not self.sshd.running():
                raise AssertionError(f"sshd ended: {self.sshd_log()}")
            tables = self.read("/proc/1/net/tcp") + self.read("/proc/1/net/tcp6")
            return len(re.findall(rb":0016 [0:]+ 0A ", tables)) == 2
        wait_until(listening, "sshd listening")

    def restart_sshd(self, *options, pam=False):
        """Running connections stay, as with a real restart."""
        self.sshd.signal(signal.SIGTERM)
        self.sshd.wait()
        self.start_sshd(*options, pam=pam)

    def sshd_log(self):
        with open(os.path.join(self.exchange, "sshd.log"), "rb") as file:
            return file.read().decode("utf-8", "backslashreplace")

    def ssh_options(self, *options):
        """The -o… part, for ssh, scp and sftp alike. Quiet, so that nothing but the session's bytes arrives."""
        words = ["-F", "none", "-i", "/root/key"]
        for option in (*options, "IdentitiesOnly=yes", "BatchMode=yes", "UserKnownHostsFile=/root/known_hosts",
                       "StrictHostKeyChecking=yes", "LogLevel=ERROR", "CheckHostIP=no", "ConnectTimeout=20"):
            words += ["-o", option]
        return words

    def ssh_argv(self, user, *command, address="127.0.0.1", source=None, tty=False, options=()):
        argv = ["ssh", *self.ssh_options(*options)]
        argv += ["-b", source] if source else []
        argv += ["-tt"] if tty else []
        return [*argv, "-l", user, address, *command]

    def ssh(self, user, *command, address="127.0.0.1", source=None, tty=False, options=(), input=b"", env=None,
            timeout=None):
        """Logs in, runs the command, returns Done. With tty=True the far end has a terminal."""
        return self.run(*self.ssh_argv(user, *command, address=address, source=source, tty=tty, options=options),
                        input=input, env=env, timeout=timeout)

    def ssh_pty(self, user, *command, address="127.0.0.1", source=None, options=(), env=None, rows=24, cols=80):
        """An interactive login on a real terminal."""
        return self.terminal(*self.ssh_argv(user, *command, address=address, source=source, tty=True, options=options),
                             env=env, rows=rows, cols=cols)

    # -- recordings

    @property
    def log_dir(self):
        return self.path(LOG_DIR)

    def recordings(self, user=None, directory=LOG_DIR):
        """All recordings, oldest first by the time in their names; of one user where given."""
        folder = self.path(directory)
        names = [name[:-5] for name in os.listdir(folder) if name.endswith(".time")]
        if user is not None:
            names = [name for name in names if name.startswith(self.name_part(user) + "_")]

        def age(name):
            match = re.search(r"_(\d{14})_.*?(?:-(\d+))?$", name)
            return (match[1], int(match[2] or 1), name) if match else ("", 0, name)
        return [Recording(folder, name) for name in sorted(names, key=age)]

    @staticmethod
    def name_part(text):
        """A user or client as it stands in a file name: all but letters, digits and .:@+- percent-encoded."""
        out = "".join(chr(b) if re.match(rb"[A-Za-z0-9.:@+-]", bytes([b])) else f"%{b:02X}" for b in text.encode())
        return re.sub(r"^[.-]", lambda m: f"%{ord(m[0]):02X}", out) or "UNKNOWN"

    def wait_recordings(self, count, user=None, ended=True, deadline=None):
        """Waits until there are `count` recordings (with an end, unless ended=False) and returns them."""
        def there():
            found = self.recordings(user)
            if len(found) > count:
                raise AssertionError(f"{len(found)} recordings instead of {count}: {found}")
            return found if len(found) == count and (not ended or all(r.ended() for r in found)) else None
        return wait_until(there, f"{count} recordings{' with an end' if ended else ''}", deadline)


def run_file():
    """`if __name__ == "__main__": sandbox.run_file()` of a test file."""
    require_sandbox()
    unittest.main(verbosity=2)


if __name__ == "__main__" and len(sys.argv) == 5 and sys.argv[1] == "--keep":
    _keep(sys.argv[2], sys.argv[3] == "1", int(sys.argv[4]))
