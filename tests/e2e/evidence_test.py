"""Seals and ledger of real sessions: what `opelog verify` says of them, and of what root did to them."""

import json
import re
import time

import sandbox
from scene import Scene


class Evidence(Scene):
    def one_session(self, *lines):
        self.seen = {r.name for r in self.host.recordings()}
        term = self.log_in()
        for line in lines or ("echo one",):
            term.send(line + "\r")
            term.expect(sandbox.PROMPT)
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        self.wait_signed()
        return recording

    def test_1_a_session_is_intact_once_the_key_is_pinned(self):
        recording = self.one_session("echo one")
        rc, verdict = self.verify()
        self.assertEqual((rc, verdict["ledger"]["integrity"]), (8, "unproven"))
        self.pin_key()
        rc, verdict = self.verify()
        self.assertEqual((rc, self.verdict_of(verdict, recording.name)), (0, ("intact", "complete", [])))
        text = self.host.opelog("verify", recording.name).out.decode()
        self.assertRegex(text, r"(?m)^intact +complete +" + re.escape(recording.name))
        # It plays as before.
        self.assertIn(b"one\r\n", recording.replay())
        # An auditor needs no root.
        self.host.sh("useradd -m -G opelog-audit opelogtest-audit", check=True)
        done = self.host.run("setpriv", "--reuid", "opelogtest-audit", "--regid", "opelog-audit", "--init-groups", "opelog",
                             "verify", "--json")
        self.assertEqual(done.rc, 0, done)

    def test_2_what_root_changes_is_named(self):
        recording = self.one_session("echo before", "sleep 1.2", "echo after")
        self.pin_key()
        path = f"/var/log/ope_log/{recording.name}"
        self.host.sh(f"opelog thaw --seconds 60 && sed -i 's/before/BEFORE/' {path}.log && opelog freeze", check=True)
        rc, verdict = self.verify()
        self.assertEqual(rc, 9)
        integrity, _, words = self.verdict_of(verdict, recording.name)
        self.assertEqual((integrity, set(words)), ("altered", {"altered"}))
        [finding] = [f for s in verdict["sessions"] if s["recording"] == recording.name for f in s["findings"]][:1]
        self.assertEqual(finding["file"], "log")
        self.assertLess(finding["to_us"] - finding["from_us"], 60_000_000)
        # Taken away with all files.
        self.host.sh(f"opelog thaw --seconds 60 && rm -f {path}.* && opelog freeze", check=True)
        rc, verdict = self.verify()
        self.assertEqual((rc, self.verdict_of(verdict, recording.name)), (9, ("altered", "gone", ["missing-session"])))

    def test_3_a_killed_daemon_is_a_crash_and_no_tampering(self):
        self.pin_key()
        self.seen = {r.name for r in self.host.recordings()}
        term = self.log_in()
        term.send("echo alive\r")
        term.expect(sandbox.PROMPT)
        [live] = self.new_recordings(ended=False)
        time.sleep(1.3)
        _, verdict = self.verify()
        self.assertEqual(self.verdict_of(verdict, live.name), ("intact", "incomplete", ["live"]))
        self.host.daemon.process.signal(9)
        self.host.daemon.process.wait()
        term.hang_up()
        self.host.start_daemon(self.policy, self.daemon)
        self.wait_signed()

        def crashed():
            _, now = self.verify()
            return "crash" in self.verdict_of(now, live.name)[2] or None
        sandbox.wait_until(crashed, "the crash stands in the ledger")
        _, verdict = self.verify()
        integrity, completeness, _ = self.verdict_of(verdict, live.name)
        self.assertEqual((integrity, completeness), ("intact", "incomplete"))
        self.assertIn("unclean-boot", [f["what"] for f in verdict["ledger"]["findings"]])
        self.assertEqual(verdict["ledger"]["integrity"], "intact")

    def test_4_rotated_and_compressed_by_hand_it_is_the_same(self):
        recording = self.one_session("echo rotate me")
        self.pin_key()
        path = f"/var/log/ope_log/{recording.name}"
        self.host.sh("opelog thaw --seconds 60", check=True)
        self.host.sh(f"gzip {path}.log && mv {path}.time {path}.time.1", check=True)
        self.host.sh("opelog freeze", check=True)
        _, verdict = self.verify(recording.name)
        self.assertEqual(self.verdict_of(verdict, recording.name), ("intact", "complete", []))
        entries = self.host.read("/var/log/opelog-ledger/entries").decode()
        self.assertRegex(entries, r'"k":"thawed".*\n.*"k":"frozen"')
        # Damaged while compressed, and a link in the place of another: named, and the others are looked at all the same.
        self.host.sh("opelog thaw --seconds 60", check=True)
        self.host.sh(f"printf XXXX | dd of={path}.log.gz bs=1 seek=$(($(stat -c %s {path}.log.gz) - 20)) conv=notrunc status=none && ln -s /etc/passwd /var/log/ope_log/planted.time", check=True)
        self.host.sh("opelog freeze", check=True)
        rc, verdict = self.verify()
        self.assertEqual((rc, self.verdict_of(verdict, recording.name)[2]), (9, ["altered"]))
        self.assertEqual(self.verdict_of(verdict, "planted"), ("unproven", "complete", ["unsealed"]))
        self.host.sh("rm /var/log/ope_log/planted.time", check=True)

    def test_7_what_never_met_the_shim_is_sealed_too(self):
        # Its login shell is bash itself: only what it executes is recorded.
        self.pin_key()
        self.seen = {r.name for r in self.host.recordings()}
        self.host.sh("usermod -s /bin/bash opelogtest-b", check=True)
        term = self.host.ssh_pty("opelogtest-b")
        term.expect(sandbox.PROMPT)
        time.sleep(2.5)
        term.send("id\r")
        term.expect("uid=")
        [recording] = self.new_recordings(ended=False)
        sandbox.wait_until(lambda: b" OPELOG_SEAL " in recording.time or None, "a seal while it lives")
        self.assertEqual(self.log_out(term), 0)
        sandbox.wait_until(lambda: recording.ended() or None, "its end")
        self.wait_signed()
        _, verdict = self.verify()
        self.assertEqual(self.verdict_of(verdict, recording.name), ("intact", "complete", []))

    def test_5_the_ledger_rolled_back_shows(self):
        recording = self.one_session("echo gone")
        self.pin_key()
        self.host.sh("mkdir /tmp/ledger && cd /var/log/opelog-ledger && grep -vF " + recording.name + " entries > /tmp/ledger/entries && "
                     "cp checkpoints /tmp/ledger/", check=True)
        done = self.host.opelog("verify", "--json", "--ledger", "/tmp/ledger")
        self.assertEqual(done.rc, 9, done)
        self.assertEqual(json.loads(done.out)["ledger"]["integrity"], "altered")

    def test_6_a_stop_in_order_is_no_finding_against_anybody(self):
        self.one_session("true")
        self.host.daemon.process.signal(15)
        self.host.daemon.process.wait()
        self.host.start_daemon(self.policy, self.daemon)
        self.wait_signed()
        _, verdict = self.verify()
        self.assertEqual(verdict["ledger"]["integrity"], "intact")
        self.assertIn("off", [f["what"] for f in verdict["ledger"]["findings"]])


class WithoutLedger(Scene):
    """Row 15: a ledger that takes nothing: the policy's choice, and stated."""
    policy = sandbox.POLICY + "seal: { ledger: /etc/passwd/ledger }\n"

    def test_required_no_session_and_otherwise_an_unsealed_one(self):
        self.host.daemon.wait_log("ledger-failed: no ledger: make /etc/passwd/ledger")
        self.assertEqual(self.host.ssh("opelogtest-a", "true").rc, 77)
        self.assertEqual(self.host.recordings(), [])
        self.assertIn(b"the ledger", self.host.opelog("status").out)
        self.host.daemon.process.signal(15)
        self.host.daemon.process.wait()
        self.host.start_daemon(sandbox.POLICY + "seal: { ledger: /etc/passwd/ledger, required: false }\n")
        self.assertEqual(self.host.ssh("opelogtest-a", "true").rc, 0)
        self.host.daemon.wait_log("unsealed: sessions are recorded without seals")
        [recording] = self.new_recordings()
        done = self.host.opelog("verify", "--json")
        self.assertEqual(done.rc, 8, done)
        [session] = json.loads(done.out)["sessions"]
        self.assertEqual((session["recording"], [f["what"] for f in session["findings"]]), (recording.name, ["unsealed"]))


if __name__ == "__main__":
    sandbox.run_file()
