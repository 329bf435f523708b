#!/usr/bin/env python3
"""The list of commands equals what was typed: sessions with mistakes, corrections, history, editors and other users.

The typing is a table. A Line is what somebody does at one prompt: keys, then what the list must say of it: text, exit
status, how it is known. None as a status: the shell alone knows it (a builtin, a function). A status that is told must be
the shell's own: bash and zsh write every $? into a file, and the table is held against that, too.
"""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402
import scene  # noqa: E402

USER, OTHER = "opelogtest-a", "opelogtest-b"
PASSWORD = "open sesame"
LEFT, RIGHT, UP, DOWN, BACK, ENTER = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B", "\x7f", "\r"
CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E, CTRL_K, CTRL_L, CTRL_R, CTRL_U, CTRL_W, CTRL_Z = (
    chr(ord(c) - 64) for c in "ABCDEKLRUWZ")
SCREEN_ON, SCREEN_OFF = r"\x1b\[\?1049h", r"\x1b\[\?1049l"
PAUSE = 0.15  # longer than what the recorder puts into one record: then the terminal is seen to wait


class See(str):
    """A regular expression that must have come before the typing goes on."""


class Line:
    """keys: strings and See in turn, Enter behind the last one unless it ends the line itself. text None: no command."""

    def __init__(self, keys, text, status=None, known="both", truth=None, shells=("bash", "zsh", "dash"), prompt=True):
        self.keys = [keys] if isinstance(keys, str) else list(keys)
        self.text, self.status, self.known, self.truth = text, status, known, truth
        self.shells, self.prompt = shells, prompt
        self.left = None


def plain(text, status=None, known="both", **more):
    """Typed as it is listed."""
    return Line(text.replace("\n", "\r"), text, status, known, **more)


def builtin(text, **more):
    return plain(text, None, "screen", **more)


def nothing(keys, **more):
    """Leaves no command."""
    return Line(keys, None, **more)


def left(text, **more):
    """Left by Ctrl-C: no command, but in zsh, where it looks like one that ran and printed nothing, an uncertain one."""
    line = nothing([text, See(text.split(" ", 1)[1]), CTRL_C], **more)
    line.left = text
    return line


def digits(count):
    return "".join(f"{i}_" for i in range(count))[:count]


EDITS = ("bash", "zsh")  # those with a line editor
LONG = "/bin/echo " + digits(6100) + " | wc -c"

EDITED = [
    # Mistakes, and the keys that mend them.
    Line(["cho three" + CTRL_A + "e"], "echo three", None, "screen"),
    Line(["tru" + LEFT + "e" + LEFT + "r" + CTRL_E], "trreu", None, "screen"),
    Line(["ls /nowher" + CTRL_A + CTRL_E + "e 2>/dev/null"], "ls /nowhere 2>/dev/null", 2),
    Line(["cat /etc/hostname /etc/nonsense" + 14 * CTRL_B + CTRL_K], "cat /etc/hostname", 0),
    Line(["cat lpha.txt" + 8 * LEFT + "a"], "cat alpha.txt", 0),
    left("not this one"),
    # History.
    Line([CTRL_R + "nowher", See("i-search"), ENTER], "ls /nowhere 2>/dev/null", 2),
    Line(["date +%Y"], "date +%Y", 0),
    Line([UP], "date +%Y", 0),
    Line([UP, UP, DOWN, BACK + "m"], "date +%m", 0),
    Line(["!-1"], "!-1", None, "both"),
    # Completion.
    Line(["cat alph\t"], "cat alpha.txt", 0),
    Line(["cat two-\t", "\t", "b\t"], "cat two-b.txt", 0, shells=["bash"]),
    Line(["cat two-\t", "b\t"], "cat two-b.txt", 0, shells=["zsh"]),  # the second Tab would take the first one
    Line(["cd /usr/shar\t"], "cd /usr/share/", None, "screen", shells=["bash"]),
    Line(["cd /usr/shar\t"], "cd /usr/share", None, "screen", shells=["zsh"]),  # takes its slash back
    builtin("cd"),
    Line(["echo cl" + CTRL_L, "eared"], "echo cleared", None, "screen"),
]

COMMON = [
    builtin("echo one"),
    Line("ecko" + 2 * BACK + "ho two", "echo two", None, "screen"),
    Line("rm -rf wrong one" + 2 * CTRL_W + "right", "rm -rf right", 0),
    Line("nonsense" + CTRL_U + "date +%Y", "date +%Y", 0),
    nothing(""),
    left("left alone"),
    builtin("true"),
    builtin("false"),
    builtin("nosuchcommand --help"),
    builtin("cd /tmp"),
    plain("ls -d alpha.txt", 2),
    builtin("cd"),
    builtin("export NAME=value"),
    plain("x=$(date +%Y)", 0),
    plain("echo $(date +%Y) $x"),
    # Lists and pipelines.
    plain("ls /etc | grep -c nosuchthing", 1),
    plain("ls /nowhere 2>&1 | wc -l", 0),
    plain("sh -c 'exit 3' | cat", 0),
    plain("sh -c 'exit 3' | sh -c 'exit 4'", 4),
    plain("cat /etc/passwd | sort | uniq -c | head -3", 0),
    plain("sh -c 'exit 3'; sh -c 'exit 4'", 4),
    plain("sh -c 'exit 5' && /bin/echo no", 5),
    plain("sh -c 'exit 6' || /bin/echo yes", 0),
    plain("sh -c 'exit 6' || echo yes"),
    plain("! /bin/true", 1),
    plain("FOO=bar sh -c 'exit $((2+3))'", 5),
    plain("ls /nowhere; cd /tmp; cd"),
    plain("(cd /tmp; ls nosuch)", 2),
    plain("{ /bin/echo a; sh -c 'exit 8'; }", 8),
    builtin("(exit 7)"),
    plain("sh -c 'kill -9 $$'", 137),
    builtin("printf 'no line feed'"),
    plain("date +%Y > now.txt", 0),
    builtin("echo more >> now.txt"),
    plain("seq 1 200", 0),
    # Loops and conditions.
    plain("for i in 1 2 3; do /bin/true $i; done", 0),
    plain("for n in 1 2; do sh -c \"exit $n\"; done", 2),
    plain("i=0; while [ $i -lt 3 ]; do i=$((i+1)); /bin/echo $i; done", 0),
    plain("until /bin/true; do echo never; done", 0),
    plain("if /bin/false; then echo a; fi", 0),
    plain("sh -c 'exit 7' | while read y; do echo $y; done"),
    plain("while read y; do /bin/echo $y; done < now.txt", 0),
    plain("f() { /bin/true; return 3; }", None, "screen"),
    plain("f"),
    # Lines that go on.
    plain("for i in 1 2\ndo\n/bin/echo $i\ndone", 0),
    Line("cat <<END\rfirst\r  second lime" + 2 * BACK + "ne\rEND", "cat <<END\nfirst\n  second line\nEND", 0),
    plain("cat > here.txt <<'EOF'\n$HOME; ls | wc\nEOF", 0),
    plain("ls -d /usr \\\n/nowhere", 2),
    builtin("echo 'one\ntwo'"),
    # Jobs.
    Line("sleep 0.2 &", "sleep 0.2 &", 0, truth=0),
    builtin("wait"),
    Line("sleep 30 &", "sleep 30 &", 143, truth=0),
    builtin("jobs"),
    builtin("kill $!"),
    builtin("wait"),
    Line(["sleep 31\r", See(r"\n"), CTRL_C], "sleep 31", 130),
    Line(["sleep 32\r", See(r"\n"), CTRL_Z], "sleep 32", 130, truth=148),
    builtin("bg"),
    Line(["fg\r", See(r"sleep 32"), CTRL_C], "fg", None, "screen"),
    # Other languages, long lines.
    builtin("echo 日本語 > 日本.txt"),
    Line("cat 日本語" + BACK + ".txt", "cat 日本.txt", 0, shells=EDITS),  # a terminal's own erase leaves half of it
    plain("grep -c 日本 日本.txt", 0),
    plain("ls 東京", 2),
    plain("/bin/echo " + 30 * "日本語", 0),
    plain("/bin/echo " + digits(200), 0),
    # Programs that take the screen, and a script.
    Line(["vim notes.txt\r", See(SCREEN_ON), "ihidden words\x1b", ":wq\r"], "vim notes.txt", 0),
    Line(["vim notes.txt\r", See(SCREEN_ON), ":!ls\r", "\r", ":cq\r"], "vim notes.txt", 1),
    Line(["less long.txt\r", See(SCREEN_ON), "  /77\r", "q"], "less long.txt", 0),
    Line(["seq 1 900 | less\r", See(SCREEN_ON), "G", "q"], "seq 1 900 | less", 0),
    plain("./run200.sh", 42),
    plain("sh run200.sh | tail -1", 0),
    # Other users.
    plain("sudo id -un", 0),
    plain("sudo sh -c 'exit 9'", 9),
    plain(f"sudo -u {OTHER} /bin/false", 1),
    Line(["sudo -i\r", See(r"# (?:\x1b\[K)?\Z"), "whoami\r",
          See(r"root\r\n.*# (?:\x1b\[K)?\Z"), "ls /nowhere\r", See(r"# (?:\x1b\[K)?\Z"), "exit\r"], "sudo -i", 2),
    Line(["whoami"], "whoami", 0, prompt=False),
    Line(["ls /nowhere"], "ls /nowhere", 2, prompt=False),
    Line(["exit"], "exit", None, "screen", prompt=False),
    Line([f"su {OTHER} -c 'id -un; exit 5'\r", See("Password: "), PASSWORD + "\r"], f"su {OTHER} -c 'id -un; exit 5'", 5),
    Line([f"su {OTHER}\r", See("Password: "), PASSWORD + "\r", See(sandbox.PROMPT), "id -un\r",
          See(OTHER + r"\r\n.*\$ (?:\x1b\[K)?\Z"), "cd /\r", See(sandbox.PROMPT), "exit 4\r"], f"su {OTHER}", 4),
    Line(["id -un"], "id -un", 0, prompt=False),
    Line(["cd /"], "cd /", None, "screen", prompt=False),
    Line(["exit 4"], "exit 4", None, "screen", prompt=False),
    plain("dash -c 'exit 6'", 6),
    Line(["read name\r", See(r"\n"), "bob"], "read name", None, "screen"),
    plain("clear", 0),
    builtin("echo after all"),
]


class Typing(scene.Scene):
    """What the shells have in common."""

    maxDiff = None
    enroll = False    # below, with the shell of the class
    dialect = None
    prompt = more = None  # what the terminal shows when the next line, or more of this one, is wanted

    @classmethod
    def prepare(cls):
        host, home = cls.host, f"/home/{USER}"
        host.enroll(USER, shell=f"/bin/{cls.dialect}")
        host.enroll(OTHER)
        host.run("chpasswd", input=f"{OTHER}:{PASSWORD}\n", check=True)
        host.write("/etc/sudoers.d/opelogtest", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        host.write("/etc/hosts", "127.0.0.1 localhost opelogtest\n")
        for name in ("alpha.txt", "two-a.txt", "two-b.txt"):
            host.write(f"{home}/{name}", "one\ntwo\n", owner=USER)
        host.write(f"{home}/long.txt", "".join(f"line {i}\n" for i in range(500)), owner=USER)
        host.write(f"{home}/run200.sh", "#!/bin/sh\ni=0\nwhile [ $i -lt 100 ]; do\n  /bin/true $i\n  /bin/false $i\n"
                   "  i=$((i+1))\ndone\nexit 42\n", 0o755, owner=USER)
        host.run("rm", f"{home}/.inputrc", f"/home/{OTHER}/.inputrc", "/root/.inputrc", "-f", check=True)
        cls.configure(home)

    @classmethod
    def configure(cls, home):
        """The shell's own start-up files."""

    def table(self):
        return []

    def type(self, term, line):
        """One Line, from its prompt to the next."""
        if not line.prompt:
            return  # typed within the one before it
        term.pump(PAUSE)
        keys = list(line.keys)
        if not isinstance(keys[-1], See) and not keys[-1].endswith(("\r", CTRL_C, CTRL_Z)) and keys[-1] != "q":
            keys[-1] += ENTER
        for step, each in enumerate(keys):
            if isinstance(each, See):
                term.expect(each)
                term.pump(PAUSE)
                continue
            if step > 0 and not isinstance(keys[step - 1], See):
                term.pump(PAUSE)
            parts = re.split("(?<=\r)", each) if "\r" in each[:-1] else [each]
            for number, part in enumerate(p for p in parts if p):
                if number > 0:
                    term.expect(self.more)
                    term.pump(PAUSE)
                for at in range(0, len(part), 300):  # in view before it scrolls away
                    if at > 0:
                        term.settle(PAUSE)
                    term.send(part[at:at + 300])
        term.expect(self.prompt)

    def session(self):
        """Types the table; returns the recording and the lines that count."""
        lines = [line for line in self.table() if self.dialect in line.shells]
        self.assertGreaterEqual(len(lines), 60)
        term = self.host.ssh_pty(USER, options=("SendEnv=LANG",))
        term.expect(self.prompt)
        began = time.monotonic()
        for line in lines:
            try:
                self.type(term, line)
            except AssertionError as error:
                raise AssertionError(f"{line.keys}: {error}") from None
        term.pump(PAUSE)
        print(f"{type(self).__name__}: {len(lines)} lines in {time.monotonic() - began:.1f} s", file=sys.stderr)
        self.assertEqual(self.log_out(term, "exit 3"), 3)
        [recording] = self.new_recordings()
        return recording, lines

    def listed(self, recording, *options):
        return json.loads(self.host.opelog("commands", "--json", *options, recording.name, check=True).text)

    def compare(self, recording, lines):
        listed = self.listed(recording)
        found = [(c["text"], c.get("status"), c["known"]) for c in listed]
        zsh = self.dialect == "zsh"
        wanted = [(line.left or line.text, line.status, line.known if line.text else "screen") for line in lines
                  if line.text is not None or (line.left and zsh)]
        self.assertEqual(found[:-1], wanted)
        abandoned = {line.left for line in lines if line.left} if zsh else set()
        self.assertEqual(abandoned - {c["text"] for c in listed if c.get("uncertain")}, set())
        self.assertEqual(found[-1][:2], ("exit 3", None))

    def compare_with_the_shells_word(self, lines):
        """Every status that is told is what the shell had in $? behind the line."""
        said = [int(word) for word in self.host.read(f"/home/{USER}/.statuses").split()][1:]
        typed = [line for line in lines if line.prompt]
        self.assertEqual(len(said), len(typed))
        wrong = [(line.text, line.status, status) for line, status in zip(typed, said)
                 if (line.truth if line.truth is not None else line.status) not in (None, status)]
        self.assertEqual(wrong, [])

    def compare_processes(self, recording):
        whole = {c["text"]: c for c in self.listed(recording, "--all")}
        ran = [p["text"] for p in whole["./run200.sh"]["processes"]]
        self.assertEqual(ran, ["/bin/sh ./run200.sh"] + [f"/bin/{w} {i}" for i in range(100) for w in ("true", "false")])
        sudo = whole[f"sudo -u {OTHER} /bin/false"]["processes"]
        self.assertEqual([p["uid"] for p in sudo if p["text"] == "/bin/false"], [5001])


LAST = [
    builtin("alias la2='ls -l'"),
    plain("la2 /nowhere", 2),
    plain("case x in a) ls;; x) sh -c 'exit 3';; esac", 3),
]


class Bash(Typing):
    """As Debian sets it up: readline switches bracketed paste on and off around each line."""
    dialect = "bash"
    prompt = sandbox.PROMPT
    more = r"> (?:\x1b\[K)?\Z"

    @classmethod
    def configure(cls, home):
        cls.host.append(f"{home}/.bashrc", "PROMPT_COMMAND='echo $? >> ~/.statuses'\n")

    def table(self):
        return COMMON[:9] + EDITED + COMMON[9:] + LAST + [
            Line([LONG], LONG, 0),
            plain("history | tail -1", 0),
            plain("time sleep 0.1", 0),
        ]

    def test_the_list_is_what_was_typed(self):
        recording, lines = self.session()
        self.compare(recording, lines)
        self.compare_with_the_shells_word(lines)
        self.compare_processes(recording)


class BashByItsPrompt(Bash):
    """Older bash, or the switch turned off: nothing but the prompt says where a line begins."""

    @classmethod
    def configure(cls, home):
        super().configure(home)
        cls.host.write("/etc/inputrc", "set enable-bracketed-paste off\n")


class Zsh(Typing):
    dialect = "zsh"
    # Without the switches when it is drawn again, under the notice that a job has ended.
    prompt = r"% \x1b\[K(?:\x1b\[\?1h\x1b=)?(?:\x1b\[\?2004h)?\Z"
    more = r"> \x1b\[K(?:\x1b\[\?1h\x1b=)?\x1b\[\?2004h\Z"

    @classmethod
    def configure(cls, home):
        cls.host.write(f"{home}/.zshrc", "PS1='%n@%m:%~%# '\nprecmd() { echo $? >> ~/.statuses }\n", owner=USER)

    table = Bash.table
    test_the_list_is_what_was_typed = Bash.test_the_list_is_what_was_typed


class Dash(Typing):
    """No line editor: the kernel's own Backspace, Ctrl-W and Ctrl-U, lines of at most 4095 bytes."""
    dialect = "dash"
    prompt = r"\$ \Z"
    more = r"> \Z"

    def table(self):
        long = "/bin/echo " + digits(3000) + "\\\n" + digits(3100) + " | wc -c"
        return COMMON + LAST + [plain(long, 0)]

    def test_the_list_is_what_was_typed(self):
        recording, lines = self.session()
        self.compare(recording, lines)
        self.compare_processes(recording)


class WithoutATerminal(Typing):
    """ssh host cmd: the command is what the shell was started with; its programs are its processes."""
    dialect = "bash"

    @classmethod
    def prepare(cls):
        super().prepare()
        for uid, shell in ((5003, "zsh"), (5004, "dash")):
            cls.host.add_user(f"opelogtest-{shell}", uid)
            cls.host.enroll(f"opelogtest-{shell}", shell=f"/bin/{shell}")

    def command(self, command, status, *programs, user=USER, shell="bash", signal=None):
        """Runs it, and compares the list: one command, with its exit status, and these programs in it, in any order."""
        self.seen = {r.name for r in self.host.recordings()}
        rc = self.host.ssh(user, command).rc
        if not signal:
            self.assertEqual(rc, status, command)
        [recording] = self.new_recordings(user=user)
        quoted = command if re.fullmatch(r"[\w./-]+", command) else "'" + command.replace("'", "'\\''") + "'"
        text = f"{shell} -c {quoted}"
        found = self.listed(recording, "--all")
        self.assertEqual([(c["text"], c.get("status"), c.get("signal"), c["known"]) for c in found],
                         [(text, status, signal, "exec")])
        ran = sorted((p["text"], p.get("exit_code")) for p in found[0]["processes"] if p["text"] != text)
        self.assertEqual(ran, sorted(programs))

    def test_a_pipeline(self):
        self.command("ls /nowhere 2>&1 | wc -l", 0, ("ls /nowhere", 2), ("wc -l", 0))

    def test_a_loop(self):
        self.command("for i in 1 2; do sh -c \"exit $i\"; done", 2, ("sh -c 'exit 1'", 1), ("sh -c 'exit 2'", 2))

    def test_a_script(self):
        self.command("./run200.sh", 42, ("/bin/sh ./run200.sh", 42),
                     *((f"/bin/true {i}", 0) for i in range(100)), *((f"/bin/false {i}", 1) for i in range(100)))

    def test_several_lines_and_a_here_document(self):
        self.command("cat <<END | grep -c 日本\n日本語\nEND\necho over", 0, ("cat", 0), ("grep -c '日本'", 0))

    def test_failures(self):
        self.command("nosuchcommand", 127)
        self.command("/bin/false", 1, ("/bin/false", 1))
        self.command("cd /nowhere || exit 6", 6)

    def test_a_death_by_signal(self):
        self.command("kill -9 $$", 137, signal=9)
        self.command("sleep 30 & sleep 0.2; kill $!; wait $!", 143, ("sleep 30", None), ("sleep 0.2", 0))

    def test_in_the_background(self):
        self.command("setsid sh -c 'sleep 0.3; exit 4' & sleep 0.1; exit 5", 5,
                     ("setsid sh -c 'sleep 0.3; exit 4'", 4), ("sh -c 'sleep 0.3; exit 4'", 4),
                     ("sleep 0.3", 0), ("sleep 0.1", 0))

    def test_other_users(self):
        self.command(f"sudo -u {OTHER} /bin/false", 1, (f"sudo -u {OTHER} /bin/false", 1), ("/bin/false", 1))

    def test_commands_on_standard_input(self):
        """ssh host < script: the login shell runs each as it would a typed one; nothing is on a screen."""
        self.assertEqual(self.host.ssh(USER, input="ls /nowhere\ncd /tmp\nsh -c 'exit 3'\n").rc, 3)
        [recording] = self.new_recordings()
        found = [(c["text"], c.get("status"), c["known"]) for c in self.listed(recording)]
        self.assertEqual(found, [("-bash", 3, "exec"), ("id -u", 0, "exec"),  # of /etc/profile
                                 ("ls /nowhere", 2, "exec"), ("sh -c 'exit 3'", 3, "exec")])

    def test_a_command_with_a_terminal(self):
        """ssh -t host cmd: there is a screen, and no prompt; even one that is forged hides no command."""
        for forged in (False, True):
            self.seen = {r.name for r in self.host.recordings()}
            # Only where the terminal seems to wait for somebody does it look like a prompt.
            command = ('printf "$ "; sleep 0.3' if forged else "echo") + "; ls /nowhere; exit 6"
            self.assertEqual(self.host.ssh(USER, command, tty=True).rc, 6)
            [recording] = self.new_recordings()
            found = [(c["text"], c.get("status"), c["known"]) for c in self.listed(recording)]
            self.assertEqual(found[0], (f"bash -c '{command}'", 6, "exec"))
            self.assertEqual([known for _, _, known in found[1:]], ["screen"] if forged else [])

    def test_other_shells(self):
        for shell in ("zsh", "dash"):
            self.command("ls /nowhere | wc -l; sh -c 'exit 3'; (exit 4)", 4, ("ls /nowhere", 2), ("wc -l", 0),
                         ("sh -c 'exit 3'", 3), user=f"opelogtest-{shell}", shell=shell)


if __name__ == "__main__":
    sandbox.run_file()
