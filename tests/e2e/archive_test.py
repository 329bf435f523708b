"""The shipped example archive-recordings: old recordings move whole, everything else stays as it is."""

import os

import sandbox
from scene import Scene

SCRIPT = "/usr/share/doc/opelog/examples/archive-recordings"
USER = "opelogtest-a"
# The flag forbids another time, too. Off and on again through one descriptor: the guard looks when a file is closed.
TOUCH = """
import fcntl, os, struct, sys, time
get, put, append = 0x80086601, 0x40086602, 0x20
fd = os.open(sys.argv[1], os.O_RDONLY)
flags = struct.unpack("i", fcntl.ioctl(fd, get, bytes(8))[:4])[0]
fcntl.ioctl(fd, put, struct.pack("i", flags & ~append))
os.utime(fd, times=(time.time() - 100 * 86400,) * 2)
fcntl.ioctl(fd, put, struct.pack("i", flags))
"""


class ArchiveExample(Scene):
    policy = sandbox.POLICY.replace("action: record", "input: true")

    def files(self, folder):
        return sorted(os.listdir(self.host.path(folder)))

    def flags(self, recording):
        done = self.host.sh(f"lsattr -d -- {sandbox.LOG_DIR}/{recording.name}.*", check=True)
        return {"a" in line.split()[0] for line in done.text.splitlines()}

    def recorded(self, last):
        """A finished session with all three files."""
        term = self.log_in(USER)
        term.send(f"echo {last}; exit 0\r")
        term.wait()
        [recording] = self.new_recordings()
        self.seen.add(recording.name)
        self.assertTrue(os.path.exists(recording.path(".in")))
        return recording

    def make_old(self, recording):
        for end in (".log", ".time", ".in"):
            self.host.run("python3", "-c", TOUCH, f"{sandbox.LOG_DIR}/{recording.name}{end}", check=True)

    def test_old_ones_move_whole_the_live_one_and_new_ones_stay(self):
        old, new = [self.recorded("first"), self.recorded("second")], self.recorded("third")
        live = self.log_in(USER)
        [going] = self.new_recordings(ended=False)
        for recording in (*old, going):  # an idle session may be as old
            self.make_old(recording)
        contents = {r.name: (r.log, r.time) for r in (*old, new)}
        self.host.sh("mkdir /tmp/archive", check=True)
        since = len(self.host.daemon.log())
        self.host.run(SCRIPT, "90", "/tmp/archive", check=True)

        self.assertEqual(self.files("/tmp/archive"), sorted(r.name + end for r in old for end in (".log", ".time", ".in")))
        self.assertEqual(self.files(sandbox.LOG_DIR), sorted(r.name + end for r in (new, going) for end in (".log", ".time", ".in")))
        for recording in old:
            with open(self.host.path(f"/tmp/archive/{recording.name}.log"), "rb") as file:
                self.assertEqual(file.read(), contents[recording.name][0])
        self.assertEqual((new.log, new.time), contents[new.name])
        log = self.host.daemon.log()[since:]
        self.assertIn("guard-thawed:", log)
        self.assertLess(log.index("guard-thawed:"), log.index("guard-frozen:"))
        self.assertEqual((self.flags(new), self.flags(going)), ({True}, {True}), "frozen again, and live never thawed")

        # The archive is a directory of recordings, and the session goes on into its own file.
        listed = self.host.opelog("--directory", "/tmp/archive", "ls", "--json", check=True)
        self.assertTrue(all(r.name.encode() in listed.out for r in old), listed)
        live.send("echo still $((40+2))\r")
        live.expect(r"\nstill 42\r")
        self.assertEqual(self.log_out(live), 0)
        sandbox.wait_until(going.ended, "the live one has an end")
        self.assert_replays(going, live.output)
        self.assertEqual(self.host.opelog("ls").rc, 0)

    def test_it_freezes_also_when_it_fails(self):
        recording = self.recorded("x")
        self.make_old(recording)
        self.host.sh("mkdir /tmp/full && mount -t tmpfs -o size=4k full /tmp/full", check=True)
        self.host.sh("head -c 4096 /dev/zero > /tmp/full/everything", check=True)
        since = len(self.host.daemon.log())
        done = self.host.run(SCRIPT, "90", "/tmp/full")
        self.assertNotEqual(done.rc, 0, done)
        self.assertIn("guard-frozen:", self.host.daemon.log()[since:])
        self.assertEqual(self.flags(recording), {True})
        self.assertTrue(recording.ended(), "it is still whole")
        self.host.sh(f"mkdir /tmp/rest && {SCRIPT} 90 /tmp/rest", check=True)
        self.assertIn(recording.name + ".time", self.files("/tmp/rest"), "the next run takes it")

    def test_wrong_words(self):
        self.assertEqual(self.host.run(SCRIPT).rc, 2)
        self.assertEqual(self.host.run(SCRIPT, "90", "/nonexistent").rc, 1)


if __name__ == "__main__":
    sandbox.run_file()
