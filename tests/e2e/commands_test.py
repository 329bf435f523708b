"""Sessions without a terminal beyond the everyday ones of streams_test.py: large both ways, closed halves, processes that hold
a stream, killed clients, many channels of one connection, recorded payload; each as for a user who is not recorded."""

import hashlib
import json
import os
import re
import signal
import subprocess
import threading

import sandbox
from scene import Scene

PLAIN, RECORDED = "opelogtest-none", "opelogtest-a"
BIG = 64 << 20


def end_of(recording):
    return json.loads(recording.notes()["OPELOG_END"][0])


class LikeAnUnrecordedCommand(Scene):
    """Differential: what the client of an unrecorded user gets from the same command on the same host."""

    enroll = False  # the other one's shell is in passwd, so that opelog has no part in it

    @classmethod
    def prepare(cls):
        cls.host.enroll(RECORDED)

    def both(self, command, input=b"", **options):
        results = []
        for user in (PLAIN, RECORDED):
            done = self.host.ssh(user, command, input=input, **options)
            results.append(tuple(v.replace(user.encode(), b"USER") if isinstance(v, bytes) else v for v in done))
        return results

    def test_status_output_and_errors(self):
        for command in ("exit 0", "exit 37", "kill -9 $$", "kill -TERM $$", "kill -HUP $$", "exec sh -c 'kill -SEGV $$'",
                        "echo out; echo err >&2; exit 5", "nosuchcommand", "printf 'no newline'", "", "exit 256", "  ",
                        "echo 'quo\"tes' \"$HOME\" \\\\ ; false", "cat; exit 3", "cat <&-; echo $?", "echo x >&-; echo $?",
                        "echo a\necho b", "test -t 0 || test -t 1 || test -t 2 || echo none; tty; stty",
                        "ls -l /proc/$$/fd/0 | grep -o -e pipe -e socket", "cat < /dev/tty", "trap", "ulimit -a; umask; pwd",
                        "echo one; echo two >&2; exec >&- 2>&-; sleep 0.1; exit 6"):
            with self.subTest(command=command):
                plain, recorded = self.both(command, input=b"echo from stdin\nexit 21\n")
                self.assertEqual(recorded, plain)

    def test_a_command_on_a_terminal(self):
        for command in ("exit 37", "echo out; echo err >&2; exit 5", "kill -9 $$", "stty size; stty -g", "tty | sed s/[0-9]*$//"):
            with self.subTest(command=command):
                plain, recorded = self.both(command, tty=True)
                self.assertEqual(recorded, plain)

    def test_what_the_command_can_see_of_its_start(self):
        look = ("env | grep -v -e ^SSH_ -e ^OPELOG_SESSION= | sort; echo $0 $-; ls -l /proc/self/fd | wc -l; "
                "grep -E '^(Sig(Blk|Ign|Cgt)|Groups|NoNewPrivs|Cap)' /proc/self/status | sed 's/1000/UID/g; s/2000/UID/g'; "
                "cat /proc/self/oom_score_adj; cat /proc/self/limits")
        plain, recorded = self.both(look)
        self.assertEqual(recorded, plain)

    def test_no_stdin(self):
        for user in (PLAIN, RECORDED):
            argv = self.host.ssh_argv(user, "cat; echo done $?")
            done = self.host.run(argv[0], "-n", *argv[1:], input=b"never read")
            self.assertEqual((done.rc, done.out), (0, b"done 0\n"), done)

    def test_a_background_process_that_holds_stdout_is_waited_for(self):
        """As plain sshd does: the channel closes when the last writer of stdout is gone, not when the command is."""
        for user in (PLAIN, RECORDED):
            self.host.sh("rm -f /tmp/release; mkfifo -m 666 /tmp/release", check=True)
            client = self.host.popen(*self.host.ssh_argv(user, "(read go < /tmp/release; echo late) & echo early; exit 4"),
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(client.popen.stdout.readline(), b"early\n")
            # The command has ended by now or will in a moment; only the reader is left to hold the stream.
            sandbox.wait_until(lambda: not self.running(user, "exit 4"), "the command itself ended")
            self.assertTrue(client.running(), user)
            self.host.sh("echo go > /tmp/release", check=True)
            out, err = client.popen.communicate(timeout=sandbox.DEADLINE)
            self.assertEqual((client.popen.returncode, out, err), (4, b"late\n", b""), user)
        [recording] = self.new_recordings(1, user=RECORDED)
        self.assertEqual(end_of(recording)["bytes_out"], len(b"early\nlate\n"))

    def running(self, user, words):
        """Whether a shell whose command line ends so is there and not a zombie; a subshell has the same one."""
        uid, found = {PLAIN: 2000, RECORDED: 1000}[user], 0
        for entry in os.listdir(self.host.path("/proc")):
            try:
                if entry.isdigit() and os.stat(self.host.path(f"/proc/{entry}")).st_uid == uid:
                    found += self.host.read(f"/proc/{entry}/cmdline").endswith(words.encode() + b"\0")
            except OSError:
                continue
        return found > 1

    def test_a_background_process_without_the_streams_is_not_waited_for(self):
        for user in (PLAIN, RECORDED):
            done = self.host.ssh(user, "nohup sleep 1000 < /dev/null > /dev/null 2>&1 & echo pid $!")
            self.assertEqual(done.rc, 0)
            pid = done.out.split()[1].decode()
            self.assertEqual(self.host.run("kill", pid).rc, 0, "it lives on")
        self.new_recordings(1, user=RECORDED)


class Streams(Scene):
    def blob(self, size=BIG):
        return os.urandom(1 << 20) * (size >> 20)

    def test_64_mib_in_and_out(self):
        blob = self.blob()
        done = self.host.ssh(RECORDED, "cat", input=blob, timeout=120)
        self.assertEqual((done.rc, len(done.out), done.err), (0, BIG, b""))
        self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(blob).digest())
        [recording] = self.new_recordings()
        end = end_of(recording)
        self.assertEqual((end["bytes_in"], end["bytes_out"], end["bytes_err"], end["exit_code"]), (BIG, BIG, 0, 0))
        self.assertEqual(recording.payload(), b"")

    def test_large_both_ways_at_the_same_time_with_a_large_stderr(self):
        """A reader that is late on one side must not stop the others (each side alone is larger than all buffers)."""
        size, blob = 16 << 20, self.blob(16 << 20)
        client = self.host.popen(*self.host.ssh_argv(
            RECORDED, f"sha256sum > sum & head -c {size} /dev/zero | tr '\\0' e >&2 & head -c {size} /dev/zero; wait; cat sum >&2"
            .replace("sha256sum > sum &", "{ sha256sum <&3 > sum & } 3<&0;")),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        got = {}

        def take(name, pipe):
            got[name] = pipe.read()
        readers = [threading.Thread(target=take, args=(n, getattr(client.popen, n))) for n in ("stdout", "stderr")]
        readers[0].start()
        client.popen.stdin.write(blob)
        client.popen.stdin.close()
        readers[1].start()  # late on purpose
        for reader in readers:
            reader.join(sandbox.DEADLINE * 2)
        self.assertEqual(client.wait(), 0)
        self.assertEqual(got["stdout"], bytes(size))
        self.assertEqual(got["stderr"][:size], b"e" * size)
        self.assertEqual(got["stderr"][size:].split()[0].decode(), hashlib.sha256(blob).hexdigest())
        [recording] = self.new_recordings()
        end = end_of(recording)
        self.assertEqual((end["bytes_in"], end["bytes_err"]), (size, len(got["stderr"])))
        self.assertEqual(end["bytes_out"] - end["bytes_err"], size)

    def test_input_to_a_file(self):
        blob = self.blob(8 << 20)
        self.assertEqual(self.host.ssh(RECORDED, "cat > file", input=blob).rc, 0)
        self.assertEqual(hashlib.sha256(self.host.read(f"/home/{RECORDED}/file")).digest(), hashlib.sha256(blob).digest())
        [recording] = self.new_recordings()
        self.assertEqual((end_of(recording)["bytes_in"], end_of(recording)["bytes_out"]), (len(blob), 0))

    def test_tar_pipe(self):
        self.host.sh("mkdir -p /root/tree/sub; head -c 3000000 /dev/urandom > /root/tree/sub/blob; ln -s blob /root/tree/sub/link; "
                     "echo x > '/root/tree/odd name'", check=True)
        ssh = " ".join(self.host.ssh_argv(RECORDED))
        self.host.sh(f"tar -C /root -cf - tree | {ssh} 'tar -xf -' && {ssh} 'tar -cf - tree' | tar -C /tmp -xf - "
                     "&& diff -r --no-dereference /root/tree /tmp/tree", check=True)
        self.new_recordings(2)

    def test_half_close_each_way(self):
        done = self.host.ssh(RECORDED, "exec >&-; wc -c >&2", input=b"x" * 300000)
        self.assertEqual((done.rc, done.out, done.err), (0, b"", b"300000\n"))
        done = self.host.ssh(RECORDED, "exec <&-; head -c 300000 /dev/zero; exit 2", input=b"y" * 300000)
        self.assertEqual((done.rc, len(done.out)), (2, 300000))
        # The client stops reading: the command gets SIGPIPE as on any pipe.
        client = self.host.popen(*self.host.ssh_argv(RECORDED, "yes; echo $? > /tmp/yes"), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE)
        client.popen.stdout.read(10)
        client.popen.stdout.close()
        client.wait()
        sandbox.wait_until(lambda: self.host.exists("/tmp/yes") and self.host.read("/tmp/yes"), "the command noticed")
        self.new_recordings(3)

    def test_a_client_killed_in_the_middle(self):
        for command, feed in (("cat > partial; echo over > /tmp/over", True), ("trap '' PIPE; cat /dev/zero; echo over > /tmp/over", False)):
            with self.subTest(command=command):
                self.seen = {r.name for r in self.host.recordings()}
                self.host.sh("rm -f /tmp/over")
                client = self.host.popen(*self.host.ssh_argv(RECORDED, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL)
                if feed:
                    client.popen.stdin.write(bytes(4 << 20))
                    client.popen.stdin.flush()
                else:
                    client.popen.stdout.read(4 << 20)
                client.signal(signal.SIGKILL)
                client.wait()
                for pipe in (client.popen.stdin, client.popen.stdout):
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        pass
                sandbox.wait_until(lambda: self.host.exists("/tmp/over"), "the command saw the end of its streams")
                [recording] = self.new_recordings()
                end = end_of(recording)
                self.assertGreater(end["bytes_in" if feed else "bytes_out"], 1 << 20)
                self.assertEqual(end.get("exit_code"), 0)

    def test_the_record_of_a_command(self):
        self.host.ssh(RECORDED, "echo hello; exit 7", source="127.0.0.7")
        [recording] = self.new_recordings()
        notes = recording.notes()
        session = json.loads(notes["OPELOG_SESSION"][0])
        self.assertEqual((session["how"], session["terminal"], session["tty"]), ("command", False, ""))
        self.assertEqual(json.loads(notes["OPELOG_CLIENT"][0])["address"], "127.0.0.7")
        self.assertFalse(json.loads(notes["OPELOG_CLIENT"][0])["claimed"])
        self.assertEqual(json.loads(notes["OPELOG_COMMAND"][0])["command"], "echo hello; exit 7")
        self.assertEqual(notes["EXIT_CODE"], ["7"])
        self.assertIn(b"<not executed on terminal>", recording.header)
        self.assertRegex(recording.name, r"^opelogtest-a_\d{14}_127\.0\.0\.7")
        self.assertEqual(recording.replay(), b"")

    def test_long_and_odd_command_lines(self):
        """One line of the record can hold 1000 bytes: longer ones come in parts and lose nothing."""
        long = "echo " + "x" * 20000 + " | wc -c"
        odd = "printf '%s' $'\\x01' '\x1b[31m' '\u65e5\u672c' \"H 0.1 OPELOG_END {}\"\n: second line\r\t#"
        for command, out in ((long, b"20001\n"), (odd, None)):
            with self.subTest(command=command[:30]):
                self.seen = {r.name for r in self.host.recordings()}
                done = self.host.ssh(RECORDED, command)
                if out:
                    self.assertEqual(done.out, out)
                [recording] = self.new_recordings()
                self.assertNotRegex(recording.time.replace(b"\n", b""), rb"[\x00-\x1f\x7f]")
                self.assertEqual(recording.time.count(b"OPELOG_END {\"reason"), 1)
                parts = [(n, v[0]) for n, v in recording.notes().items() if re.fullmatch(r"OPELOG_COMMAND(:\d+/\d+)?", n)]
                parts.sort(key=lambda p: int((re.search(r":(\d+)/", p[0]) or [0, 0])[1]))
                self.assertEqual(json.loads("".join(v for _, v in parts))["command"], command)


class Payload(Scene):
    policy = sandbox.POLICY.replace("    action: record\n", "    action: record\n    payload: true\n")

    def test_output_is_recorded_and_stderr_is_marked(self):
        done = self.host.ssh(RECORDED, "echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three; sleep 0.2; head -c 100000 /dev/zero; exit 3")
        self.assertEqual((done.rc, done.err), (3, b"two\n"))
        [recording] = self.new_recordings()
        self.assertEqual(recording.payload(), b"one\ntwo\nthree\n" + bytes(100000))
        self.assertEqual(recording.replay(), recording.payload())
        # The marks tell which bytes were whose.
        stream, parts = "1", {"1": 0, "2": 0}
        for letter, _, rest in recording.timing():
            if letter == "H" and rest.startswith("OPELOG_STREAM "):
                stream = rest.split()[1]
            elif letter == "O":
                parts[stream] += int(rest)
        self.assertEqual(parts, {"1": len(done.out), "2": 4})

    def test_bytes_of_both_streams_are_all_there(self):
        done = self.host.ssh(RECORDED, "for i in $(seq 2000); do echo out $i; echo err $i >&2; done")
        [recording] = self.new_recordings()
        payload, streams, stream, at = recording.payload(), {"1": b"", "2": b""}, "1", 0
        for letter, _, rest in recording.timing():
            if letter == "H" and rest.startswith("OPELOG_STREAM "):
                stream = rest.split()[1]
            elif letter == "O":
                streams[stream] += payload[at:at + int(rest)]
                at += int(rest)
        self.assertEqual((streams["1"], streams["2"]), (done.out, done.err))
        self.assertEqual(len(done.err), len(b"".join(b"err %d\n" % i for i in range(1, 2001))))

    def test_a_copy_is_recorded_bit_for_bit(self):
        blob = os.urandom(3 << 20)
        self.host.write(f"/home/{RECORDED}/blob", blob, owner=RECORDED)
        done = self.host.ssh(RECORDED, "cat blob")
        self.assertEqual(done.out, blob)
        [recording] = self.new_recordings()
        self.assertEqual(recording.payload(), blob)
        self.assertEqual(hashlib.sha256(recording.replay()).digest(), hashlib.sha256(blob).digest())


class PayloadAndInput(Scene):
    policy = sandbox.POLICY.replace("    action: record\n", "    action: record\n    payload: true\n    input: true\n")

    def test_input_of_a_command_is_recorded_apart(self):
        blob = os.urandom(1 << 20)
        done = self.host.ssh(RECORDED, "wc -c", input=blob)
        self.assertEqual(done.out, b"%d\n" % len(blob))
        [recording] = self.new_recordings()
        with open(recording.path(".in"), "rb") as file:
            recorded = file.read()
        header, _, payload = recorded.partition(b"\n")
        self.assertTrue(header.startswith(b"Script started on "), header)
        self.assertEqual(payload, blob)
        self.assertEqual(recording.payload(), done.out)
        self.assertEqual(recording.replay(), done.out)

    def test_what_is_typed_is_recorded_but_no_password(self):
        term = self.log_in()
        term.send("echo go; read shown; read -s hidden; echo got $shown $hidden\r")
        term.expect(r"\ngo\r\n")
        term.send("visible\r")
        term.expect(r"visible\r\n")
        sandbox.wait_until(self.echo_is_off, "the terminal does not echo")
        term.send("sesame\r")
        term.expect(r"got visible sesame\r")
        term.expect(r"\$ (\x1b\[K)?$")
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        with open(recording.path(".in"), "rb") as file:
            recorded = file.read()
        self.assertIn(b"visible\r", recorded)
        self.assertNotIn(b"sesame", recorded)
        self.assertIn("did not echo", " ".join(recording.notes()["OPELOG_GAP"]))
        self.assert_replays(recording, term.output)

    def echo_is_off(self):
        # Readline switches echo off, too, but only the read -s leaves line editing by the kernel on.
        done = self.host.sh("for t in /dev/pts/[0-9]*; do stty -a -F $t; done")
        return b" icanon" in b"".join(b for b in done.out.split(b"speed") if b"-echo " in b and b" icanon" in b)


class ManyChannels(Scene):
    def test_each_channel_of_one_connection_is_a_session(self):
        control = ("ControlPath=/root/mux", "ControlMaster=auto", "ControlPersist=yes")
        first = self.log_in(options=control)
        self.assertEqual(self.host.ssh(RECORDED, "echo second", options=control).out, b"second\n")
        third = self.log_in(options=control)
        third.send("echo third\r")
        third.expect(r"\nthird\r")
        self.host.write("/root/f", b"copied")
        self.host.run("scp", "-q", *self.host.ssh_options(*control), "/root/f", f"{RECORDED}@127.0.0.1:f", check=True)
        self.assertEqual(self.log_out(third, "exit 3"), 3)
        self.assertEqual(self.log_out(first, "exit 1"), 1)
        ports = set()
        recordings = self.new_recordings(4)
        for recording in recordings:
            client = json.loads(recording.notes()["OPELOG_CLIENT"][0])
            ports.add(client["port"])
        self.assertEqual(len(ports), 1, "one connection")
        # ssh's own words about the shared connection follow the session's.
        for recording, term in ((recordings[0], first), (recordings[2], third)):
            self.assertEqual(recording.replay(), recording.payload())
            self.assertTrue(term.output.startswith(recording.payload()), (term.output, recording.payload()))
        self.host.run("ssh", *self.host.ssh_options(*control), "-O", "exit", "-l", RECORDED, "127.0.0.1", check=True)


class WithoutAShell(Scene):
    """What sshd does by itself never reaches the login shell. Forwarding alone and the built-in sftp server are such; here is
    what happens, so that docs and `opelog doctor` can say it."""

    def put(self):
        return self.host.run("sftp", "-q", *self.host.ssh_options(), "-b", "-", f"{RECORDED}@127.0.0.1",
                             input="put /root/key.pub got\n")

    def test_external_sftp_server_is_a_session(self):
        self.host.restart_sshd()
        self.assertEqual(self.put().rc, 0)
        [recording] = self.new_recordings()
        self.assertEqual(json.loads(recording.notes()["OPELOG_COMMAND"][0])["command"], "/usr/lib/openssh/sftp-server")
        self.assertGreater(end_of(recording)["bytes_in"], 0)

    def test_the_built_in_sftp_server_starts_no_shell_so_no_hook_can_see_it(self):
        """The README's limit; that it is stated is in threats_user_test.py. If a recording appears, take the sentence out of it."""
        self.host.restart_sshd("Subsystem sftp internal-sftp")
        self.assertEqual(self.put().rc, 0)
        self.host.restart_sshd("ForceCommand internal-sftp")
        self.assertEqual(self.put().rc, 0)
        self.new_recordings(0)

    def test_with_force_command_the_built_in_sftp_server_is_not_reached(self):
        """ForceCommand stands above the subsystem: the shim gets the word `internal-sftp`, which is no program. Refused, recorded."""
        self.host.restart_sshd("Subsystem sftp internal-sftp", "ForceCommand /usr/bin/opelog-shell --force")
        self.assertNotEqual(self.put().rc, 0)
        [recording] = self.new_recordings()
        self.assertEqual(json.loads(recording.notes()["OPELOG_COMMAND"][0])["original"], "internal-sftp")
        self.assertEqual(end_of(recording)["exit_code"], 127)

    def test_forwarding_without_a_session_starts_no_shell_either(self):
        self.host.restart_sshd()
        client = self.host.popen(*self.host.ssh_argv(RECORDED, options=("LocalForward=127.0.0.1:7777 127.0.0.1:22", "SessionType=none")))
        banner = lambda: self.host.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7777 && head -c 4 <&3").out == b"SSH-"
        sandbox.wait_until(banner, "the forwarded port answers")
        client.signal(signal.SIGTERM)
        client.wait()
        self.new_recordings(0)


if __name__ == "__main__":
    sandbox.run_file()
