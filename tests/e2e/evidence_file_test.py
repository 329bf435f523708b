"""A session handed to somebody else in one file: an auditor writes it, and anybody who has pinned the host's key checks it."""

import json
import re

import sandbox
from scene import Scene

USER = "opelogtest-a"
AUDITOR = "opelogtest-audit"
WORK = "/tmp/elsewhere"  # the other machine: nothing of the host but what was copied
# A machine without recordings, ledger and policy.
ELSEWHERE = ("unshare -m sh -c 'mount -t tmpfs none /var/log && mount -t tmpfs none /etc/opelog && cd \"$0\" && "
             "exec opelog verify \"$@\"' " + WORK + ' "$@"')


class EvidenceFile(Scene):
    @classmethod
    def prepare(cls):
        cls.host.add_user(AUDITOR, 2500, groups=("opelog-audit",))
        cls.host.sh(f"mkdir -m 0777 {WORK}", check=True)

    def session(self, last):
        """One with an end, and all its entries counted by a checkpoint."""
        term = self.log_in(USER)
        term.send(f"echo {last}-$((40+2))\r")
        term.expect(last + r"-42\r")
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        self.seen.add(recording.name)

        def signed():
            ledger = json.loads(self.host.opelog("verify", "--json").text)["ledger"]
            return ledger["signed"] == ledger["entries"]
        closed = f'"k":"closed","no":{recording_number(recording)},'.encode()
        sandbox.wait_until(lambda: closed in self.host.read(sandbox.LEDGER_DIR + "/entries") and signed(), "a checkpoint")
        return recording

    def pin(self):
        shown = json.loads(self.host.opelog("key", "show", "--json", check=True).text)
        self.host.write(WORK + "/host.pin", shown["pin"] + "\n")

    def prove(self, *words):
        return self.host.opelog("prove", *words, user=AUDITOR)

    def verify(self, *words):
        return self.host.sh(ELSEWHERE, *words)

    def findings(self, file):
        done = self.verify("--json", "--pins", "host.pin", file)
        told = json.loads(done.text)
        [session] = told["sessions"]
        return done.rc, session["integrity"], {f["what"] for f in session["findings"]}

    def test_proved_by_an_auditor_and_verified_by_the_pin_alone(self):
        self.session("another")
        recording = self.session("evidence")
        self.pin()
        done = self.prove(recording.name, "-o", WORK + "/x.evidence")
        self.assertEqual((done.rc, done.out), (0, b""), done)
        self.assertRegex(done.err, rb"x\.evidence: \d+K, complete; not pinned here")
        self.assertEqual(self.host.sh(f"stat -c '%a %U' {WORK}/x.evidence", check=True).text, f"600 {AUDITOR}\n")
        listed = self.host.sh(f"tar tf {WORK}/x.evidence", check=True).text.split()
        self.assertEqual(listed, ["proof.json", "checkpoints", recording.name + ".log", recording.name + ".time"])
        self.assertEqual(self.host.sh(f"tar xOf {WORK}/x.evidence {recording.name}.log", check=True).out, recording.log)

        done = self.verify("--pins", "host.pin", "x.evidence")
        self.assertEqual(done.rc, 0, done)
        self.assertRegex(done.text, r"(?m)^x\.evidence:\nintact +ledger opelog/[0-9a-f]+: \d of \d+ entries, \d+ checkpoints$")
        self.assertRegex(done.text, rf"(?m)^intact +complete +{re.escape(recording.name)} ")
        self.assertEqual(self.findings("x.evidence"), (0, "intact", set()))

        # To a pipe, the same; a file that is there is not replaced; and nobody without the group reads anything.
        piped = self.prove(recording.name, "-o", "-")
        self.assertEqual(piped.out, self.host.read(WORK + "/x.evidence"))
        self.assertEqual(self.prove(recording.name, "-o", WORK + "/x.evidence").rc, 1)
        self.assertEqual(self.host.opelog("prove", recording.name, user=USER).rc, 4)

        # Changed anywhere: altered. By another key: unproven.
        evidence = self.host.read(WORK + "/x.evidence")
        for name, found in ((b"evidence-42", "altered"), (b'"user":"opelogtest-a"', "altered"), (b"opelog-time 1", "ledger-damaged")):
            at = evidence.rindex(name) + len(name) - 1
            self.host.write(WORK + "/changed", evidence[:at] + bytes([evidence[at] ^ 1]) + evidence[at + 1:])
            rc, integrity, what = self.findings("changed")
            self.assertIn(found, what)
            self.assertEqual((rc, integrity), (9, "altered"), (name, what))
        self.host.write(WORK + "/other.pin", "# none\n")
        self.assertEqual(self.verify("--pins", "other.pin", "x.evidence").rc, 8)
        self.host.write(WORK + "/cut.evidence", evidence[:-600])
        done = self.verify("--pins", "host.pin", "cut.evidence")
        self.assertEqual(done.rc, 5, done)
        self.assertIn(b"no evidence file, or damaged", done.err)

    def test_an_altered_session_is_refused_and_forced_it_stays_altered(self):
        recording = self.session("refused")
        self.pin()
        self.host.sh('cd "$1" && cp "$2".log "$2".time /tmp/ && sed -i s/refused-42/refused-43/ "/tmp/$2.log" && chmod 644 "/tmp/$2".*',
                     sandbox.LOG_DIR, recording.name, check=True)
        done = self.prove(f"/tmp/{recording.name}", "-o", WORK + "/y.evidence")
        self.assertEqual(done.rc, 5, done)
        self.assertIn(b"altered: .log", done.err)
        self.assertFalse(self.host.exists(WORK + "/y.evidence"))
        done = self.prove(f"/tmp/{recording.name}", "--force", "-o", WORK + "/y.evidence")
        self.assertEqual(done.rc, 1, done)
        self.assertIn(b"altered: .log", done.err)
        self.assertEqual(self.findings("y.evidence"), (9, "altered", {"altered"}))

    def test_a_recording_without_seals_proves_nothing(self):
        self.session("any")  # a ledger without a checkpoint proves nothing by itself
        self.pin()
        self.host.sh("cd /tmp && script -q -c true --log-out plain.log --log-timing plain.time && chmod 644 plain.*", check=True)
        done = self.prove("/tmp/plain", "-o", WORK + "/z.evidence")
        self.assertEqual(done.rc, 5, done)
        self.assertIn(b"unsealed", done.err)
        self.assertEqual(self.prove("/tmp/plain", "--force", "-o", WORK + "/z.evidence").rc, 1)
        self.assertEqual(self.findings("z.evidence"), (8, "unproven", {"unsealed"}))


def recording_number(recording):
    return json.loads(recording.notes()["OPELOG_OPENED"][0])["no"]


if __name__ == "__main__":
    sandbox.run_file()
