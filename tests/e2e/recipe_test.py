"""The original recipe in its own way: users run plain `script` into a 1777 directory and the guard makes each file append-only.

No recorded login here: only opelogd's guard, the user's own `script`, and what he then tries against his files.
"""

import os
import re
import signal
import subprocess
import time

import sandbox
from scene import Scene

USER = "opelogtest-b"
DIRECTORY = sandbox.LOG_DIR


class Recipe(Scene):
    enroll = False
    # The recipe's directory itself; our own recordings lie below it, where users do not write.
    policy = sandbox.POLICY + f"""\
recordings: {{ directory: {DIRECTORY}/recorded }}
guard:
  directories:
    - path: {DIRECTORY}
"""

    @classmethod
    def prepare(cls):
        # "before" and "other" are made while nobody guards.
        cls.host.sh(f"""
            set -e
            chmod 1777 {DIRECTORY}; chown root:root {DIRECTORY}
            mkdir -m 1777 {DIRECTORY}/other
            echo old > {DIRECTORY}/before; : > {DIRECTORY}/before-empty
            ln -s other/secret {DIRECTORY}/before-link; mkfifo {DIRECTORY}/before-fifo
            echo secret > {DIRECTORY}/other/secret; chown {USER}: {DIRECTORY}/before* {DIRECTORY}/other/secret -h
        """, check=True)

    def flags(self, directory=DIRECTORY):
        """{name: whether it is append-only} of the regular files."""
        found = {}
        for line in self.host.sh(f"cd {directory} && lsattr -a . 2>/dev/null").text.splitlines():
            flags, _, name = line.partition(" ")
            if name.strip() not in (".", "./.", "./.."):
                found[name.strip()[2:]] = "a" in flags
        return found

    def wait_flagged(self, *names):
        def there():
            flags = self.flags()
            return all(flags.get(n) for n in names) and flags
        sandbox.wait_until(there, f"append-only: {names[:4]}… of {len(names)}")

    def wait_quiet(self, name):
        """Until the file has not grown for a while."""
        def quiet():
            size = os.stat(os.path.join(self.host.log_dir, name)).st_size
            time.sleep(0.3)
            return os.stat(os.path.join(self.host.log_dir, name)).st_size == size
        sandbox.wait_until(quiet, f"{name} is quiet")

    def assert_out_of_reach(self, name):
        path = f"{DIRECTORY}/{name}"
        before = self.host.read(path)
        for attempt in (f": > {path}", f"rm -f {path}; test ! -e {path}", f"mv {path} {path}.x", f"truncate -s 0 {path}",
                        f"dd if=/dev/zero of={path} bs=1 count=1 conv=notrunc", f"ln {path} {DIRECTORY}/other/link",
                        f"chattr -a {path}", f"cp /etc/passwd {path}", f"touch -d 2001-01-01 {path}"):
            done = self.host.sh(attempt, user=USER)
            self.assertNotEqual(done.rc, 0, attempt)
        self.assertEqual(self.host.read(path), before)


class PlainScript(Recipe):
    SESSIONS = 120

    # As /etc/profile.d of the recipe had it, with a number so that the sessions may run side by side.
    ONE = (f"f={DIRECTORY}/$(id -un)_$(date +%Y%m%d%H%M%S)_192.0.2.7_$1; "
           "echo 'echo hello $((6*7)); exit 5' | script -f -q -t 2>$f.time $f.log && grep -q 42 $f.log || echo failed $1")

    def check_pair(self, base, shows):
        done = self.host.run("scriptreplay", "-d", "1000", f"{DIRECTORY}/{base}.time", f"{DIRECTORY}/{base}.log", check=True)
        self.assertIn(shows, done.out)
        self.assertEqual(done.err, b"")

    def test_a_hundred_sessions_of_the_recipes_own_command(self):
        done = self.host.sh(f"seq {self.SESSIONS} | xargs -P 4 -I N bash -c '{{ {self.ONE.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}; }}' one N",
                            user=USER, env={"PS1": "$ "}, timeout=sandbox.DEADLINE * 3)
        self.assertNotIn(b"failed", done.out, done)
        self.assertEqual(done.rc, 0, done)
        bases = sorted(n[:-5] for n in os.listdir(self.host.log_dir) if n.startswith(USER) and n.endswith(".time"))
        self.assertEqual(len(bases), self.SESSIONS)
        self.wait_flagged(*(b + end for b in bases for end in (".log", ".time")))
        for base in bases[:: self.SESSIONS // 10]:
            self.check_pair(base, b"hello 42")
        for end in (".log", ".time"):
            self.assert_out_of_reach(bases[0] + end)

    def test_on_a_real_terminal_the_file_is_append_only_while_the_session_runs(self):
        base = f"{USER}_20260101000000_192.0.2.9"
        term = self.host.terminal("bash", "-c", f"f={DIRECTORY}/{base}; exec script -f -q -t 2>$f.time $f.log", user=USER)
        term.expect(r"\$ $")
        self.wait_flagged(base + ".log", base + ".time")
        term.send("echo still $((40+2)) here\r")
        term.expect(r"\nstill 42 here\r")
        # script shows before it logs: nothing more may come while the file is compared with itself.
        log = f"{DIRECTORY}/{base}.log"
        sandbox.wait_until(lambda: re.search(rb"\nstill 42 here\r\n.*\$ $", self.host.read(log), re.S), "the next prompt is logged")
        self.wait_quiet(base + ".time")
        for end in (".log", ".time"):
            self.assert_out_of_reach(base + end)
        term.send("exit\r")
        term.wait()
        self.assertIn(b"still 42 here", self.host.read(f"{DIRECTORY}/{base}.log"))
        self.check_pair(base, b"still 42 here")

    def test_the_newer_options_of_script(self):
        for number in range(20):
            base = f"{USER}_20260101000000_192.0.2.10_{number}"
            done = self.host.run("script", "-q", "-e", "-f", "--log-out", f"{DIRECTORY}/{base}.log", "--log-timing", f"{DIRECTORY}/{base}.time",
                                 "-c", f"echo number {number}; exit {number}", user=USER)
            self.assertEqual(done.rc, number, done)
            self.wait_flagged(base + ".log", base + ".time")
            self.check_pair(base, b"number %d" % number)
        self.assert_out_of_reach(base + ".log")


class WhatElseLiesThere(Recipe):
    def wait_stated(self, word, **fields):
        def there():
            for line in self.host.daemon.log().splitlines():
                if f" {word}: " in line and all(re.search(rf"\b{k}={re.escape(v)}(\s|$)", line) for k, v in fields.items()):
                    return True
            return False
        sandbox.wait_until(there, f"{word} {fields}")

    def test_files_that_were_there_at_the_start(self):
        self.wait_flagged("before", "before-empty")
        self.assert_out_of_reach("before")
        self.wait_stated("guard-skipped", kind="symlink", name="before-link")
        self.wait_stated("guard-skipped", kind="fifo", name="before-fifo")

    def test_a_file_that_is_moved_in(self):
        self.host.sh(f"echo moved > {DIRECTORY}/other/moved && mv {DIRECTORY}/other/moved {DIRECTORY}/moved", user=USER, check=True)
        self.wait_flagged("moved")
        self.assert_out_of_reach("moved")

    def test_links_pipes_and_second_names_are_not_touched_and_stated(self):
        self.host.sh(f"""
            set -e; cd {DIRECTORY}
            echo victim > other/victim; ln -s other/victim link; ln -s /etc/shadow shadow; ln -s link loop
            mkfifo pipe; echo two > other/two; ln other/two hard; mkdir folder; echo in > folder/file
            python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
        """, user=USER, check=True)
        for name, kind in (("link", "symlink"), ("shadow", "symlink"), ("pipe", "fifo"), ("hard", "hard-link"), ("socket", "socket")):
            self.wait_stated("guard-skipped", name=name, kind=kind)
        self.host.sh(f"echo last > {DIRECTORY}/last", user=USER, check=True)
        self.wait_flagged("last")  # whoever would wait for a writer of the pipe would not come this far
        for path in ("other/victim", "other/two", "hard", "folder/file", "other/secret"):
            flags = self.host.sh(f"lsattr {DIRECTORY}/{path}", check=True).text.split()[0]
            self.assertNotIn("a", flags, path)
        self.assertNotIn("a", self.host.sh("lsattr /etc/shadow").text.split()[0])
        # The second name goes: nothing stands in the way any more. A sweep would see it; being touched does, too.
        self.host.sh(f"rm {DIRECTORY}/other/two && echo more >> {DIRECTORY}/hard", user=USER, check=True)
        self.wait_flagged("hard")

    def test_what_an_overflow_of_events_hid_is_found(self):
        queue = int(self.host.read("/proc/sys/fs/inotify/max_queued_events"))
        if queue > 65536:
            self.skipTest(f"the queue of this machine holds {queue} events")
        count = queue // 2 + 2000  # two events each at least
        self.host.daemon.process.signal(signal.SIGSTOP)
        try:
            self.host.run("python3", "-c", f"for i in range({count}): open(f'{DIRECTORY}/burst{{i}}', 'w').write('x')", user=USER, check=True,
                          timeout=sandbox.DEADLINE * 3)
        finally:
            self.host.daemon.process.signal(signal.SIGCONT)
        self.wait_stated("guard-overflow")

        def all_flagged():
            flags = self.flags()
            return sum(v for n, v in flags.items() if n.startswith("burst")) == count
        sandbox.wait_until(all_flagged, f"{count} files are append-only", sandbox.DEADLINE * 2)

    def test_a_flag_that_root_takes_off_comes_back_and_is_stated(self):
        self.host.sh(f"echo x > {DIRECTORY}/lost", user=USER, check=True)
        self.wait_flagged("lost")
        self.host.sh(f"chattr -a {DIRECTORY}/lost", check=True)
        self.wait_stated("guard-flag-lost", name="lost")
        self.wait_flagged("lost")

    def test_a_recorded_login_beside_it(self):
        """The guard of the 1777 directory and our own recordings below it do not disturb each other."""
        self.host.append("/etc/opelog/enrolled", "opelogtest-a:/bin/bash\n")
        self.host.set_shell("opelogtest-a", "/usr/bin/opelog-shell")
        self.host.daemon.hup()
        sandbox.wait_until(lambda: self.host.ssh("opelogtest-a", "exit 7").rc == 7, "the list is read")
        term = self.log_in("opelogtest-a")
        term.send("seq 1000; exit 3\r")
        self.assertEqual(term.wait(), 3)
        folder = DIRECTORY + "/recorded"
        sandbox.wait_until(lambda: all(r.ended() for r in self.host.recordings(directory=folder)), "the ends")
        recording = self.host.recordings(directory=folder)[-1]
        self.assert_replays(recording, term.output)
        self.assertTrue(all(self.flags(folder).values()), self.flags(folder))


if __name__ == "__main__":
    sandbox.run_file()
