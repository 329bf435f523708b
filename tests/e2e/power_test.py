#!/usr/bin/env python3
"""The power goes while sessions run: rows 14 and 18 of docs/threats.md, on a disk whose flushes are known (disk.py)."""

import json
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import disk  # noqa: E402
import sandbox  # noqa: E402
import scene  # noqa: E402

SEED = int(os.environ.get("OPELOG_SEED", "0")) or random.randrange(1, 1 << 30)
BOOT_ID = "/proc/sys/kernel/random/boot_id"
CUTS = 4


class PowerCut(scene.Scene):
    """Several cuts in one run of three talking sessions; each is then started from, under another boot's id."""

    @classmethod
    def prepare(cls):
        cls.host.sh(f"cat {BOOT_ID} > /run/boot_id && mount --bind /run/boot_id {BOOT_ID}", check=True)
        cls.disk = disk.Disk(cls.host, 96)

    def talk(self, seconds):
        """All sessions are read from for a while."""
        for term in self.terms.values():
            term.pump(seconds / len(self.terms))

    def test_what_was_flushed_is_there_and_the_rest_is_lost_and_not_cut(self):
        print(f"OPELOG_SEED={SEED}", file=sys.stderr)
        chance = random.Random(SEED)
        self.pin_key()
        self.assertEqual(self.host.ssh("opelogtest-b", "echo whole").rc, 0)
        self.terms, names = {}, {}
        for kind in ("ticks", "flood", "asks"):
            seen = {r.name for r in self.host.recordings()}
            self.terms[kind] = self.log_in()
            [names[kind]] = {r.name for r in self.host.recordings()} - seen
        self.terms["ticks"].send("i=0; while :; do i=$((i+1)); echo tick-$i; sleep 0.02; done\r")
        self.terms["flood"].send("while :; do head -c 9000 /dev/urandom | base64; sleep 0.02; done\r")

        cuts, self.slowest = [], 0.0
        # More of them where a busy disk had nothing to lose in any.
        for number in range(CUTS + 8):
            if number >= CUTS and any(cut[2] for cut in cuts):
                break
            mark = f"mark-{number}-42"
            self.terms["asks"].send(f"echo mark-{number}-$((40+2))\r")
            self.terms["asks"].expect(mark)
            asked = time.monotonic()
            self.disk.wait_holds(mark.encode(), lambda: self.talk(0.03))
            self.slowest = max(self.slowest, time.monotonic() - asked)
            self.talk(chance.random())
            self.assertEqual(self.host.ssh("opelogtest-b", f"echo passed-{number}").rc, 0)
            self.talk(chance.random())
            passing = self.host.popen(*self.host.ssh_argv("opelogtest-b", f"echo passing-{number}; sleep 0.2"), stdin=-3, stdout=-3)
            self.talk(0.1 + chance.random() / 2)
            image = f"/run/disk/cut.{number}"
            unflushed, kept = self.disk.cut(image, chance.randrange(1 << 30), ("now", "flush")[number % 2])
            cuts.append((image, mark, unflushed, kept, {r.name: len(r.log) for r in self.host.recordings()}))
            passing.wait()
        self.talk(0.1)
        self.host.daemon.kill()
        written = {r.name: (r.log, r.time) for r in self.host.recordings()}
        for term in self.terms.values():
            term.hang_up()
        self.disk.take_away()
        self.assertGreater(sum(cut[2] for cut in cuts), 0, "there was something to lose")

        for number, (image, mark, unflushed, kept, sizes) in enumerate(cuts):
            with self.subTest(cut=number, unflushed=unflushed, kept=kept, seed=SEED):
                self.after_the_cut(number, image, mark, names, sizes, written)

    def after_the_cut(self, number, image, mark, names, sizes, written):
        self.disk.put(image)
        self.host.write("/run/boot_id", f"00000000-0000-0000-0000-{number:012}\n")
        self.host.start_daemon(self.policy)
        try:
            self.assertEqual(self.host.ssh("opelogtest-a", "echo again").out, b"again\n")
            self.wait_signed()

            def told():
                sessions = self.verify()[1]["sessions"]
                return not any({"no-end", "live"} & {f["what"] for f in s["findings"]} for s in sessions)
            sandbox.wait_until(told, "the ends of all sessions")
            _, verdict = self.verify()
            self.assertEqual(verdict["ledger"]["integrity"], "intact", verdict["ledger"])
            words = {f["what"] for f in verdict["ledger"]["findings"]}
            self.assertIn("unclean-boot", words)
            self.assertLessEqual(words, {"unclean-boot", "torn-entry"})
            found = {r.name: r for r in self.host.recordings()}
            for session in verdict["sessions"]:
                words = {f["what"] for f in session["findings"]}
                with self.subTest(session=session["recording"]):
                    self.assertEqual(session["integrity"], "intact", session)
                    self.assertLessEqual(words, {"crash", "lost", "tail-unsealed", "gap"}, session)
                    self.assertTrue(session["completeness"] in ("complete", "incomplete") or words == {"lost"}, session)
            for kind, name in names.items():
                self.assertIn(name, found, "a recording that was on the disk")
                self.assert_a_part(found[name], written[name], sizes[name], kind)
            self.assertIn(mark.encode(), found[names["asks"]].payload(), "what was flushed is there")
        finally:
            self.host.daemon.stop()
            self.disk.take_away()

    def assert_a_part(self, recording, written, size, kind):
        """It plays, it is the beginning of what was recorded, and little is missing."""
        log, timing = written
        self.assertEqual(recording.log, log[:len(recording.log)])
        self.assertEqual(recording.replay(), recording.payload())
        self.assertIn('"reason":"crash"', recording.notes()["OPELOG_END"][0])
        missing = self.seconds(log, timing, size) - self.seconds(log, timing, min(size, len(recording.log) + 1))
        print(f"{kind}: {size - len(recording.log)} bytes, {missing:.2f} s missing", file=sys.stderr)
        # That it is flushed in time wait_holds() has seen; the disk, and this machine, take as long as they like.
        self.assertLess(missing, 15 + self.slowest)

    @staticmethod
    def seconds(log, timing, size):
        """When the byte at `size` of `.log` came, in seconds since the recording began."""
        at, left = 0.0, size - len(log.split(b"\n", 1)[0]) - 1
        for line in timing.splitlines():
            match = re.match(rb"([OISH]) (\d+\.\d{6}) (\d+)?", line)
            if match:
                at += float(match[2])
                if match[1] == b"O":
                    left -= int(match[3])
            if left <= 0:
                break
        return at


class OneCut(scene.Scene):
    """What comes before is up to the subclass."""
    megabytes = 96

    @classmethod
    def prepare(cls):
        cls.host.sh(f"cat {BOOT_ID} > /run/boot_id && mount --bind /run/boot_id {BOOT_ID}", check=True)
        cls.disk = disk.Disk(cls.host, cls.megabytes)

    def verdict_after(self, image):
        """Of the only session, as another boot finds it."""
        self.disk.take_away()
        self.disk.put(image)
        self.host.write("/run/boot_id", "00000000-0000-0000-0000-000000000001\n")
        self.host.start_daemon(self.policy)
        try:
            sandbox.wait_until(lambda: all(r.ended() for r in self.host.recordings()), "the end of the session")
            self.wait_signed()
            [session] = self.verify()[1]["sessions"]
            return session["integrity"], session["completeness"], {f["what"] for f in session["findings"]}
        finally:
            self.host.daemon.stop()
            self.disk.take_away()


class CutAfterAStop(OneCut):
    """A daemon that stopped in order has all of it on the disk, and has said so only then."""

    def test_nothing_is_missing(self):
        self.pin_key()
        term = self.log_in()
        term.send("i=0; while :; do i=$((i+1)); echo tick-$i; sleep 0.02; done\r")
        term.expect("tick-99\r")
        self.host.daemon.stop()
        self.disk.cut("/run/disk/cut", SEED, "now")
        term.hang_up()
        self.assertEqual(self.verdict_after("/run/disk/cut"), ("intact", "complete", set()))


class CutBehindSealedZeros(OneCut):
    """Output and input that end in zero bytes are no lost ones where a seal on the disk says so."""
    policy = sandbox.POLICY.replace("action: record", "action: record\n    input: true")

    def test_they_stay(self):
        self.pin_key()
        term = self.log_in()
        term.send("stty -icanon; echo ready; head -c 1 >/dev/null; printf 'a\\0\\0\\0'; sleep 100\r")
        term.expect("ready\r\n")
        term.send("\0")
        term.expect("a\0\0\0")
        [recording] = self.host.recordings()

        def sealed():
            last = json.loads(recording.notes().get("OPELOG_SEAL", ["{}"])[-1])
            return (last.get("log"), last.get("in")) == (len(recording.log), os.path.getsize(recording.path(".in")))
        sandbox.wait_until(sealed, "a seal of all")
        for suffix in (".log", ".in", ".time"):
            with open(recording.path(suffix), "rb") as file:
                os.fsync(file.fileno())
        self.disk.cut("/run/disk/cut", SEED, "now")
        self.host.daemon.kill()
        term.hang_up()
        integrity, completeness, words = self.verdict_after("/run/disk/cut")
        self.assertEqual((integrity, completeness), ("intact", "incomplete"), words)
        self.assertLessEqual(words, {"crash", "tail-unsealed"})


class CutInAFlood(OneCut):
    """Many seals a second: what is lost is not measured by their number."""
    megabytes = 400

    def test_it_is_lost_and_not_cut(self):
        print(f"OPELOG_SEED={SEED}", file=sys.stderr)
        self.pin_key()
        flood = self.host.popen(*self.host.ssh_argv("opelogtest-a", f"yes {'0123456789' * 7}", tty=True), stdin=-3, stdout=-3, stderr=-3)
        [recording] = sandbox.wait_until(lambda: self.host.recordings() or None, "the recording")
        sandbox.wait_until(lambda: os.path.getsize(recording.path(".log")) > 60 << 20, "a flood")
        self.disk.cut("/run/disk/cut", SEED, "now")
        self.host.daemon.kill()
        flood.wait()
        integrity, completeness, words = self.verdict_after("/run/disk/cut")
        self.assertEqual((integrity, completeness), ("intact", "incomplete"), words)
        self.assertLessEqual(words, {"crash", "lost", "gap", "tail-unsealed"})


class KilledInFloods(scene.Scene):
    """Row 14: `kill -9` of the daemon in the middle of three floods, again and again."""

    def test_whatever_a_terminal_had_received_is_recorded_and_all_is_a_crash(self):
        print(f"OPELOG_SEED={SEED}", file=sys.stderr)
        chance = random.Random(SEED)
        self.pin_key()
        received = {}
        for _ in range(5):
            terms = {}
            for user in ("opelogtest-a", "opelogtest-a", "opelogtest-b"):
                seen = {r.name for r in self.host.recordings()}
                term = self.log_in(user)
                [name] = {r.name for r in self.host.recordings()} - seen
                terms[name] = term
            for term in terms.values():
                term.send("yes 0123456789abcdef\r")
                term.expect("f\r\n")
            for _ in range(20):
                for term in terms.values():
                    term.pump(chance.random() / 40)
            self.host.daemon.kill()
            for name, term in terms.items():
                term.expect_eof()
                received[name] = term.output
            self.host.start_daemon(self.policy)
            sandbox.wait_until(lambda: all(r.ended() for r in self.host.recordings()), "the ends of all recordings")
        self.wait_signed()

        def entered():
            return not any("no-end" in {f["what"] for f in s["findings"]} for s in self.verify()[1]["sessions"])
        sandbox.wait_until(entered, "the crashes stand in the ledger")
        rc, verdict = self.verify()
        self.assertEqual(rc, 1)
        self.assertEqual(verdict["ledger"]["integrity"], "intact")
        self.assertLessEqual({f["what"] for f in verdict["ledger"]["findings"]}, {"unclean-boot", "torn-entry"})
        self.assertEqual(len(verdict["sessions"]), 15)
        for recording in self.host.recordings():
            integrity, completeness, words = self.verdict_of(verdict, recording.name)
            self.assertEqual((integrity, completeness), ("intact", "incomplete"), recording)
            self.assertIn("crash", words)
            self.assertLessEqual(set(words), {"crash", "tail-unsealed", "gap"})
            # The shim's own last words are no part of the session.
            shown = received[recording.name].split(b"\r\nopelog: ")[0]
            self.assertTrue(recording.payload().startswith(shown), (recording, shown[-100:]))
            self.assertEqual(recording.replay(), recording.payload())


if __name__ == "__main__":
    sandbox.run_file()
