#!/usr/bin/env python3
"""The disk below recordings and ledger fails or has a quota: row 15 of docs/threats.md, each of the policy's choices, and what verify says."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import disk  # noqa: E402
import sandbox  # noqa: E402
import scene  # noqa: E402

BOOT_ID = "/proc/sys/kernel/random/boot_id"

# One user for each choice.
CHOICES = {"opelogtest-a": "hold", "opelogtest-b": "cut", "opelogtest.odd_x": "continue"}
POLICY = "version: 1\nrules:\n" + "".join(
    f"  - name: {choice}\n    match: {{ user: [{user}], parent: [sshd, sshd-session] }}\n    on_write_failure: {choice}\n"
    for user, choice in CHOICES.items()) + "log: { target: stderr, level: debug }\n"
FLOOD = "while :; do head -c 9000 /dev/urandom | base64; sleep 0.01; done"


class OneForEachChoice(scene.Scene):
    def log_in_all(self):
        self.pin_key()
        self.terms, self.names = {}, {}
        for user, choice in CHOICES.items():
            self.terms[choice] = self.log_in(user)
            [recording] = [r for r in self.host.recordings(user) if r.name not in self.seen]
            self.names[choice] = recording.name

    def read_all(self, until, what):
        """Reads all terminals until the condition holds."""
        def there():
            for term in self.terms.values():
                term.pump(0.03)
            return until()
        sandbox.wait_until(there, what)

    @staticmethod
    def interrupt(term):
        """Control-C until the prompt is back: one that comes while the shell starts the next program does not end its loop."""
        came = []
        while not term.output.endswith(b"$ "):
            if len(came) >= sandbox.DEADLINE:
                raise AssertionError(f"no prompt after control-C; bytes a second: {came}; last {term.output[-200:]!r}")
            before = len(term.output)
            term.send("\x03")
            term.pump(1)
            came.append(len(term.output) - before)

    def told(self, choice, word):
        """The daemon's log has it of that session."""
        return re.search(rf"{word}: .*{re.escape(self.names[choice])}", self.host.daemon.log())

    def recording(self, choice):
        [found] = [r for r in self.host.recordings() if r.name == self.names[choice]]
        return found

    def assert_stated(self, allowed):
        """Of each session: nothing altered, nothing cut, and why something is missing."""
        self.wait_signed()

        def told():
            return not any({"no-end", "live"} & {f["what"] for f in s["findings"]} for s in self.verify()[1]["sessions"])
        sandbox.wait_until(told, "the ends of all sessions")
        _, verdict = self.verify()
        self.assertEqual(verdict["ledger"]["integrity"], "intact", verdict["ledger"])
        for session in verdict["sessions"]:
            words = {f["what"] for f in session["findings"]}
            self.assertEqual(session["integrity"], "intact", session)
            self.assertIn(session["completeness"], ("complete", "incomplete"), session)
            self.assertLessEqual(words, allowed, session)
        return {choice: set(self.verdict_of(verdict, name)[2]) for choice, name in self.names.items()}


class BrokenDisk(OneForEachChoice):
    """Every write to the disk fails from some moment on: the file system goes read-only by itself."""
    policy = POLICY + "limits: { hold_timeout: 2s }\n"

    @classmethod
    def prepare(cls):
        cls.host.sh(f"cat {BOOT_ID} > /run/boot_id && mount --bind /run/boot_id {BOOT_ID}", check=True)
        cls.disk = disk.Disk(cls.host, 64)

    def test_each_choice_is_kept_and_what_the_disk_lost_is_told_as_lost(self):
        self.log_in_all()
        for term in self.terms.values():
            term.send("echo before-$((40+2))\r")
            term.expect("before-42")
        self.disk.wait_holds(b"before-42")
        for term in self.terms.values():
            term.send(FLOOD + "\r")
        self.read_all(lambda: all(len(t.output) > 100000 for t in self.terms.values()), "output of all three")
        self.disk.fail(True)
        self.read_all(lambda: self.terms["cut"].ended and self.terms["hold"].ended, "the ends of those that do not go on unrecorded")
        self.assertIn(b"opelog: recording failed", self.terms["cut"].output)
        self.host.daemon.wait_log("sync-failed")
        going = len(self.terms["continue"].output)
        self.read_all(lambda: len(self.terms["continue"].output) > going + 100000, "unrecorded output")
        self.assertEqual(self.host.ssh("opelogtest-a", "echo in").rc, 77, "what cannot be recorded is no session")
        self.host.opelog("show", self.names["cut"], check=False)  # a reading is entered in the ledger
        self.host.daemon.wait_log("ledger-failed")
        # The machine is switched off, gets its disk back, and starts.
        self.host.daemon.kill()
        for term in self.terms.values():
            term.hang_up()
        shown = {choice: term.output for choice, term in self.terms.items()}
        self.disk.take_away()
        self.disk.fail(False)
        self.disk.put("/run/disk/image")
        self.host.write("/run/boot_id", "00000000-0000-0000-0000-000000000002\n")
        self.host.start_daemon(self.policy)
        found = self.assert_stated({"crash", "lost", "tail-unsealed", "gap"})
        for choice in self.names:
            recording = self.recording(choice)
            self.assertIn("crash", found[choice])
            self.assertIn(b"before-42", recording.payload())
            self.assertEqual(recording.replay(), recording.payload())
            self.assertTrue(shown[choice].startswith(recording.payload()))
        self.assertEqual(self.host.ssh("opelogtest-a", "echo in").out, b"in\n")


class Quota(OneForEachChoice):
    """Recordings have a quota (btrfs counts root's files too), the ledger none."""
    policy = POLICY + "limits: { hold_timeout: 60s }\n"

    @classmethod
    def prepare(cls):
        done = cls.host.sh("mkdir -p /run/quota/mounted && truncate -s 200M /run/quota/image && mkfs.btrfs -q /run/quota/image && "
                           "mount -o loop /run/quota/image /run/quota/mounted && btrfs quota enable /run/quota/mounted && "
                           "btrfs subvolume create /run/quota/mounted/ope_log && chown --reference=/var/log/ope_log /run/quota/mounted/ope_log && "
                           "chmod --reference=/var/log/ope_log /run/quota/mounted/ope_log && mount --bind /run/quota/mounted/ope_log /var/log/ope_log")
        if done.rc:
            raise cls.skipTest(cls, f"no btrfs with quotas here: {done.err.decode()}")

    def quota(self, size):
        self.host.run("btrfs", "qgroup", "limit", size, "/run/quota/mounted/ope_log", check=True)

    def test_each_choice_is_kept_and_verify_tells_the_gaps(self):
        self.quota("8M")
        self.log_in_all()
        for term in self.terms.values():
            term.send(FLOOD + "\r")
        self.read_all(lambda: self.terms["cut"].ended, "the end of the one that is cut")
        self.assertIn(b"opelog: recording failed", self.terms["cut"].output)
        self.read_all(lambda: self.told("hold", "record-failed") and self.told("continue", "record-failed"), "the others' failures")
        self.assertRegex(self.host.daemon.log(), "record-failed.*[Qq]uota")
        going = len(self.terms["continue"].output)
        self.read_all(lambda: len(self.terms["continue"].output) > going + 100000, "unrecorded output")
        # To lift it takes some of the disk, too.
        sandbox.wait_until(lambda: self.host.run("btrfs", "qgroup", "limit", "none", "/run/quota/mounted/ope_log").rc == 0, "no quota")
        self.read_all(lambda: self.told("hold", "record-resumed") and self.told("continue", "record-resumed"), "recording goes on")
        for choice in ("hold", "continue"):
            self.interrupt(self.terms[choice])
            self.terms[choice].send("echo after-$((40+2))\r")
            self.terms[choice].expect("after-42")
            self.log_out(self.terms[choice])
        # The end that could not be written is completed at the next start.
        self.assertEqual(self.host.daemon.stop(), 0)
        self.host.start_daemon(self.policy)
        found = self.assert_stated({"crash", "tail-unsealed", "gap"})
        self.assertIn("crash", found["cut"])
        self.assertEqual(found["hold"], {"gap"})
        self.assertEqual(found["continue"], {"gap"})
        hold, going = self.recording("hold"), self.recording("continue")
        self.assertEqual(hold.payload(), self.terms["hold"].output, "nothing is lost, it only waited")
        lost = sum(int(n) for n in re.findall(r'"bytes":(\d+)', "".join(going.notes()["OPELOG_GAP"])))
        self.assertEqual(len(going.payload()) + lost, len(self.terms["continue"].output))
        self.assertTrue(self.terms["cut"].output.startswith(self.recording("cut").payload()))


if __name__ == "__main__":
    sandbox.run_file()
