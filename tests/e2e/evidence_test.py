"""Seals and ledger of real sessions: what `opelog verify` says of them, and of what root did to them."""

import base64
import json
import os
import re
import time

import sandbox
from scene import Scene


class WithAnAuditor(Scene):
    @classmethod
    def prepare(cls):
        cls.host.sh("useradd -m -G opelog-audit opelogtest-audit", check=True)

    def as_auditor(self, *argv):
        return self.host.run("setpriv", "--reuid", "opelogtest-audit", "--regid", "opelog-audit", "--init-groups", *argv)

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


class Evidence(WithAnAuditor):
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
        done = self.as_auditor("opelog", "verify", "--json")
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
        # Without a word to the daemon: whatever it is called, the bytes are the same, and it is stated.
        self.host.in_spite_of_the_guard(f"{path}.time", lambda name: os.rename(name, f"{name}.1"))
        rc, verdict = self.verify(recording.name)
        self.assertEqual((rc, self.verdict_of(verdict, recording.name)), (0, ("intact", "complete", ["rotated"])))
        self.assertIn(f"{recording.name}.time.1", verdict["sessions"][0]["findings"][0]["text"])
        self.host.in_spite_of_the_guard(f"{path}.time.1", lambda name: os.rename(name, name.removesuffix(".1")))
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


    def test_8_another_log_key_and_the_old_pin_still_holds(self):
        before = self.one_session("echo before")
        self.pin_key()
        seen = {r.name for r in self.host.recordings()}
        term = self.log_in()
        denied = self.as_auditor("opelog", "key", "rotate")
        self.assertEqual((denied.rc, denied.out), (4, b""), denied)
        self.assertIn(b"only root may ask for rotate-key", denied.err)
        shown = json.loads(self.host.opelog("key", "show", "--json", check=True).out)
        rotated = json.loads(self.host.opelog("key", "rotate", "--json", check=True).out)
        self.assertEqual(rotated["former"], shown["log"])
        self.assertNotEqual(rotated["log"], shown["log"])
        after = json.loads(self.host.opelog("key", "show", "--json", check=True).out)
        self.assertEqual((after["log"], after["pin"], after["pinned"]), (rotated["log"], shown["pin"], True))
        self.host.daemon.wait_log("ledger-key-rotated: .*" + re.escape(rotated["log"]))
        # The checkpoint that hands over has three signatures, others two.
        self.assertEqual(self.log_out(term), 0)
        self.seen = seen
        [over_it] = self.new_recordings()
        behind = self.one_session("echo behind")
        notes = re.split(r"(?m)(?=^opelog/[0-9a-f]+\n)", self.host.read("/var/log/opelog-ledger/checkpoints").decode())
        signers = {int(n.split("\n")[1]): [line.split(" ")[1:] for line in n.split("\n\n")[1].splitlines()] for n in notes if n}
        host_id = rotated["log"].split("+")[0]
        self.assertEqual([name for name, _ in signers[rotated["size"]]], [host_id + "/epoch", host_id, host_id])
        self.assertEqual([size for size, names in signers.items() if len(names) > 2], [rotated["size"]])
        # The first four bytes of a signature name its key.
        said = {size: [base64.b64decode(value)[:4].hex() for name, value in lines if name == host_id] for size, lines in signers.items()}
        old, new = (key.split("+")[1] for key in (rotated["former"], rotated["log"]))
        for size, keys in said.items():
            wanted = [old] if size < rotated["size"] else [old, new] if size == rotated["size"] else [new]
            self.assertEqual(keys, wanted, size)
        # All of it by the pin from before, after another start too, here and in evidence files.
        self.host.daemon.process.signal(15)
        self.host.daemon.process.wait()
        gone = self.host.opelog("key", "rotate")
        self.assertEqual(gone.rc, 6, gone)
        self.assertIn(b"the daemon does not answer", gone.err)
        self.host.start_daemon(self.policy, self.daemon)
        self.wait_signed()
        _, verdict = self.verify()
        self.assertEqual(verdict["ledger"]["integrity"], "intact")
        for recording in (before, over_it, behind):
            self.assertEqual(self.verdict_of(verdict, recording.name), ("intact", "complete", []))
            file = f"/tmp/{recording.name}.evidence"
            self.host.opelog("prove", recording.name, "-o", file, check=True)
            self.assertEqual(self.host.opelog("verify", file).rc, 0)
        self.assertIn('"why\\":\\"rotated', self.host.sh(f"tar -xOf {file} proof.json", check=True).out.decode())


class Views(WithAnAuditor):
    def setUp(self):
        super().setUp()
        self.told = len(self.views())

    def views(self):
        return json.loads(self.host.opelog("report", "--views", "--json", check=True).out)

    def new_views(self):
        return [(v["user"], v["what"], v["recording"]) for v in self.views()[self.told:]]

    def test_1_who_reads_stands_in_the_ledger(self):
        recording = self.one_session("echo read me")
        self.pin_key()
        name = recording.name
        self.assertIn(b"read me", self.as_auditor("opelog", "play", name).out)
        for command in (["show", name], ["show", "--text", name], ["tail", name], ["commands", name], ["play", f"/var/log/ope_log/{name}.log"],
                        ["export", "--format", "text", name], ["prove", "-o", "-", name], ["search", "--scan", "read me"], ["report"],
                        ["ls"], ["verify"], ["report", "--views"]):
            done = self.as_auditor("opelog", *command)
            self.assertEqual((done.rc, b"note:" in done.err), (0, False), done)
        wanted = [("opelogtest-audit", what, name) for what in ("play", "show", "tail", "commands", "export", "prove")]
        self.assertEqual(self.new_views(), wanted + [("opelogtest-audit", what, "") for what in ("search", "report")])
        # Another place is nobody's business here.
        self.host.sh(f"mkdir -m 755 /tmp/copy && cp /var/log/ope_log/{name}.* /tmp/copy", check=True)
        self.host.opelog("show", "--directory", "/tmp/copy", name, check=True)
        self.assertEqual(len(self.new_views()), 8)
        self.host.opelog("show", name, check=True)
        self.assertEqual(self.new_views()[8:], [("root", "show", name)])
        self.assertRegex(self.host.opelog("report", "--views").out.decode(), rf"opelogtest-audit +prove +{re.escape(name)}\n")
        csv = self.host.opelog("report", "--views", "--csv", "--user", "root").out.decode()
        self.assertRegex(csv, rf'^time,user,uid,recording,what\r\n"[^"]+","root",0,"{re.escape(name)}","show"\r\n$')
        self.wait_signed()
        rc, verdict = self.verify()
        self.assertEqual((rc, verdict["ledger"]["findings"]), (0, []))

    def test_2_nobody_reads_in_anothers_name(self):
        code = ("import json, socket\n"
                "for extra in ({'uid': 0}, {'user': 'root'}, {'recording': '../x'}, {'what': 'cat'}, {}):\n"
                "    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect('/run/opelog/control.sock')\n"
                "    s.send(json.dumps({'op': 'viewed', 'recording': 'x_20261122140509_y', 'what': 'play', **extra}).encode())\n"
                "    print(json.loads(s.recv(65536)).get('code', 'ok'))\n")
        done = self.as_auditor("python3", "-c", code)
        self.assertEqual(done.out.split(), [b"invalid"] * 4 + [b"ok"], done)
        self.assertEqual(self.new_views(), [("opelogtest-audit", "play", "x_20261122140509_y")])

    def test_3_the_policy_may_leave_it_out(self):
        recording = self.one_session("echo quiet")
        self.host.write("/etc/opelog/opelog.yaml", self.policy + "seal: { viewed: false }\n")
        self.host.opelog("reload", check=True)
        self.assertEqual(self.as_auditor("opelog", "show", recording.name).err, b"")
        # Also of one whose opelog reads another policy: the daemon's counts.
        self.host.write("/tmp/other.yaml", self.policy)
        self.assertEqual(self.as_auditor("opelog", "--config", "/tmp/other.yaml", "tail", recording.name).err, b"")
        self.assertEqual(self.new_views(), [])
        self.host.write("/etc/opelog/opelog.yaml", self.policy)
        self.host.opelog("reload", check=True)

    def test_4_without_the_daemon_one_reads_on_and_is_told(self):
        recording = self.one_session("echo alone")
        self.host.daemon.process.signal(15)
        self.host.daemon.process.wait()
        done = self.as_auditor("opelog", "play", recording.name)
        self.assertEqual(done.rc, 0, done)
        self.assertIn(b"alone", done.out)
        self.assertRegex(done.err, rb"(?m)^opelog: note: the ledger will not say that this was read: the daemon does not answer")
        self.host.sh(f"mkdir -m 755 /tmp/taken && cp /var/log/ope_log/{recording.name}.* /tmp/taken", check=True)
        self.assertEqual(self.host.opelog("play", f"/tmp/taken/{recording.name}").err, b"")
        self.assertEqual(self.new_views(), [])
        self.host.start_daemon(self.policy, self.daemon)


class DirectoryChanged(Scene):
    """Another recordings.directory while sessions run, and then a crash: the ledger says where each was."""

    def test_each_is_completed_where_it_was_made(self):
        self.pin_key()
        terms, names = [self.log_in() for _ in range(2)], {r.name for r in self.host.recordings()}
        for term in terms:
            term.send("echo here\r")
            term.expect("here\r\n")
        elsewhere = self.policy + "recordings: { directory: /var/log/elsewhere }\n"
        self.host.write("/etc/opelog/opelog.yaml", elsewhere)
        self.host.opelog("reload", check=True)
        terms.append(self.log_in("opelogtest-b"))
        [last] = self.host.recordings(directory="/var/log/elsewhere")
        self.host.daemon.kill()
        for term in terms:
            term.hang_up()
        # One was moved along by hand.
        moved = min(names)
        self.host.sh(f"cd /var/log/ope_log && chattr -a {moved}.* && mv {moved}.* /var/log/elsewhere && chattr +a /var/log/elsewhere/{moved}.*", check=True)
        self.host.start_daemon(elsewhere)

        def verdicts():
            verdict = self.verify("--also", "/var/log/ope_log")[1]
            ended = not any("no-end" in {f["what"] for f in s["findings"]} for s in verdict["sessions"])
            return verdict["sessions"] if ended and verdict["ledger"]["entries"] == verdict["ledger"]["signed"] else None
        sessions = sandbox.wait_until(verdicts, "the crashes stand in the ledger")
        self.assertEqual({s["recording"] for s in sessions}, names | {last.name})
        for session in sessions:
            self.assertEqual((session["integrity"], session["completeness"]), ("intact", "incomplete"), session)
            self.assertLessEqual({f["what"] for f in session["findings"]}, {"crash", "tail-unsealed", "gap"}, session)
        # An auditor who does not know the former directory is told it.
        [missing] = [f for s in self.verify()[1]["sessions"] for f in s["findings"] if f["what"] == "missing-session"]
        self.assertIn(" in /var/log/ope_log, ", missing["text"])


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
