#!/usr/bin/env python3
"""Row 2 of docs/threats.md: the user's own resource limits, set low before he starts opelog-shell, never give him a shell that
is not recorded."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402

USER = "opelogtest-a"

# Whoever starts the shim is a target here, sshd or not; and an absent daemon would let him pass.
POLICY = """\
version: 1
rules:
  - name: everybody
    match: { uid: [1000, "5000-"] }
daemon_absent: pass
log: { target: stderr, level: debug }
"""

# What sh's ulimit takes, each from nothing up to enough.
LIMITS = {
    "n": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 64],
    "p": [0, 1, 2, 3, 100],
    "f": [0, 1],
    "c": [0],
    "v": [0, 500, 1000, 1500, 2000, 2500, 3000, 4000, 6000, 10000, 20000, 100000],
    "s": [0, 8, 64, 128, 256, 1024],
    "d": [0, 64, 256, 1024, 100000],
    "l": [0],
    "t": [1],
}


class Limits(scene.Scene):
    policy = POLICY

    @classmethod
    def prepare(cls):
        # A sanitizer's shim needs terabytes of address space: its memory cannot be limited.
        cls.unlimited = "vds" if b"__asan_init" in cls.host.read("/usr/bin/opelog-shell") else ""

    def possible(self, limits):
        return [limit for limit in limits if not any(f"-{letter} " in limit for letter in self.unlimited)]

    def recorded(self, command):
        """Whether the record of that command has its end, with the bytes that were shown."""
        for recording in self.host.recordings(USER):
            notes = recording.notes()
            if command in notes.get("COMMAND", []):
                end = json.loads(notes.get("OPELOG_END", ["{}"])[0])
                return (end.get("reason"), end.get("bytes_out")) == ("exit", len(b"RAN-42\n"))
        return None

    def check(self, limit, command, done):
        """Recorded, or refused with a word; without one only where the kernel could not even start the program."""
        ran = b"RAN-42" in done.out
        if ran:
            self.assertNotIn(b"NOT recorded", done.err, limit)
            sandbox.wait_until(lambda: self.recorded(command), f"{limit}: a recording of what ran")
            return True
        self.assertNotEqual(done.rc, 0, (limit, done))
        if self.recorded(command) is not None:  # the daemon did its part; the shell itself had too little
            return False
        said = re.sub(rb"(?m)^sh: .*\n", b"", done.err)
        if done.rc not in (126, 127, 128 + 9, 128 + 11, -9, -11):
            self.assertRegex(said, rb"(?m)^opelog[: ]", (limit, done))
        return False

    def test_a_command(self):
        ran = {}
        for letter, values in LIMITS.items():
            for value in values if letter not in self.unlimited else ():
                limit = f"ulimit -{letter} {value}"
                with self.subTest(limit=limit):
                    command = f": {letter} {value}; echo RAN-$((40+2))"
                    done = self.host.run("sh", "-c", limit + ' && exec opelog-shell -c "$1"', "sh", command, user=USER)
                    ran[letter, value] = self.check(limit, command, done)
        for letter, values in LIMITS.items():
            if letter not in ("p", "t", *self.unlimited):
                self.assertTrue(ran[letter, values[-1]], f"-{letter} {values[-1]} is enough, so this shows nothing")
        for few in (("n", 0), ("n", 3), ("v", 0)):
            self.assertFalse(ran.get(few), few)
        self.assertNotIn("login-unrecorded", self.host.daemon.log())
        self.assertEqual(self.host.opelog("status").rc, 0)

    def test_a_terminal(self):
        for limit in self.possible(("ulimit -n 3", "ulimit -n 5", "ulimit -n 7", "ulimit -n 9", "ulimit -n 12", "ulimit -f 0", "ulimit -p 1",
                      "ulimit -v 3000", "ulimit -s 64", "ulimit -n 4; ulimit -f 0; ulimit -c 0")):
            with self.subTest(limit=limit):
                self.setUp()
                term = self.host.terminal("sh", "-c", limit + "; exec opelog-shell", user=USER)
                if self.prompt_or_end(term):
                    term.send("echo RAN-$((40+2))\r")
                    self.prompt_or_end(term)
                    term.send("exit\r")
                term.wait()
                self.assertNotIn(b"NOT recorded", term.output)
                if b"RAN-42" in term.output:
                    [recording] = self.new_recordings(1)
                    self.assertIn(b"RAN-42", recording.payload())
        self.assertEqual(self.host.opelog("status").rc, 0)

    def prompt_or_end(self, term):
        """True at a prompt, false when the terminal has ended."""
        seen = term._seen

        def there():
            term.pump(0.05)
            return term.ended or re.search(rb"[$#] $", term.output[seen:])
        sandbox.wait_until(there, "a prompt or the end")
        term._seen = len(term.output)
        return not term.ended

    def test_from_inside_a_session(self):
        """There it is in the record anyway."""
        term = self.log_in()
        for limit in self.possible(("-n 3", "-n 6", "-f 0", "-p 1", "-s 64", "-v 3000")):
            term.send(f"(ulimit {limit}; exec opelog-shell -c 'echo IN'SIDE); echo le''ft\r")
            term.expect(r"\nleft\r\n")
        self.log_out(term)
        [recording] = self.new_recordings(1)
        self.assert_replays(recording, term.output)


if __name__ == "__main__":
    sandbox.run_file()
