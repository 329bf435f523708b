"""A whole Debian machine for the host tests: systemd as PID 1, sshd, logind, journald, an ext4 disk and a loopback of its own.

Machine copies the image (image.py), boots the copy by systemd-nspawn and takes everything away again when it is closed, or when
the test process dies in whatever way: a keeper holds the machine in mount and pid namespaces that end with it. Of the real machine
nothing is touched but a control group for as long as it runs.

Machine is a sandbox.Host whose programs, users and sshd are those of the booted system: run, sh, read, write, ssh, ssh_pty,
recordings, … are as there. The ssh client is this machine's, in the network of the booted one.

    with Machine() as m:
        m.boot()                          m.reboot()  m.power_off()   in order
        m.ssh("carol", "sudo id")         m.kill()       every process at once; what was written stays
                                          m.power_cut()  … and what had not reached the disk is lost
"""

import ctypes
import fcntl
import os
import queue
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import sandbox  # noqa: E402
import image  # noqa: E402
from image import say  # noqa: E402

# --- the keeper ---------------------------------------------------------------------------------------------------

def _keep(base, name):
    """Outlives the test process, and cleans up when the machine has ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    inside = os.fork()
    if inside == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
        if libc.unshare(sandbox.CLONE_NEWNS | sandbox.CLONE_NEWPID) or libc.mount(b"none", b"/", None, sandbox.MS_REC | sandbox.MS_PRIVATE, None):
            print(f"error {os.strerror(ctypes.get_errno())}", flush=True)
            os._exit(1)
        first = os.fork()
        if first == 0:
            libc.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
            try:
                _serve(base, name)
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"error {error}", flush=True)
            os._exit(0)
        os.waitpid(first, 0)  # with it every process of the machine ends
        os._exit(0)
    os.close(0)
    os.waitpid(inside, 0)
    _remove_groups(name)
    shutil.rmtree(base, ignore_errors=True)


def _remove_groups(name):
    for group in image.groups_of(name):
        for _ in range(200):  # its last processes may be on their way out
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
            if not os.path.isdir(group):
                break
            time.sleep(0.05)


def _serve(base, name):
    """PID 1 of the keeper's namespace. Each line of stdin is a boot; answers `up` and, when it is over, `down`."""
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    os.makedirs(f"{base}/root")
    os.chdir(base)
    # What nspawn leaves in /run is not this machine's concern. It finds no service manager there, and needs none.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run"], check=True)
    orders = queue.Queue()

    def listen():
        while sys.stdin.readline():
            orders.put(None)
        os._exit(0)  # nobody is there any more: the machine ends with this process
    threading.Thread(target=listen, daemon=True).start()
    while True:
        orders.get()
        subprocess.run(["mount", "-o", "loop", "disk", "root"], check=True)

        def enter_groups():
            for group in image.groups_of(name):
                os.makedirs(group, exist_ok=True)
                with open(os.path.join(group, "cgroup.procs"), "w") as file:
                    file.write("0")
        with open("console.log", "ab") as console:
            nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--settings=no", "--register=no", "--keep-unit", "--boot", f"--machine={name}",
                 f"--directory={base}/root", "--private-network", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                 "--console=pipe"],
                # Its filter of system calls is left to the units inside, or there would be no bpf.
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_SECCOMP": "0"},
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=enter_groups)
        print("up", flush=True)
        rc = nspawn.wait()
        while True:  # what else the namespace holds is the machine's, and dead or dying
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        for _ in range(100):
            if subprocess.run(["umount", "root"], capture_output=True).returncode == 0:
                break
            time.sleep(0.05)
        print(f"down {rc}", flush=True)


# --- the machine --------------------------------------------------------------------------------------------------

class Client(sandbox.Process):
    """A program of the real machine in the network of the booted one."""

    @property
    def pid(self):
        return self.popen.pid


class Machine(sandbox.Host):
    def __init__(self):
        self.users = dict(image.USERS)
        self.daemons, self._terminals, self._processes, self._keeper = [], [], [], None
        disk = image.image_path(image.package())
        if not os.path.exists(disk):
            raise image.NotHere("no image: run `host_test.py --image` first")
        self.base = tempfile.mkdtemp(prefix="run.", dir=image.STORE)
        os.chmod(self.base, 0o700)
        self.name = "opelog-host-" + os.urandom(4).hex()
        self.pid1 = None
        try:
            subprocess.run(["cp", "--sparse=always", disk, f"{self.base}/disk"], check=True)
            shutil.copy(image.key_of(disk), f"{self.base}/key")
            os.chmod(f"{self.base}/key", 0o600)
            self._keeper = subprocess.Popen([sys.executable, "-B", os.path.abspath(__file__), "--keep", self.base, self.name],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        except BaseException:
            self.close()
            raise

    # -- power

    def boot(self):
        """Returns when the boot is over."""
        begin = time.monotonic()
        self._keeper.stdin.write(b"boot\n")
        self._keeper.stdin.flush()
        self._told("up")
        # Its root is switched some steps after it is there.
        self.pid1 = sandbox.wait_until(self._first, "PID 1 of the machine" + self.console())
        state = sandbox.wait_until(self._booted, "the end of the boot")
        say(f"  booted: {state}, {time.monotonic() - begin:.1f} s")
        return self

    def _told(self, word):
        line = self._keeper.stdout.readline().decode().strip()
        if line.split(" ")[0] != word:
            raise sandbox.SandboxError(f"{line or 'the keeper ended'}{self.console()}")
        return line

    def console(self):
        path = f"{self.base}/console.log"
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as file:
            return "\n--- console\n" + file.read()[-2000:]

    def _first(self):
        """Below keeper and nspawn the process that is 1 in a namespace of its own; as this process numbers it."""
        waiting = [(self._keeper.pid, 0)]
        while waiting:
            pid, depth = waiting.pop()
            try:
                with open(f"/proc/{pid}/status") as file:
                    numbers = re.search(r"(?m)^NSpid:\s+(.*)$", file.read())[1].split()
                with open(f"/proc/{pid}/comm") as file:
                    comm = file.read().strip()
                if depth and numbers[-1] == "1" and comm == "systemd":
                    return pid
                with open(f"/proc/{pid}/task/{pid}/children") as file:
                    waiting += [(int(child), depth + 1) for child in file.read().split()]
            except (OSError, TypeError):
                continue
        return None

    def _booted(self):
        state = self.run("systemctl", "is-system-running").text.strip()
        return state if state in ("running", "degraded") else None

    def _wait_down(self):
        self._told("down")
        self.pid1 = None

    def power_off(self):
        self.run("systemctl", "poweroff")
        self._wait_down()

    def reboot(self):
        self.run("systemctl", "reboot")
        self._wait_down()
        return self.boot()

    def kill(self):
        """Every process at once, as by an error of the kernel; what was written reaches the disk."""
        os.kill(self.pid1, signal.SIGKILL)
        self._wait_down()

    def power_cut(self):
        """From this moment on nothing reaches the disk: EXT4_IOC_SHUTDOWN without writing the log."""
        root = os.open(self.path("/"), os.O_RDONLY)
        try:
            fcntl.ioctl(root, 0x8004587D, struct.pack("I", 2))
        finally:
            os.close(root)
        self.kill()

    def close(self):
        for terminal in self._terminals:
            terminal.hang_up()
        if self._keeper:
            self._keeper.stdin.close()
            self._keeper.stdout.close()
            try:
                self._keeper.wait(60)
            finally:
                self._keeper = None
                for popen in self._processes:
                    try:
                        popen.wait(10)
                    except subprocess.TimeoutExpired:
                        popen.kill()
                        popen.wait(10)
        else:
            shutil.rmtree(self.base, ignore_errors=True)

    # -- programs of the machine

    def _argv(self, argv, user):
        if self.pid1 is None:
            raise sandbox.SandboxError("the machine is off")
        enter = ["nsenter", "-t", str(self.pid1), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"]
        if user:
            enter += ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"]
        return enter + list(argv)

    def put(self, source, inner, mode=0o644):
        """A file of this machine into the booted one."""
        with open(source, "rb") as file:
            self.write(inner, file.read(), mode)

    def show(self, unit, *properties):
        """{property: value} of a unit."""
        done = self.run("systemctl", "show", unit, *(f"-p{p}" for p in properties), check=True)
        return dict(line.split("=", 1) for line in done.text.splitlines())

    def journal(self, *words):
        return self.run("journalctl", "--no-pager", "-o", "cat", *words).text

    # -- the operator's side: this machine's clients in the network of the booted one

    def outside(self, argv, **options):
        popen = subprocess.Popen(["nsenter", f"--net=/proc/{self.pid1}/ns/net", "--", *argv], cwd=self.base, **options)
        self._processes.append(popen)
        return Client(self, popen, argv)

    def client(self, *argv, input=b"", env=None, timeout=None):
        """Runs scp, sftp, rsync, git, … to its end."""
        process = self.outside(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
        try:
            out, err = process.popen.communicate(input, timeout or sandbox.DEADLINE)
        except subprocess.TimeoutExpired:
            process.popen.kill()
            raise
        return sandbox.Done(argv, process.popen.returncode, out, err)

    def ssh_options(self, *options):
        words = ["-F", "none", "-i", f"{self.base}/key"]
        for option in (*options, "IdentitiesOnly=yes", "BatchMode=yes", "UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no",
                       "LogLevel=ERROR", "ConnectTimeout=20"):
            words += ["-o", option]
        return words

    def ssh(self, user, *command, address="127.0.0.1", source=None, tty=False, options=(), input=b"", env=None, timeout=None):
        return self.client(*self.ssh_argv(user, *command, address=address, source=source, tty=tty, options=options),
                           input=input, env=env, timeout=timeout)

    def ssh_pty(self, user, *command, address="127.0.0.1", source=None, options=(), env=None, rows=24, cols=80):
        argv = self.ssh_argv(user, *command, address=address, source=source, tty=True, options=options)
        terminal = sandbox.Terminal(lambda **fds: self.outside(argv, env={**os.environ, "TERM": "xterm", **(env or {})}, **fds), rows, cols)
        self._terminals.append(terminal)
        return terminal


if __name__ == "__main__" and len(sys.argv) == 4 and sys.argv[1] == "--keep":
    _keep(sys.argv[2], sys.argv[3])
