"""Sessions outlive the daemon: restarts in order (SIGUSR2, as `systemctl restart` brings about) and `kill -9`."""

import contextlib
import json
import os
import random
import re
import select
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402


# How often in a flood; a long run takes 100.
ROUNDS = int(os.environ.get("OPELOG_RESTARTS", "6"))


class Kept(scene.Scene):
    """A host whose service manager keeps descriptors and holds the sockets."""
    host_options = {"keeps_sessions": True}

    @classmethod
    def prepare(cls):
        cls.host.hold_sockets()

    def next_daemon(self, number=signal.SIGUSR2):
        """Ends the daemon by that signal and starts the next one."""
        self.host.daemon.process.signal(number)
        status = self.host.daemon.process.wait()
        if number != signal.SIGKILL:
            self.assertEqual(status, 0, self.host.daemon.log())
        self.host.start_daemon(None, self.daemon)
        self.assertNotIn("session-lost", self.host.daemon.log())

    def nothing_is_kept(self):
        sandbox.wait_until(lambda: not [n for n in self.host.manager.store if re.match("opelog-(session|outer)", n)],
                           f"an empty store, not {list(self.host.manager.store)}")


class Restarts(Kept):
    def each(self, number, how):
        term = self.log_in()
        term.send("echo before\r")
        term.expect(r"\nbefore\r\n.*\$ $")
        self.next_daemon(number)
        self.host.daemon.wait_log("session-resumed")
        term.send("echo after; tty; stty size\r")
        term.expect(r"\nafter\r\n/dev/pts/\d+\r\n24 80\r\n.*\$ $")
        term.resize(30, 100)
        term.send("sleep 0.1; stty size\r")
        term.expect(r"30 100\r\n.*\$ $")  # bash may draw the line anew before
        self.assertEqual(self.log_out(term, "exit 7"), 7)
        [recording] = self.new_recordings()
        self.assertEqual(recording.payload(), term.output)
        self.assertIn(b'OPELOG_RESUMED {"how":"%s"' % how, recording.time)
        self.nothing_is_kept()

    def test_a_session_goes_on_after_a_restart(self):
        self.each(signal.SIGUSR2, b"restart")

    def test_two_signals_at_once_harm_nothing(self):
        term = self.log_in()
        for number in (signal.SIGUSR2, signal.SIGTERM):
            self.host.daemon.process.signal(number)
        self.host.daemon.process.wait()
        self.host.start_daemon(None, self.daemon)
        term.send("echo twice-$((1 + 1))\r")
        term.expect(r"\ntwice-2\r\n.*\$ $")
        self.assertEqual(term.output.count(b"echo twice-"), 1, "the outer terminal echoes as well")
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        self.assertIn(b'OPELOG_RESUMED {"how":"restart"', recording.time)

    def test_a_session_goes_on_after_a_kill(self):
        self.each(signal.SIGKILL, b"crash")


HOLDER = r'''
import fcntl, os, struct, sys
fd = os.open("/run/opelog/daemon.lock", os.O_RDWR | os.O_CREAT)
F_OFD_SETLKW, whole = 38, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
fcntl.fcntl(fd, F_OFD_SETLKW, whole)
started = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]
os.ftruncate(fd, 0)
os.pwrite(fd, f"{os.getpid()} {started}\n".encode(), 0)
print("holds", flush=True)
sys.stdin.read()
'''


class OneAtATime(Kept):
    """No daemon begins while another one of the host may write."""

    def test_a_second_one_by_hand_is_refused(self):
        done = self.host.run("/usr/sbin/opelogd", "--log-stderr", env={"NOTIFY_SOCKET": ""})
        self.assertEqual(done.rc, 69, done)
        self.assertRegex(done.err, rb"\Aopelogd: another opelogd runs \(process [0-9]+\); stop it first\n\Z")
        self.assertEqual(self.host.ssh("opelogtest-a", "echo served").out, b"served\n")

    def test_the_next_one_waits_for_one_that_is_not_gone(self):
        term = self.log_in()
        self.host.daemon.process.signal(signal.SIGKILL)
        self.host.daemon.process.wait()
        self.host.write("/tmp/holder.py", HOLDER.encode())
        former = self.host.popen("python3", "/tmp/holder.py", stdin=-1, stdout=-1)
        self.assertEqual(former.popen.stdout.readline(), b"holds\n")
        waits = self.host.start_daemon(None, self.daemon, ready=False)
        waits.wait_log("another opelogd .process [0-9]+. has not ended yet: waiting for it")
        self.assertNotIn("daemon-start", waits.log())
        former.popen.stdin.close()
        former.wait()
        waits.wait_ready()
        term.send("echo still-$((40 + 2))\r")
        term.expect(r"\nstill-42\r\n.*" + sandbox.PROMPT)
        self.assertEqual(self.log_out(term), 0)


class Away(Kept):
    """What happens while no daemon runs is seen by the next one."""

    def away(self, term, what):
        """Kills the daemon, does something, and starts another."""
        self.host.daemon.kill()
        what()
        self.host.start_daemon(None, self.daemon)

    def test_what_is_typed_meanwhile_is_kept(self):
        term = self.log_in()
        self.away(term, lambda: term.send("echo typed-$((40 + 2))\r"))
        term.expect(r"\ntyped-42\r\n")
        self.assertEqual(self.log_out(term), 0)

    def test_a_shell_that_ends_meanwhile_ends_the_login_with_its_status(self):
        term = self.log_in()
        term.send("echo up; sleep 0.5; exit 5\r")
        term.expect(r"\nup\r\n")
        self.away(term, lambda: time.sleep(1))
        self.assertEqual(term.wait(), 5)
        [recording] = self.new_recordings()
        self.assertIn(b'OPELOG_END {"reason":"exit"', recording.time)
        self.assertIn(b"EXIT_CODE 5", recording.time)

    def test_a_connection_that_is_lost_meanwhile_hangs_the_session_up(self):
        term = self.log_in()
        self.away(term, term.hang_up)
        [recording] = self.new_recordings()
        self.assertIn(b'OPELOG_END {"reason":"hangup"', recording.time)

    def test_a_window_that_changes_meanwhile_is_seen(self):
        term = self.log_in()
        self.away(term, lambda: (term.resize(31, 99), time.sleep(0.3)))
        term.send("until stty size | grep '31 99'; do sleep 0.1; done\r")  # a command may be faster than the change
        term.expect(r"\n31 99\r\n")
        self.log_out(term)

    def test_a_login_meanwhile_waits(self):
        self.host.daemon.kill()
        terms = [self.host.ssh_pty("opelogtest-a") for _ in range(3)]
        time.sleep(0.5)
        self.host.start_daemon(None, self.daemon)
        for term in terms:
            term.expect(r"\$ $")
            self.assertEqual(self.log_out(term), 0)

    def test_without_a_next_daemon_the_session_ends_when_nothing_is_kept_any_more(self):
        term = self.log_in()
        self.host.daemon.kill()
        self.host.manager.release()
        term.expect_eof()
        self.host.start_daemon(None, self.daemon)
        [recording] = self.new_recordings()
        self.assertIn(b'OPELOG_END {"reason":"crash"', recording.time)

    def test_verify_tells_a_seam_and_nothing_worse(self):
        term = self.log_in()
        term.send("echo $((6 * 7)); sleep 1.2\r")
        term.expect(r"\n42\r\n.*\$ $")
        for number in (signal.SIGKILL, signal.SIGUSR2, signal.SIGKILL):
            term.send("seq 5; echo ready-$((1 + 1))\r")
            term.expect(r"ready-2\r\n.*\$ $")
            self.next_daemon(number)
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        self.wait_signed()
        self.pin_key()
        _, verdict = self.verify(recording.name)
        self.assertEqual(self.verdict_of(verdict, recording.name), ("intact", "complete", []), verdict)


class Commands(Kept):
    """What is executed while no daemon runs is told by the next one, once."""

    def test_every_process_is_told(self):
        term = self.log_in()
        term.send("for i in $(seq 400); do /bin/true $i; done; echo all-$((1 + 1))\r")
        for number in (signal.SIGKILL, signal.SIGUSR2):
            time.sleep(0.1)
            self.next_daemon(number)
        term.expect(r"\nall-2\r\n.*" + sandbox.PROMPT)
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        told = re.findall(rb'OPELOG_EXEC .*"argv":\["/bin/true","(\d+)"\]', recording.time)
        self.assertEqual(sorted(map(int, set(told))), list(range(1, 401)))
        # A kill between an event's record and its place in the ring tells that one again.
        self.assertLessEqual(len(told), 401)
        self.assertNotIn(b'OPELOG_GAP {"what":"exec"', recording.time)


class GivenUp(Kept):
    """A session of which daemons die again and again is not tried for ever."""

    def test_it_ends_and_the_host_goes_on(self):
        term, other = self.log_in(), self.log_in("opelogtest-b")
        kept = self.host.manager.store
        log = self.new_recordings(2, ended=False)[0].name + ".log"
        [name] = [n for n in kept if n.startswith("oi") and any(os.readlink(f"/proc/self/fd/{fd}").endswith("/" + log) for fd in kept[n])]
        [memory] = [fd for fd in kept[name] if os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:opelog-session")]
        os.pwrite(memory, struct.pack("=I", 5), 12)  # SessionMemory::attempts
        self.host.daemon.kill()
        self.host.start_daemon(None, self.daemon)
        self.host.daemon.wait_log("session-lost: .*died 5 times")
        term.expect_eof()
        other.send("echo still-$((40 + 2))\r")
        other.expect(r"still-42\r\n.*\$ $")
        self.assertEqual(self.log_out(other), 0)
        self.new_recordings(2)
        self.nothing_is_kept()


class Streams(Kept):
    """Commands and copies: over a restart every byte arrives; over a kill every byte arrives, or the end is seen."""
    policy = sandbox.POLICY.replace("    action: record\n", "    action: record\n    payload: true\n")
    assert policy != sandbox.POLICY

    def copy(self, number):
        """Sends what `seq` prints through `cat` on the host, with daemons coming and going."""
        sent = b"".join(b"%d\n" % n for n in range(1000000, 3000000))
        host = self.host
        argv, env = host.entry(*host.ssh_argv("opelogtest-a", "cat"))
        with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
            got, feeding = [], threading.Thread(target=feed, args=(cat.stdin, sent))
            taking = threading.Thread(target=lambda: got.extend(iter(lambda: cat.stdout.read1(65536), b"")))
            feeding.start()
            taking.start()
            for _ in range(3):
                before = len(got)
                sandbox.wait_until(lambda: len(got) > before + 5 or not taking.is_alive(), "more of it")
                self.next_daemon(number)
            feeding.join()
            taking.join()
        return sent, b"".join(got), cat.returncode

    def test_a_copy_goes_on_over_restarts(self):
        sent, got, status = self.copy(signal.SIGUSR2)
        self.assertEqual(status, 0)
        self.assertTrue(sent == got, "what was sent and what came back differ")
        [recording] = self.new_recordings()
        self.assertTrue(recording.payload() == got, "what came back and what was recorded differ")
        self.nothing_is_kept()

    def test_a_copy_that_a_kill_tears_fails_instead_of_being_wrong(self):
        torn = 0
        for _ in range(2):
            sent, got, status = self.copy(signal.SIGKILL)
            self.assertTrue(sent.startswith(got), "a hole in what came back")
            self.assertEqual(status == 0, sent == got, (status, len(sent), len(got)))
            torn += status != 0
        for recording in self.new_recordings(2):
            reason = re.search(rb'OPELOG_END {"reason":"(\w+)"', recording.time).group(1)
            self.assertIn(reason, (b"exit", b"failure"))
        self.nothing_is_kept()
        print(f"{torn} of 2 copies were torn, and failed")


def feed(pipe, sent):
    with contextlib.suppress(BrokenPipeError):
        pipe.write(sent)
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


class Endings(Kept):
    def test_a_session_that_was_ending_is_ended_by_the_next_daemon(self):
        for _ in range(5):
            terms = [self.log_in() for _ in range(6)]
            for term in terms:
                term.send("exit 3\r")
            self.host.daemon.wait_log("session-end")
            self.next_daemon(signal.SIGKILL)
            self.assertEqual({term.wait() for term in terms}, {3})
            self.nothing_is_kept()
        for recording in self.new_recordings(30):
            self.assertEqual(recording.notes()["EXIT_CODE"], ["3"])


    def test_one_that_was_being_hung_up_is_ended_by_the_next_daemon(self):
        terms = [self.log_in() for _ in range(2)]
        for term in terms:  # its shell outlives the hang-up until it is killed
            term.send("trap '' HUP; exec -a deaf-$((40 + 2)) sleep 1000\r")
        sandbox.wait_until(lambda: self.host.sh("pgrep -c -f deaf-4[2]").text.strip() == "2", "both")
        for term in terms:
            term.hang_up()

        def hanging_up():
            self.host.daemon.process.signal(signal.SIGUSR1)
            return re.search(r"state=hanging-up(.*\n)*.*state=hanging-up", self.host.daemon.log())
        sandbox.wait_until(hanging_up, "both hanging up")
        self.host.daemon.kill()
        self.host.start_daemon(None, self.daemon)
        sandbox.wait_until(lambda: self.host.sh("pgrep -c -f deaf-4[2]").text.strip() == "0", "nothing left of it")
        # What executes nothing but lives on for a moment may be recorded besides, without a terminal.
        both = [r for r in self.host.recordings() if r.name not in self.seen and not r.name.endswith("_UNKNOWN")]
        self.assertEqual(len(both), 2)
        for recording in both:
            sandbox.wait_until(recording.ended, "its end")
            self.assertRegex(recording.time, rb'OPELOG_END {"reason":"(hangup|crash)"')
        self.nothing_is_kept()


class FullStore(Kept):
    """The service manager keeps no more descriptors than the unit allows, and says nothing of what it closes."""
    daemon = ("env", "FDSTORE=40", "/usr/sbin/opelogd")

    def stored(self):
        return sum(len(fds) for fds in self.host.manager.store.values())

    def unkept(self):
        status = json.loads(self.host.opelog("status", "--json", check=False).out)
        return status["unkept"], [d for d in status["degraded"] if "FileDescriptorStoreMax=" in d["remedy"]]

    def test_what_finds_no_room_is_not_called_kept(self):
        terms = []
        while self.unkept()[0] == 0:
            self.assertLess(len(terms), 8)
            terms.append(self.log_in())
        self.assertEqual(self.host.daemon.log().count(" store-full: "), 1)
        terms.append(self.log_in())
        self.assertEqual(self.host.daemon.log().count(" store-full: "), 1, "stated once")
        unkept, degraded = self.unkept()
        self.assertEqual(unkept, 2)
        self.assertEqual(len(degraded), 1, degraded)
        self.assertRegex(degraded[0]["what"], ": 2$")
        self.assertLessEqual(self.stored(), 40)
        kept, lost = terms[:-2], terms[-2:]
        self.assertGreater(len(kept), 0)
        self.next_daemon(signal.SIGKILL)
        for term in lost:
            term.expect_eof()
        for term in kept:
            term.send("echo still-$((40 + 2))\r")
            term.expect(r"\nstill-42\r\n.*" + sandbox.PROMPT)
        self.assertEqual(self.unkept(), (0, []))
        late = self.log_in()
        self.assertEqual(self.unkept()[0], 1, "what the daemon before had stored counts")
        self.log_out(kept.pop())
        sandbox.wait_until(lambda: self.unkept()[0] == 0, "there is room, and it is taken")
        self.next_daemon(signal.SIGKILL)
        late.send("echo late-$((40 + 2))\r")
        late.expect(r"\nlate-42\r\n.*" + sandbox.PROMPT)
        for term in (*kept, late):
            self.log_out(term)
        self.new_recordings(len(terms) + 1)
        self.nothing_is_kept()
        again = self.log_in()
        self.assertEqual(self.unkept(), (0, []))
        self.log_out(again)


class Guarded(Kept):
    """The guard knows the recordings that go on, in whatever directory they were begun."""
    guard = "guard: { directories: [{ path: /var/log/before }, { path: /var/log/ope_log }] }\n"
    policy = sandbox.POLICY + guard + "recordings: { directory: /var/log/before }\n"

    def flags(self, directory, name):
        return {line.split()[0].count("a") for line in self.host.sh(f"lsattr -d -- {directory}/{name}.*", check=True).text.splitlines()}

    def test_a_live_recording_is_never_thawed(self):
        term = self.log_in()
        name = os.path.basename(self.host.sh("ls /var/log/before/*.log", check=True).text.strip())[:-4]
        self.host.write("/etc/opelog/opelog.yaml", sandbox.POLICY + self.guard)
        self.host.opelog("reload", check=True)
        for number in (signal.SIGKILL, signal.SIGUSR2):
            self.next_daemon(number)
            self.host.daemon.wait_log("session-resumed")
            sandbox.wait_until(lambda: "/var/log/before" in json.loads(self.host.opelog("status", "--json").out)["guard"]["directories"], "the guard")
            self.host.opelog("thaw", "--seconds", "60", check=True)
            self.assertEqual(self.flags("/var/log/before", name), {1})
            self.host.opelog("freeze", check=True)
        self.assertEqual(self.log_out(term), 0)


class FullDisk(Kept):
    """Neither ledger nor recording take anything when the next daemon starts."""
    host_options = {"keeps_sessions": True, "log_image_mb": 16}

    def test_a_session_goes_on_though_the_ledger_cannot_be_opened(self):
        term = self.log_in()
        self.host.daemon.kill()
        # An entry that was written in part must be closed before anything else, and there is no room for that.
        self.host.append(f"{sandbox.LEDGER_DIR}/entries", b'{"i":')
        self.host.sh("cd /run/host-disk && dd if=/dev/zero of=filler bs=64k; sync; dd if=/dev/zero of=filler bs=512 oflag=append conv=notrunc; sync; "
                     "dd if=/dev/zero of=filler bs=512 oflag=append conv=notrunc; while printf 0; do :; done >> /var/log/opelog-ledger/entries; true")
        self.host.start_daemon(None, self.daemon)
        self.host.daemon.wait_log("ledger-failed: no ledger")
        self.host.daemon.wait_log("session-resumed")
        self.assertEqual(self.host.ssh("opelogtest-b", "true").rc, 77, "no session begins without a ledger")
        term.send("seq 3000; echo after-$((40+2))\r")
        self.host.daemon.wait_log("record-failed")
        self.host.sh("rm /run/host-disk/filler", check=True)
        term.expect(r"\nafter-42\r\n")
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        self.assertEqual(recording.payload(), term.output)
        self.assertIn(b'OPELOG_RESUMED {"how":"crash"', recording.time)  # once there was room for it
        self.nothing_is_kept()
        self.pin_key()
        self.wait_signed()
        _, verdict = self.verify(recording.name)
        integrity, _, words = self.verdict_of(verdict, recording.name)
        self.assertEqual((integrity, set(words) - {"gap"}), ("intact", set()), verdict)


class Watched(threading.Thread):
    """Reads a terminal all the time; what it read is in the terminal's output when it is stopped."""

    def __init__(self, term):
        super().__init__(daemon=True)
        self.term, self.over, self.size, self.parts = term, False, 0, []
        self.start()

    def run(self):
        while not self.over:
            if select.select([self.term.master], [], [], 0.02)[0]:
                self.parts.append(os.read(self.term.master, 65536))
                self.size += len(self.parts[-1])

    def stop(self):
        self.over = True
        self.join()
        self.term.keep(b"".join(self.parts))


class Floods(Kept):
    """A session that prints as fast as it can, and daemons that come and go."""

    def flood(self, number, rounds):
        term = self.log_in()
        term.send("PS1='$ '; stty -echo; seq 1000000 99999999\r")
        term.expect(r"\n1000010\r\n")
        watched = Watched(term)
        for _ in range(rounds):
            before = watched.size
            sandbox.wait_until(lambda: watched.size > before + 200000, "more output")
            time.sleep(0.03 + random.random() / 50)  # one that dies at once, again and again, is held against the session
            self.next_daemon(number)
        term.send("\x03")
        sandbox.wait_until(lambda: b"".join(watched.parts[-2:]).endswith(b"\r\n$ "), "the prompt")
        watched.stop()
        self.assertEqual(self.log_out(term, "exit 0"), 0)
        [recording] = self.new_recordings()
        self.nothing_is_kept()
        return recording, term.output

    def test_restarts_in_a_flood_lose_nothing(self):
        recording, shown = self.flood(signal.SIGUSR2, ROUNDS)
        self.assertEqual(recording.time.count(b"OPELOG_RESUMED"), ROUNDS)
        self.assertTrue(recording.payload() == shown, "what was shown and what was recorded differ")

    def test_kills_in_a_flood_lose_nothing_that_was_shown(self):
        recording, shown = self.flood(signal.SIGKILL, ROUNDS)
        self.assertEqual(recording.time.count(b"OPELOG_RESUMED"), ROUNDS)
        recorded = recording.payload()
        at, missing, holes = 0, 0, 0
        for part, size in blocks(shown, recorded):
            at = recorded.find(part, at)
            self.assertGreaterEqual(at, 0, f"shown and not recorded: {part[:80]!r}")
            at += size
        unshown = sum(int(n) for n in re.findall(rb'"unshown":(\d+)', recording.time))
        self.assertLessEqual(len(recorded) - len(shown), unshown)
        print(f"{ROUNDS} kills: {len(recorded)} bytes recorded, {len(recorded) - len(shown)} of them not shown "
              f"(stated: {unshown}), {recording.time.count(b'killed while it read')} gaps")


def blocks(shown, recorded):
    """`shown` in pieces that stand in `recorded` as they are: as few as can be."""
    at = begin = there = 0
    while at < len(shown):
        size = 0
        for step in (1 << 20, 1 << 16, 1 << 12, 1 << 8, 1 << 4, 1):
            while size + step <= len(shown) - at and shown[at + size:at + size + step] == recorded[there + size:there + size + step]:
                size += step
        if size:
            yield shown[at:at + size], size
            at, there = at + size, there + size
            continue
        found = recorded.find(shown[at:at + 64], there)
        if found < 0:
            yield shown[at:], len(shown) - at
            return
        there = found


if __name__ == "__main__":
    sandbox.run_file()
