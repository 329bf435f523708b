#!/usr/bin/env python3
"""What README and docs promise, on a whole Debian machine: the package installed, systemd as PID 1, operators over real sshd.

    host_test.py --image          builds the package and, the first time, the machine's disk (some minutes)
    host_test.py [Class[.test]]   everything else; `./check --host` runs both

Each class has a machine of its own, its tests go one after the other by their names.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import image  # noqa: E402
import machine  # noqa: E402
import sandbox  # noqa: E402
import scene  # noqa: E402
import threats_escape_test  # noqa: E402
from sandbox import LOG_DIR, PROMPT, wait_until  # noqa: E402

UNITS = ["opelog-index.timer", "opelog-retain.timer", "opelogd-control.socket", "opelogd.service", "opelogd.socket"]
SHIM = "/usr/bin/opelog-shell"
ENROLLED = ["alice", "gina", "hugo", "opc"]  # all that the shipped policy names


def fenced(file, heading, number=0):
    """The lines of a fenced block of a document, by the heading above it, without comments."""
    with open(os.path.join(image.SOURCE, file)) as text:
        part = re.split(rf"(?m)^#+ {re.escape(heading)}$", text.read())[1]
    block = re.findall(r"(?ms)^ *```\w*\n(.*?)^ *```", re.split(r"(?m)^#+ (?![^`]*`{3})", part)[0] if number == 0 else part)[number]
    lines = [re.sub(r"\s+# .*", "", line).strip() for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


class OnAMachine(scene.Scene):
    """A machine that was just booted; nothing of opelog is there."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.host = machine.Machine()
        cls.addClassCleanup(cls.host.close)
        cls.host.boot()
        cls.prepare()

    def setUp(self):
        self.seen = {r.name for r in self.host.recordings()} if self.host.exists(LOG_DIR) else set()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before and self.host.pid1:
            print(f"--- the machine's journal after {self.id()}\n{self.host.journal('-n', '60')}---", file=sys.stderr)

    # ---- steps that several tests take

    @classmethod
    def install(cls, deb=None, *options):
        cls.host.put(deb or image.package(), "/root/opelog.deb")
        return cls.host.run("apt-get", "-y", "-q", *options, "install", "/root/opelog.deb", check=True, timeout=120,
                            env={"DEBIAN_FRONTEND": "noninteractive"})

    def newer(self):
        """The package as a new revision of itself."""
        folder = tempfile.mkdtemp(dir=self.host.base)
        return image.newer_package(image.package(), folder)

    @staticmethod
    def shells(host):
        return {u.split(":")[0]: u.split(":")[6] for u in host.read("/etc/passwd").decode().split("\n") if u}

    def sessions(self, *words):
        return json.loads(self.host.opelog("ls", "--json", *words, check=True).out)

    def session(self, recording):
        [found] = [s for s in self.sessions() if s["name"] == recording.name]
        return found

    def lines(self, term, *lines):
        for line in lines:
            term.send(line + "\r")
            term.expect(PROMPT.replace(r"\$", "[$#]"))

    def flagged(self, path):
        return "a" in self.host.run("lsattr", "-d", path, check=True).text.split()[0]

    def assert_intact(self):
        """Nothing on this machine is altered, cut or gone."""
        self.wait_signed()
        rc, verdict = self.verify()
        self.assertEqual(verdict["ledger"]["integrity"], "intact", verdict["ledger"])
        wrong = [s for s in verdict["sessions"] if s["integrity"] != "intact" or s["completeness"] not in ("complete", "incomplete")]
        self.assertEqual((wrong, rc in (0, 1)), ([], True), rc)
        return verdict


class Installed(OnAMachine):
    """The package is installed, those whom the policy names are enrolled, the key is pinned."""

    enrolled = ENROLLED

    @classmethod
    def prepare(cls):
        cls.install()
        for user in cls.enrolled:
            cls.host.opelog("enroll", user, check=True)
        cls.host.run("usermod", "-aG", "opelog-audit", "dora", check=True)
        shown = json.loads(cls.host.opelog("key", "show", "--json", check=True).out)
        cls.host.opelog("key", "pin", "--file", "/etc/opelog/pins", shown["pin"], check=True)


class Package(OnAMachine):
    """README's installation as it stands there, upgrade, removal, purge."""

    def test_1_readme_installs_and_nobody_is_recorded_yet(self):
        lines = fenced("README.md", "Install")
        [install] = [line for line in lines if "apt install" in line]
        self.host.run("install", "-d", "-o", "carol", "/home/carol/build", "/home/carol/build/release", check=True)
        self.host.put(image.package(), "/home/carol/build/release/" + os.path.basename(image.package()))
        before = self.host.read("/etc/passwd")
        done = self.host.ssh("carol", install, timeout=120)
        self.assertEqual(done.rc, 0, done)
        enabled = self.host.sh("systemctl list-unit-files --state=enabled --no-legend 'opelog*' | awk '{print $1}' | sort").text.split()
        self.assertEqual(enabled, UNITS)
        for unit in UNITS:
            self.assertEqual(self.host.show(unit, "ActiveState")["ActiveState"], "active", unit)
        added = self.host.read("/etc/passwd").replace(before, b"").decode()
        self.assertRegex(added, r"\Aopelog-index:[^\n]*:/usr/sbin/nologin\n\Z")
        for group in ("opelog", "opelog-audit", "opelog-breakglass"):
            self.assertRegex(self.host.run("getent", "group", group, check=True).text, r":\n\Z")  # nobody is in it
        modes = self.host.sh("stat -c '%A %U:%G %n' /usr/bin/opelog-shell /usr/lib/opelog/opelog-waiter /var/log/ope_log "
                             "/var/log/opelog-ledger /var/lib/opelog /run/opelog/login.sock /run/opelog/control.sock", check=True).text
        self.assertEqual(modes, textwrap.dedent("""\
            -rwx--s--x root:opelog /usr/bin/opelog-shell
            -rwx--x--x root:root /usr/lib/opelog/opelog-waiter
            drwxr-x--- root:opelog-audit /var/log/ope_log
            drwxr-x--- root:opelog-audit /var/log/opelog-ledger
            drwx--x--- root:opelog /var/lib/opelog
            srw-rw---- root:opelog /run/opelog/login.sock
            srw-rw---- root:opelog-audit /run/opelog/control.sock
            """))
        self.assertEqual(self.host.run("dpkg", "--verify", "opelog").out, b"")
        self.assertNotIn(SHIM, self.shells(self.host).values())
        # Nobody passes opelog-shell; but alice is one whom the policy names, and so what she executes is noticed after a while.
        self.assertEqual(self.host.ssh("alice", "sleep 4; exit 7").rc, 7)
        found = wait_until(lambda: [s for s in self.sessions() if s["end_reason"]], "what she executed")
        self.assertEqual({(s["user"], s["how"], s["log_bytes"] < 200) for s in found}, {("alice", "unrecorded", True)})
        wait_until(lambda: b"alice" not in self.host.opelog("ls", "--live").out, "its end")

    def test_2_readme_enrols_and_reads(self):
        lines = fenced("README.md", "Install")
        [enroll], [doctor] = ([line for line in lines if line.startswith("sudo opelog " + word)] for word in ("enroll", "doctor"))
        self.assertEqual(self.host.ssh("carol", enroll).rc, 0)
        self.assertEqual(self.shells(self.host)["alice"], SHIM)
        self.assertEqual(self.host.read("/etc/opelog/enrolled").decode().splitlines()[-1], "alice:/bin/bash")
        done = self.host.ssh("carol", doctor)
        self.assertEqual(done.rc, 1, done)
        self.assertRegex(done.text, r"(?s)the policy names users who are not enrolled.*gina, hugo.*opelog enroll")
        term = self.log_in("alice")
        self.lines(term, "echo written for README", "sh -c 'exit 3'")
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        self.pin_key()
        self.wait_signed()
        told = {}
        for line in fenced("README.md", "Install", 1):
            if not line.startswith(("opelog rec", "opelog tail -f")):  # these wait for somebody
                line = line.replace("4f2a", self.session(recording)["id"][:12])
                line = re.sub(r"\bF\.", f"{LOG_DIR}/{recording.name}.", line)
                done = self.host.run("timeout", "60", "sh", "-c", line)
                self.assertEqual(done.rc, 0, (line, done))
                told[" ".join(line.split()[:2])] = done.text
        self.assertIn("alice", told["opelog ls"])
        self.assertRegex(told["opelog commands"], r"3 .*sh -c 'exit 3'")
        for word in ("opelog play", "opelog show", "scriptreplay --log-out"):
            self.assertIn("written for README", told[word], word)
        self.assertIn("sh -c 'exit 3'", told["opelog report"])
        self.assertRegex(told["opelog verify"], r"(?s)\Aintact .*: (\d+) intact, complete\n\Z")

    def test_3_the_same_package_over_itself(self):
        self.host.append("/etc/opelog/opelog.yaml", "# ours\n")
        before = self.host.show("opelogd.service", "MainPID")
        self.install(None, "--reinstall")
        self.assertNotEqual(self.host.show("opelogd.service", "MainPID"), before)
        self.assertTrue(self.host.read("/etc/opelog/opelog.yaml").endswith(b"# ours\n"))
        self.assertEqual(self.host.run("stat", "-c", "%a %G", SHIM).text, "2711 opelog\n")
        self.assertEqual(self.host.ssh("alice", "exit 8").rc, 8)
        [recording] = self.new_recordings()
        self.assertEqual(self.session(recording)["exit_code"], 8)
        self.pin_key()
        self.assert_intact()

    def test_3a_an_upgrade_that_would_end_sessions_waits(self):
        # What a version whose sessions lie otherwise in memory would tell the package.
        self.host.run("mkdir", "-p", "/root/other", check=True)
        self.host.write("/root/other/opelog", "#!/bin/sh\n/usr/bin/opelog \"$@\" | sed 's/\"kept_layout\": *[0-9]*/\"kept_layout\":99/'\n", 0o755)
        term = self.log_in("alice")
        before = self.host.show("opelogd.service", "MainPID")
        done = self.install(None, "--reinstall", "-o", "DPkg::Path=/root/other:/usr/sbin:/usr/bin:/sbin:/bin")
        self.assertIn("live recorded sessions that would end: 1; the new version runs after", done.text)
        self.assertEqual(self.host.show("opelogd.service", "MainPID"), before)
        self.lines(term, "echo still $((40+2))")
        self.assertEqual(self.log_out(term), 0)
        wait_until(lambda: json.loads(self.host.opelog("status", "--json").out)["sessions"] == 0, "the end of the session")
        self.install(None, "--reinstall")
        self.assertNotEqual(self.host.show("opelogd.service", "MainPID"), before)

    def test_4_an_upgrade_while_somebody_is_recorded(self):
        term = self.log_in("alice")
        [live] = self.new_recordings(ended=False)
        before = self.host.show("opelogd.service", "MainPID")
        self.install(self.newer())
        self.assertNotEqual(self.host.show("opelogd.service", "MainPID"), before)
        self.lines(term, "echo still $((40+2))")
        self.assertEqual(self.log_out(term, "exit 9"), 9)
        wait_until(live.ended, "its end")
        self.assertEqual(self.session(live)["end_reason"], "exit")
        self.assertIn(b'OPELOG_RESUMED {"how":"restart"', live.time)
        self.assert_replays(live, term.output)
        self.assertEqual(self.host.ssh("alice", "exit 10").rc, 10)

    def test_5_removal_refuses_where_it_would_cut_or_lock_out(self):
        def refused(why):
            done = self.host.run("apt-get", "-y", "-q", "remove", "opelog", timeout=120)
            self.assertNotEqual(done.rc, 0)
            self.assertIn(why, done.text + done.err.decode())
            self.assertEqual(self.shells(self.host)["alice"], SHIM)
            self.assertEqual(self.host.run("systemctl", "is-active", "opelogd.service").text, "active\n")
        term = self.log_in("alice")
        refused("live recorded sessions: 1")
        self.assertEqual(self.log_out(term, "exit 5"), 5)
        self.host.sh("cp /usr/share/doc/opelog/examples/ssh/60-opelog-force.conf /etc/ssh/sshd_config.d/", check=True)
        refused("60-opelog-force.conf runs opelog-shell as ForceCommand")
        self.host.run("rm", "/etc/ssh/sshd_config.d/60-opelog-force.conf", check=True)
        # Off as shipped; the next test sees that nothing of it is left.
        self.host.run("systemctl", "enable", "--now", "opelog-metrics.timer", check=True)
        self.assertEqual(self.host.ssh("alice", "exit 6").rc, 6)
        self.new_recordings(2)

    def test_6_removed_nobody_is_locked_out_and_recordings_stay(self):
        before = {r.name: r.payload() for r in self.host.recordings()}
        self.assertGreater(len(before), 4)
        self.host.run("apt-get", "-y", "-q", "remove", "opelog", check=True, timeout=120)
        self.assertEqual(self.shells(self.host)["alice"], "/bin/bash")
        self.assertEqual(self.host.ssh("alice", "exit 7").rc, 7)
        term = self.log_in("alice")
        self.assertEqual(self.log_out(term, "exit 4"), 4)
        self.assertEqual({r.name: r.payload() for r in self.host.recordings()}, before)
        self.assertTrue(all(self.flagged(f"{LOG_DIR}/{name}.log") for name in before))
        self.assertEqual(self.host.sh("find /etc/systemd /run/systemd/system /lib/systemd -name '*opelog*'; dpkg-statoverride --list | grep opelog").out, b"")
        self.assertEqual(self.host.sh("systemctl list-units --all --no-legend --plain 'opelog*'").out, b"")
        self.assertEqual(self.host.run("systemctl", "--failed", "--no-legend").out, b"")
        self.assertEqual(self.host.sh("pgrep -x opelogd").rc, 1)

    def test_7_installed_again_it_goes_on_with_ledger_and_recordings(self):
        before = {r.name for r in self.host.recordings()}
        self.install()
        self.assertEqual(self.host.sh("systemctl is-enabled " + " ".join(UNITS)).text, "enabled\n" * 5)
        self.host.opelog("enroll", "alice", check=True)
        self.assertEqual(self.host.ssh("alice", "exit 11").rc, 11)
        [new] = self.new_recordings()
        verdict = self.assert_intact()
        self.assertEqual({s["recording"] for s in verdict["sessions"]}, before | {new.name})

    def test_8_purged_only_recordings_ledger_and_groups_are_left(self):
        before = {r.name: r.payload() for r in self.host.recordings()}
        self.host.run("apt-get", "-y", "-q", "purge", "opelog", check=True, timeout=120)
        self.assertEqual(self.shells(self.host)["alice"], "/bin/bash")
        self.assertEqual(self.host.ssh("alice", "exit 7").rc, 7)
        self.assertEqual({r.name: r.payload() for r in self.host.recordings()}, before)
        left = self.host.sh("find / /run -xdev \\( -path /proc -o -path /home -o -path /root -o -path /sys \\) -prune -o -name '*opelog*' -print -o -name ope_log -print | "
                            "grep -v ^/var/log/journal | sort", check=True).text.split()
        self.assertEqual(left, ["/etc/opelog", "/var/lib/opelog", "/var/log/ope_log", "/var/log/opelog-ledger"])
        self.assertEqual(os.listdir(self.host.path("/etc/opelog")), ["pins"])
        self.assertEqual(os.listdir(self.host.path("/var/lib/opelog")), ["ledger.key"])  # the ledger can be gone on with


class Logins(Installed):
    """Each way into the machine is one recording, and every tool tells it right."""

    def only(self, **expected):
        """The one new recording, and what `opelog ls` says of it."""
        [recording] = self.new_recordings()
        told = self.session(recording)
        self.assertEqual({k: told[k] for k in expected}, expected)
        for end in (".log", ".time"):
            path = f"{LOG_DIR}/{recording.name}{end}"
            self.assertEqual(self.host.run("stat", "-c", "%A %U:%G", path, check=True).text, "-rw-r----- root:opelog-audit\n")
            self.assertTrue(self.flagged(path), path)
        return recording, told

    def executed(self, recording):
        """{argument list as text: (user, exit code)} of everything that ran in a session."""
        listed = json.loads(self.host.opelog("commands", "--json", "--all", recording.name, check=True).out)
        return {p["text"]: (p["user"], p.get("exit_code")) for c in listed for p in c["processes"]}

    def test_a_terminal(self):
        term = self.log_in("alice", source="127.0.0.9")
        self.lines(term, "echo one terminal", "ls /nowhere", "sh -c 'exit 3'")
        self.assertEqual(self.log_out(term, "exit 37"), 37)
        recording, told = self.only(user="alice", uid=5001, client="127.0.0.9", client_claimed=False, how="login", terminal=True,
                                    shell="/bin/bash", end_reason="exit", exit_code=37, state="ended", rows=24, cols=80)
        self.assertRegex(recording.name, r"\Aalice_\d{14}_127\.0\.0\.9\Z")
        self.assert_replays(recording, term.output)
        commands = json.loads(self.host.opelog("commands", "--json", recording.name, check=True).out)
        self.assertEqual([(c["text"], c.get("status")) for c in commands][:3],
                         [("echo one terminal", None), ("ls /nowhere", 2), ("sh -c 'exit 3'", 3)])
        self.assertRegex(self.host.opelog("show", "--text", recording.name, check=True).text, r"(?m)^alice@opeloghost:~\$ echo one terminal\none terminal$")
        reported = json.loads(self.host.opelog("report", "--json", "--status", "3", check=True).out)
        self.assertIn((recording.name, "alice", "sh -c 'exit 3'"), [(t["recording"], t["session_user"], t["text"]) for t in reported])
        journal = self.host.run("journalctl", "-u", "opelogd", "EVENT=session-end", "OPELOG_USER=alice", "-o", "cat", check=True).text
        self.assertIn(recording.name, journal)

    def test_b_command(self):
        done = self.host.ssh("alice", "cat; echo err >&2; sh -c 'exit 4'; exit 9", input=b"in\0\xff")
        self.assertEqual((done.rc, done.out, done.err), (9, b"in\0\xff", b"err\n"))
        recording, told = self.only(user="alice", how="command", terminal=False, exit_code=9)
        self.assertEqual((told["bytes_in"], told["bytes_out"], told["bytes_err"]), (4, 8, 4))  # out: of both
        self.assertIn("sh -c 'exit 4'", told["command"])
        self.assertEqual(self.executed(recording)["sh -c 'exit 4'"], ("alice", 4))

    def copied(self, *argv, **options):
        done = self.host.client(*argv, **options)
        self.assertEqual(done.rc, 0, done)

    def test_c_copies(self):
        data = os.urandom(300_000)
        there, back = "/home/alice/copied", os.path.join(self.host.base, "back")
        with open(os.path.join(self.host.base, "copied"), "wb") as file:
            file.write(data)
        ssh = self.host.ssh_options()
        shell = "ssh " + " ".join(ssh)
        ways = (("scp", ["scp", "-O", *ssh], "scp "), ("sftp", ["scp", "-s", *ssh], "/usr/lib/openssh/sftp-server"),
                ("rsync", ["rsync", "-e", shell], "rsync --server"))
        for name, argv, program in ways:
            for way, from_to in (("up", ["copied", "alice@127.0.0.1:"]), ("down", ["alice@127.0.0.1:copied", "back"])):
                with self.subTest(name=name, way=way):
                    self.setUp()
                    self.copied(*argv, *from_to)
                    recording, told = self.only(user="alice", terminal=False, exit_code=0)
                    self.assertGreater(told["bytes_in" if way == "up" else "bytes_out"], len(data) - 1)
                    self.assertTrue(any(text.startswith(program) for text in self.executed(recording)), (program, self.executed(recording)))
                    if way == "up":
                        self.assertEqual(self.host.read(there), data)
                        self.host.sh(f"chown alice: {there}", check=True)
                    else:
                        with open(back, "rb") as file:
                            self.assertEqual(file.read(), data)
                        os.unlink(back)
            self.host.run("rm", "-f", there, check=True)

    def test_d_git(self):
        self.host.run("sh", "-ec", "cd && git init -q project && cd project && echo kept > file && git add file && "
                      "git -c user.name=a -c user.email=a@b commit -qm one", user="alice", env={"HOME": "/home/alice"}, check=True)
        self.copied("git", "clone", "-q", "ssh://alice@127.0.0.1/home/alice/project", "clone",
                    env={"GIT_SSH_COMMAND": "ssh " + " ".join(self.host.ssh_options())})
        with open(os.path.join(self.host.base, "clone", "file")) as file:
            self.assertEqual(file.read(), "kept\n")
        recording, told = self.only(user="alice", terminal=False, exit_code=0)
        self.assertIn("git-upload-pack", told["command"])

    def test_e_channels_of_one_connection(self):
        # A path of a socket is short.
        folder = tempfile.mkdtemp(prefix="oh.", dir="/tmp")
        self.addCleanup(os.rmdir, folder)
        control = (f"ControlPath={folder}/c",)
        term = self.log_in("alice", options=("ControlMaster=yes", *control))
        [first] = self.new_recordings(ended=False)
        self.assertEqual(self.host.ssh("alice", "exit 12", options=control).rc, 12)
        second = self.host.ssh_pty("alice", options=control)
        second.expect(PROMPT)
        self.lines(second, "echo the second")
        self.assertEqual(self.log_out(second, "exit 13"), 13)
        self.assertEqual(self.log_out(term, "exit 14"), 14)
        recordings = self.new_recordings(3)
        told = [self.session(r) for r in recordings]
        self.assertEqual(sorted((t["how"], t["exit_code"]) for t in told), [("command", 12), ("login", 13), ("login", 14)])
        self.assertEqual(len({t["client_port"] for t in told}), 1)
        self.assert_replays(first, term.output)

    def test_f_root_inside(self):
        term = self.log_in("opc")
        term.send("sudo -i\r")
        term.expect(r"root@opeloghost:~# \Z")
        self.lines(term, "id -u", "touch /root/by-root")
        term.send("exit\r")
        term.expect(PROMPT)
        self.assertEqual(self.log_out(term), 0)
        recording, _ = self.only(user="opc", uid=1000, how="login")
        self.assert_replays(recording, term.output)
        self.assertEqual(self.executed(recording)["touch /root/by-root"], ("root", 0))

    def test_g_somebody_else_is_left_alone(self):
        term = self.log_in("bob")
        self.lines(term, "ps -o args= -p $PPID")
        self.assertRegex(term.output, rb"\rsshd: bob@pts/\d+\r\n")
        self.assertEqual(self.log_out(term, "exit 5"), 5)
        self.assertEqual(self.host.ssh("bob", "exit 6").rc, 6)
        self.new_recordings(0)

    def test_h_root_cannot_change_one_without_thaw(self):
        done = self.host.ssh("alice", "true")
        recording, _ = self.only(user="alice")
        path = f"{LOG_DIR}/{recording.name}.log"
        for attack in ("rm", "truncate -s 0", "mv -t /root", "sed -i s/a/b/"):
            done = self.host.sh(f"{attack} {path}")
            self.assertNotEqual(done.rc, 0, attack)
            self.assertIn(b"not permitted", done.err)
        for user in ("alice", "bob"):
            self.assertNotEqual(self.host.run("ls", LOG_DIR, user=user).rc, 0)

    def test_i_an_auditor_reads_without_root(self):
        for words in ("ls", "verify", "report", "search copied --scan", "status"):
            done = self.host.ssh("dora", "opelog " + words)
            self.assertEqual(done.rc, 0, (words, done))
        self.assertEqual(self.host.ssh("dora", "opelog reload").rc, 4)
        self.new_recordings(0)

    def test_j_the_index_by_its_service(self):
        self.host.run("systemctl", "start", "opelog-index.service", check=True)
        self.assertEqual(self.host.run("stat", "-c", "%U:%G", "/var/lib/opelog-index/index.db").text, "opelog-index:opelog-audit\n")
        hits = json.loads(self.host.opelog("search", "--json", "one terminal", check=True).out)
        scanned = json.loads(self.host.opelog("search", "--json", "--scan", "one terminal", check=True).out)
        self.assertEqual([(h["session"], h["kind"], h["line"]) for h in hits], [(h["session"], h["kind"], h["line"]) for h in scanned])
        self.assertEqual({h["user"] for h in hits}, {"alice"})
        done = self.host.ssh("dora", "opelog search 'one terminal'")
        self.assertEqual(done.rc, 0, done)

    def test_k_all_is_intact_and_in_order(self):
        verdict = self.assert_intact()
        self.assertEqual(len(verdict["sessions"]), len(self.host.recordings()))
        self.assertEqual({s["completeness"] for s in verdict["sessions"]}, {"complete"}, verdict)
        done = self.host.opelog("doctor")
        self.assertEqual(done.rc, 0, done)
        status = json.loads(self.host.opelog("status", "--json", check=True).out)
        self.assertEqual((status["sessions"], status["degraded"]), (0, []))

    def test_l_force_command(self):
        self.host.opelog("unenroll", "gina", check=True)
        # Not reload: that returns before the port is open again.
        self.host.sh("cp /usr/share/doc/opelog/examples/ssh/60-opelog-force.conf /etc/ssh/sshd_config.d/ && systemctl restart ssh", check=True)
        term = self.log_in("gina")
        self.lines(term, "echo forced")
        self.assertEqual(self.log_out(term, "exit 21"), 21)
        recording, _ = self.only(user="gina", how="force", terminal=True, exit_code=21)
        self.assert_replays(recording, term.output)
        self.setUp()
        self.assertEqual(self.host.ssh("gina", "exit 22").rc, 22)
        self.only(user="gina", how="force", terminal=False, exit_code=22)
        done = self.host.opelog("doctor")
        self.assertRegex(done.text, r"ForceCommand in \S+60-opelog-force.conf is weak alone")

    def test_m_profile_hook(self):
        self.host.opelog("unenroll", "hugo", check=True)
        self.host.sh("cp /usr/share/doc/opelog/examples/profile.d/opelog.sh /etc/profile.d/", check=True)
        term = self.log_in("hugo")
        self.lines(term, "echo hooked")
        self.assertEqual(self.log_out(term, "exit 23"), 23)
        recording, _ = self.only(user="hugo", how="hook", terminal=True, exit_code=23)
        self.assertTrue(term.output.endswith(recording.payload()))
        self.setUp()
        self.log_out(self.log_in("bob"))
        self.new_recordings(0)
        self.assertRegex(self.host.opelog("doctor").text, r"the hook /etc/profile\.d/opelog\.sh is weak")


class Service(Installed):
    """What systemd does to opelogd, and what a host goes through: reload, restart, reboot, crash, power cut, timers."""

    @classmethod
    def prepare(cls):
        # Each boot of a real host has an id of its own. In a container a hardened unit sees that of the machine around it.
        cls.host.write("/etc/systemd/system/boot-id.service", "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n[Service]\nType=oneshot\n"
                       "ExecStart=sh -c 'cat /proc/sys/kernel/random/boot_id > /run/boot-id'\n[Install]\nWantedBy=sysinit.target\n")
        cls.host.write("/etc/systemd/system/opelogd.service.d/boot-id.conf",
                       "[Service]\nBindReadOnlyPaths=/run/boot-id:/proc/sys/kernel/random/boot_id\n")
        cls.host.sh("systemctl daemon-reload && systemctl enable --now boot-id.service", check=True)
        super().prepare()

    def live(self, user="alice", word="live"):
        """A session that stands at its prompt, its recording, and what it has shown sealed."""
        self.seen = {r.name for r in self.host.recordings()}
        term = self.log_in(user)
        self.lines(term, f"echo {word} $((40+2))")
        [recording] = self.new_recordings(ended=False)
        wait_until(lambda: b" OPELOG_SEAL " in recording.time or None, "its first seal")
        return term, recording.name

    def ended(self, name, *reasons):
        """After the end, told in the same way by the recording, the list and the ledger."""
        def there():
            [told] = [s for s in self.sessions() if s["name"] == name] or [{}]
            return told.get("end_reason") in reasons or None
        wait_until(there, f"{name} ended by {reasons}")
        self.wait_signed()
        _, verdict = self.verify()
        self.assertEqual(verdict["ledger"]["integrity"], "intact", verdict["ledger"])
        return self.verdict_of(verdict, name), [f["what"] for f in verdict["ledger"]["findings"]]

    def entries(self, *kinds):
        """The ledger's entries of these kinds, the oldest first."""
        lines = self.host.read("/var/log/opelog-ledger/entries").decode().splitlines()
        return [e for e in map(json.loads, lines) if e["k"] in kinds]

    def test_a_reload(self):
        term, name = self.live()
        self.host.write("/etc/opelog/opelog.yaml", self.host.read("/etc/opelog/opelog.yaml").replace(b'notice: "" ', b'notice: "Seen." '))
        self.host.run("systemctl", "reload", "opelogd", check=True)
        with_notice = self.host.ssh_pty("alice")
        with_notice.expect(r"Seen\.")
        with_notice.expect(PROMPT)
        self.assertEqual(self.log_out(with_notice), 0)
        whole = self.host.read("/etc/opelog/opelog.yaml")
        self.host.write("/etc/opelog/opelog.yaml", b"rules: [\n" + whole)
        self.host.run("systemctl", "reload", "opelogd", check=True)
        wait_until(lambda: json.loads(self.host.opelog("status", "--json").out)["policy"]["error"], "the error is stated")
        self.host.write("/etc/opelog/opelog.yaml", whole)
        self.host.run("systemctl", "reload", "opelogd", check=True)
        wait_until(lambda: not json.loads(self.host.opelog("status", "--json").out)["policy"]["error"], "it is mended")
        self.lines(term, "echo not disturbed")
        self.assertEqual(self.log_out(term), 0)
        self.assertEqual(self.ended(name, "exit")[0], ("intact", "complete", []))

    def test_b_restart(self):
        term, name = self.live()
        before = self.host.show("opelogd.service", "MainPID")
        self.host.run("systemctl", "restart", "opelogd", check=True)
        self.assertNotEqual(self.host.show("opelogd.service", "MainPID"), before)
        self.lines(term, "echo goes on $((40+2))", "/bin/true")
        self.assertEqual(self.log_out(term, "exit 4"), 4)
        verdict, ledger = self.ended(name, "exit")
        self.assertEqual((verdict, "unclean-boot" in ledger), (("intact", "complete", []), False))
        self.assertEqual([e["k"] for e in self.entries("boot", "shutdown")], ["boot", "shutdown", "boot"])
        commands = json.loads(self.host.opelog("commands", "--all", "--json", name, check=True).out)
        self.assertIn("/bin/true", json.dumps(commands))
        self.assertEqual(self.host.ssh("alice", "exit 3").rc, 3)
        # Nothing is left with the service manager but what the daemon itself needs.
        wait_until(lambda: int(self.host.run("systemctl", "show", "-P", "NFileDescriptorStore", "opelogd.service").text) < 20, "an empty store")

    def test_ba_stop_ends_the_sessions(self):
        term, name = self.live()
        self.host.run("systemctl", "stop", "opelogd.service", check=True)
        term.wait()
        self.assertRegex(term.output, rb"opelog: [^\r\n]*(shut|stop)")
        self.host.run("systemctl", "start", "opelogd.service", check=True)
        self.assertEqual(self.ended(name, "shutdown")[0], ("intact", "complete", []))

    def test_bb_restart_with_a_broken_policy(self):
        term, name = self.live()
        whole = self.host.read("/etc/opelog/opelog.yaml")
        self.host.write("/etc/opelog/opelog.yaml", b"rules: [\n" + whole)
        self.host.run("systemctl", "restart", "opelogd", check=True)
        self.lines(term, "echo goes on $((40+2))")
        self.assertTrue(json.loads(self.host.opelog("status", "--json").out)["policy"]["error"])
        self.host.write("/etc/opelog/opelog.yaml", whole)
        wait_until(lambda: not json.loads(self.host.opelog("status", "--json").out)["policy"]["error"], "it is mended")
        self.assertEqual(self.log_out(term), 0)
        self.assertEqual(self.ended(name, "exit")[0], ("intact", "complete", []))

    def test_bc_restart_while_a_user_keeps_a_call_waiting(self):
        term, name = self.live("opc")
        his = self.log_in("alice")
        self.host.sh("mknod -m 666 /var/fuse c 10 229 && ln -s /var/fuse /tmp/fuse", check=True)  # /tmp has no devices
        self.host.write("/tmp/slow.py", threats_escape_test.SLOW_MEMORY)
        his.send("setsid " + " ".join(threats_escape_test.SLOWLY) + " size /tmp/slow.pid &\r")
        wait_until(lambda: self.host.exists("/tmp/slow.pid"), "the call waits")
        his.resize(33, 99)
        wait_until(lambda: "user-work" in self.host.opelog("dump", check=True).text, "and the daemon waits for it")
        before, begin = self.host.show("opelogd.service", "MainPID"), time.monotonic()
        self.host.run("systemctl", "restart", "opelogd", check=True)
        print(f"restarted in {time.monotonic() - begin:.1f} s")
        self.assertNotEqual(self.host.show("opelogd.service", "MainPID"), before)
        self.lines(term, "echo goes on $((40+2))")
        self.assertEqual(self.host.ssh("opc", "exit 3").rc, 3)
        left = self.host.sh("ps -o stat=,comm= -C opelogd").text
        self.assertRegex(left, "(?m)^Zl")
        self.assertEqual(self.log_out(term, "exit 4"), 4)
        self.host.sh("kill -9 $(cat /tmp/slow.pid)", check=True)
        wait_until(lambda: "Zl" not in self.host.sh("ps -o stat=,comm= -C opelogd").text, "what was left is gone")
        self.assertEqual(self.log_out(his, "exit 5"), 5)
        self.assertEqual(self.ended(name, "exit")[0], ("intact", "complete", []))

    def test_bd_a_store_that_was_made_smaller(self):
        """systemd 252 tells nobody how many descriptors it keeps: it is asked."""
        def unkept():
            return json.loads(self.host.opelog("status", "--json").out)["unkept"]
        drop_in = "/etc/systemd/system/opelogd.service.d/store.conf"
        self.host.write(drop_in, "[Service]\nFileDescriptorStoreMax=40\n")
        self.host.sh("systemctl daemon-reload && systemctl restart opelogd", check=True)
        terms = []
        while unkept() == 0:
            self.assertLess(len(terms), 8)
            terms.append(self.log_in("alice"))
        self.assertIn("store-full", self.host.sh("journalctl -u opelogd --no-pager -o cat").text)
        self.host.run("systemctl", "restart", "opelogd", check=True)
        terms.pop().expect_eof()
        self.assertGreater(len(terms), 0)
        for term in terms:
            self.lines(term, "echo still $((40+2))")
            self.assertEqual(self.log_out(term), 0)
        self.host.sh(f"rm {drop_in} && systemctl daemon-reload && systemctl restart opelogd", check=True)

    def test_c_a_login_starts_a_stopped_daemon(self):
        self.host.run("systemctl", "stop", "opelogd.service", check=True)
        self.assertEqual(self.host.ssh("alice", "exit 3").rc, 3)
        self.assertEqual(self.host.run("systemctl", "is-active", "opelogd.service").text, "active\n")
        self.new_recordings()
        self.host.run("systemctl", "stop", "opelogd.service", "opelogd.socket", "opelogd-control.socket", check=True)
        done = self.host.ssh("alice", "exit 3")
        self.assertEqual(done.rc, 69, done)
        self.assertIn(b"opelog:", done.err)
        self.assertEqual(self.host.ssh("bob", "exit 3").rc, 3)
        self.host.run("systemctl", "start", "opelogd.service", check=True)
        self.assertEqual(self.host.ssh("alice", "exit 4").rc, 4)
        self.new_recordings(2)

    def test_d_killed_by_the_kernel(self):
        term, name = self.live()
        for _ in range(3):
            self.host.run("systemctl", "kill", "-s", "KILL", "opelogd.service", check=True)
            self.lines(term, "echo goes on $((40+2))")
            self.assertEqual(self.host.ssh("alice", "exit 3").rc, 3)  # waits for the restart
        self.assertEqual(self.log_out(term, "exit 4"), 4)
        verdict, ledger = self.ended(name, "exit")
        self.assertEqual((verdict, "unclean-boot" in ledger), (("intact", "complete", []), True))

    def test_e_a_login_ended_by_logind(self):
        term, name = self.live()
        number = self.host.sh("loginctl list-sessions --no-legend | awk '$3 == \"alice\" {print $1; exit}'", check=True).text.strip()
        self.host.run("loginctl", "terminate-session", number, check=True)
        term.wait()
        # systemd sends SIGTERM and SIGHUP to all of them at once: the shell's end is seen first, or sshd's.
        self.assertEqual(self.ended(name, "exit", "hangup")[0], ("intact", "complete", []))

    def test_f_reboot(self):
        term, name = self.live()
        other = self.host.ssh_pty("opc")
        other.expect(PROMPT)
        before = len(self.entries("boot", "shutdown"))
        self.host.reboot()
        for terminal in (term, other):
            terminal.wait()
            self.assertRegex(terminal.output, rb"opelog: [^\r\n]*(shut|stop)")
        verdict, ledger = self.ended(name, "shutdown")
        self.assertEqual(verdict, ("intact", "complete", []))
        self.assertEqual([e["k"] for e in self.entries("boot", "shutdown")][before:], ["shutdown", "boot"])
        last = self.entries("boot")[-2:]
        self.assertTrue(last[1]["clean"])
        self.assertNotEqual(last[0]["boot_id"], last[1]["boot_id"])
        self.assertEqual(self.host.ssh("alice", "exit 3").rc, 3)

    def test_g_all_processes_killed_at_once(self):
        term, name = self.live()
        self.host.kill()
        term.wait()
        self.host.boot()
        verdict, ledger = self.ended(name, "crash")
        self.assertEqual((verdict[:2], "crash" in verdict[2], "unclean-boot" in ledger), (("intact", "incomplete"), True, True))
        shown = self.host.opelog("show", "--text", name, check=True).text
        self.assertIn("live 42", shown)

    def test_h_power_cut(self):
        term, name = self.live(word="power")
        wait_until(lambda: b"power 42" in self.on_disk(name), "the disk has what was shown")
        term.send("echo this may be lost\r")
        term.expect(PROMPT)
        self.host.power_cut()
        term.wait()
        self.host.boot()
        verdict, ledger = self.ended(name, "crash")
        self.assertEqual((verdict[:2], "unclean-boot" in ledger), (("intact", "incomplete"), True), verdict)
        self.assertLessEqual(set(verdict[2]), {"crash", "lost", "tail-unsealed", "gap"}, verdict)
        self.assertIn("power 42", self.host.opelog("show", "--text", name, check=True).text)
        self.assert_intact()

    def test_i_power_cut_after_a_logout_and_after_a_repair(self):
        term, crashed = self.live(word="crashed")
        self.host.kill()
        self.host.boot()
        self.ended(crashed, "crash")
        term, name = self.live(word="logout")
        self.assertEqual(self.log_out(term), 0)
        wait_until(lambda: b'"n":2' in self.on_disk(name, ".time").split(b" OPELOG_END ")[-1], "its end is on the disk")
        self.host.power_cut()
        self.host.boot()
        verdict = self.assert_intact()
        self.assertEqual(self.verdict_of(verdict, name), ("intact", "complete", []))
        self.assertIn("crash", self.verdict_of(verdict, crashed)[2])

    def on_disk(self, name, end=".log"):
        """What a power cut now would leave of a recording's file: a copy of the disk, its journal replayed."""
        copy = f"{self.host.base}/copy"
        subprocess.run(["cp", "--sparse=always", f"{self.host.base}/disk", copy], check=True)
        subprocess.run(["e2fsck", "-p", copy], capture_output=True)
        return subprocess.run(["debugfs", "-R", f"cat {LOG_DIR}/{name}{end}", copy], capture_output=True).stdout


class Upkeep(Installed):
    """Timers, retention and logrotate as systemd runs them."""

    def recorded(self, lines=3000):
        term = self.log_in("alice")
        term.send(f"seq -f 'row-%g' 1 {lines}; exit 0\r")
        term.wait()
        [recording] = self.new_recordings()
        self.seen.add(recording.name)
        return recording

    def test_a_retention_by_its_timer(self):
        recording = self.recorded()
        shown = recording.payload()
        self.host.write("/etc/opelog/opelog.yaml", self.host.read("/etc/opelog/opelog.yaml").replace(b"compress_after: 7d", b"compress_after: 1s"))
        self.host.run("systemctl", "reload", "opelogd", check=True)
        drop_in = "/run/systemd/system/opelog-retain.timer.d/now.conf"
        self.host.write(drop_in, "[Timer]\nOnBootSec=\nOnUnitInactiveSec=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms\n")
        self.host.sh("systemctl daemon-reload && systemctl restart opelog-retain.timer", check=True)
        path = f"{LOG_DIR}/{recording.name}"
        wait_until(lambda: self.host.exists(path + ".log.zst") and not self.host.exists(path + ".log"), "the timer's run compresses it")
        wait_until(lambda: self.host.show("opelog-retain.service", "ActiveState")["ActiveState"] == "inactive", "its end")
        self.assertEqual(self.host.show("opelog-retain.service", "Result")["Result"], "success")
        self.assertTrue(self.flagged(path + ".log.zst"))
        self.assertEqual(self.host.run("stat", "-c", "%a %G", path + ".log.zst").text, "640 opelog-audit\n")
        played = self.host.opelog("play", "--raw", recording.name, check=True).out
        self.assertIn(shown[-2000:], played)
        self.assertEqual(self.verdict_of(self.assert_intact(), recording.name), ("intact", "complete", []))
        self.host.sh(f"rm {drop_in} && systemctl daemon-reload && systemctl restart opelog-retain.timer", check=True)

    def test_b_both_timers_are_set(self):
        listed = self.host.sh("systemctl list-timers --all --no-legend 'opelog*'", check=True).text
        self.assertEqual(len(re.findall(r"opelog-(?:index|retain)\.timer", listed)), 2, listed)
        for timer in ("opelog-index.timer", "opelog-retain.timer"):
            self.assertEqual(self.host.show(timer, "ActiveState", "SubState")["SubState"], "waiting", timer)

    def rotated(self):
        """A run of logrotate.service as its timer would start it, with everything due."""
        self.host.run("systemctl", "start", "logrotate.service")
        return self.host.show("logrotate.service", "Result", "ExecMainStatus")

    def due(self, *files):
        """logrotate saw them last long ago."""
        self.host.write("/var/lib/logrotate/status", 'logrotate state -- version 2\n' + "".join(f'"{f}" 2026-1-1-0:0:0\n' for f in files))

    def test_c_the_daemons_own_log_by_logrotate(self):
        whole = self.host.read("/etc/opelog/opelog.yaml")
        self.host.write("/etc/opelog/opelog.yaml", whole.replace(b"target: journal ", b"target: file "))
        self.host.run("systemctl", "restart", "opelogd", check=True)
        self.assertEqual(self.host.ssh("alice", "exit 3").rc, 3)
        self.new_recordings()
        log = "/var/log/opelog.log"
        wait_until(lambda: b"session-end" in self.host.read(log), "it is written")
        self.due(log)
        self.assertEqual(self.rotated(), {"Result": "success", "ExecMainStatus": "0"})
        self.assertIn(b"session-end", self.host.read(log + ".1"))
        # It looks once a second at most, when it has something to say.
        wait_until(lambda: self.host.ssh("alice", "exit 3").rc == 3 and b"session-end" in self.host.read(log), "the new one is written")
        self.assertEqual(self.host.run("stat", "-c", "%a %U:%G", log).text, "640 root:opelog-audit\n")
        self.host.write("/etc/opelog/opelog.yaml", whole)
        self.host.run("systemctl", "restart", "opelogd", check=True)

    def test_d_recordings_by_logrotate_as_the_docs_say(self):
        old, young = self.recorded(), self.recorded(10)
        shown = old.payload()
        path = f"{LOG_DIR}/{old.name}"
        live = self.log_in("opc")
        [going] = self.new_recordings(ended=False)
        self.host.write("/etc/logrotate.d/recordings", "\n".join(fenced("docs/log-rotation.md", "Recordings")) + "\n")
        self.host.sh(f"opelog thaw --seconds 60 && touch -d '9 days ago' {path}.log {path}.time && opelog freeze", check=True)
        self.due(*(f"{LOG_DIR}/{r.name}.{end}" for r in (old, young, going) for end in ("log", "time")))
        self.rotated()
        self.assertEqual(sorted(f for f in os.listdir(self.host.log_dir) if f.startswith(old.name + ".")), [old.name + ".log.1.gz", old.name + ".time.1.gz"])
        self.assertTrue(self.flagged(path + ".log.1.gz"))
        self.assertTrue(self.host.exists(young.path(".log")[len(self.host.path("/")) - 1:]))
        self.assertIn(shown[-2000:], self.host.opelog("play", "--raw", old.name, check=True).out)
        self.lines(live, "echo still $((40+2))")
        self.assertEqual(self.log_out(live), 0)
        wait_until(going.ended, "its end")
        self.assert_replays(going, live.output)
        verdict = self.assert_intact()
        for name in (old.name, young.name, going.name):
            self.assertEqual(self.verdict_of(verdict, name), ("intact", "complete", []))

    def test_e_how_far_the_units_are_confined(self):
        # What systemd-analyze says of the units, as the page states it: a higher number is a unit that is less confined.
        with open(os.path.join(image.SOURCE, "docs/privileges.md")) as page:
            stated = {unit: int(whole + tenth) for unit, whole, tenth in
                      re.findall(r"(?m)^\| `([a-z-]+\.service)` \| (\d+)\.(\d) \|", page.read())}
        self.assertEqual(len(stated), 4)
        for unit, most in stated.items():
            done = self.host.run("systemd-analyze", "security", "--no-pager", unit)
            said = re.search(r"Overall exposure level for \S+: (\d+)\.(\d)", done.text)
            self.assertTrue(said, done)
            machine.say(f"  {said[0]}")
            with self.subTest(unit=unit):
                self.assertLessEqual(int(said[1] + said[2]), most)

    def test_f_metrics_by_their_timer(self):
        folder = "/var/lib/prometheus/node-exporter"
        self.host.sh(f"mkdir -p {folder} && systemctl enable --now opelog-metrics.timer && systemctl start opelog-metrics.service", check=True)
        self.assertRegex(self.host.read(folder + "/opelog.prom").decode(), r"(?m)^opelog_[a-z_]+(\{[^\n]*\})? [0-9.e+]+$")
        self.host.run("systemctl", "disable", "--now", "opelog-metrics.timer", check=True)

    def test_g_nothing_failed_on_this_machine(self):
        self.host.run("systemctl", "reset-failed", "logrotate.service")  # it says 1 for a recording in progress, as documented
        self.assertEqual(self.host.run("systemctl", "--failed", "--no-legend", "--plain").out, b"")
        self.assertEqual(self.host.opelog("doctor").rc, 0)


class Confined(Installed):
    """What the unit keeps from opelogd on a machine whose systemd does it: seen by a command of on_event, which is within the same bounds."""

    TRIES = """\
#!/bin/bash
# Writes what it can write, see, and do.
cat > /dev/null
{
  for folder in /usr /boot /etc /opt /srv /var/lib/dpkg /var/log /var/log/ope_log /var/log/opelog-ledger /var/lib/opelog /run/opelog; do
    if touch $folder/tried 2>/dev/null; then rm -f $folder/tried; echo "writes $folder"; fi
  done
  for folder in /home /root; do
    [ -n "$(ls -A $folder 2>/dev/null)" ] && echo "sees $folder"
  done
  echo x 2>/dev/null > /proc/sys/kernel/hostname && echo "writes /proc/sys"
  mkdir /sys/fs/cgroup/tried 2>/dev/null && echo "writes cgroups"
  mount -t tmpfs none /mnt 2>/dev/null && echo mounts
  unshare --mount true 2>/dev/null && echo unshares
  nice -n 5 true 2>/dev/null && [ "$(nice -n 5 nice)" != "$(nice)" ] && echo renices
  [ "$(wc -l < /proc/net/dev)" -le 3 ] || echo "sees a network"
  grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | tr '\\t' ' '
} > /run/opelog/tried.new
mv /run/opelog/tried.new /run/opelog/tried
"""

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.host.write("/usr/local/bin/tries", cls.TRIES, 0o755)
        cls.host.sh("install -d /srv /opt; touch /home/there; touch /root/there", check=True)
        policy = cls.host.read("/etc/opelog/opelog.yaml").decode()
        cls.host.write("/etc/opelog/opelog.yaml",
                       policy.replace("\non_event: []\n", "\non_event: [{ events: session-end, command: [/usr/local/bin/tries] }]\n"))
        cls.host.sh("systemctl restart opelogd", check=True)

    def bounds(self):
        """A session is recorded with what it executed, and what the command of its end could do."""
        self.setUp()
        self.host.sh("rm -f /run/opelog/tried", check=True)
        done = self.host.ssh("alice", "echo within", source="127.0.0.9")
        self.assertEqual((done.rc, done.out), (0, b"within\n"), done)
        [recording] = self.new_recordings()
        self.assertEqual(self.session(recording)["client"], "127.0.0.9")
        term = self.log_in("alice")
        self.lines(term, "echo on a terminal")
        self.assertEqual(self.log_out(term, "exit 3"), 3)
        wait_until(lambda: self.host.exists("/run/opelog/tried"), "the command has run")
        return self.host.read("/run/opelog/tried").decode().splitlines()

    ALWAYS = ["NoNewPrivs: 1", "Seccomp: 2"]
    OWN = ["/var/log", "/var/log/ope_log", "/var/log/opelog-ledger", "/var/lib/opelog", "/run/opelog"]

    def test_a_as_shipped(self):
        self.assertEqual(self.bounds(), [f"writes {folder}" for folder in ["/opt", "/srv", "/var/lib/dpkg", *self.OWN]] + self.ALWAYS)
        shown = self.host.show("opelogd.service", "DevicePolicy", "PrivateNetwork")
        self.assertEqual((shown["DevicePolicy"], shown["PrivateNetwork"]), ("closed", "yes"))

    def test_b_with_the_drop_in_of_the_page(self):
        with open(os.path.join(image.SOURCE, "docs/privileges.md")) as page:
            found = re.search(r"(?m)^    # (/etc/systemd/system/opelogd\.service\.d/strict\.conf)\n((?:    .*\n)+)", page.read())
        self.host.write(found[1], textwrap.dedent(found[2]))
        self.host.sh("systemctl daemon-reload && systemctl restart opelogd", check=True)
        self.assertEqual(self.bounds(), [f"writes {folder}" for folder in self.OWN] + self.ALWAYS)
        self.assert_intact()


class Progress(unittest.TextTestResult):
    def startTest(self, test):
        machine.say(f"{type(test).__name__}.{test._testMethodName}")
        super().startTest(test)


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--image"]:
            image.make_image()
            sys.exit(0)
        image.require()
        unittest.main(testRunner=unittest.TextTestRunner(verbosity=0, resultclass=Progress))
    except image.NotHere as reason:
        print(f"skipped: {reason}")
        sys.exit(sandbox.SKIP)
