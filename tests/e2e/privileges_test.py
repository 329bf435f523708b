"""The bounds of units/opelogd.service are enough: its capabilities, each of which is needed, and its filter of system calls."""

import errno
import json
import sys

import sandbox
import unit_bounds
from scene import Scene


class Privileges(Scene):
    """One host; the daemon is started anew with other capabilities for each look."""

    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.enroll()
        cls.host.write("/etc/opelog/opelog.yaml", sandbox.POLICY + "guard: { directories: [{ path: /var/log/ope_log/theirs }] }\n")
        cls.host.sh(f"cd {sandbox.LOG_DIR}; mkdir -m 1777 theirs; chmod 755 .", check=True)
        cls.host.start_sshd()

    def all_works(self):
        """Everything that needs a privilege, one by one: {what: whether it works}."""
        works = {}
        term = self.host.ssh_pty("opelogtest-a")
        try:
            term.expect(sandbox.PROMPT, 5)
            term.send("exit 37\r")
            works["terminal"] = term.wait(5) == 37
        except AssertionError:
            works["terminal"] = False
        term.close()
        done = self.host.ssh("opelogtest-b", "echo out; echo err >&2; exit 9", source="127.0.0.9")
        works["command"] = tuple(done) == (9, b"out\n", b"err\n")
        new = [r for r in self.host.recordings() if r.name not in self.seen]
        works["client"] = any(r.name.endswith("_127.0.0.9") for r in new)
        works["append-only"] = bool(new) and all(
            b"a" in self.host.sh(f"lsattr {sandbox.LOG_DIR}/{r.name}.time").out.split()[0] for r in new)
        works["executed"] = any(b" OPELOG_EXEC " in r.time for r in new)
        name = f"{sandbox.LOG_DIR}/theirs/{len(self.host.daemons)}"
        self.host.sh(f"umask 077; echo secret > {name}", user="opelogtest-none", check=True)
        try:
            sandbox.wait_until(lambda: b"a" in self.host.sh(f"lsattr {name}").out.split()[0], "guarded", 3)
            works["guard"] = True
        except AssertionError:
            works["guard"] = False
        works["kill"] = self.kill_works()
        return works

    def kill_works(self):
        """A session whose shell does not care and whose waiter its user has stopped must end nevertheless."""
        term = self.host.ssh_pty("opelogtest-a")
        try:
            term.expect(sandbox.PROMPT, 5)
            term.send("trap '' HUP TERM; kill -STOP $PPID; echo stubborn $$; exec sleep 1000\r")
            pid = term.expect(r"\nstubborn (\d+)", 5)[1].decode()
            [live] = [r for r in self.host.recordings() if not r.ended() and r.name not in self.seen]
            self.host.run("opelog", "kill", live.name)
            # Dead is enough: its parent, the stopped waiter, is ended later.
            sandbox.wait_until(lambda: self.host.sh(f"ps -o stat= -p {pid} | grep -v Z").out == b"", "the shell is gone", 8)
            return True
        except (AssertionError, ValueError):
            return False
        finally:
            term.close()

    def look(self, capabilities):
        return self.look_with(unit_bounds.with_capabilities(capabilities, "/usr/sbin/opelogd"))

    def look_with(self, argv):
        self.setUp()
        try:
            daemon = self.host.start_daemon(policy=None, argv=argv)
        except AssertionError:
            return {"start": False}
        try:
            return self.all_works()
        finally:
            daemon.stop()

    def test_those_of_the_unit_are_enough(self):
        """With its filter, without a network: what systemd would add are devices and mounts."""
        works = self.look_with(unit_bounds.opelogd_in_bounds(self.host))
        self.assertEqual([what for what, ok in works.items() if not ok], [], self.host.daemon.log())

    def test_each_is_needed(self):
        for name in unit_bounds.capabilities():
            with self.subTest(without=name):
                works = self.look([other for other in unit_bounds.capabilities() if other != name])
                lost = [what for what, ok in works.items() if not ok]
                print(f"without {name}: lost {', '.join(lost) or 'nothing'}", file=sys.stderr)
                self.assertTrue(lost, f"{name} is not needed")

    # Calls that a daemon taken over would like to make, and arguments that the kernel answers with another error than EPERM.
    REFUSED = {"mount": 165, "ptrace": 101, "process_vm_writev": 311, "io_uring_setup": 425, "setns": 308, "unshare": 272, "keyctl": 250,
               "init_module": 175, "perf_event_open": 298, "mknod": 133, "setuid": 105, "shmget": 29, "settimeofday": 164, "swapon": 167,
               "open_by_handle_at": 304, "userfaultfd": 323, "kexec_load": 246, "chroot": 161}
    ASKS = """\
import ctypes, json, sys
call = ctypes.CDLL(None, use_errno=True).syscall
said = {}
for name, number in json.loads(sys.argv[1]).items():
    ctypes.set_errno(0)
    said[name] = ctypes.get_errno() if call(number, -1, -1, -1, -1, -1, -1) < 0 else 0
print(json.dumps(said))
"""

    def test_what_is_outside_the_filter_is_refused(self):
        ask = ("/usr/bin/python3", "-I", "-c", self.ASKS, json.dumps(self.REFUSED))
        within = self.host.run(*unit_bounds.opelogd_in_bounds(self.host, ask), check=True)
        self.assertEqual(json.loads(within.out), {name: errno.EPERM for name in self.REFUSED})
        wider = [*unit_bounds.allowed_calls(), *self.REFUSED]
        beyond = self.host.run(*unit_bounds.opelogd_in_bounds(self.host, ask, wider), check=True)
        # It is the filter that says so: without it the kernel finds fault with the arguments.
        self.assertGreater(len([name for name, error in json.loads(beyond.out).items() if error != errno.EPERM]), len(self.REFUSED) / 2)


if __name__ == "__main__":
    sandbox.run_file()
