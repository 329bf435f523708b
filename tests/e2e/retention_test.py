"""opelog retain with the real daemon: what it says, what it does, what it must not do, and that all stays readable."""

import fcntl
import json
import os
import struct
import time

import sandbox
from scene import Scene

A, B = "opelogtest-a", "opelogtest-b"
F_OFD_GETLK = 36
INDEX = ("--index", "/tmp/index.db")
# One request to the daemon as any user; prints the answer.
ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect("/run/opelog/control.sock")
s.send(sys.argv[1].encode())
print(s.recv(65536).decode())
"""


class Retention(Scene):
    def recorded(self, user, word, lines=3000):
        """A finished session of some 50 KiB; its name."""
        term = self.log_in(user)
        term.send(f"seq -f 'row-{word}-%g' 1 {lines}; exit 0\r")
        term.wait()
        [recording] = self.new_recordings()
        self.seen.add(recording.name)
        sandbox.wait_until(lambda: not self.is_locked(recording), "its writer has closed it")
        return recording.name

    @staticmethod
    def is_locked(recording):
        with open(recording.path(".time"), "rb") as file:
            asked = fcntl.fcntl(file, F_OFD_GETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
        return struct.unpack("hhqqi4x", asked)[0] != fcntl.F_UNLCK

    def retention(self, text):
        """Puts a policy with these keys in force."""
        self.host.write("/etc/opelog/opelog.yaml", self.policy + "retention:\n" + "".join(f"  {line}\n" for line in text))
        self.host.opelog("reload", check=True)

    def retain(self, *options, rc=0):
        # With what opelog-retain.service leaves to it.
        done = self.host.run("setpriv", "--bounding-set=-all,+chown", "--no-new-privs", "opelog", "retain", "--json", *options)
        self.assertEqual(done.rc, rc, done)
        answer = json.loads(done.out)
        return answer, {r["name"]: r for r in answer["recordings"]}

    def ask(self, request, user=None):
        return json.loads(self.host.run("python3", "-c", ASK, json.dumps(request), user=user, check=True).out)

    def files(self):
        return {f: os.stat(self.host.path(f"{sandbox.LOG_DIR}/{f}")).st_size for f in os.listdir(self.host.path(sandbox.LOG_DIR))}

    def names(self):
        return {s["name"] for s in json.loads(self.host.opelog("ls", "--json", check=True).out)}

    def told(self, name):
        summary = json.loads(self.host.opelog("show", "--json", name, check=True).out)
        summary.pop("stored", None)
        return summary, self.host.opelog("export", name, "--format", "text", check=True).out

    def test_from_compression_to_the_last_one(self):
        a = [self.recorded(A, f"a{i}") for i in range(3)]
        b = [self.recorded(B, "b0")]
        small = self.recorded(B, "small", 3)
        live = self.log_in(A)
        [going] = self.new_recordings(ended=False)
        self.seen.add(going.name)
        live.send("seq -f 'row-live-%g' 1 3000\r")
        live.expect("row-live-3000\r")
        everything = {*a, *b, small, going.name}
        held = a[0]
        told = {name: self.told(name) for name in (*a, *b, small)}
        hold = f"hold: [{{session: {told[held][0]['id']}}}]"
        self.host.opelog("index", *INDEX, check=True)

        # Compression: what is old enough, not held, not live, and not so small that nothing is gained.
        self.retention(["compress_after: 1s", "keep_at_least: 0", hold])
        time.sleep(max(0.0, os.stat(self.host.path(f"{sandbox.LOG_DIR}/{small}.time")).st_mtime + 1.1 - time.time()))
        before = self.files()
        answer, said = self.retain("--dry-run")
        self.assertEqual({n: (r["action"], r["done"]) for n, r in said.items()},
                         {held: ("keep", False), **{n: ("compress", False) for n in (*a[1:], *b)}})
        self.assertEqual(self.files(), before, "a dry run changes nothing")
        answer, said = self.retain()
        self.assertTrue(all(r["done"] for n, r in said.items() if n != held), answer)
        self.assertEqual(answer["compressed"], 3)
        self.assertLess(answer["compressed_to"] * 2, answer["compressed_from"])
        now = self.files()
        for name in (*a[1:], *b):
            self.assertEqual({f for f in now if f.startswith(name + ".")}, {name + ".log.zst", name + ".time.zst"})
            flags = self.host.sh(f"lsattr -d -- {sandbox.LOG_DIR}/{name}.*", check=True).text.splitlines()
            self.assertEqual(["a" in line.split()[0] for line in flags], [True, True], flags)
        for name in (held, small):
            self.assertEqual({f: s for f, s in now.items() if f.startswith(name + ".")},
                             {f: s for f, s in before.items() if f.startswith(name + ".")})
        self.assertEqual(self.names(), everything)
        self.pin_key()
        self.wait_signed()
        self.assertEqual({n: self.verdict_of(self.verify(n)[1], n) for n in told}, {n: ("intact", "complete", []) for n in told})
        self.assertEqual({name: self.told(name) for name in told}, told, "read as before")
        self.assertEqual(self.retain()[1].keys(), {held}, "there is nothing more to do")
        self.assertEqual(json.loads(self.host.opelog("index", "--json", *INDEX, check=True).out)["failed"], 0)
        for options in (INDEX, ("--scan",)):
            self.assertEqual(self.host.opelog("search", "row-a1-2999", *options).rc, 0)

        # What each user may have: his oldest go, but not the held one.
        more = [self.recorded(A, f"more{i}", 2000) for i in range(2)]
        now = self.files()
        used = sum(s for f, s in now.items() if f.startswith(A + "_"))
        size = (used - sum(s for f, s in now.items() if f.startswith(a[1] + "."))) // 1024 + 1
        self.retention(["compress_after: 0", "keep_at_least: 0", f"max_size_per_user: {size}K", hold])
        answer, said = self.retain()
        self.assertEqual((said[held]["action"], said[a[1]]["action"], said[a[1]]["reason"]), ("keep", "prune", "user-size"))
        self.assertLessEqual(sum(s for f, s in self.files().items() if f.startswith(A + "_")), size * 1024, used)
        self.assertEqual({n for n in self.names() if n.startswith(B + "_")}, {*b, small}, "another user's stay")
        self.assertRegex(self.host.daemon.log(), rf"recording-pruned: .* recording={a[1]} .*user={A} why=user-size files=2 bytes=\d+")

        # The daemon refuses by itself, whoever asks: held, live, young, no name, not root.
        for name, code in ((held, "denied"), (going.name, "exists"), ("../../etc/passwd", "invalid"), ("none", "not-found")):
            answer = self.ask({"op": "prune", "recording": name, "why": "age"})
            self.assertEqual((answer["ok"], answer["code"]), (False, code), answer)
        # Nor for a reason that the policy does not give.
        answer = self.ask({"op": "prune", "recording": small, "why": "age"})
        self.assertEqual((answer["ok"], answer["code"]), (False, "denied"), answer)
        self.assertIn("keep_for", answer["message"])
        for name in (held, going.name, small):
            self.assertFalse(self.ask({"op": "compressed", "recording": name})["ok"])
        self.host.sh("usermod -aG opelog-audit opelogtest-none", check=True)
        self.assertEqual(self.ask({"op": "prune", "recording": small, "why": "age"}, user="opelogtest-none")["code"], "denied")
        self.retention(["compress_after: 0", "keep_at_least: 1h", "max_size: 1K", hold])
        self.assertEqual(self.ask({"op": "prune", "recording": small, "why": "size"})["code"], "denied")
        before = self.files()
        answer, said = self.retain(rc=1)
        self.assertTrue(answer["unmet"] and not answer["pruned"], answer)
        self.assertEqual({f for f in before if not f.startswith(going.name + ".")}, {f for f in self.files() if not f.startswith(going.name + ".")})

        # A reserve that no disk has: all that may go goes; then by age.
        self.retention(["compress_after: 0", "keep_at_least: 0", "reserve: 1024T", hold])
        answer, said = self.retain(rc=1)
        self.assertEqual(self.names(), {held, going.name})
        self.assertEqual({said[n]["reason"] for n in (*b, small, more[1])}, {"reserve"})
        old = self.recorded(B, "old")
        self.retention(["compress_after: 0", "keep_at_least: 0", "keep_for: 1s", f"hold: [{{user: {A}}}]"])
        time.sleep(1.2)
        self.assertEqual(self.retain()[1][old]["reason"], "age")
        self.assertEqual(self.names(), {held, going.name})
        index = json.loads(self.host.opelog("index", "--json", *INDEX, check=True).out)
        self.assertEqual(index["sessions"], 2, "the index drops what is pruned")

        # What was compressed is intact, what was removed is pruned, and nothing is missing.
        self.pin_key()
        self.wait_signed()
        rc, verdict = self.verify()
        self.assertEqual((rc, verdict["ledger"]["integrity"]), (1, "intact"))
        self.assertEqual({n: self.verdict_of(verdict, n) for n in (*a[1:], *b, small, old)},
                         {n: ("intact", "gone", ["pruned"]) for n in (*a[1:], *b, small, old)})
        self.assertEqual(self.verdict_of(verdict, held), ("intact", "complete", []))

        live.send("echo still $((40+2))\r")
        live.expect(r"\nstill 42\r")
        self.assertEqual(self.log_out(live), 0)
        sandbox.wait_until(going.ended, "the live one has an end")
        self.assert_replays(going, live.output)
        self.assertEqual(self.told(held), told[held])
        status = json.loads(self.host.opelog("status", "--json", check=True).out)
        self.assertEqual(status["guard"]["findings"], 0, "what we do ourselves is no finding")


if __name__ == "__main__":
    sandbox.run_file()
