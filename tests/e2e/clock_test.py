#!/usr/bin/env python3
"""The clock is set while sessions run: rows 13 and 15 of docs/threats.md. Only the daemon's: libfaketime stands in for a host's clock."""

import datetime
import glob
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402

HOUR = 3600


class ClockSet(scene.Scene):
    """An hour forward, an hour back: delays are those that passed, names and headers what the clock says, and verify tells it."""

    @classmethod
    def prepare(cls):
        [library] = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        cls.set_clock(0)
        cls.daemon = ("env", f"LD_PRELOAD={library}", "FAKETIME_TIMESTAMP_FILE=/run/clock", "FAKETIME_NO_CACHE=1",
                      "FAKETIME_DONT_FAKE_MONOTONIC=1", "/usr/sbin/opelogd")

    @classmethod
    def set_clock(cls, seconds):
        # Whole at every moment: the daemon reads it at each look at the clock.
        cls.host.write("/run/clock.new", f"{seconds:+d}\n")
        cls.host.run("mv", "/run/clock.new", "/run/clock", check=True)

    def started(self, recording):
        """By the recording's name, in seconds since 1970."""
        stamp = re.search(r"_(\d{14})_", recording.name)[1]
        return datetime.datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=datetime.timezone.utc).timestamp()

    def assert_started(self, recording, by):
        now = time.time()
        for stamp in (self.started(recording), datetime.datetime.fromisoformat(
                re.match(rb"Script started on (\S+ \S+)", recording.header)[1].decode()).timestamp()):
            self.assertLess(abs(stamp - now - by), HOUR / 4, (recording, by))

    def test_delays_are_true_and_the_jumps_are_told(self):
        self.pin_key()
        term = self.log_in()
        begun = time.monotonic()
        shown = [self.new_recordings(ended=False)]
        names = {}
        for by in (HOUR, -HOUR, 0):
            self.set_clock(by)
            term.send(f"echo at-{by}-$((40+2))\r")
            term.expect(rf"at-{by}-42")
            seen = {r.name for r in self.host.recordings()}
            self.assertEqual(self.host.ssh("opelogtest-b", "echo in").out, b"in\n")
            [names[by]] = [r for r in self.host.recordings() if r.name not in seen]
        self.assertEqual(self.log_out(term), 0)
        lasted = time.monotonic() - begun
        recordings = self.new_recordings(4)
        self.wait_signed()
        for by, recording in names.items():
            self.assert_started(recording, by)
        [[live]] = shown
        self.assert_started(live, 0)
        self.assertLessEqual(sum(float(delay) for _, delay, _ in live.timing()), lasted + 1)
        self.assertLessEqual(float(live.notes()["DURATION"][0]), lasted + 1)
        self.assert_replays(live, term.output)
        rc, verdict = self.verify()
        self.assertEqual((rc, verdict["ledger"]["integrity"]), (0, "intact"), verdict)
        for recording in recordings:
            self.assertEqual(self.verdict_of(verdict, recording.name), ("intact", "complete", []))
        jumps = [int(by) for by in re.findall(rb'"k":"clock","by":(-?\d+)', self.host.read("/var/log/opelog-ledger/entries"))]
        self.assertEqual([round(by / 1e6 / HOUR) for by in jumps], [1, -2, 1])
        self.assertEqual([f["what"] for f in verdict["ledger"]["findings"]], ["clock-set"] * 3)
        self.assertEqual(self.host.daemon.log().count("clock-set"), 3)


if __name__ == "__main__":
    sandbox.run_file()
