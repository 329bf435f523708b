"""A login on a terminal: recorded bit for bit, ended as the shell ended, named by who, when and from where."""

import re

import sandbox
from scene import Scene


class ATerminalLogin(Scene):
    def log_in_and_out(self, *lines, user="opelogtest-a", last="exit 37", **options):
        term = self.host.ssh_pty(user, **options)
        term.expect(sandbox.PROMPT)
        for line in lines:
            term.send(line + "\r")
            term.expect(sandbox.PROMPT)
        term.send(last + "\r")
        return term, term.wait()

    def test_it_is_recorded_and_replays_bit_for_bit(self):
        term, status = self.log_in_and_out(
            "echo hello; printf '\\033[1mbold\\033[0m\\a\\ttab\\n'", "seq 1 2000", "printf '\\377\\376\\000\\200 w\\xc3\\xa4\\n'")
        self.assertEqual(status, 37)
        [recording] = self.new_recordings()
        self.assertIn(b"\xff\xfe\x00\x80 w\xc3\xa4", term.output)
        self.assert_replays(recording, term.output)
        self.assertTrue(recording.header.startswith(b"Script started on "), recording.header)

    def test_the_record_says_who_where_and_how_it_ended(self):
        self.log_in_and_out("true", rows=31, cols=97)
        [recording] = self.new_recordings()
        notes = recording.notes()
        self.assertEqual(notes["EXIT_CODE"], ["37"])
        self.assertEqual(notes["COLUMNS"], ["97"])
        self.assertEqual(notes["LINES"], ["31"])
        self.assertIn("OPELOG_END", notes)
        for name in notes:
            self.assertTrue(name.isupper() or name == name.upper(), name)

    def test_exit_status_0_and_a_signal(self):
        term, status = self.log_in_and_out(last="exit 0")
        self.assertEqual(status, 0, term.output)
        # ssh reports a remote death by signal as 255, with and without opelog.
        term, status = self.log_in_and_out(last="kill -9 $$")
        self.assertEqual(status, 255, term.output)
        first, second = self.new_recordings(2)
        self.assertEqual(sorted(r.notes().get("EXIT_CODE", [""])[0] for r in (first, second))[0], "0")

    def test_names_are_user_time_client(self):
        for address, source, client in (("127.0.0.1", "127.0.0.9", "127.0.0.9"), ("::1", None, "::1")):
            with self.subTest(client=client):
                self.seen = {r.name for r in self.host.recordings()}
                self.log_in_and_out(address=address, source=source, user="opelogtest.odd_x")
                [recording] = self.new_recordings()
                match = re.fullmatch(r"opelogtest\.odd%5Fx_(\d{14})_(.+)", recording.name)
                self.assertTrue(match, recording.name)
                self.assertEqual(match[2], client)

    def test_logins_in_the_same_second_have_recordings_of_their_own(self):
        terms = [self.host.ssh_pty("opelogtest-b") for _ in range(6)]
        for number, term in enumerate(terms):
            term.expect(sandbox.PROMPT)
            term.send(f"echo mine is {number}; exit\r")
        for term in terms:
            self.assertEqual(term.wait(), 0)
        recordings = self.new_recordings(6)
        payloads = sorted(r.payload() for r in recordings)
        self.assertEqual(payloads, sorted(t.output for t in terms))

    def test_window_size_follows(self):
        term = self.host.ssh_pty("opelogtest-a", rows=24, cols=80)
        term.expect(sandbox.PROMPT)
        term.resize(43, 132)
        term.send("until [ \"$(stty size)\" = '43 132' ]; do :; done; echo seen\r")
        term.expect(r"\nseen\r")
        term.send("exit\r")
        self.assertEqual(term.wait(), 0)
        [recording] = self.new_recordings()
        self.assertIn(b"SIGWINCH ROWS=43 COLS=132\n", recording.time)
        self.assert_replays(recording, term.output)

    def test_control_c_and_control_z_reach_the_program(self):
        term = self.host.ssh_pty("opelogtest-a")
        term.expect(sandbox.PROMPT)
        # Only a program that runs already gets the key; before, the shell does.
        term.send("sh -c 'echo up; exec sleep 1000'; echo status $?\r")
        term.expect(r"\nup\r\n")
        term.send("\x03")
        term.expect(sandbox.PROMPT)
        term.send("sh -c 'echo up; exec sleep 1000'\r")
        term.expect(r"\nup\r\n")
        term.send("\x1a")
        term.expect(r"Stopped +sh -c")
        term.expect(sandbox.PROMPT)
        term.send("fg; exit 5\r")
        term.expect(r"\nsh -c [^\r]*\r\n")
        sandbox.wait_until(lambda: b" S" in self.host.sh("ps -o stat= -C sleep | sed 's/^/ /'").out, "sleep goes on")
        term.send("\x03")
        term.expect(sandbox.PROMPT)
        term.send("exit 6\r")
        self.assertEqual(term.wait(), 6)
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)

    def test_a_lost_connection_ends_session_and_recording(self):
        term = self.host.ssh_pty("opelogtest-a")
        term.expect(sandbox.PROMPT)
        term.send("echo shell $$\r")
        shell = term.expect(r"\nshell (\d+)\r")[1].decode()
        term.hang_up()
        sandbox.wait_until(lambda: not self.host.exists(f"/proc/{shell}"), "the shell ended")
        [recording] = self.new_recordings()
        self.assertRegex(" ".join(recording.notes()["OPELOG_END"]), "hangup")

    def test_logout_with_a_background_job_does_not_hang(self):
        term, status = self.log_in_and_out("sleep 1000 &", last="exit 3")
        self.assertEqual(status, 3)
        self.new_recordings()


class Kill(Scene):
    def test_by_a_unique_prefix_and_an_ambiguous_one_names_the_candidates(self):
        terms = [self.log_in(), self.log_in()]
        recordings = self.new_recordings(2, ended=False)
        done = self.host.opelog("kill", "opelogtest-a_")
        self.assertEqual(done.rc, 5, done.err)
        for recording in recordings:
            self.assertIn(recording.name.encode(), done.err)
        # The first one's name is a prefix of the second's if both began in the same second: a whole name is no prefix.
        self.host.opelog("kill", recordings[0].name, check=True)
        sandbox.wait_until(recordings[0].ended, "the end of the one that was named")
        self.assertFalse(recordings[1].ended())
        self.host.opelog("kill", recordings[1].name, check=True)
        for term in terms:
            term.wait()
        for recording in recordings:
            self.assertIn('"reason":"killed"', recording.notes()["OPELOG_END"][0])
        self.assertRegex(self.host.daemon.log(), r"session-end: .* client=127\.0\.0\.1 reason=killed")


class ByGroup(Scene):
    """A rule may name a group; where none does the groups of a login are not looked up."""
    policy = sandbox.POLICY.replace('uid: [1000, "5000-"]', "group: [opelogtest-b]")

    def test_members_are_recorded_others_are_not(self):
        self.host.ssh("opelogtest-a", "true")
        self.host.ssh("opelogtest-b", "true")
        [recording] = self.new_recordings(1)
        self.assertIn("opelogtest-b_", recording.name)

    def test_a_policy_that_comes_to_ask_for_groups_finds_them(self):
        self.host.write("/etc/opelog/opelog.yaml", sandbox.POLICY.encode())
        self.host.opelog("reload", check=True)
        self.host.ssh("opelogtest-a", "true")
        self.new_recordings(1)
        self.host.write("/etc/opelog/opelog.yaml", self.policy.encode())
        self.host.opelog("reload", check=True)
        self.host.ssh("opelogtest-a", "true")
        self.host.ssh("opelogtest-b", "true")
        self.assertEqual(sorted(r.name.split("_")[0] for r in self.new_recordings(2)), ["opelogtest-a", "opelogtest-b"])


class ListOfLogins(Scene):
    """utmp: `who am i`, `wall` and `write` find the terminal the operator's programs see."""

    @classmethod
    def prepare(cls):
        cls.host.sh("install -m 664 -o root -g utmp /dev/null /run/utmp", check=True)

    def logins(self):
        return [line.split()[:2] for line in self.host.sh("who").text.splitlines()]

    def test_who_names_the_terminal_of_the_session_and_the_logout_ends_the_entry(self):
        term = self.log_in()
        term.send("echo T:$(tty): W:$(who am i | cut -d' ' -f1):\r")
        inner = term.expect(r"\nT:/dev/(pts/\d+): W:opelogtest-a:\r\n").group(1).decode()
        term.expect(sandbox.PROMPT)
        self.assertEqual(self.logins(), [["opelogtest-a", inner]])
        self.assertEqual(self.log_out(term), 0)
        sandbox.wait_until(lambda: self.logins() == [], "nobody is logged in")

    def test_a_killed_daemon_leaves_no_login_behind(self):
        term = self.log_in()
        self.host.daemon.kill()
        term.wait()
        sandbox.wait_until(lambda: self.logins() == [], "nobody is logged in")
        self.host.start_daemon(self.policy)


class WithPam(Scene):
    pam = True

    def test_it_is_recorded_and_replays_bit_for_bit(self):
        term = self.host.ssh_pty("opelogtest-a")
        term.expect(sandbox.PROMPT)
        term.send("tty; exit 37\r")
        self.assertEqual(term.wait(), 37, term.output)
        [recording] = self.new_recordings()
        self.assertTrue(term.output.endswith(recording.payload()), term.output)
        self.assertEqual(recording.replay(), recording.payload())


class OtherLoginShells(Scene):
    """A target is recorded whatever started the shim: its own shell, ForceCommand or the profile.d hook."""
    enroll = False

    def log_in(self, user):
        term = self.host.ssh_pty(user)
        term.expect(sandbox.PROMPT)
        term.send("echo $0 $SHELL; exit 7\r")
        self.assertEqual(term.wait(), 7, term.output)
        return term.output

    def test_force_command(self):
        self.host.restart_sshd("Match User opelogtest-a\n  ForceCommand /usr/bin/opelog-shell --force")
        shown = self.log_in("opelogtest-a")
        self.assertIn(b"/bin/bash", shown)
        [recording] = self.new_recordings()
        self.assert_replays(recording, shown)
        done = self.host.ssh("opelogtest-a", "echo out; echo err >&2; exit 9")
        self.assertEqual((done.rc, done.out, done.err), (9, b"out\n", b"err\n"), done)
        self.new_recordings(2)

    def test_profile_hook(self):
        self.host.restart_sshd()
        hook = self.host.read("/usr/share/doc/opelog/examples/profile.d/opelog.sh")
        self.host.write("/etc/profile.d/opelog.sh", hook)
        self.addCleanup(self.host.run, "rm", "/etc/profile.d/opelog.sh")
        shown = self.log_in("opelogtest-b")
        [recording] = self.new_recordings()
        self.assertTrue(shown.endswith(recording.payload()), shown)
        self.log_in("opelogtest-none")
        self.new_recordings(1)


if __name__ == "__main__":
    sandbox.run_file()
