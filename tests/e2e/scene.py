"""What most end-to-end tests start from: a host with the recipe's policy, everybody enrolled, daemon and sshd up.

    class Something(scene.Scene):            # options as class attributes, see below
        def test_…(self): self.host.ssh("opelogtest-a", "true")

One host per class, and a fresh recordings' directory is not made per test: count with self.new_recordings().
"""

import contextlib
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402


class Scene(unittest.TestCase):
    policy = sandbox.POLICY
    enroll = True          # opelog-shell as everybody's login shell
    sshd = ()              # extra lines of sshd's configuration
    pam = False
    host_options = {}
    daemon = ("/usr/sbin/opelogd",)

    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host(**cls.host_options)
        cls.addClassCleanup(cls.host.close)
        if cls.enroll:
            cls.host.enroll()
        cls.prepare()
        cls.host.start_daemon(cls.policy, cls.daemon)
        cls.host.start_sshd(*cls.sshd, pam=cls.pam)

    @classmethod
    def prepare(cls):
        """For subclasses: after enrolment, before the daemon starts."""

    def setUp(self):
        self.seen = {r.name for r in self.host.recordings()}

    def run(self, result=None):
        # A failure is hard to understand without the daemon's own words.
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before and self.host.daemons:
            print(f"--- opelogd's log after {self.id()}\n{self.host.daemon.log()[-6000:]}\n---", file=sys.stderr)

    def new_recordings(self, count=1, user=None, ended=True, may_leave=False):
        """Exactly `count` recordings that were not there when the test began. For none, look after the sessions' end.
        may_leave: what is killed with its session may execute something just before, which has a recording of its own."""
        if count == 0:
            return self.assertEqual([r for r in self.host.recordings(user) if r.name not in self.seen], [])

        def there():
            new = [r for r in self.host.recordings(user) if r.name not in self.seen]
            if may_leave:
                if any(b"OPELOG_SESSION" not in r.time for r in new):
                    return None  # just being made: nothing says yet whose it is
                new = [r for r in new if not sandbox.of_what_was_left(r.time)]
            self.assertLessEqual(len(new), count, f"more recordings than sessions: {new}")
            return new if len(new) == count and (not ended or all(r.ended() for r in new)) else None
        return sandbox.wait_until(there, f"{count} new recordings{' with an end' if ended else ''}")

    def log_in(self, user="opelogtest-a", **options):
        """An interactive login that stands at its prompt."""
        term = self.host.ssh_pty(user, **options)
        term.expect(r"\$ $")
        return term

    def log_out(self, term, last="exit 0"):
        """Ends it and returns the exit status."""
        term.send(last + "\r")
        return term.wait()

    # ---- what `opelog verify` says

    def pin_key(self):
        shown = json.loads(self.host.opelog("key", "show", "--json", check=True).out)
        self.host.opelog("key", "pin", "--file", "/etc/opelog/pins", shown["pin"], check=True)

    def verify(self, *args):
        done = self.host.opelog("verify", "--json", *args)
        self.assertIn(done.rc, (0, 1, 8, 9), done)
        return done.rc, json.loads(done.out)

    def verdict_of(self, verdict, name):
        """(integrity, completeness, words of the findings) of one recording."""
        [session] = [s for s in verdict["sessions"] if s["recording"] == name]
        return session["integrity"], session["completeness"], [f["what"] for f in session["findings"]]

    def ledger_entries(self, kind):
        """Of this kind, as they stand in the ledger."""
        found = []
        for line in self.host.read(f"{sandbox.LEDGER_DIR}/entries").split(b"\n"):
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry["k"] == kind:
                    found.append(entry)
        return found

    def wait_signed(self):
        """The ledger has the end of every recording that has one (once that is on the disk), and a checkpoint counts all its entries."""
        def all_counted():
            open_ones = {}
            for line in self.host.read(f"{sandbox.LEDGER_DIR}/entries").split(b"\n"):
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if entry["k"] == "opened":
                        open_ones[entry["no"]] = entry["recording"]
                    elif entry["k"] in ("closed", "crashed"):
                        open_ones.pop(entry["no"], None)
            if {r.name for r in self.host.recordings() if r.ended()} & set(open_ones.values()):
                return None
            ledger = self.verify()[1]["ledger"]
            return ledger["entries"] == ledger["signed"] or None
        sandbox.wait_until(all_counted, "a checkpoint that counts all entries")

    def assert_replays(self, recording, shown):
        """What the terminal received is what scriptreplay shows, byte for byte."""
        self.assertEqual(recording.payload(), shown)
        self.assertEqual(recording.replay(), shown)
