"""Who is no target gets the very same shell as without opelog."""

import sandbox
from scene import Scene

# What a shell can see of how it was started.
LOOK = r"""
echo "zero=$0 args=$*"
shopt login_shell 2>/dev/null
tr '\0' ' ' < /proc/$$/cmdline; echo
readlink /proc/$$/exe
env | grep -v -e '^SSH_' -e '^_=' -e '^SHLVL=' | sort
id
umask; ulimit -a
(ls -l /proc/self/fd) > /tmp/descriptors 2>&1
awk '{print $9, $10, $11}' /tmp/descriptors | sed -e 's/\[.*\]/[n]/' -e 's/[0-9]*\/fd/fd/'
grep -E '^(Sig|Groups|NoNewPrivs|Cap|Seccomp:|Threads)' /proc/$$/status
ps -o pgid=,sid= -p $$ | awk -v me=$$ '{print ($1 == me), ($2 == me)}'
"""


class NotATarget(Scene):
    enroll = False
    maxDiff = None

    def look(self, *command, tty=False):
        """Output and status of a login of the 2000 user with each login shell."""
        results = []
        for shell in ("/bin/bash", "/usr/bin/opelog-shell"):
            self.host.set_shell("opelogtest-none", shell)
            results.append(self.host.ssh("opelogtest-none", *command, tty=tty))
        return results

    @classmethod
    def prepare(cls):
        cls.host.append("/etc/opelog/enrolled", "opelogtest-none:/bin/bash\n")

    def test_a_command_sees_no_difference(self):
        plain, through = self.look(LOOK)
        self.assertEqual((through.rc, through.out, through.err), (plain.rc, plain.out, plain.err))
        self.assertIn(b"bash -c", plain.out)
        self.new_recordings(0)

    def test_a_command_on_a_terminal_sees_no_difference(self):
        plain, through = self.look(LOOK + "\nstty -a; tty", tty=True)
        self.assertEqual((through.rc, through.out, through.err), (plain.rc, plain.out, plain.err))
        self.new_recordings(0)

    def test_an_interactive_login_sees_no_difference(self):
        seen = []
        self.host.write("/tmp/look", LOOK + "\nstty -a; tty; shopt -q login_shell && echo login\n")
        for shell in ("/bin/bash", "/usr/bin/opelog-shell"):
            self.host.set_shell("opelogtest-none", shell)
            term = self.host.ssh_pty("opelogtest-none")
            term.expect(sandbox.PROMPT)
            term.send(". /tmp/look; exit 41\r")
            self.assertEqual(term.wait(), 41)
            seen.append(term.output)
        self.assertEqual(seen[1], seen[0])
        self.assertIn(b"zero=-bash", seen[0])
        self.assertIn(b"\nlogin\r", seen[0])
        self.new_recordings(0)

    def test_exit_status_and_signals(self):
        for command in ("exit 0", "exit 37", "kill -9 $$", "kill -TERM $$", "nosuchcommand"):
            plain, through = self.look(command)
            self.assertEqual((through.rc, through.out, through.err), (plain.rc, plain.out, plain.err), command)

    def test_a_target_whose_shell_is_not_ours_is_left_alone(self):
        self.assertEqual(self.host.ssh("opelogtest-a", "echo $SHELL; exit 6").rc, 6)
        self.new_recordings(0)


if __name__ == "__main__":
    sandbox.run_file()
