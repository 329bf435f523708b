"""Real logrotate over recordings, closed and live, between thaw and freeze: nothing is lost, all are listed and read."""

import json
import os
import re
import time

import sandbox
from scene import Scene

USER = "opelogtest-a"
GZIP = "compress\n rotate 9"
ZSTD = "compress\n compresscmd /usr/bin/zstd\n compressext .zst\n compressoptions -q\n rotate 9"


class RotatedRecordings(Scene):
    policy = sandbox.POLICY.replace("action: record", "input: true")

    @classmethod
    def prepare(cls):
        cls.host.sh("mkdir -p /var/lib/logrotate", check=True)

    def recorded(self, word):
        """A finished session; its name."""
        before = {r.name for r in self.host.recordings()}
        second = int(time.time())
        sandbox.wait_until(lambda: int(time.time()) > second, "a name of its own: a date behind it is not looked for")
        term = self.log_in(USER)
        term.send(f"seq -f 'row-{word}-%g' 1 200; exit 0\r")
        term.wait()
        [recording] = self.new_recordings()
        self.seen.add(recording.name)
        return next(iter({recording.name} - before))

    def told(self, name):
        """All that the tools say of a recording that must not change by how it is stored."""
        summary = json.loads(self.host.opelog("show", "--json", name, check=True).out)
        summary.pop("stored", None)
        commands = self.host.opelog("commands", "--json", name, check=True).out
        return summary, self.host.opelog("export", name, "--format", "text", check=True).out, commands

    def stored(self, name):
        return json.loads(self.host.opelog("show", "--json", name, check=True).out).get("stored", "")

    def rotate(self, how):
        """One forced run over everything in the directory, with the live recording among it."""
        self.host.write("/root/rotate", f"""
{sandbox.LOG_DIR}/*.log {sandbox.LOG_DIR}/*.time {sandbox.LOG_DIR}/*.in {{
 {how}
 su root root
 firstaction
  /usr/bin/opelog thaw --seconds 300
 endscript
 lastaction
  /usr/bin/opelog freeze
 endscript
}}
""".encode())
        since = len(self.host.daemon.log())
        done = self.host.run("logrotate", "-f", "-s", "/var/lib/logrotate/test", "/root/rotate")
        self.assertIn("guard-frozen:", self.host.daemon.log()[since:], done)
        return done

    def files(self, name):
        return sorted(f[len(name):] for f in os.listdir(self.host.path(sandbox.LOG_DIR)) if f.startswith(name))

    def test_several_cycles_of_every_kind(self):
        live = self.log_in(USER)
        [going] = self.new_recordings(ended=False)
        self.seen.add(going.name)
        inode = os.stat(going.path(".log")).st_ino
        told, ways = {}, {}
        for word, how, cycles, left in (
                ("gzip", "nocreate\n " + GZIP, 1, {".log.1.gz", ".time.1.gz", ".in.1.gz"}),
                ("zstd", "nocreate\n dateext\n " + ZSTD, 1, None),
                ("hourly", "nocreate\n dateext\n dateformat -%Y%m%d-%s\n rotate 9", 1, None),
                ("copied", "copytruncate\n delaycompress\n " + GZIP, 3, None)):
            name = self.recorded(word)
            told[name] = self.told(name)
            self.assertIn(f"row-{word}-200".encode(), told[name][1])
            for _ in range(cycles):
                self.rotate(how)
            if left:
                self.assertEqual(set(self.files(name)), left)
            ways[word] = self.stored(name)
            listed = json.loads(self.host.opelog("ls", "--json", check=True).out)
            self.assertEqual({s["name"] for s in listed}, {*told, going.name})
            for known, before in told.items():
                self.assertEqual(self.told(known), before, (known, word, self.files(known)))
            self.pin_key()
            self.wait_signed()
            _, verdict = self.verify()
            for known in told:  # a gap: keys typed before the shell echoed them
                integrity, _, findings = self.verdict_of(verdict, known)
                self.assertEqual((integrity, set(findings) - {"gap"}), ("intact", set()), (known, word))
            self.assertEqual(self.verdict_of(verdict, going.name)[0], "intact")
            live.send(f"echo still $((40+2)) {word}\r")
            live.expect(rf"\nstill 42 {word}\r")
        self.assertEqual(ways, {"gzip": "rotated, gzip", "zstd": "rotated, zstd", "hourly": "rotated", "copied": "rotated, gzip"})
        files = self.files(next(n for n in told if b"row-copied-1" in told[n][1]))
        self.assertEqual([f for f in files if f.startswith(".log")], [".log", ".log.1", ".log.2.gz", ".log.3.gz"])

        # Found by search, by what each file is called now, and in the index.
        for word in ways:
            self.assertEqual(self.host.opelog("search", f"row-{word}-77", "--scan").rc, 0, word)
        for name in told:
            for end in self.files(name):
                if os.path.getsize(self.host.path(f"{sandbox.LOG_DIR}/{name}{end}")) > 0:
                    self.host.opelog("show", f"{sandbox.LOG_DIR}/{name}{end}", check=True)

        self.assertEqual(self.log_out(live), 0)
        sandbox.wait_until(going.ended, "the live one has an end")
        self.assertEqual(os.stat(going.path(".log")).st_ino, inode)
        self.assert_replays(going, live.output)
        self.assertTrue(re.search(r"\ba\b|-a-", self.host.sh(f"lsattr -d -- {going.path('.log')[len(self.host.path('/')) - 1:]}").text))
        self.assertEqual(self.host.opelog("doctor").out.count(b"corrupt"), 0)


if __name__ == "__main__":
    sandbox.run_file()
