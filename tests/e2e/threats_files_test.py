#!/usr/bin/env python3
"""Hostile files and storms in a guarded directory that everybody may write to: rows 1, 7, 8, 11 and 15 of docs/threats.md."""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402

SHARED = "/var/log/scripts"
ATTACKER, VICTIM, AUDITOR = "opelogtest-b", "opelogtest-a", "opelogtest-audit"
MEMORY = 512 << 20       # address space of `opelog`
OUTPUT = 64 << 20        # what it may print about one recording
SECONDS = 60             # generous; a hang is what is looked for

# Writes what is no recording, or one that lies, as a user who knows the format. argv: the .time of a real one.
CRAFT = r'''
import os, socket, sys
real = open(sys.argv[1], "rb").read()
first = b'Script started on 2026-01-01 00:00:00+00:00 [COMMAND="x"]\n'
TB = 1 << 40
def put(name, data=b"", size=None):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    if size is not None:
        os.truncate(fd, size)  # before its first byte, which makes it append-only
    os.pwrite(fd, data, 0)
    os.close(fd)
def pair(name, time, log=first + b"shown\n", time_size=None, log_size=None):
    if isinstance(name, str):
        name = name.encode()
    put(name + b".log", log, log_size)
    put(name + b".time", time, time_size)
def native(*lines):
    return b"".join(line + b"\n" for line in lines)
end = b'H 0.000000 OPELOG_END {"reason":"exit","exit_code":0,"bytes_out":1,"bytes_err":0,"bytes_in":0}'
escapes = r'\u001b]52;c;ZXZpbA==\u0007\u009b31m\u202eliar\r\n\u0000'.encode()

# Sizes that no memory and no patience holds.
pair("sparse-log", native(b"O 0.100000 %d" % (TB - len(first))), log_size=TB)
pair("sparse-log-classic", b"0.1 %d\n" % (TB - len(first)), log_size=TB)
pair("sparse-log-untimed", native(b"O 0.100000 6", end), log_size=TB)
pair("sparse-log-real", real, log_size=TB)
pair("sparse-log-alone", b"", log_size=TB)
pair("sparse-time", real, time_size=TB)
pair("sparse-time-empty", b"", time_size=TB)
pair("sparse-first-line", real, log=b"Script started on 2026", log_size=TB)
pair("sparse-in", real + b"I 0.000000 %d\n" % TB); put("sparse-in.in", b"Script started on x\n", TB)
pair("missing-bytes", native(b"O 0.000000 9223372036854775807", end))
pair("missing-bytes-often", native(*[b"O 0.000000 9223372036854775807"] * 2000))
put("only-log.log", first + b"x", TB)
put("only-time.time", real)

# Numbers.
for i, line in enumerate((b"O -1.000000 5", b"O 0.000000 -5", b"O 99999999999999999999999999.000000 1", b"O 0.000000 99999999999999999999999",
                          b"O nan 1", b"O 1e9.000000 1", b"O 0x1.000000 1", b"O 0.000000 0x10", b"O 0.000000 5 5", b"O 0.0000001 5", b"O  0.000000 5",
                          b"S 0.000000 SIGWINCH ROWS=-1 COLS=99999999999", b"S 0.000000 SIGWINCH ROWS=0 COLS=0", b"H 0.000000", b"H 0.000000 ",
                          b"X 0.000000 5", b"-5 5", b"5 5", b"0.5 -5", b"\0" * 50, b"O 0.000000 5\r", b"H 0.000000 \x1b[2J x", b"")):
    pair("number-%02d" % i, native(b"H 0.000000 START_TIME 2026-01-01", line, b"O 0.000000 6"))
pair("ages", native(*[b"O 999999999.000000 1"] * 100))
pair("eternity", native(*[b"O 999999999.999999 1"] * 20000))

# Lines.
pair("endless-line", b"H 0.000000 NAME " + b"x" * 10_000_000)
pair("endless-number", b"O 0.000000 " + b"1" * 10_000_000)
pair("many-headers", native(*[b"H 0.000000 NAME%d value" % i for i in range(100_000)]))
pair("many-parts", native(*[b"H 0.000000 OPELOG_COMMAND:%d/1024 %s" % (i, b"y" * 990) for i in range(1, 1024)] * 4))
pair("parts-never-complete", native(*[b"H 0.000000 OPELOG_COMMAND:1/1024 z"] * 50_000))
pair("many-ends", native(*[end] * 20_000))
pair("many-gaps", real + b'H 0.000000 OPELOG_GAP {"what":"output","why":"' + escapes + b'","bytes":1}\n' * 20_000)
pair("nothing", b"", b"")
pair("nuls", b"\0" * 100_000, b"\0" * 100_000)
pair("garbage", os.urandom(100_000), os.urandom(100_000))
pair("torn", real[:-7])

# Values.
for i, session in enumerate((b"[" * 100_000, b'{"a":' * 50_000, b'{"id":"' + escapes * 100 + b'"}', b'{"id":5,"rows":-9,"cols":99999999999999999999,"started_us":-5}',
                             b'{"id":"x","started_us":9223372036854775807,"rows":1e999}', b'{"id":"x","host":"' + b"h" * 60_000 + b'"}', b"null", b'"', b"")):
    pair("session-%d" % i, native(b"H 0.000000 OPELOG_SESSION " + session, end))
pair("ancestors", native(b'H 0.000000 OPELOG_ANCESTRY {"ancestors":[' + b",".join([b'{"pid":1,"exe":"' + escapes + b'"}'] * 500) + b"]}", end))
pair("lying-texts", native(b'H 0.000000 OPELOG_SESSION {"format":1,"id":"00' + escapes + b'","host":"' + escapes + b'","how":"' + escapes + b'","terminal":true,"tty":"' +
     escapes + b'","inner_tty":"' + escapes + b'","term":"' + escapes + b'","shell":"' + escapes + b'","started_us":1}',
     b'H 0.000000 OPELOG_USER {"user":"' + escapes + b'","uid":0}', b'H 0.000000 OPELOG_CLIENT {"address":"' + escapes + b'"}',
     b'H 0.000000 OPELOG_COMMAND {"command":"' + escapes + b'","original":"' + escapes + b'"}', b'H 0.000000 OPELOG_POLICY {"rule":"' + escapes + b'"}',
     b"O 0.000000 6", end))
pair("lying-shown", native(b"O 0.000000 2000000", end), first + b"\x1b]0;" + b"t" * 1_000_000 + b"\x1bP" + b"q" * 1_000_000)
pair("lying-logs", native(b"H 0.000000 OUTPUT_LOG ../../../../etc/shadow", b"H 0.000000 INPUT_LOG /etc/shadow"), first)
put("lying-log-name.time", native(b"H 0.000000 OUTPUT_LOG good.log", b"H 0.000000 INPUT_LOG ..", b"O 0.000000 5"))

# Names.
for name in (b"evil\x1b]0;t\x07", b"line\nfeed\n\x1b[2J", b"c1\xc2\x9b31m", b"bidi\xe2\x80\xaetxt", b"\xff\xfe", b"-rf", b"--json", b" ", b"%1B[2J", b"n" * 250, b"..."):
    pair(name, real)
pair("opelogtest-a_20260101000000_127.0.0.1", real)

# What is no file.
os.mkfifo("fifo.time"); put("fifo.log", first)
os.mkfifo("fifo-log.log"); put("fifo-log.time", real)
pair("fifo-in", real); os.mkfifo("fifo-in.in")
os.mkfifo("fifo-both.time"); os.mkfifo("fifo-both.log")
os.symlink("/etc/shadow", "link.time"); put("link.log", first)
os.symlink("/etc/shadow", "link-log.log"); put("link-log.time", real)
os.symlink("link-loop.time", "link-loop.time")
os.symlink("/dev/zero", "link-zero.time")
os.mkdir("directory.time"); put("directory.log", first)
os.mkdir("directory-log.log"); put("directory-log.time", real)
for name in ("socket.time", "socket-log.log"):
    socket.socket(socket.AF_UNIX).bind(name)
put("socket-log.time", real)

# Held by a writer who never writes, and leased so that whoever opens it would wait.
import fcntl, signal, struct
signal.signal(signal.SIGIO, signal.SIG_IGN)
pair("locked", native(b"O 0.000000 6"))
pair("leased", real)
pair("leased-log", real)
locked = os.open("locked.time", os.O_WRONLY | os.O_APPEND)
fcntl.lockf(locked, fcntl.LOCK_EX)
leases = [os.open(name, os.O_RDONLY) for name in ("leased.time", "leased-log.log")]
for fd in leases:
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
print("crafted", flush=True)
sys.stdin.read()
'''


def shared_directory(host):
    host.sh(f"mkdir -m 1777 /run/host-disk/scripts && mkdir {SHARED} && mount --bind /run/host-disk/scripts {SHARED}", check=True)


class HostileRecordings(scene.Scene):
    policy = sandbox.POLICY + f"guard: {{ directories: [{{ path: {SHARED}, settle: 60s }}] }}\n"

    @classmethod
    def prepare(cls):
        shared_directory(cls.host)
        cls.host.add_user(AUDITOR, 2500, groups=("opelog-audit",))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        host = cls.host
        # A sanitizer needs terabytes of address space.
        cls.memory = () if b"__asan_init" in host.read("/usr/bin/opelog") else (f"--as={MEMORY}",)
        # A good recording of each kind beside them: script's, and one of ours as an archive holds it.
        host.sh(f"cd {SHARED} && script -q -c 'echo good-one' --log-out good.log --log-timing good.time", user=VICTIM, check=True)
        assert host.ssh(VICTIM, "true").rc == 0
        [cls.real] = host.wait_recordings(1)
        # Moved in, because the guard may be faster than cp, which sets owner and mode last.
        host.sh("mkdir /run/host-disk/new && cp -p $1.* /run/host-disk/new && mv /run/host-disk/new/* /run/host-disk/scripts/ && "
                "cp $1.time /tmp/real.time && chmod 644 /tmp/real.time", f"{sandbox.LOG_DIR}/{cls.real.name}", check=True)
        host.write("/tmp/craft.py", CRAFT.encode())
        cls.crafter = host.popen("sh", "-c", f"cd {SHARED} && exec python3 /tmp/craft.py /tmp/real.time", user=ATTACKER,
                                 stdin=-1, stdout=-1, stderr=-2)
        said = cls.crafter.popen.stdout.readline()
        assert said == b"crafted\n", said + cls.crafter.popen.stdout.read()
        host.sh(f"mknod {SHARED}/device.time c 1 5; mknod {SHARED}/device-log.log c 1 5; cp /tmp/real.time {SHARED}/device-log.time", check=True)

    def audit(self, *arguments):
        """`opelog` as an auditor, bounded; what it printed goes to a file so that a flood does not reach the test's memory."""
        argv = ["prlimit", *self.memory, f"--fsize={OUTPUT}", "opelog", *arguments]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self.host.popen(*argv, user=AUDITOR, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            try:
                rc = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.signal(9)
                self.fail(f"does not end: {arguments}")
            out.seek(0)
            err.seek(0)
            return sandbox.Done(arguments, rc, out.read(), err.read())

    def assert_calm(self, done):
        """It ended by itself with one of its exit codes, and everything it says is in lines without a control character."""
        self.assertIn(done.rc, (0, 1, 3, 4, 5, 7), done)
        self.assertNotIn(b"internal error", done.err, done)
        for line in done.err.splitlines():
            self.assertTrue(line.startswith(b"opelog: "), (line, done))
        if done.rc not in (0, 1):
            self.assertRegex(done.err + done.out, rb"(?m)^opelog: |^state +corrupt: |\"problem\":", done)
        self.assert_printable(done.err)

    def assert_printable(self, data):
        text = data.decode("utf-8")  # strictly
        bad = re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]", text)
        self.assertEqual(bad, [], text[:2000])

    def crafted(self):
        names = {os.fsencode(n).rsplit(b".", 1)[0] for n in os.listdir(self.host.path(SHARED))}
        return sorted(names - {b"good", self.real.name.encode()})

    def test_the_list_ends_and_has_the_good_ones(self):
        done = self.audit("--directory", SHARED, "ls")
        self.assert_calm(done)
        self.assert_printable(done.out)
        self.assertRegex(done.out, rb"(?m)^good +opelogtest-a ")
        self.assertLess(max(map(len, done.out.splitlines())), 2000, "one value widens no row beyond measure")
        self.assertRegex(done.out, rb"(?m)^[0-9a-f]{16} +opelogtest-a +127.0.0.1 .* ended$")
        for name in (b"fifo", b"link", b"directory", b"socket", b"device"):
            self.assertRegex(done.err, rb"(?m)^opelog: .*/" + name + rb"\.time: (not a regular file|a symbolic link is not followed|.*No such device)")
        done = self.audit("--directory", SHARED, "ls", "--json")
        self.assert_calm(done)
        self.assert_printable(done.out)
        rows = {row["name"]: row for row in json.loads(done.out.decode("utf-8"))}
        self.assertEqual((rows["good"]["state"], rows[self.real.name]["state"]), ("foreign", "ended"))
        for command in (("-u", VICTIM), ("--since", "2h ago"), ("--live",), ("-n", "3"), ("--client", "127.0.0.1")):
            done = self.audit("--directory", SHARED, "ls", *command)
            self.assert_calm(done)
            self.assert_printable(done.out)

    def test_each_can_be_asked_for(self):
        names = self.crafted()
        self.assertGreater(len(names), 80)
        for name in names:
            path = SHARED.encode() + b"/" + name
            for command in (("show",), ("show", "--json"), ("play",), ("tail",), ("tail", "-n", "0")):
                with self.subTest(name=name, command=command):
                    done = self.audit(*command, path)
                    self.assert_calm(done)
                    if command[0] == "show":
                        self.assert_printable(done.out)
                    if command[-1] == "--json" and done.out:
                        json.loads(done.out.decode("utf-8"))
                    for bad in (b"\x1b]", b"\x1bP", b"\x9b", b"\x07", b"\0"):
                        self.assertNotIn(bad, done.out.replace(b"\xc2\x9b", b"\x9b"))
                    self.assertNotIn(b"root:", done.out, "a link was followed")

    def test_the_good_ones_can_be_asked_for_among_them(self):
        for session in ("good", SHARED + "/good", self.real.name):
            done = self.audit("--directory", SHARED, "show", session)
            self.assertEqual((done.rc, done.err), (0, b""), done)
        self.assertEqual(self.audit("--directory", SHARED, "play", "good").out, b"good-one\r\n")
        # An id that others claim, too, names none of them; the name does.
        done = self.audit("--directory", SHARED, "show", "nosuch")
        self.assert_calm(done)
        self.assertEqual(done.rc, 3)
        self.assert_calm(self.audit("--directory", SHARED, "show", json.loads(self.real.notes()["OPELOG_SESSION"][0])["id"]))

    def test_on_a_terminal(self):
        term = self.host.terminal("opelog", "--directory", SHARED, "ls", user=AUDITOR)
        self.assertIn(term.wait(), (0, 4, 7))
        self.assert_printable(re.sub(rb"\x1b\[[0-9]*m|\r", b"", term.output))
        for name in ("lying-shown", "sparse-log", "sparse-log-untimed", "number-05", "many-gaps", "eternity", "nuls", "fifo"):
            for command in (("play", "-s", "0"), ("tail",)):
                with self.subTest(name=name, command=command):
                    term = self.host.terminal("opelog", *command, f"{SHARED}/{name}", user=AUDITOR)
                    self.assertIn(term.wait(SECONDS), (0, 1, 4, 5))
                    for bad in (b"\x1b]", b"\x1bP", b"\x07"):
                        self.assertNotIn(bad, term.output)

    def test_the_bytes_of_a_hole_are_not_played_but_stated(self):
        for name in ("sparse-log", "sparse-log-classic", "sparse-log-untimed"):
            done = self.audit("play", f"{SHARED}/{name}")
            self.assertIn(b"shown", done.out)
            self.assertRegex(done.err, rb"gap: (output|timing), 10995\d{8} bytes")

    def test_whose_files_imitate_anothers_session_is_said(self):
        name = "opelogtest-a_20260101000000_127.0.0.1"
        shown = self.audit("show", f"{SHARED}/{name}")
        self.assertRegex(shown.out, rb"(?m)^files of +opelogtest-b \(uid 5001\), not the recorder's")
        self.assertNotIn(b"files of", self.audit("show", f"{SHARED}/{self.real.name}").out)
        self.assertRegex(self.audit("--directory", SHARED, "ls").out, rb" opelogtest-a\? ")
        listed = self.audit("--directory", SHARED, "ls", "--json")
        rows = {row["name"]: row for row in json.loads(listed.out)}
        self.assertIn(self.real.name, rows, listed.err)
        self.assertEqual((rows[name]["files_uid"], rows[self.real.name]["files_uid"], rows["good"]["files_uid"]), (5001, 0, 1000))


# Opens, renames, makes and removes as fast as it can until told to end, and makes files that have to be guarded.
STORM = r'''
import os, select, sys
number, made = sys.argv[1], 0
def file(name):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(fd, b"x")
    os.close(fd)
os.mkdir("d" + number)
os.symlink("nowhere", "l" + number)   # neither is ever flagged, so they can be renamed for ever
both = "a" + number, "b" + number     # in turn, because the kernel merges what is alike
for name in both:
    file(name)
print("storming", flush=True)
while not select.select([0], [], [], 0)[0]:
    for _ in range(500):
        for name in both:
            os.close(os.open(name, os.O_RDONLY))
    for name in "d" + number, "l" + number:
        os.rename(name, "r" + number)
        os.rename("r" + number, name)
    if made < 2000:
        for _ in range(5):
            file("file-%s-%d" % (number, made))
            made += 1
print(made, flush=True)
'''


class Storm(scene.Scene):
    """Rows 7 and 15: more events than the kernel queues, made by a user."""
    policy = sandbox.POLICY + f"guard: {{ directories: [{{ path: {SHARED}, settle: 0 }}], sweep: 24h }}\n"

    @classmethod
    def prepare(cls):
        shared_directory(cls.host)

    def unflagged(self):
        out = self.host.sh(f"lsattr {SHARED} 2>/dev/null").text
        return [line for line in out.splitlines() if "/file-" in line and "a" not in line.split()[0]]

    def test_events_are_lost_and_stated_and_every_file_is_append_only_in_the_end(self):
        self.host.write("/tmp/storm.py", STORM.encode())
        term = self.log_in(VICTIM)
        storms = []
        for number in range(4):
            storm = self.host.popen("sh", "-c", f"cd {SHARED} && exec python3 /tmp/storm.py {number}", user=ATTACKER, stdin=-1, stdout=-1)
            self.assertEqual(storm.popen.stdout.readline(), b"storming\n")
            storms.append(storm)
        sandbox.wait_until(lambda: "guard-overflow: events were lost" in self.host.daemon.log(), "more events than the kernel queues", 120)
        for number in range(20):
            term.send(f"echo calm-{number}-$((40+2))\r")
            term.expect(rf"\ncalm-{number}-42\r\n")
        self.assertEqual(self.host.ssh("opelogtest.odd_x", "echo others").out, b"others\n")
        self.assertEqual(self.host.opelog("status").rc in (0, 1), True)
        made = []
        for storm in storms:
            storm.popen.stdin.close()
            made.append(int(storm.popen.stdout.readline()))
            self.assertEqual(storm.wait(), 0)
        self.assertGreater(min(made), 0)
        sandbox.wait_until(lambda: self.unflagged() == [], "every file is append-only", 120)
        self.assertEqual(self.host.sh(f"ls {SHARED} | grep -c ^file-").out, b"%d\n" % sum(made))
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings(1, VICTIM)
        self.assert_replays(recording, term.output)
        self.assertNotRegex(self.host.daemon.log(), r"guard-(changed|missing|replaced|flag-lost): .*own=yes")
        self.assertLess(self.host.daemon.log().count(" guard-skipped") + self.host.daemon.log().count("guard-skipped:"), 200)


if __name__ == "__main__":
    sandbox.run_file()
