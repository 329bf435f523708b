"""The capabilities in units/opelogd.service are enough, and each of them is needed."""

import os
import re
import sys

import sandbox
from scene import Scene

UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "units", "opelogd.service")


def of_the_unit():
    with open(UNIT) as file:
        line = re.search(r"^CapabilityBoundingSet=(.*)$", file.read(), re.M)[1]
    return [word[4:].lower() for word in line.split()]


def opelogd_with(capabilities):
    kept = ",".join("+" + name for name in capabilities)
    return ("setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{kept}", "/usr/sbin/opelogd")


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
        self.setUp()
        try:
            daemon = self.host.start_daemon(policy=None, argv=opelogd_with(capabilities))
        except AssertionError:
            return {"start": False}
        try:
            return self.all_works()
        finally:
            daemon.stop()

    def test_those_of_the_unit_are_enough(self):
        works = self.look(of_the_unit())
        self.assertEqual([what for what, ok in works.items() if not ok], [], self.host.daemon.log())

    def test_each_is_needed(self):
        for name in of_the_unit():
            with self.subTest(without=name):
                works = self.look([other for other in of_the_unit() if other != name])
                lost = [what for what, ok in works.items() if not ok]
                print(f"without {name}: lost {', '.join(lost) or 'nothing'}", file=sys.stderr)
                self.assertTrue(lost, f"{name} is not needed")


if __name__ == "__main__":
    sandbox.run_file()
