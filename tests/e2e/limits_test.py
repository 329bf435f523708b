#!/usr/bin/env python3
"""What one user, or one session, may take: size, output a second, an idle terminal, a part of a nearly full disk, retention. Row 7 of docs/threats.md."""

import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import restart_test  # noqa: E402
import sandbox  # noqa: E402
import scene  # noqa: E402

RULE = """version: 1
rules:
  - name: operators
    match: { uid: [1000, "5000-"], parent: [sshd, sshd-session] }
    payload: true
"""
LOG = "log: { target: stderr, level: debug }\n"
A, B = "opelogtest-a", "opelogtest-b"


def policy(limits, rule=""):
    return f"{RULE}{rule}limits: {{ {limits} }}\n{LOG}"


class Limits(scene.Scene):
    def status(self):
        return json.loads(self.host.opelog("status", "--json").out)

    def end(self, recording):
        return json.loads(recording.notes()["OPELOG_END"][0])

    def gaps(self, recording):
        return [json.loads(gap) for gap in recording.notes().get("OPELOG_GAP", [])]

    def use(self, text):
        self.host.write("/etc/opelog/opelog.yaml", text)
        self.host.opelog("reload", check=True)


class Size(Limits):
    policy = policy("session_size: 64K, end_grace: 60s")
    most = 65536 + 8192    # with its end and what says why

    def assert_ended(self, recording, text=""):
        self.assertEqual(self.end(recording)["reason"], "limit")
        self.assertLessEqual(len(recording.log) + len(recording.time), self.most)
        self.host.daemon.wait_log(f"session-end: .*recording={re.escape(recording.name)} .*reason=limit")

    def test_a_terminal_is_told_and_ended_and_all_it_showed_is_recorded(self):
        other, term = self.log_in(A), self.log_in(B)
        term.send("seq 1 100000\r")
        term.expect_eof()
        said = b"opelog: the recording of this session has reached its limit of 65536 bytes; the session ends"
        self.assertIn(said, term.output)
        [recording] = self.new_recordings(1, B)
        self.assert_ended(recording)
        shown, recorded = (text.replace(b"\r\n" + said + b"\r\n", b"") for text in (term.output, recording.payload()))
        self.assertIn(said, recording.payload())
        self.assertTrue(recorded.startswith(shown[:len(recorded)]), "nothing is shown that is not recorded")
        [gap] = [g for g in self.gaps(recording) if g["what"] == "output"]
        self.assertIn("limits.session_size was reached", gap["why"])
        self.assertEqual(self.log_out(other, "echo in; exit 5"), 5, "another user's goes on")

    def test_who_reads_slowly_sees_the_rest_and_why_it_ends(self):
        term = self.log_in(B)
        term.send("until [ -e /tmp/go ]; do sleep 0.1; done; seq 1 100000\r")
        sshd = self.host.run("pgrep", "-u", B, "-x", "sshd", check=True).text.strip()
        # It stands still: the terminal is full when the limit is reached.
        self.host.run("kill", "-STOP", sshd, check=True)
        self.host.write("/tmp/go", b"")
        time.sleep(2)
        self.host.run("kill", "-CONT", sshd, check=True)
        term.expect_eof()
        [recording] = self.new_recordings(1, B)
        self.assert_ended(recording)
        self.assertRegex(term.output, rb"\r\nopelog: the recording of this session has reached its limit of 65536 bytes; the session ends\r\n$")
        self.assertEqual(term.output, recording.payload())
        self.assertEqual(self.end(recording)["bytes_out"], len(term.output))

    def test_a_command_ends_likewise(self):
        done = self.host.ssh(B, "head -c 1000000 /dev/zero")
        [recording] = self.new_recordings(1)
        self.assert_ended(recording)
        self.assertEqual(recording.payload()[:len(done.out)], done.out)
        self.assertLessEqual(len(done.out), 65536)

    def test_so_does_one_whose_executions_fill_it(self):
        term = self.log_in(B)
        term.send("while :; do /bin/true; done\r")
        term.expect_eof()
        self.assertIn(b"has reached its limit", term.output)
        # What the loop still started when the session had ended may have a recording of its own, behind it.
        recording = sandbox.wait_until(lambda: [r for r in self.host.recordings(B) if r.name not in self.seen and r.ended()], "its end")[0]
        self.assert_ended(recording)


class Rate(Limits):
    policy = policy("output_rate: 128K")
    count = 300000
    flood = f"head -c {count} /dev/zero | tr '\\0' x; echo end-$((40+2))"

    def limited(self):
        return self.status()["limited"]

    def test_delay_lets_the_program_wait_and_loses_nothing(self):
        term = self.log_in(B)
        term.send(self.flood + "\r")
        sandbox.wait_until(lambda: (term.pump(0.01), self.limited())[1] == 1, "the session's output is delayed")
        self.assertEqual(self.host.ssh(A, "echo in").out, b"in\n")
        term.expect("end-42")
        self.log_out(term)
        [recording] = self.new_recordings(1, B)
        self.assert_replays(recording, term.output)
        self.assertEqual(self.gaps(recording), [])
        self.assertEqual(len(re.findall(r"output-limited: .*is delayed", self.host.daemon.log())), 1)
        self.assertEqual(self.limited(), 0)

    def test_delay_of_a_command_and_of_a_user(self):
        self.use(policy("output_rate_per_user: 128K"))
        one = self.host.popen(*self.host.ssh_argv(B, f"head -c {self.count} /dev/zero"), stdin=-3, stdout=-1)
        two = self.host.ssh(B, "head -c 150000 /dev/urandom")
        first = one.popen.stdout.read()
        self.assertEqual((one.wait(), len(first), two.rc, len(two.out)), (0, self.count, 0, 150000))
        recorded = sorted((r.payload() for r in self.new_recordings(2)), key=len)
        self.assertEqual(recorded, [two.out, first])
        self.assertRegex(self.host.daemon.log(), rf"output-limited: .*user={B}")

    def test_pass_only_says_so(self):
        self.use(policy("output_rate: 128K, on_output_rate: pass"))
        done = self.host.ssh(B, f"head -c {self.count} /dev/zero")
        [recording] = self.new_recordings(1)
        self.assertEqual((done.rc, recording.payload()), (0, done.out))
        self.host.daemon.wait_log(f"output-limited: .*is recorded all the same.*{re.escape(recording.name)}")

    def test_drop_shows_all_and_states_what_is_missing_before_and_after(self):
        self.use(policy("output_rate: 128K, on_output_rate: drop"))
        term = self.log_in(B)
        term.send(self.flood + "\r")
        term.expect("end-42")
        [recording] = self.new_recordings(1, ended=False)
        sandbox.wait_until(lambda: self.gaps(recording), "the beginning of what is missing is stated")
        self.assertEqual(self.limited(), 1)

        def again():
            term.send("echo more-$((40+2))\r")
            term.expect("more-42\r")
            return b"more-42" in recording.payload()
        sandbox.wait_until(again, "it is recorded again")
        self.assertEqual(self.limited(), 0)
        self.log_out(term)
        [recording] = self.new_recordings(1)
        gaps = self.gaps(recording)
        self.assertEqual(gaps[0]["bytes"], 0)
        self.assertIn("from here on", gaps[0]["why"])
        lost = sum(gap["bytes"] for gap in gaps)
        self.assertGreater(lost, 0)
        self.assertEqual(len(recording.payload()) + lost, len(term.output))
        self.host.daemon.wait_log(f"output-limited: .*shown and not recorded.*{re.escape(recording.name)}")
        self.pin_key()
        self.wait_signed()
        self.assertEqual(self.verdict_of(self.verify()[1], recording.name), ("intact", "incomplete", ["gap"]))

    def test_nothing_is_found_across_what_was_dropped(self):
        self.use(policy("output_rate: 128K, on_output_rate: drop"))
        term = self.log_in(B)
        term.send(self.flood + "\r")
        term.expect("end-42")
        [recording] = self.new_recordings(1, ended=False)

        def again():
            term.send("echo more-$((40+2))\r")
            term.expect("more-42\r")
            return b"more-42" in recording.payload()
        sandbox.wait_until(again, "it is recorded again")
        self.log_out(term)
        [recording] = self.new_recordings(1)

        def search(*words):
            done = self.host.opelog("search", "--scan", "--json", "-u", B, *words)
            return done.rc, [hit for hit in json.loads(done.text) if hit.get("session", recording.name) == recording.name]
        _, hits = search("--text", "-E", "x{20}")
        self.assertLessEqual({hit["line"].strip("x") for hit in hits}, {"", "end-42"})
        self.assertTrue([hit for hit in hits if "behind" in hit.get("gap", "")], hits)
        rc, hits = search("--text", "-E", "x{20}.*echo more")
        self.assertEqual((rc, [hit.keys() - {"damaged"} for hit in hits]), (1, [{"with_gaps"}]))
        commands = json.loads(self.host.opelog("commands", "--json", recording.name).text)
        self.assertGreaterEqual(commands[-1]["gaps"], 1)

    def test_what_is_dropped_is_stated_though_the_daemon_is_killed(self):
        self.use(policy("output_rate: 128K, on_output_rate: drop"))
        term = self.log_in(B)
        term.send(self.flood + "\r")
        term.expect("end-42")
        self.host.daemon.kill()
        term.hang_up()
        self.host.start_daemon(self.policy)
        [recording] = self.new_recordings(1)
        self.assertIn("from here on", self.gaps(recording)[0]["why"])


class OverARestart(Limits, restart_test.Kept):
    """Limits of a session that outlives the daemon."""
    policy = policy("output_rate: 128K, idle_end: 5m, session_size: 1M")

    def test_delayed_output_goes_on_and_the_size_is_still_bounded(self):
        term = self.log_in(B)
        term.send(Rate.flood + "\r")
        sandbox.wait_until(lambda: (term.pump(0.01), self.status()["limited"])[1] == 1, "the session's output is delayed")
        self.next_daemon()
        self.host.daemon.wait_log("session-resumed")
        term.expect("end-42")
        [recording] = self.new_recordings(1, ended=False)
        self.assertEqual(self.gaps(recording), [])
        self.use(policy("output_rate: 0"))
        term.send("head -c 4000000 /dev/zero | tr '\\0' y\r")
        term.expect_eof()
        self.assertIn(b"has reached its limit of 1048576 bytes", term.output)
        sandbox.wait_until(recording.ended, "its end")
        self.assertEqual(self.end(recording)["reason"], "limit")
        self.nothing_is_kept()

    def test_what_was_dropped_is_stated_by_the_next_daemon(self):
        self.use(policy("output_rate: 128K, on_output_rate: drop"))
        term = self.log_in(B)
        term.send(Rate.flood + "\r")
        term.expect("end-42")
        self.assertEqual(self.status()["limited"], 1)
        self.next_daemon()
        self.host.daemon.wait_log("session-resumed")
        term.send("echo more-$((40+2))\r")
        term.expect("more-42")
        self.log_out(term)
        [recording] = self.new_recordings(1)
        self.assertGreater(sum(gap["bytes"] for gap in self.gaps(recording)), 0)
        self.assertEqual(len(recording.payload()) + sum(gap["bytes"] for gap in self.gaps(recording)), len(term.output))


    def test_what_was_dropped_is_counted_once_over_kills(self):
        self.use(policy("output_rate: 128K, on_output_rate: drop"))
        term = self.log_in(B)
        term.send("seq 1000000 9999999\r")
        for _ in range(6):
            before = len(term.output)
            sandbox.wait_until(lambda: (term.pump(0.01), len(term.output) > before + 300000)[1], "more output")
            self.next_daemon(signal.SIGKILL)
        term.send("\x03")
        term.expect(r"\^C.*\$ $")
        self.log_out(term)
        [recording] = self.new_recordings(1)
        stated = sum(gap["bytes"] for gap in self.gaps(recording))
        unshown = sum(int(n) for n in re.findall(rb'"unshown":(\d+)', recording.time))
        more = len(recording.payload()) + stated - len(term.output)
        self.assertGreater(stated, 300000)
        self.assertGreaterEqual(more, 0, "shown, and neither recorded nor counted")
        self.assertLessEqual(more, unshown, "counted twice")


class Idle(Limits):
    policy = policy("idle_warning: 2s, idle_end: 4s")

    def test_who_does_nothing_is_warned_and_ended_and_who_does_something_is_not(self):
        busy, idle = self.log_in(A), self.log_in(B)
        busy.send("for i in 1 2 3 4 5 6 7 8 9 10 11; do echo tick-$i; sleep 0.5; done; exit 6\r")
        command = self.host.popen(*self.host.ssh_argv(A, "sleep 5; exit 7"), stdin=-3)
        idle.expect(r"opelog: nothing has happened here for 2 s; this session ends in 2 s if nothing does\r\n")
        idle.send("echo back-$((40+2))\r")
        idle.expect("back-42\r")
        idle.expect_eof()
        self.assertEqual(idle.output.count(b"this session ends in 2 s if nothing does"), 2)
        self.assertIn(b"opelog: nothing has happened here for 4 s; this session ends\r\n", idle.output)
        self.assertEqual((busy.wait(), command.wait()), (6, 7))
        self.assertNotIn(b"nothing has happened", busy.output)
        [recording] = self.new_recordings(1, B)
        self.assertEqual(self.end(recording)["reason"], "idle")
        self.assert_replays(recording, idle.output)
        self.host.daemon.wait_log("session-idle")


class NearlyFull(Limits):
    """A disk of 256 MiB: a 32nd of it is its reserve, a 64th of that each user's part."""
    host_options = {"log_image_mb": 256}
    policy = policy("hold_timeout: 5m")

    def disk(self):
        found = os.statvfs(self.host.path("/run/host-disk"))
        return found.f_bfree * found.f_frsize, found.f_blocks * found.f_frsize

    def test_a_flooder_meets_the_end_of_his_part_and_others_work_on(self):
        flood = self.log_in(B)
        free, size = self.disk()
        reserve = size // 32
        self.host.run("fallocate", "-l", str(free - reserve - (4 << 20)), "/run/host-disk/filler", check=True)
        flood.send("yes 0123456789abcdef\r")
        told = "record-failed: .*less is free than limits.disk_reserve, and this user has written his part"
        sandbox.wait_until(lambda: (flood.pump(0.02), re.search(told, self.host.daemon.log()))[1], "the end of his part")
        self.host.daemon.wait_log("disk-low: ")
        [recording] = self.new_recordings(1, B, ended=False)
        self.assertGreater(self.disk()[0], reserve - (1 << 20))

        status = self.status()
        self.assertEqual((status["disk"]["low"], status["disk"]["reserve"], status["held"]), (True, reserve, 1))
        self.assertIn("bytes are free where recordings are", json.dumps(status["degraded"]))
        done = self.host.ssh(B, "echo never")
        self.assertEqual((done.rc, done.out), (77, b""), done)
        others = self.log_in(A)
        for i in range(20):
            others.send(f"echo works-{i}-$((40+2))\r")
            others.expect(f"works-{i}-42\r")
        self.log_out(others)
        [other] = self.new_recordings(1, A)
        self.assert_replays(other, others.output)
        self.assertEqual(self.end(other)["reason"], "exit")

        self.host.run("rm", "/run/host-disk/filler", check=True)
        self.host.daemon.wait_log("disk-enough: ")
        sandbox.wait_until(lambda: (flood.pump(0.02), "record-resumed" in self.host.daemon.log())[1], "he goes on")
        flood.send("\x03")
        flood.send("echo after-$((40+2))\r")
        flood.expect("after-42")
        self.log_out(flood)
        sandbox.wait_until(recording.ended, "its end")
        self.assertEqual(recording.payload(), flood.output)
        self.assertFalse(self.status()["disk"]["low"])


class Eviction(Limits):
    """Who floods drives out what is his own, though another's is older."""
    policy = policy("session_size: 0") + "retention: { compress_after: 0, keep_at_least: 0, max_size: 200K }\n"

    def test_room_is_made_by_who_has_most(self):
        self.assertEqual(self.host.ssh(A, "echo in").out, b"in\n")
        [old] = self.new_recordings(1)
        for _ in range(3):
            self.assertEqual(len(self.host.ssh(B, "head -c 90000 /dev/urandom").out), 90000)
        floods = [r.name for r in self.new_recordings(4) if r.name != old.name]
        sandbox.wait_until(lambda: b'"why":"live"' not in self.host.opelog("retain", "--json", "--dry-run").out, "their writers have closed them")
        answer = json.loads(self.host.opelog("retain", "--json", check=True).out)
        pruned = {r["name"]: r for r in answer["recordings"] if r["action"] == "prune"}
        self.assertEqual(set(pruned), {sorted(floods)[0]}, answer)
        self.assertIn(f"the oldest of {B}, who has most of ", pruned[sorted(floods)[0]]["why"])
        self.assertLessEqual({old.name, *sorted(floods)[1:]}, {r.name for r in self.host.recordings()})


if __name__ == "__main__":
    sandbox.run_file()
