"""Names and places of recordings, and what a user may try to do to them: hostile user names and environments, many logins in a
second, odd directories, a file system without the append-only flag. Nothing he says has any effect on names or policy."""

import json
import os
import re

import sandbox
from scene import Scene

USER = "opelogtest-a"
NAME = re.compile(r"(?P<user>.+)_(?P<time>\d{14})_(?P<client>[^_]+?)(-(?P<number>\d+))?")

# useradd --badname takes what the kernel and sshd have no trouble with; the limit is 32 bytes, no colon, no slash.
HOSTILE = ["opelogtest.dot", "opelogtest-", "opelogtest $(id)", "opelogtest;rm -rf", "opelogtest'q\"", "opelogtest\\n%2F%s%n",
           "opelogtest_20260101000000_1.2.3", "opelogtest\u00e4\u65e5", "opelogtest..", "opelogtest`x`&|<>", "opelogtest\t*?[a]"]


def text_of(recording):
    return recording.log + recording.time


class Names(Scene):
    def assert_one(self, user=USER, client="127.0.0.1"):
        [recording] = self.new_recordings()
        match = NAME.fullmatch(recording.name)
        self.assertTrue(match, recording.name)
        self.assertEqual((match["user"], match["client"]), (self.host.name_part(user), client))
        self.assertEqual(recording.replay(), recording.payload())
        return recording

    def test_two_logins_in_the_same_second(self):
        """Whatever the clock does during the test: 12 at once fall into few seconds, and every one has its own name."""
        clients = [self.host.popen(*self.host.ssh_argv(USER, f"exit {n}")) for n in range(12)]
        self.assertEqual([c.wait() for c in clients], list(range(12)))
        recordings = self.new_recordings(12)
        numbers = {}
        for recording in recordings:
            match = NAME.fullmatch(recording.name)
            numbers.setdefault(match["time"], []).append(int(match["number"] or 1))
        self.assertTrue(any(len(n) > 1 for n in numbers.values()), numbers)
        for found in numbers.values():
            self.assertEqual(sorted(found), list(range(1, len(found) + 1)))
        self.assertEqual(sorted(r.notes()["EXIT_CODE"][0] for r in recordings), sorted(map(str, range(12))))

    def test_ipv6(self):
        self.host.ssh(USER, "true", address="::1")
        recording = self.assert_one(client="::1")
        self.assertEqual(json.loads(recording.notes()["OPELOG_CLIENT"][0])["address"], "::1")

    def test_a_login_without_a_client_is_unknown(self):
        term = self.host.terminal("/usr/bin/opelog-shell", "--rec", "--", "true", user=USER)
        self.assertEqual(term.wait(), 0)
        recording = self.assert_one(client="UNKNOWN")
        self.assertEqual(json.loads(recording.notes()["OPELOG_CLIENT"][0]), {"address": "", "port": 0, "claimed": False})

    def test_a_claimed_client_is_marked_and_must_be_an_address(self):
        for claim, client in (("192.0.2.7 50123 192.0.2.1 22", "192.0.2.7"), ("../../etc/passwd 1 2 3", "UNKNOWN"),
                              ("192.0.2.7/../x 1 192.0.2.1 22", "UNKNOWN"), ("1.2.3.4\n 1 1.2.3.4 22", "UNKNOWN"), ("x" * 5000, "UNKNOWN")):
            with self.subTest(claim=claim[:40]):
                self.seen = {r.name for r in self.host.recordings()}
                term = self.host.terminal("/usr/bin/opelog-shell", "--rec", "--", "true", user=USER, env={"SSH_CONNECTION": claim})
                self.assertEqual(term.wait(), 0)
                recording = self.assert_one(client="UNKNOWN")  # a claim makes no file name
                said = json.loads(recording.notes()["OPELOG_CLIENT"][0])
                self.assertEqual((said["address"], said["claimed"]), ("" if client == "UNKNOWN" else client, client != "UNKNOWN"))

    def test_hostile_user_names(self):
        made = []
        for number, name in enumerate(HOSTILE):
            try:
                self.host.add_user(name, 6000 + number)
            except AssertionError:
                continue  # useradd itself refuses it
            made.append(name)
            self.host.append("/etc/opelog/enrolled", f"{name}:/bin/bash\n")
            self.host.set_shell(name, "/usr/bin/opelog-shell")
        self.assertGreaterEqual(len(made), 6, made)
        before = len(re.findall("policy-loaded", self.host.daemon.log()))
        self.host.daemon.hup()
        sandbox.wait_until(lambda: len(re.findall("policy-loaded", self.host.daemon.log())) > before, "the list is read")
        before = set(os.listdir(self.host.log_dir))
        for name in made:
            with self.subTest(name=name):
                self.seen = {r.name for r in self.host.recordings()}
                if re.search(r"['`\"$\\;&<>|(){}]", name):  # the ssh client refuses to send such a name
                    term = self.host.terminal("/usr/bin/opelog-shell", "--rec", "--", "sh", "-c", "exit 3", user=name)
                    self.assertEqual(term.wait(), 3, term.output)
                    recording = self.assert_one(user=name, client="UNKNOWN")
                else:
                    self.assertEqual(self.host.ssh(name, "exit 3").rc, 3)
                    recording = self.assert_one(user=name)
                self.assertEqual(json.loads(recording.notes()["OPELOG_USER"][0])["user"], name)
                self.assertNotRegex(recording.time.replace(b"\n", b""), rb"[\x00-\x1f\x7f]")
                self.assertRegex(recording.name, r"^[A-Za-z0-9%.:@+_-]+$")
        for name in set(os.listdir(self.host.log_dir)) - before:
            self.assertTrue(os.path.isfile(os.path.join(self.host.log_dir, name)), name)


class HostileEnvironment(Scene):
    sshd = ("AcceptEnv *", "PermitUserEnvironment yes")
    FILE = {"SSH_CLIENT": "../../x 1 2", "SSH_CONNECTION": "6.6.6.6 1 7.7.7.7 22", "SSH_TTY": "/etc/passwd", "LC_ALL": "xx",
            "OPELOG_SESSION": "0", "OPELOG_HOOK": "1", "LD_PRELOAD": "/tmp/none.so", "LD_LIBRARY_PATH": "/tmp", "USER": "root",
            "LOGNAME": "../root", "SHELL": "/usr/bin/opelog-shell", "HOME": "/", "TMPDIR": "/proc", "PATH": "/tmp", "TZ": "../../../tmp/tz",
            "IFS": "x", "ENV": "/tmp/env", "MALLOC_TRACE": "/tmp/trace", "NOTIFY_SOCKET": "@x", "TERM": "../../t"}

    def check(self, recording):
        self.assertRegex(recording.name, r"^opelogtest-a_\d{14}_127\.0\.0\.1(-\d+)?$")
        client = json.loads(recording.notes()["OPELOG_CLIENT"][0])
        self.assertEqual((client["address"], client["claimed"]), ("127.0.0.1", False))
        self.assertEqual(json.loads(recording.notes()["OPELOG_USER"][0])["user"], USER)
        self.assertNotRegex(recording.time.replace(b"\n", b""), rb"[\x00-\x1f\x7f]")
        self.assertEqual(recording.log.split(b"\n", 1)[0].count(b"\x1b"), 0)
        self.assertEqual(recording.replay(), recording.payload())

    def test_sent_by_the_client(self):
        words = dict(self.FILE, TERM="xterm\x1b]0;own\x07\x1b[31m\"$(id)")
        words.pop("PATH")
        options = tuple(f"SetEnv={' '.join(chr(34) + n + '=' + v.replace(chr(34), chr(39)) + chr(34) for n, v in words.items())}" for _ in (0,))
        term = self.host.ssh_pty(USER, options=options, env={"TERM": "a\nH 0.0 OPELOG_END {}\x1b[2J" + "t" * 3000})
        term.send("exit 12\r")
        self.assertEqual(term.wait(), 12, term.output)
        [recording] = self.new_recordings()
        self.check(recording)
        # The name is recorded from when the guard's clock says, not the user's TZ.
        self.assertEqual(recording.time.count(b" OPELOG_END {\"reason"), 1)

    def test_from_the_users_own_file(self):
        self.host.write(f"/home/{USER}/.ssh/environment", "".join(f"{n}={v}\n" for n, v in self.FILE.items()), owner=USER)
        self.addCleanup(self.host.run, "rm", f"/home/{USER}/.ssh/environment")
        done = self.host.ssh(USER, "/usr/bin/env | /usr/bin/grep ^OPELOG_HOOK=; exit 11")
        self.assertEqual((done.rc, done.out), (11, b"OPELOG_HOOK=1\n"), done)  # he may fool himself
        term = self.host.ssh_pty(USER)
        term.send("exit 13\r")
        self.assertEqual(term.wait(), 13, term.output)
        for recording in self.new_recordings(2):
            self.check(recording)

    def test_a_nested_shim_is_still_told_by_its_ancestry_not_by_its_environment(self):
        done = self.host.ssh(USER, "env -i /usr/bin/opelog-shell -c 'echo deep; exit 6'")
        self.assertEqual((done.rc, done.out), (6, b"deep\n"), done)
        [recording] = self.new_recordings()
        self.check(recording)

    def test_his_rc_file_runs_as_a_session_of_its_own(self):
        self.host.write(f"/home/{USER}/.ssh/rc", "echo from rc >&2\n", owner=USER)
        self.addCleanup(self.host.run, "rm", f"/home/{USER}/.ssh/rc")
        done = self.host.ssh(USER, "echo main")
        self.assertEqual((done.rc, done.out), (0, b"main\n"), done)
        recordings = self.new_recordings(2)
        commands = [json.loads(r.notes()["OPELOG_COMMAND"][0])["command"] for r in recordings]
        self.assertIn(".ssh/rc", commands[0])
        self.assertEqual(commands[1], "echo main")


class ADirectoryOfAnyShape(Scene):
    """Trailing slash, not there yet, below a directory that is not there."""
    policy = sandbox.POLICY + "recordings: { directory: /var/log/ope_log/new/, name: '{user}.{time}.{client}' }\n"

    def setUp(self):
        super().setUp()
        self.host.sh("cd /var/log/ope_log && if [ -e new ]; then mv new $(date +%s%N); fi", check=True)

    def test_trailing_slash_and_missing_directory(self):
        self.assertEqual(self.host.ssh(USER, "exit 4").rc, 4)
        folder = "/var/log/ope_log/new"
        [recording] = self.wait_in(folder)
        done = self.host.sh(f"stat -c '%U %G %a' {folder} {folder}/*; lsattr {folder}/* | cut -c1-20 | grep -c a", check=True)
        self.assertEqual(done.text.splitlines()[:3], ["root opelog-audit 750", "root opelog-audit 640", "root opelog-audit 640"], done)
        self.assertEqual(done.text.splitlines()[3], "2")
        self.assertTrue(recording.name.startswith("opelogtest-a."), recording.name)

    def wait_in(self, folder):
        def there():
            found = self.host.recordings(directory=folder)
            return found if found and all(r.ended() for r in found) else None
        return sandbox.wait_until(there, "a recording in " + folder)

    def test_moved_away_and_made_anew(self):
        self.host.ssh(USER, "true")
        self.host.sh("cd /var/log/ope_log && mv new old", check=True)
        self.assertEqual(self.host.ssh(USER, "exit 5").rc, 5)
        self.wait_in("/var/log/ope_log/new")
        flags = self.host.sh("lsattr /var/log/ope_log/new | grep -c -- '-a-'", check=True)
        self.assertEqual(flags.out, b"2\n")

    def test_a_symlink_in_its_place_is_refused(self):
        self.host.sh("ln -s /tmp /var/log/ope_log/new", check=True)
        try:
            done = self.host.ssh(USER, "exit 5")
            self.assertEqual(done.rc, 77, done)
            self.assertIn(b"cannot be recorded", done.err)
            self.host.daemon.wait_log(r"/var/log/ope_log/new")
            self.assertEqual([f for f in os.listdir(self.host.path("/tmp")) if f.endswith(".log")], [])
        finally:
            self.host.sh("rm /var/log/ope_log/new")


class WithoutAppendOnly(Scene):
    """On a tmpfs of a kernel that has no flag there (the sandbox makes one by ramfs where tmpfs has it)."""
    append_only, on_start_failure = "required", "refuse"

    @classmethod
    def setUpClass(cls):
        cls.policy = (sandbox.POLICY.replace("action: record", f"action: record\n    on_start_failure: {cls.on_start_failure}")
                      + f"recordings: {{ directory: /var/log/ope_log/flat, append_only: {cls.append_only} }}\n")
        super().setUpClass()

    @classmethod
    def prepare(cls):
        cls.host.sh("mkdir /var/log/ope_log/flat && mount -t ramfs flat /var/log/ope_log/flat && "
                    "chgrp opelog-audit /var/log/ope_log/flat && chmod 750 /var/log/ope_log/flat", check=True)
        if sandbox.has_append_only(cls.host.path("/var/log/ope_log/flat")):
            raise cls.skipTest(cls, "even ramfs has the append-only flag here")

    def recorded(self):
        return self.host.recordings(directory="/var/log/ope_log/flat")

    def test_required_refuses_with_a_clear_message(self):
        done = self.host.ssh(USER, "echo out; exit 5")
        self.assertEqual((done.rc, done.out), (77, b""), done)
        self.assertIn(b"opelog: this login cannot be recorded and is refused", done.err)
        self.host.daemon.wait_log(r"recordings-degraded: .*append-only")
        self.host.daemon.wait_log(r"login-refused: .*append-only")
        self.assertEqual(self.recorded(), [])
        self.assertEqual(os.listdir(self.host.path("/var/log/ope_log/flat")), [], "nothing half-made is left")
        term = self.host.ssh_pty(USER)
        self.assertEqual(term.wait(), 77)
        self.assertIn(b"opelog: this login cannot be recorded", term.output)


class WithoutAppendOnlyButPassing(WithoutAppendOnly):
    on_start_failure = "pass"

    def test_required_refuses_with_a_clear_message(self):
        """Here the policy lets it pass, unrecorded and stated."""
        done = self.host.ssh(USER, "echo out; exit 5")
        self.assertEqual((done.rc, done.out), (5, b"out\n"), done)
        term = self.host.ssh_pty(USER)
        term.expect(r"\$ $")
        self.assertEqual(self.log_out(term, "tty; exit 6"), 6)
        self.assertIn(b"/dev/pts/", term.output)
        self.assertEqual(len(re.findall(r"login-unrecorded: .*append-only", self.host.daemon.log())), 2, self.host.daemon.log())
        self.assertEqual(self.recorded(), [])


class WithoutAppendOnlyPreferred(WithoutAppendOnly):
    append_only = "preferred"

    def test_required_refuses_with_a_clear_message(self):
        """Here the policy prefers to record all the same, and says so in each recording."""
        self.assertEqual(self.host.ssh(USER, "exit 5").rc, 5)
        term = self.host.ssh_pty(USER)
        term.expect(r"\$ $")
        self.assertEqual(self.log_out(term, "exit 6"), 6)
        self.host.daemon.wait_log(r"recordings-degraded: .*append-only")
        recordings = sandbox.wait_until(lambda: (lambda r: r if len(r) == 2 and all(x.ended() for x in r) else None)(self.recorded()), "both")
        for recording in recordings:
            self.assertIs(json.loads(recording.notes()["OPELOG_SESSION"][0])["append_only"], False)
            self.assertEqual(recording.replay(), recording.payload())
        status = self.host.opelog("status", "--json")
        self.assertIn(b"append-only", status.out, status)


if __name__ == "__main__":
    sandbox.run_file()
