"""Recordings are out of the recorded user's reach, while the session runs and after it."""

import sandbox
from scene import Scene


class TheUsersOwnRecording(Scene):
    def flags(self, recording):
        done = self.host.sh(f"cd {sandbox.LOG_DIR} && lsattr -- {recording.name}.log {recording.name}.time", check=True)
        return [line.split()[0] for line in done.text.splitlines()]

    def test_both_files_carry_the_flag_from_the_start_to_after_the_end(self):
        term = self.host.ssh_pty("opelogtest-a")
        term.expect(sandbox.PROMPT)
        [recording] = self.new_recordings(ended=False)
        self.assertTrue(all("a" in f for f in self.flags(recording)), self.flags(recording))
        term.send("exit\r")
        term.wait()
        self.new_recordings()
        self.assertTrue(all("a" in f for f in self.flags(recording)), self.flags(recording))

    def test_owner_group_and_mode(self):
        self.host.ssh("opelogtest-a", "true")
        [recording] = self.new_recordings()
        done = self.host.sh(f"cd {sandbox.LOG_DIR} && stat -c '%U %G %a' . {recording.name}.log {recording.name}.time")
        self.assertEqual(done.text.split("\n")[1:3], ["root opelog-audit 640"] * 2, done)
        self.assertIn(done.text.split("\n")[0], ("root opelog-audit 750", "root opelog-audit 3750",
                                                 "root opelog-audit 2750"))

    def test_the_user_can_do_nothing_to_it(self):
        term = self.host.ssh_pty("opelogtest-a")
        term.expect(sandbox.PROMPT)
        [recording] = self.new_recordings(ended=False)
        before = recording.log
        path = f"{sandbox.LOG_DIR}/{recording.name}.log"
        # The open tests the directory's mode; opened up, the files' own protection must still hold.
        for mode in ("750", "777"):
            self.host.run("chmod", mode, sandbox.LOG_DIR, check=True)
            for attempt in (f": > {path}", f"echo x >> {path}", f"rm -f {path}", f"mv {path} {path}.x",
                            f"ln {path} /tmp/link", f"truncate -s 0 {path}", f"chattr -a {path}", f"cat {path}",
                            f"chmod 666 {path}"):
                done = self.host.sh(attempt, user="opelogtest-a")
                self.assertNotEqual(done.rc, 0, f"{attempt} succeeded with the directory at {mode}")
        self.host.run("chmod", "750", sandbox.LOG_DIR, check=True)
        self.assertTrue(recording.log.startswith(before))
        term.send("exit\r")
        self.assertEqual(term.wait(), 0)
        [recording] = self.new_recordings()
        self.assert_replays(recording, term.output)

    def test_not_even_root_overwrites_it_without_taking_the_flag_off(self):
        self.host.ssh("opelogtest-a", "true")
        [recording] = self.new_recordings()
        path = f"{sandbox.LOG_DIR}/{recording.name}.log"
        for attempt in (f": > {path}", f"rm -f {path}", f"mv {path} {path}.x"):
            done = self.host.sh(attempt)
            self.assertNotEqual(done.rc, 0, attempt)
            self.assertIn(b"Operation not permitted", done.err)


if __name__ == "__main__":
    sandbox.run_file()
