"""Programs on a recorded terminal: full-screen ones, job control, floods and odd bytes; and that each behaves as it does for
the user who is not recorded on the same host."""

import hashlib
import json
import os
import re
import select
import signal
import termios
import time
import unittest

import sandbox
from scene import Scene

PLAIN, RECORDED = "opelogtest-none", "opelogtest-a"
PROMPT = r"\$ (\x1b\[K)?$"


def processes_of(host, uid):
    """{pid inside: command line} of a user's processes in the host."""
    found = {}
    for entry in os.listdir(host.path("/proc")):
        if entry.isdigit():
            try:
                if os.stat(host.path(f"/proc/{entry}")).st_uid != uid:
                    continue
                found[int(entry)] = host.read(f"/proc/{entry}/cmdline").replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
    return found


def parent_of(host, pid):
    return int(host.read(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()[1])


def above(host, pid):
    """[(pid, name)] of the processes above `pid`, nearest first."""
    chain = []
    while (pid := parent_of(host, pid)) > 1:
        chain.append((pid, host.read(f"/proc/{pid}/comm").decode().strip()))
    return chain


class FullScreenPrograms(Scene):
    def end_and_compare(self, term, status=0, last="exit 0"):
        self.assertEqual(self.log_out(term, last), status, term.output[-500:])
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)
        return recording

    def test_vim_edits_and_leaves_the_alternate_screen(self):
        term = self.log_in()
        term.send("vim -u NONE -N -i NONE note\r")
        term.expect(r"\x1b\[\?1049h")
        term.expect(r'"note" \[New\]')
        term.send("iw\u00e4hlen Sie\x1b:wq\r")
        term.expect(r"\x1b\[\?1049l")
        term.expect(PROMPT)
        self.assertEqual(self.host.read("/home/opelogtest-a/note"), "w\u00e4hlen Sie\n".encode())
        self.end_and_compare(term)

    def test_vim_redraws_when_the_window_changes(self):
        term = self.log_in(rows=24, cols=80)
        term.send("vim -u NONE -N -i NONE\r")
        term.expect(r"\x1b\[\?1049h.*VIM - Vi IMproved")
        term.resize(41, 117)
        term.expect(r"\x1b\[40;1H~")  # it draws on a line that was not there before
        term.send(":echo 'now' &lines 'x' &columns\r")
        term.expect(r"now 41 x 117")
        term.send(":q\r")
        term.expect(PROMPT)
        term.send("stty size\r")
        term.expect(r"\n41 117\r")
        term.expect(PROMPT)
        recording = self.end_and_compare(term)
        self.assertIn(b"SIGWINCH ROWS=41 COLS=117\n", recording.time)
        before, after = recording.time.split(b"SIGWINCH ROWS=41", 1)
        self.assertIn(b"\nO ", before)
        self.assertIn(b"\nO ", after)

    def test_less(self):
        term = self.log_in()
        term.send("seq 1 5000 > numbers; less numbers\r")
        term.expect(r"\r\n20\r\n")
        term.send(" ")
        term.expect(r"\r\n40\r\n")
        term.send("G")
        term.expect(r"\n5000\r\n.*END")
        term.send("q")
        term.expect(PROMPT)
        self.end_and_compare(term)

    def test_top(self):
        term = self.log_in()
        term.send("top -d 0.1 -n 4\r")
        term.expect(r"load average")
        term.expect(PROMPT)
        self.end_and_compare(term)

    def test_tmux_inside_with_windows_detach_and_a_second_login_that_attaches(self):
        tmux = "tmux -u -f /dev/null -L e2e"
        self.addCleanup(self.host.run, *tmux.split(), "kill-server", user=RECORDED)
        term = self.log_in()
        term.send(tmux + " new-session\r")
        term.expect(r"\[0\] 0:bash\*")
        term.send("echo in window $((1-1))\r")
        term.expect(r"\nin window 0")
        term.send("\x02c")
        term.expect(r"1:bash\*")
        term.send("echo in window $((0+1))\r")
        term.expect(r"\nin window 1")
        term.expect(r"\$ ")  # tmux looks for its key only once it has the window's output behind it
        term.send("\x02d")
        term.expect(r"\[detached \(from session 0\)\]")
        term.expect(PROMPT)
        # The server lives on in the background; the logout must not wait for it.
        first = self.end_and_compare(term)
        again = self.log_in()
        again.send(tmux + " attach\r")
        again.expect(r"in window 1")
        again.send("exit\r")  # of the window
        again.expect(r"in window 0")
        again.send("exit\r")
        again.expect(r"\[exited\]")
        again.expect(PROMPT)
        self.assertEqual(self.log_out(again), 0)
        # The server was the first session's: what its shells execute at their end is left behind by that.
        how = {json.loads(r.notes()["OPELOG_SESSION"][0])["how"]: r for r in self.new_recordings(3) if r.name != first.name}
        self.assertEqual(sorted(how), ["left", "login"])
        self.assert_replays(how["login"], again.output)

    def test_script_inside_records_the_same_once_more(self):
        term = self.log_in()
        term.send("script -q inner.typescript\r")
        term.expect(PROMPT)
        term.send("echo deep $((6*7))\r")
        term.expect(r"\ndeep 42\r")
        term.expect(PROMPT)
        term.send("exit\r")
        term.expect(PROMPT)
        inner = self.host.read("/home/opelogtest-a/inner.typescript")
        self.assertIn(b"\ndeep 42\r\n", inner)
        self.end_and_compare(term)

    def test_su_inside_stays_in_the_same_recording(self):
        self.host.run("chpasswd", input=f"{PLAIN}:open sesame\n", check=True)
        term = self.log_in()
        term.send(f"su {PLAIN} -c 'id -un; exec bash --norc'\r")
        term.expect(r"Password: ")
        term.send("open sesame\r")
        term.expect(r"\nopelogtest-none\r")
        term.expect(PROMPT)
        term.send("echo as $EUID; exit 4\r")
        term.expect(r"\nas 2000\r")
        term.expect(PROMPT)
        recording = self.end_and_compare(term, status=4, last="exit $?")
        self.assertNotIn(b"sesame", recording.log + recording.time)

    @unittest.skipUnless(os.path.exists("/usr/bin/sudo"), "sudo is not installed on this machine")
    def test_sudo_inside_stays_in_the_same_recording(self):
        self.host.write("/etc/sudoers.d/opelogtest", f"{RECORDED} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        term = self.log_in()
        term.send("sudo id -un; sudo -i\r")
        term.expect(r"\nroot\r")
        term.expect(r"# $")
        term.send("exit\r")
        term.expect(PROMPT)
        self.end_and_compare(term)


class JobControl(Scene):
    enroll = False  # the other one's shell is in passwd, so that opelog has no part in it

    @classmethod
    def prepare(cls):
        cls.host.enroll(RECORDED)

    def test_control_z_and_foreground_again(self):
        term = self.log_in()
        term.send("echo go; cat\r")
        term.expect(r"\ngo\r\n")  # from here on the line belongs to cat
        term.send("one\r")
        term.expect(r"one\r\none\r\n")
        term.send("\x1a")
        term.expect(r"Stopped +cat")
        term.expect(PROMPT)
        term.send("fg\r")
        term.expect(r"fg\r\n[^\n]*cat\r\n")
        term.send("two\r")
        term.expect(r"two\r\ntwo\r\n")
        term.send("\x04")
        term.expect(PROMPT)
        term.send("sh -c 'echo now; exec sleep 1000'\r")
        term.expect(r"\nnow\r\n")
        term.send("\x03")
        term.expect(PROMPT)
        self.assertEqual(self.log_out(term, "exit $?"), 130)
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)

    def test_control_d_logs_out(self):
        term = self.log_in()
        term.send("\x04")
        self.assertEqual(term.wait(), 0)
        self.assertIn(b"logout", term.output)
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)

    def cut(self, how, term, shell):
        if how == "client":
            term.process.signal(signal.SIGKILL)
        else:
            ours = [pid for pid, name in above(self.host, shell) if name.startswith("sshd")][:2]
            self.assertEqual(len(ours), 2)
            self.host.run("kill", "-9", str(ours[0]), check=True)
            self.host.run("kill", "-9", str(ours[1]))  # may have ended by itself by now

    def test_hang_up_reaches_shell_and_program_and_leaves_no_process(self):
        """The client is killed, or the server's side of the connection is: the same in both cases."""
        for how in ("client", "connection"):
            for waiting in ("prompt", "program"):
                with self.subTest(killed=how, at=waiting):
                    self.seen = {r.name for r in self.host.recordings()}
                    self.host.sh("rm -f /tmp/hup", check=True)
                    term = self.log_in()
                    if waiting == "prompt":
                        term.send("trap 'echo hup > /tmp/hup; exit 11' HUP; echo shell $$\r")
                        shell = int(term.expect(r"\nshell (\d+)\r")[1])
                        term.expect(PROMPT)
                    else:
                        term.send("sh -c 'trap \"echo hup > /tmp/hup; exit\" HUP; echo shell $PPID; while :; do sleep 1; done'\r")
                        shell = int(term.expect(r"\nshell (\d+)\r")[1])
                    self.cut(how, term, shell)
                    sandbox.wait_until(lambda: not processes_of(self.host, 1000), "no process of the user is left")
                    self.assertEqual(self.host.read("/tmp/hup"), b"hup\n")
                    [recording] = self.new_recordings(may_leave=True)
                    end = recording.notes()["OPELOG_END"][0]
                    self.assertIn('"reason":"hangup"', end)
                    self.assertIn('"exit_code":11' if waiting == "prompt" else '"signal":1,', end)
                    self.assertEqual(recording.replay(), recording.payload())
                    term.expect_eof()
                    # The shell's last words may be recorded and not shown any more, never the other way round.
                    shown = re.sub(rb"Connection to \S+ closed by remote host\.\r\r\n$", b"", term.output)  # ssh's own
                    self.assertTrue(recording.payload().startswith(shown), (recording.payload(), shown))

    def test_background_jobs_after_logout_are_as_without_opelog(self):
        """Logout returns although jobs hold the terminal; those that survive an unrecorded logout survive a recorded one."""
        left = {}
        for user, uid in ((PLAIN, 2000), (RECORDED, 1000)):
            term = self.log_in(user)
            for number, job in enumerate(("sleep 10001", "nohup sleep 10002", "(trap '' HUP; exec sleep 10003)",
                                          "setsid sleep 10004 < /dev/null > /dev/null 2>&1"), 1):
                term.send(job + " &\r")
                term.expect(rf"\[{number}\] \d+\r\n")  # nohup may speak before, on the same line
            # All four must be there, or "survived" says nothing.
            sleeping = lambda: sorted(c.strip() for c in processes_of(self.host, uid).values() if c.startswith("sleep "))
            sandbox.wait_until(lambda: len(sleeping()) == 4, "four jobs")
            self.assertEqual(self.log_out(term, "exit 9"), 9)
            sandbox.wait_until(lambda: not any("bash" in c for c in processes_of(self.host, uid).values()), "no shell left")
            left[user] = sleeping()
            self.host.run("kill", "-9", *(str(p) for p, c in processes_of(self.host, uid).items() if c.startswith("sleep ")))
            sandbox.wait_until(lambda: not sleeping(), "the jobs ended")
        self.assertEqual(left[RECORDED], left[PLAIN])
        self.assertIn("sleep 10002", left[RECORDED])
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)


class LikeAnUnrecordedLogin(Scene):
    """Differential: the very same keystrokes by a user who is no target, on the same host."""

    enroll = False  # the other one's shell is in passwd, so that opelog has no part in it

    @classmethod
    def prepare(cls):
        cls.host.enroll(RECORDED)

    def both(self, lines, last="exit 0", before=None):
        """[(status, output)] of the unrecorded and the recorded login, user names made alike."""
        results = []
        for user in (PLAIN, RECORDED):
            # Before it starts the client copies the settings of the terminal it finds.
            term = self.host.ssh_pty(user, "env PS1='$ ' bash --norc --noprofile -i", rows=37, cols=91)
            if before:
                before(term.master)
            term.expect(PROMPT)
            for line in lines:
                line, question, answer = line if isinstance(line, tuple) else (line, None, None)
                term.send(line + "\r")
                if question:
                    term.expect(question)
                    term.send(answer + "\r")
                term.expect(PROMPT)
            status = self.log_out(term, last)
            text = bytes(term.output).replace(user.encode(), b"USER")
            results.append((status, re.sub(rb"\b(1000|2000)\b", b"UID", re.sub(rb"/dev/pts/\d+", b"/dev/pts/N", text))))
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)
        return results

    def test_terminal_modes_size_and_node(self):
        def odd_keys(master):
            modes = termios.tcgetattr(master)
            modes[6][termios.VINTR], modes[6][termios.VERASE] = b"\x18", b"\x08"
            modes[0] |= termios.IXANY
            termios.tcsetattr(master, termios.TCSANOW, modes)

        for before, shows in ((None, b"intr = ^C"), (odd_keys, b"intr = ^X")):
            with self.subTest(keys=shows):
                self.seen = {r.name for r in self.host.recordings()}
                plain, recorded = self.both(["stty -a", "tty", "stat -c '%A %U %G %t' $(tty)", "echo to tty > /dev/tty",
                                             ("echo who; read a < /dev/tty; echo got $a", r"\nwho\r\n", "back"), "test -t 0 && test -t 1 && test -t 2 && echo all",
                                             "ps -o tty= -p $$ | sed s/[0-9]*$/N/; ps -o stat= -p $$",
                                             "mesg", "echo $TERM"], before=before)
                self.assertEqual(recorded, plain)
                self.assertIn(shows, recorded[1])
                self.assertIn(b"rows 37; columns 91", recorded[1])
                self.assertIn(b"\nto tty\r", recorded[1])
                self.assertIn(b"got back", recorded[1])

    def test_how_shells_end(self):
        for last in ("exit 37", "kill -9 $$", "kill -TERM $$; exit 3", "kill -HUP $$", "exec true", "exec sh -c 'kill -SEGV $$'",
                     "\x04"):
            with self.subTest(last=last):
                self.seen = {r.name for r in self.host.recordings()}
                plain, recorded = self.both(["true"], last)
                self.assertEqual(recorded, plain)

    def test_environment_of_an_interactive_login(self):
        """Only OPELOG_SESSION is added; SHELL is the real one."""
        seen = {}
        for user in (PLAIN, RECORDED):
            term = self.log_in(user)
            term.send("env -0 > /tmp/env-$UID; echo done\r")
            term.expect(r"\ndone\r")
            self.log_out(term)
            text = self.host.read(f"/tmp/env-{2000 if user == PLAIN else 1000}").decode().replace(user, "USER")
            variables = dict(line.split("=", 1) for line in text.split("\0") if line)
            for name in ("SSH_CLIENT", "SSH_CONNECTION"):  # the client's port
                variables[name] = " ".join(w for i, w in enumerate(variables[name].split()) if i != 1)
            seen[user] = variables
        self.assertRegex(seen[RECORDED].pop("OPELOG_SESSION"), r"^[0-9a-f]{16}$")
        for variables in seen.values():
            variables["SSH_TTY"] = re.sub(r"\d+$", "N", variables["SSH_TTY"])
        self.assertEqual(seen[RECORDED], seen[PLAIN])


class ManyBytes(Scene):
    SIZE = 256 << 20

    def read_raw(self, term, end):
        """Hash and length of what the terminal receives until it ends or `end` bytes have come; nothing is kept."""
        digest, got = hashlib.sha256(), 0
        buffer = memoryview(bytearray(1 << 16))
        os.set_blocking(term.master, True)
        while got < end:
            try:
                size = os.readv(term.master, [buffer[:end - got]])
            except OSError:
                break
            if not size:
                break
            digest.update(buffer[:size])
            got += size
        os.set_blocking(term.master, False)
        return digest.hexdigest(), got

    def test_256_mib_of_output(self):
        source = f"seq 1 40000000 | head -c {self.SIZE}"
        expected = self.host.sh(source + " | sha256sum", timeout=sandbox.DEADLINE * 3).text.split()[0]
        term = self.host.ssh_pty(RECORDED, "stty raw -echo; echo ready; read go; " + source)
        term.expect(r"ready\n")
        start = len(term.output)
        term.send("\n")
        digest, got = self.read_raw(term, self.SIZE)
        self.assertEqual((got, digest), (self.SIZE, expected))
        self.assertEqual(term.wait(), 0)
        [recording] = self.new_recordings()
        payload = hashlib.sha256()
        with open(recording.path(".log"), "rb") as log:
            log.readline()
            self.assertEqual(log.read(start), bytes(term.output[:start]))
            while data := log.read(1 << 20):
                payload.update(data)
        self.assertEqual(payload.hexdigest(), expected)
        replayed = hashlib.sha256(recording.replay()[start:]).hexdigest()
        self.assertEqual(replayed, expected)
        self.assertIn(f'"bytes_out":{self.SIZE + start}', recording.notes()["OPELOG_END"][0])

    def test_random_bytes(self):
        blob = os.urandom(8 << 20)
        self.host.write("/tmp/blob", blob)
        term = self.host.ssh_pty(RECORDED, "stty raw -echo; echo ready; read go; cat /tmp/blob; exit 6")
        term.expect(r"ready\n")
        start = len(term.output)
        term.send("\n")
        digest, got = self.read_raw(term, len(blob))
        self.assertEqual((got, digest), (len(blob), hashlib.sha256(blob).hexdigest()))
        self.assertEqual(term.wait(), 6)
        [recording] = self.new_recordings()
        self.assertEqual(hashlib.sha256(recording.payload()[start:]).hexdigest(), digest)
        self.assertEqual(hashlib.sha256(recording.replay()[start:]).hexdigest(), digest)

    def test_wide_characters_broken_utf8_and_escape_sequences(self):
        blob = ("w\u00e4ide \u65e5\u672c\u8a9e \U0001f600 e\u0301\r\n".encode() + b"cut \xe6\x97 lone \x80\xbf over \xc0\xaf\xf8\x88 "
                b"surrogate \xed\xa0\x80 nul \x00 del \x7f c1 \x9b31m \xff\xfe\r\n" + "Script done on x\nO 0.1 5\n".encode()
                + b"\x1b]0;title\x07\x1b[2J\x1b[?1049h\x1b[c\x1bP+q\x1b\\\x1b[?1049l" + bytes(range(256)))
        self.host.write("/tmp/odd", blob)
        term = self.log_in()
        term.send("stty -opost; cat /tmp/odd; stty opost\r")
        term.expect(PROMPT)
        self.assertIn(blob, term.output)
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)

    def test_large_input_arrives_unchanged(self):
        blob = os.urandom(1 << 20)
        term = self.host.ssh_pty(RECORDED, f"stty raw -echo; echo ready; head -c {len(blob)} > got; sha256sum < got",
                                 options=("EscapeChar=none",))
        term.expect(r"ready\n")
        term.send(blob)
        self.assertEqual(term.wait(), 0)
        self.assertIn(hashlib.sha256(blob).hexdigest().encode(), term.output)
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)

    def test_what_is_typed_before_the_prompt_is_not_lost(self):
        for number in range(20):
            self.seen = {r.name for r in self.host.recordings()}
            typed = f"echo ahead-$((number={number})); exit {number + 10}\r".encode()
            term = self.host.ssh_pty(RECORDED)
            # Before it asks for a session the client makes its own terminal raw; earlier, that one would echo.
            sandbox.wait_until(lambda: not termios.tcgetattr(term.master)[3] & termios.ICANON, "the client listens")
            term.send(typed)
            self.assertEqual(term.wait(), number + 10, term.output)
            self.assertRegex(bytes(term.output), rb"\nahead-%d\r" % number)
            [recording] = self.new_recordings()
            # What was typed before the login was taken over the kernel has echoed already; nothing else is unrecorded.
            payload = recording.payload()
            self.assertTrue(term.output.endswith(payload), (term.output, payload))
            self.assertIn(bytes(term.output[:len(term.output) - len(payload)]).rstrip(b"\n"), (b"", typed, typed.rstrip(b"\r")))
            self.assertEqual(recording.replay(), payload)


class AFloodWithoutAReader(Scene):
    def memory(self):
        status = self.host.read(f"/proc/{self.host.daemon.process.inner_pid}/status").decode()
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)[1])

    def wait_for_standstill(self, path):
        """Until the file has not grown for a second's worth of looks: what is between us and the terminal is full."""
        sizes = []

        def same():
            sizes.append(os.stat(path).st_size)
            return len(sizes) > 150 and sizes[-150] == sizes[-1]
        sandbox.wait_until(same, "the flood waits for its reader")

    def read_up_to_the_prompt(self, term):
        """expect() for megabytes: only the end is searched."""
        end, parts, tail = time.monotonic() + sandbox.DEADLINE, [], b""
        while not re.search(PROMPT.encode(), tail):
            self.assertLess(time.monotonic(), end, tail)
            if not select.select([term.master], [], [], 1)[0]:
                continue
            parts.append(os.read(term.master, 1 << 16))
            tail = (tail + parts[-1])[-100:]
        term.keep(b"".join(parts))

    def test_others_work_and_the_daemon_does_not_grow(self):
        self.assertEqual(self.log_out(self.log_in("opelogtest-b")), 0)  # what the first session costs is not meant
        before = self.memory()
        flood = self.log_in()
        flood.send("yes 'nobody reads this, and it must wait'\r")
        flood.expect("it must wait\r\n")
        [recording] = self.new_recordings(ended=False, user=RECORDED)

        self.wait_for_standstill(recording.path(".log"))
        term = self.log_in("opelogtest-b")
        for number in range(20):
            term.send(f"echo answer $(({number}*2))\r")
            term.expect(rf"\nanswer {number * 2}\r")
            term.expect(PROMPT)
        self.assertEqual(self.log_out(term, "seq 1 20000; exit 3"), 3)
        grown = self.memory() - before
        sanitized = b"__asan_init" in self.host.read("/usr/sbin/opelogd")
        if not sanitized:  # whose allocator never gives back
            self.assertLess(grown, 2048, "kB of VmRSS")
        self.assertGreater(os.stat(recording.path(".log")).st_size, 1 << 17, "the flood was one")
        flood.send("\x03")
        self.read_up_to_the_prompt(flood)
        self.assertEqual(self.log_out(flood), 0)
        [recording] = self.new_recordings(1, user=RECORDED)
        self.assert_replays(recording, flood.output)


if __name__ == "__main__":
    sandbox.run_file()
