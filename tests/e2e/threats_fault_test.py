#!/usr/bin/env python3
"""Attacks on the daemon's door, floods and faults: rows 6, 7, 9, 15, 16 and 17 of docs/threats.md."""

import json
import os
import re
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402

# Talks to the login socket as the worst program that has the shim's group: what the shim's gid could ever say.
BABBLE = r'''
import array, os, socket, struct, sys
path = sys.argv[1]
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(5)
    s.connect(path)
    return s
def say(data, fds=()):
    s = connect()
    try:
        s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
        return s.recv(65536)
    except OSError:
        return None
    finally:
        s.close()
magic = 0x314c504f
hello = struct.pack("=IIIIIBBBBHHIIII", magic, 1, 1, 0, 0, 1, 0, 7, 7, 24, 80, 4, 0, 0, 0) + b"xterm"[:4]  # 0 is a terminal
null = os.open("/dev/null", os.O_RDWR)
for data in (b"", b"x", os.urandom(100), os.urandom(100000), hello[:10], hello + b"tail", struct.pack("=II", 1, 1),
             hello[:8] + b"\xff" * 60):
    say(data)
    say(data, [null] * 3)
for n in (0, 1, 2, 4, 7, 30):
    say(hello, [null] * n)
pipes = [os.pipe() for _ in range(3)]
say(hello, [pipes[0][1], pipes[1][0], pipes[2][0]])
for end in pipes[0]:
    say(hello, [end])
opath = os.open("/", os.O_PATH)
say(hello, [opath])
sock = connect()                                             # its own connection as its terminal
say(hello, [sock.fileno()])
print("babbled", flush=True)
'''

# Opens that many connections to the login socket and never says a word. Tells how many were refused once all but the given
# number are, ends with its standard input.
HOLD = r'''
import selectors, socket, sys
path, want, stay = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
waiting, words = selectors.DefaultSelector(), set()
for _ in range(want):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    waiting.register(s, selectors.EVENT_READ)
refused = 0
while refused < want - stay:
    for key, _ in waiting.select():
        answer = key.fileobj.recv(65536)
        words.add(b"too many logins are waiting" in answer)
        refused += 1
        waiting.unregister(key.fileobj)
        key.fileobj.close()
print("refused", refused, sorted(words), flush=True)
sys.stdin.read()
'''


class AsTheShim(scene.Scene):
    """For tests that speak to the login socket."""

    def as_shim(self, uid, *argv):
        """A program of that uid with the shim's group: what a shim taken over would be."""
        gid = self.host.sh("getent group opelog | cut -d: -f3").text.strip()
        return self.host.popen("setpriv", "--reuid", str(uid), "--regid", gid, "--clear-groups", *argv, stdin=-1, stdout=-1,
                               stderr=-2)

    def hold(self, uid, want, stay):
        """Starts a holder and returns it when all its connections but `stay` were refused."""
        self.host.write("/tmp/hold.py", HOLD.encode())
        holder = self.as_shim(uid, "prlimit", "--nofile=8192:8192", "python3", "/tmp/hold.py", "/run/opelog/login.sock",
                              str(want), str(stay))
        said = holder.popen.stdout.readline()
        self.assertTrue(said.startswith(b"refused %d " % (want - stay)), said)
        return holder, said

    def let_go(self, holder):
        holder.popen.stdin.close()
        holder.wait()


class Door(AsTheShim):
    """Row 6: garbage, silence, wrong descriptors and thousands of connections; others feel nothing."""
    policy = sandbox.POLICY + "limits: { login_timeout: 5m, max_pending_logins: 40 }\n"
    share = 10  # of one uid

    def busy(self):
        """How many refused logins the daemon's log counts."""
        return sum(int(n) for n in re.findall(r"login-busy: .* count=(\d+)", self.host.daemon.log()))

    def pending(self):
        return json.loads(self.host.opelog("status", "--json").out)["pending"]

    def assert_busy(self, user):
        done = self.host.ssh(user, "echo never")
        self.assertEqual((done.rc, done.out), (77, b""), done)
        self.assertEqual(done.err, b"opelog: too many logins are waiting; try again in a moment\n")

    def test_only_the_shim_may_connect(self):
        for name in ("login", "control"):
            done = self.host.run("python3", "-c", f"import socket; socket.socket(1,5).connect('/run/opelog/{name}.sock')",
                                 user="opelogtest-a")
            self.assertIn(b"PermissionError", done.err)

    def test_a_babbler_with_the_shims_group_neither_stops_nor_slows_others(self):
        term = self.log_in()
        self.host.write("/tmp/babble.py", BABBLE.encode())
        babbler = self.as_shim(5001, "python3", "/tmp/babble.py", "/run/opelog/login.sock")
        said = babbler.popen.stdout.read()
        self.assertEqual((babbler.wait(), said), (0, b"babbled\n"))
        term.send("echo still-$((40+2))\r")
        term.expect("still-42")
        self.log_out(term)
        self.new_recordings(1)
        self.host.daemon.wait_log("login-malformed: .*what it sent is no terminal")
        self.assertEqual(self.host.ssh("opelogtest-b", "echo in").out, b"in\n")

    def test_thousands_of_silent_connections_fill_the_share_of_their_uid_and_no_more(self):
        term, before = self.log_in(), self.busy()
        holder, said = self.hold(5001, 3000, self.share)
        self.assertEqual(said, b"refused 2990 [True]\n", "each of them was told why")
        sandbox.wait_until(lambda: self.busy() - before == 2990, "the log counts every refusal")
        self.assertEqual(self.pending(), self.share)
        self.assert_busy("opelogtest-b")
        sandbox.wait_until(lambda: self.busy() - before == 2991, "the log counts this one")
        self.assertEqual(self.log_out(self.log_in(), "exit 6"), 6, "another uid finds a place")
        term.send("echo still-$((40+2))\r")
        term.expect("still-42")
        self.let_go(holder)
        sandbox.wait_until(lambda: self.pending() == 0, "their places are free")
        self.assertEqual(self.host.ssh("opelogtest-b", "echo in").out, b"in\n")
        self.log_out(term)
        self.new_recordings(3)

    def test_when_every_place_is_taken_logins_are_refused_and_sessions_go_on(self):
        term, before = self.log_in(), self.busy()
        holders = [self.hold(uid, self.share + 1, self.share)[0] for uid in (6001, 6002, 6003, 6004)]
        self.assertEqual(self.pending(), 40)
        self.assert_busy("opelogtest-a")
        sandbox.wait_until(lambda: self.busy() - before == 5, "the log counts them")
        term.send("echo still-$((40+2))\r")
        term.expect("still-42")
        self.let_go(holders.pop())
        sandbox.wait_until(lambda: self.pending() == 30, "places are free")
        self.assertEqual(self.host.ssh("opelogtest-a", "echo in").out, b"in\n")
        for holder in holders:
            self.let_go(holder)
        self.log_out(term)
        self.new_recordings(2)

    def test_garbage_on_the_control_socket(self):
        script = ("import socket,os\n"
                  "for data in (b'x', b'{}', b'[' * 4000, b'{\"op\":\"kill\"}', os.urandom(4096), b'{\"op\":1}', b'a' * 60000):\n"
                  "    s = socket.socket(1, 5); s.settimeout(5); s.connect('/run/opelog/control.sock'); s.send(data); print(s.recv(65536)[:60])\n")
        done = self.host.run("python3", "-c", script)
        self.assertEqual(done.rc, 0, done)
        self.assertEqual(done.out.count(b'"ok":false'), 7, done)
        self.assertEqual(self.host.opelog("status").rc, 0)


class NoDescriptors(AsTheShim):
    """Rows 6, 7: the daemon's descriptors are used up; it says so, goes on, and takes logins again."""
    policy = (sandbox.POLICY + "limits: { login_timeout: 5m, max_pending_logins: 400 }\n"
              "guard: { directories: [{ path: /var/log/scripts, settle: 0 }], sweep: 1s }\n")
    daemon = ("prlimit", "--nofile=70:70", "/usr/sbin/opelogd")

    @classmethod
    def prepare(cls):
        cls.host.sh("mkdir -m 1777 /run/host-disk/scripts && mkdir /var/log/scripts && "
                    "mount --bind /run/host-disk/scripts /var/log/scripts", check=True)

    def test_it_is_stated_sessions_go_on_and_logins_wait(self):
        term = self.log_in()
        self.host.write("/tmp/hold.py", HOLD.encode())
        holder = self.as_shim(6001, "python3", "/tmp/hold.py", "/run/opelog/login.sock", "90", "90")
        self.assertEqual(holder.popen.stdout.readline(), b"refused 0 []\n")
        self.host.daemon.wait_log("login-accept: .*Too many open files.* remedy=")
        term.send("echo still-$((40+2)); echo x > /var/log/scripts/mine\r")
        term.expect("still-42")
        self.host.daemon.wait_log("guard-failed: .*name=mine.*Too many open files")
        waits = self.host.popen(*self.host.ssh_argv("opelogtest-b", "echo waited"), stdin=-3, stdout=-1)
        term.send("echo more-$((40+2))\r")
        term.expect("more-42")
        self.assertTrue(waits.running())
        self.let_go(holder)
        self.assertEqual((waits.popen.stdout.read(), waits.wait()), (b"waited\n", 0))
        self.host.daemon.wait_log("login-accept: connections to the login socket are taken again")
        sandbox.wait_until(lambda: b"a" in self.host.sh("lsattr /var/log/scripts/mine").out.split()[0], "the file is flagged after all")
        self.assertEqual(self.host.daemon.log().count("login-accept"), 2, "said once, not each time it was tried")
        self.log_out(term)
        for recording in self.new_recordings(2):
            self.assertIn('"reason":"exit"', recording.notes()["OPELOG_END"][0])


class Quotas(scene.Scene):
    """Row 7: his own limit is hit and stated, others are unaffected."""
    policy = sandbox.POLICY + "limits: { max_sessions_per_user: 5, max_sessions: 8 }\n"

    def sessions(self):
        return json.loads(self.host.opelog("status", "--json").out)["sessions"]

    def log_in_many(self, user, number):
        return [self.log_in(user) for _ in range(number)]

    def end(self, terms):
        for term in terms:
            self.assertEqual(self.log_out(term), 0)
        sandbox.wait_until(lambda: self.sessions() == 0, "the ends of all sessions")

    def test_a_user_with_too_many_sessions_is_refused_with_a_clear_line_and_others_are_not(self):
        terms = self.log_in_many("opelogtest-b", 5)
        for attempt in range(2):
            done = self.host.ssh("opelogtest-b", "echo never")
            self.assertEqual((done.rc, done.out), (77, b""), done)
            self.assertRegex(done.err, rb"\Aopelog: you have 5 recorded sessions, no more are allowed.*max_sessions_per_user\)\n\Z")
        self.assertEqual(len(re.findall(r"login-refused: login of opelogtest-b refused: .*you have 5 recorded sessions.* user=opelogtest-b "
                                        r"uid=5001 client=127.0.0.1 rule=operators", self.host.daemon.log())), 2)
        self.assertEqual(self.log_out(self.log_in("opelogtest-a"), "exit 6"), 6)
        sandbox.wait_until(lambda: self.sessions() == 5, "that session's end")
        self.assertEqual(self.log_out(terms.pop()), 0)
        sandbox.wait_until(lambda: self.sessions() == 4, "the session's end")
        terms.append(self.log_in("opelogtest-b"))
        self.assertEqual(self.host.ssh("opelogtest-b", "echo never").rc, 77, "five again")
        self.end(terms)
        self.new_recordings(7)

    def test_a_host_with_too_many_sessions_refuses_whoever_comes_and_says_so(self):
        terms = self.log_in_many("opelogtest-b", 5) + self.log_in_many("opelogtest-a", 3)
        for user in ("opelogtest.odd_x", "opelogtest-a"):
            done = self.host.ssh(user, "echo never")
            self.assertEqual((done.rc, done.out), (69, b""), done)
            self.assertRegex(done.err, rb"\Aopelog: this host records 8 sessions, no more are allowed.*max_sessions\)\n\Z")
            self.host.daemon.wait_log(rf"login-refused: login of {re.escape(user)} refused: .*this host records 8 sessions.* user={re.escape(user)} ")
        self.assertEqual(self.host.ssh("opelogtest-none", "echo in").out, b"in\n", "nobody's target")
        for term in terms:
            term.send("echo still-$((40+2))\r")
            term.expect("still-42")
        self.assertEqual(self.log_out(terms.pop()), 0)
        sandbox.wait_until(lambda: self.sessions() == 7, "the session's end")
        self.assertEqual(self.host.ssh("opelogtest.odd_x", "echo in").out, b"in\n")
        self.end(terms)
        self.new_recordings(9)

    def test_where_the_rule_says_pass_one_session_too_many_is_unrecorded_and_stated(self):
        seen = self.host.daemon.log().count("policy-loaded")
        self.host.write("/etc/opelog/opelog.yaml", policy("    on_start_failure: pass\n", "limits: { max_sessions: 1 }\n"))
        sandbox.wait_until(lambda: self.host.daemon.log().count("policy-loaded") > seen, "the new policy")
        try:
            term = self.log_in()
            self.assertEqual(self.host.ssh("opelogtest-b", "echo in").out, b"in\n")
            self.host.daemon.wait_log("login-unrecorded: login of opelogtest-b passes unrecorded: host-limit")
            [entry] = self.ledger_entries("unrecorded")
            self.assertEqual([entry[name] for name in ("what", "user", "client", "rule", "why")], ["login", "opelogtest-b", "127.0.0.1", "operators", "host-limit"])
            self.end([term])
            self.new_recordings(1)
        finally:
            self.host.write("/etc/opelog/opelog.yaml", self.policy)
            self.host.opelog("reload", check=True)


class Stopped(scene.Scene):
    """Row 9: an operator who stops reading waits alone."""

    def test_memory_stays_and_others_work_while_one_client_reads_nothing(self):
        term = self.log_in()
        term.send("yes 0123456789abcdef\r")
        term.expect("abcdef")          # and from here on nothing is read
        before = self.memory()
        for _ in range(5):
            self.assertEqual(self.host.ssh("opelogtest-b", "echo fine").out, b"fine\n")
        self.assertLess(self.memory() - before, 2048, "kB more for one stopped reader")
        term.hang_up()
        sandbox.wait_until(lambda: all(r.ended() for r in self.host.recordings("opelogtest-a")), "the end of the recording")

    def memory(self):
        with open(f"/proc/{self.host.daemon.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def policy(rule="", more=""):
    return ("version: 1\nrules:\n  - name: operators\n    match: { uid: [1000, \"5000-\"], parent: [sshd, sshd-session] }\n"
            f"{rule}{more}log: {{ target: stderr, level: debug }}\n")


class FullDisk(scene.Scene):
    """Row 15: the disk is full. One host, three policies one after the other."""
    host_options = {"log_image_mb": 16}
    policy = policy("    on_write_failure: hold\n", "limits: { hold_timeout: 60s }\n")

    def fill(self):
        self.host.sh("dd if=/dev/zero of=/var/log/ope_log/.filler bs=64k 2>/dev/null; sync; "
                     "dd if=/dev/zero of=/var/log/ope_log/.filler2 bs=512 2>/dev/null; true")

    def free(self):
        # The guard has made the fillers append-only, as it should.
        for name in os.listdir(self.host.path("/var/log/ope_log")):
            if name.startswith(".filler"):
                self.host.in_spite_of_the_guard(f"/var/log/ope_log/{name}", os.unlink)

    def assert_told(self, recording, *allowed):
        """Nothing altered, nothing cut: the record itself says what is missing. The ledger lay on the same full disk."""
        self.pin_key()
        self.wait_signed()
        _, verdict = self.verify()
        integrity, completeness, words = self.verdict_of(verdict, recording.name)
        self.assertEqual((integrity, completeness), ("intact", "incomplete"), words)
        self.assertIn(words, allowed)
        self.assertEqual((verdict["ledger"]["integrity"], verdict["ledger"]["findings"]), ("intact", []))

    def use(self, text):
        seen = self.host.daemon.log().count("policy-loaded")
        self.host.write("/etc/opelog/opelog.yaml", text.encode())
        self.host.daemon.hup()
        sandbox.wait_until(lambda: self.host.daemon.log().count("policy-loaded") > seen, "the new policy")

    def test_hold_shows_nothing_until_there_is_room_and_loses_nothing(self):
        self.use(self.policy)
        term = self.log_in()
        self.fill()
        term.send("seq 1 60000; echo end-$((40+2))\r")
        self.host.daemon.wait_log("record-failed.*No space left")
        term.pump(1)
        self.assertNotIn(b"end-42", term.output, "nothing is shown that the record has not")
        self.free()
        term.expect("end-42", 60)
        self.log_out(term)
        [recording] = self.new_recordings(1)
        self.assertEqual(recording.payload(), term.output)
        self.assertTrue(any("held" in v for v in recording.notes()["OPELOG_GAP"]), recording.notes())
        self.assert_told(recording, ["gap"])

    def test_cut_ends_the_session_and_says_why(self):
        self.use(policy("    on_write_failure: cut\n"))
        term = self.log_in()
        self.fill()
        term.send("seq 1 60000\r")
        term.expect_eof(30)
        self.assertIn(b"opelog: recording failed", term.output)
        self.free()
        sandbox.wait_until(lambda: not self.host.opelog("ls", "--live").text.count("opelogtest-a_"), "the session's end")
        [recording] = self.new_recordings(1, ended=False)
        self.assertTrue(term.output.startswith(recording.payload()))
        self.assert_told(recording, ["gap"], ["tail-unsealed", "live"], ["tail-unsealed", "no-end"])

    def test_continue_shows_all_and_states_the_gap_with_its_count(self):
        self.use(policy("    on_write_failure: continue\n"))
        term = self.log_in()
        self.fill()
        term.send("seq 1 60000; echo end-$((40+2))\r")
        term.expect("end-42", 60)
        self.free()
        term.send("echo more-$((40+2))\r")
        term.expect("more-42")
        self.log_out(term)
        [recording] = self.new_recordings(1)
        gaps = "".join(recording.notes().get("OPELOG_GAP", []))
        lost = sum(int(n) for n in re.findall(r'"bytes":(\d+)', gaps))
        self.assertGreater(lost, 0)
        self.assertEqual(len(recording.payload()) + lost, len(term.output))
        self.assert_told(recording, ["gap"])

    def test_a_login_when_there_is_no_room_to_begin_follows_on_start_failure(self):
        self.use(policy("    on_start_failure: refuse\n"))
        self.fill()
        self.host.sh("i=0; while : > /var/log/ope_log/.filler_$i; do i=$((i+1)); [ $i -lt 20000 ] || break; done 2>/dev/null; true")
        done = self.host.ssh("opelogtest-a", "echo in")
        self.assertEqual((done.rc, done.out), (77, b""), done)
        self.assertIn(b"opelog", done.err)
        self.use(policy("    on_start_failure: pass\n"))
        done = self.host.ssh("opelogtest-a", "echo in")
        self.assertEqual((done.rc, done.out), (0, b"in\n"), done)
        self.host.daemon.wait_log("login-unrecorded")
        self.free()
        [entry] = sandbox.wait_until(lambda: self.ledger_entries("unrecorded"), "what the ledger could not take before")
        self.assertEqual((entry["what"], entry["user"]), ("login", "opelogtest-a"))
        self.assertIn("it could not be recorded: ", entry["why"])
        self.new_recordings(0)
        # What was entered and could not be begun is no session that anybody misses.
        self.pin_key()
        self.wait_signed()
        _, verdict = self.verify()
        self.assertEqual(verdict["ledger"]["integrity"], "intact", verdict["ledger"])
        gone = [s for s in verdict["sessions"] if s["completeness"] == "gone"]
        self.assertLessEqual({f["what"] for s in gone for f in s["findings"]}, {"abandoned"})


class Directories(scene.Scene):
    """Row 15: the directory moves, vanishes, becomes read-only."""

    def test_a_removed_directory_is_made_again_and_guarded(self):
        # The bind mount itself cannot be removed: use a directory below it.
        text = sandbox.POLICY + "recordings: { directory: /var/log/ope_log/sub }\n"
        self.host.write("/etc/opelog/opelog.yaml", text.encode())
        self.host.daemon.wait_log("policy-loaded")
        self.assertEqual(self.host.ssh("opelogtest-a", "true").rc, 0)
        term = self.log_in()
        self.host.run("mv", "/var/log/ope_log/sub", "/var/log/ope_log/moved", check=True)
        term.send("echo to-$((40+2))\r")
        term.expect("to-42")                      # a live session goes on in its open files
        self.assertEqual(self.host.ssh("opelogtest-b", "true").rc, 0)
        self.log_out(term)
        moved = self.host.recordings("opelogtest-a", "/var/log/ope_log/moved")
        sandbox.wait_until(lambda: all(r.ended() for r in moved), "the end of the moved recording")
        self.assertEqual(moved[-1].payload(), term.output)
        self.assertEqual(len(self.host.recordings("opelogtest-b", "/var/log/ope_log/sub")), 1)
        self.assertRegex(self.host.sh("lsattr /var/log/ope_log/sub/*.log").text, r"(?m)^-+a")
        self.host.daemon.wait_log("guard-(rearmed|disarmed|missing|absent)")
        # Where nobody looks they are missing; with both directories all are whole.
        self.pin_key()
        self.wait_signed()
        rc, verdict = self.verify()
        self.assertEqual((rc, self.verdict_of(verdict, moved[-1].name)), (9, ("altered", "gone", ["missing-session"])))
        rc, verdict = self.verify("--also", "/var/log/ope_log/moved", "--also", "/var/log/ope_log")
        self.assertEqual(rc, 0, verdict)
        for recording in (*moved, *self.host.recordings("opelogtest-b", "/var/log/ope_log/sub")):
            self.assertEqual(self.verdict_of(verdict, recording.name), ("intact", "complete", []))

    def test_a_read_only_file_system_follows_the_policy(self):
        self.host.run("mount", "-o", "remount,ro,bind", "/var/log/ope_log", check=True)
        try:
            done = self.host.ssh("opelogtest-a", "echo in")
            self.assertEqual(done.rc, 77, done)
            self.assertIn(b"opelog", done.err)
        finally:
            self.host.run("mount", "-o", "remount,rw,bind", "/var/log/ope_log", check=True)
        self.assertEqual(self.host.ssh("opelogtest-a", "echo in").out, b"in\n")
        [recording] = self.new_recordings(1)
        self.pin_key()
        self.wait_signed()
        _, verdict = self.verify()
        self.assertEqual(self.verdict_of(verdict, recording.name), ("intact", "complete", []))
        self.assertEqual(verdict["ledger"]["integrity"], "intact")


class Policies(scene.Scene):
    """Row 16: broken policy files."""

    def test_a_broken_file_keeps_the_last_good_policy_and_says_where_it_is_wrong(self):
        for broken, place in ((b"version: 1\nrules: [\n", r":\d+:\d+: "),
                              (sandbox.POLICY.encode() + b"version: 1\n", r":\d+:\d+: .*version"),
                              (sandbox.POLICY.encode()[:60], r":\d+:\d+: "),
                              (sandbox.POLICY.encode().replace(b"1000", b"10x0"), r":\d+:\d+: .*10x0"),
                              (b"", r"opelog.yaml")):
            seen = self.host.daemon.log().count("policy-rejected")
            self.host.write("/etc/opelog/opelog.yaml", broken)
            sandbox.wait_until(lambda: self.host.daemon.log().count("policy-rejected") > seen, f"the rejection of {broken!r}")
            last = [line for line in self.host.daemon.log().splitlines() if "policy-rejected" in line][-1]
            self.assertRegex(last, place)
            status = self.host.opelog("status")
            self.assertIn("BROKEN ON DISK", status.text, "status shows it until it is mended")
            self.assertEqual(self.host.ssh("opelogtest-a", "exit 7").rc, 7)
        self.host.run("rm", "/etc/opelog/opelog.yaml", check=True)
        self.assertEqual(self.host.ssh("opelogtest-a", "exit 8").rc, 8)
        self.new_recordings(6)

        def said():
            """Not as a debug fact, though it is the policy in force."""
            return len(re.findall(r" info opelogd\[[0-9]+\]: policy-loaded", self.host.daemon.log()))
        seen = said()
        self.host.write("/etc/opelog/opelog.yaml", sandbox.POLICY.encode())
        sandbox.wait_until(lambda: said() > seen, "the mended policy")
        self.assertNotIn("BROKEN", self.host.opelog("status").text)

    def test_a_file_that_others_may_write_is_no_policy(self):
        self.host.write("/etc/opelog/opelog.yaml", sandbox.POLICY.encode() + b"# x\n", mode=0o666)
        self.host.daemon.wait_log("policy-rejected.*chmod")
        seen = self.host.daemon.log().count("policy-loaded")
        self.host.write("/etc/opelog/opelog.yaml", sandbox.POLICY.encode(), mode=0o644)
        sandbox.wait_until(lambda: self.host.daemon.log().count("policy-loaded") > seen, "the mended policy")

    def test_at_its_first_start_the_daemon_refuses_to_run_without_a_good_policy(self):
        self.host.write("/tmp/bad.yaml", b"version: 1\nrules: []\nrulez: []\n")
        for config in ("/tmp/bad.yaml", "/tmp/no-such.yaml"):
            done = self.host.run("/usr/sbin/opelogd", "--run-directory", "/run", "--config", config)
            self.assertEqual(done.rc, 78, done)
            self.assertEqual(done.err.count(b"\n"), 1, "one line")
        self.assertRegex(self.host.run("/usr/sbin/opelogd", "--run-directory", "/run", "--config", "/tmp/bad.yaml").err, rb"bad.yaml:3:1: .*rulez")


class NameServiceHangs(scene.Scene):
    """Row 6, 15: a directory server that never answers delays only the login that needs it, and only for so long."""
    policy = sandbox.POLICY + "limits: { login_timeout: 2s }\n"

    def test_sessions_go_on_logins_are_refused_in_time_and_work_again_later(self):
        asking, other = self.log_in(), self.log_in("opelogtest-b")
        # Whoever looks somebody up now waits for a writer of the pipe. More logins than there are worker threads.
        self.host.sh("mkfifo -m 644 /etc/passwd.hangs && cp -p /etc/passwd /etc/passwd.real && mv /etc/passwd.hangs /etc/passwd", check=True)
        asking.send("for i in 1 2 3 4 5 6; do /usr/bin/opelog-shell -c 'echo NEVER'$i & done; wait; echo DONE-$((40+2))\r")
        for number in range(10):
            other.send(f"echo alive-{number}-$((40+2))\r")
            other.expect(rf"\nalive-{number}-42\r\n")
        self.assertNotIn(b"DONE-42", asking.output)
        asking.expect(r"\nDONE-42\r\n")
        self.assertNotIn(b"\nNEVER", asking.output)
        self.assertEqual(asking.output.count(b"could not be settled in time"), 6, asking.output)
        self.assertEqual(self.host.daemon.log().count("login-timeout"), 6)
        self.host.sh("mv /etc/passwd /etc/passwd.hangs && mv /etc/passwd.real /etc/passwd && : > /etc/passwd.hangs", check=True)
        self.assertEqual(self.host.ssh("opelogtest-a", "echo again").out, b"again\n")
        self.assertEqual(self.log_out(asking), 0)
        self.assertEqual(self.log_out(other), 0)


class DaemonAbsent(scene.Scene):
    """Row 17: the daemon is absent."""

    def test_targets_are_refused_with_a_clear_message_others_pass_and_glass_can_be_broken(self):
        self.host.run("usermod", "-aG", "opelog-breakglass", "opelogtest.odd_x", check=True)
        term = self.log_in()
        term.send("echo here\r")
        term.expect("here")
        self.host.daemon.kill()
        term.expect_eof(30)           # fail closed: no session goes on unrecorded
        self.assertIn(b"opelog", term.output[-300:])
        os.unlink(self.host.path("/run/opelog/login.sock"))  # while it is there, a login waits for somebody to listen
        done = self.host.ssh("opelogtest-a", "echo in")
        self.assertEqual((done.rc, done.out), (69, b""), done)
        self.assertRegex(done.err, rb"opelog: .*refused")
        self.assertEqual(self.host.ssh("opelogtest-none", "echo in").out, b"in\n", "nobody's target")
        done = self.host.ssh("opelogtest.odd_x", "echo in")
        self.assertEqual(done.out, b"in\n", done)
        self.assertIn(b"opelog", done.err, "an unrecorded login is told so")
        # What was on the screen is in the record, which is completed by the next daemon.
        shown = term.output
        self.host.start_daemon(sandbox.POLICY)
        self.host.daemon.wait_log("recording-repaired")
        [recording] = self.new_recordings(1)
        self.assertTrue(shown.startswith(recording.payload()), (shown[-200:], recording.payload()[-200:]))
        self.assertIn(b"here", recording.payload())
        self.assertIn('"reason":"crash"', recording.notes()["OPELOG_END"][0])
        self.assertEqual(recording.replay(), recording.payload())
        self.assertEqual(self.host.ssh("opelogtest-a", "exit 5").rc, 5)

    def test_a_login_that_has_no_verdict_yet_waits_for_the_next_daemon(self):
        self.host.start_daemon(sandbox.POLICY) if not self.host.daemon.process.running() else None
        self.host.daemon.process.signal(signal.SIGSTOP)
        term = self.host.ssh_pty("opelogtest-a")
        command = self.host.popen(*self.host.ssh_argv("opelogtest-a", "exit 5"))
        sandbox.wait_until(lambda: len(self.host.sh("pgrep -x opelog-shell").text.split()) == 2, "both have asked")
        self.host.daemon.process.signal(signal.SIGKILL)
        self.host.daemon.process.popen.send_signal(signal.SIGCONT)  # nsenter, stopped with its child
        self.host.daemon.process.wait()
        self.host.start_daemon(sandbox.POLICY)
        self.assertEqual(command.wait(), 5)
        term.expect(sandbox.PROMPT)
        term.send("exit 6\r")
        self.assertEqual(term.wait(), 6)
        self.new_recordings(2)

    def test_a_graceful_stop_writes_every_end(self):
        self.host.start_daemon(sandbox.POLICY) if not self.host.daemon.process.running() else None
        terms = [self.log_in() for _ in range(3)]
        self.assertEqual(self.host.daemon.stop(), 0)
        for term in terms:
            term.expect_eof(30)
            self.assertIn(b"opelog: the recorder stops", term.output)
        for recording, term in zip(self.new_recordings(3), terms):
            self.assertIn('"reason":"shutdown"', recording.notes()["OPELOG_END"][0])
            self.assertTrue(term.output.startswith(recording.payload()))
        self.host.start_daemon(sandbox.POLICY)


if __name__ == "__main__":
    sandbox.require_sandbox()
    unittest.main()
