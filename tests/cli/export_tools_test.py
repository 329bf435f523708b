"""What `opelog export` writes, read by the programs it is written for: equal bytes come out of them.

asciinema's player for version 3 is not packaged for Debian: those files are read by a strict reader of our own, written after
https://docs.asciinema.org/manual/asciicast/v3, which refuses whatever that page does not allow.
"""

import html.parser
import json
import os
import pty
import random
import re
import shutil
import subprocess
import tempfile
import tty
import unittest

OPELOG = os.environ["OPELOG_BINARY"]
FIRST_LINE = b'Script started on 2026-11-22 14:05:09+00:00 [TERM="xterm" TTY="/dev/pts/1" COLUMNS="80" LINES="24"]\n'
# tlog-play puts the terminal back when it ends; the file has no part in it.
TLOG_RESET = b"\x1b[0m\x1b[?25h\n\0"


def events():
    """[(kind, delay in microseconds, bytes or size)]: every kind of trouble, cut at the worst places."""
    chance = random.Random(20261122)
    pieces = [b'\x1b]0;evil "\\ title\x07$ ', b"\xe3\x81", b"\x82 \xf0\x9f", b"x\r\n", b"\xff\xfe\xc0\x80\xed\xa0\x80", b"\0\x01\x7f\xc2\x9b",
              "\u202e\u2028\U000e0041".encode(), b"</span><script>alert(1)</script>&\"'\r\n", b']}\n[0,"o","forged"]\n',
              "日本語\r\n".encode() * 2000, b"~" * 9000, chance.randbytes(70000)]
    pieces += [chance.randbytes(chance.randrange(1, 60)) for _ in range(500)]
    made = [("O", chance.choice([0, 0, 0, 1, 999, 1000, 13000, 2000000]), p) for p in pieces]
    made.insert(5, ("S", 10, (30, 100)))
    made.insert(7, ("I", 20, b"typed \xff\r"))
    made.append(("O", 5, b"the end \xe3\x81"))
    return made


class Tools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for program in ("asciinema", "tlog-play", "scriptreplay"):
            if not shutil.which(program):
                raise AssertionError(f"{program} is not installed; tools/packages.sh names its package")
        cls.folder = tempfile.mkdtemp(prefix="opelog-export-", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.events = events()
        cls.shown = b"".join(data for kind, _, data in cls.events if kind == "O")
        lines = []
        for kind, delay, data in cls.events:
            seconds = f"{delay // 1000000}.{delay % 1000000:06d}"
            lines.append(f"S {seconds} SIGWINCH ROWS={data[0]} COLS={data[1]}" if kind == "S" else f"{kind} {seconds} {len(data)}")
        cls.base = os.path.join(cls.folder, "s")
        for suffix, data in ((".log", FIRST_LINE + cls.shown), (".time", ("\n".join(lines) + "\n").encode()),
                             (".in", FIRST_LINE + b"".join(d for k, _, d in cls.events if k == "I"))):
            with open(cls.base + suffix, "wb") as file:
                file.write(data)
        cls.length = sum(delay for _, delay, _ in cls.events)

    def export(self, form, *more):
        file = os.path.join(self.folder, f"{form}-{len(os.listdir(self.folder))}")
        done = subprocess.run([OPELOG, "export", self.base, "--format", form, "-o", file, *more], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return file

    def on_terminal(self, *argv):
        """What the program writes to a terminal that changes nothing."""
        pid, master = pty.fork()
        if pid == 0:
            tty.setraw(1)
            os.environ.update(LC_ALL="C.UTF-8", TERM="xterm")
            os.execvp(argv[0], argv)
        out = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            out += data
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(master)
        return status, out

    def test_scriptreplay_shows_equal_bytes(self):
        file = self.export("typescript")
        played = subprocess.run(["scriptreplay", "-d", "1000000", file + ".time", file + ".log"], capture_output=True)
        self.assertEqual((played.returncode, played.stderr), (0, b""))
        self.assertEqual(played.stdout, self.shown + b"\n")
        with open(file + ".time", encoding="ascii") as lines:
            self.assertEqual(sum(int(line.split()[0].replace(".", "")) for line in lines), self.length)

    def test_tlog_play_shows_equal_bytes(self):
        status, out = self.on_terminal("tlog-play", "-g", "end", "-i", self.export("tlog"))
        self.assertEqual(status, 0, out[-300:])
        self.assertTrue(out.startswith(self.shown), f"{len(out)} and {len(self.shown)} bytes")
        self.assertEqual(out[len(self.shown):], TLOG_RESET)

    def test_tlog_input_is_there(self):
        with open(self.export("tlog", "--input"), encoding="utf-8") as file:
            messages = [json.loads(line) for line in file]
        self.assertEqual("".join(m["in_txt"] for m in messages), "typed \ufffd\r")
        self.assertEqual([m["in_bin"] for m in messages if m["in_bin"]], [[255]])
        self.assertEqual([m["id"] for m in messages], list(range(1, len(messages) + 1)))

    def lossy(self):
        """The output as UTF-8, what is none replaced."""
        return self.shown.decode("utf-8", "replace")

    def test_asciinema_cat_shows_equal_text(self):
        status, out = self.on_terminal("asciinema", "cat", self.export("asciicast2"))
        self.assertEqual(status, 0, out[-300:])
        self.assertEqual(out.decode("utf-8"), self.lossy())

    def test_asciinema_plays_it(self):
        status, out = self.on_terminal("asciinema", "play", "-s", "100000", self.export("asciicast2"))
        self.assertEqual(status, 0, out[-300:])
        self.assertIn("日本語\r\n".encode() * 2000, out)

    def read_v3(self, path):
        """(header, [[interval in microseconds, code, data]]) of a file that keeps to the page; else fails."""
        with open(path, "rb") as file:
            data = file.read()
        text = data.decode("utf-8")
        self.assertTrue(text.endswith("\n"))
        lines = text[:-1].split("\n")

        def once(pairs):
            self.assertEqual(len(pairs), len(dict(pairs)), "a member twice")
            return dict(pairs)

        def refuse(word):
            self.fail(f"{word} is no JSON")
        header = json.loads(lines[0], object_pairs_hook=once, parse_constant=refuse)
        self.assertLessEqual(set(header), {"version", "term", "timestamp", "idle_time_limit", "command", "title", "env", "tags"})
        self.assertIs(type(header["version"]), int)
        self.assertEqual(header["version"], 3)
        term = header["term"]
        self.assertLessEqual(set(term), {"cols", "rows", "type", "version", "theme"})
        for size in ("cols", "rows"):
            self.assertIs(type(term[size]), int)
            self.assertGreater(term[size], 0)
        self.assertIs(type(header.get("timestamp", 0)), int)
        for word in (header.get("title", ""), header.get("command", ""), term.get("type", ""), *header.get("env", {}).values()):
            self.assertIs(type(word), str)
            self.assertTrue(word.isprintable(), word)
        found = []
        for line in lines[1:]:
            event = json.loads(line, object_pairs_hook=once, parse_constant=refuse)
            self.assertIs(type(event), list)
            self.assertEqual(len(event), 3, line)
            self.assertIs(type(event[0]), float)
            self.assertRegex(line, r'^\[\d+\.\d{6},"[oimrx]","')
            self.assertIs(type(event[2]), str)
            event[2].encode("utf-8")  # no half of a surrogate pair
            if event[1] == "r":
                self.assertRegex(event[2], r"^[1-9]\d*x[1-9]\d*$")
            if event[1] == "x":
                self.assertRegex(event[2], r"^\d+$")
                self.assertIs(line, lines[-1])
            found.append([round(event[0] * 1000000), event[1], event[2]])
        return header, found

    def test_version_3_keeps_to_its_page_and_holds_the_text(self):
        header, found = self.read_v3(self.export("asciicast3", "--input"))
        self.assertEqual((header["term"]["cols"], header["term"]["rows"]), (80, 24))
        self.assertEqual("".join(data for _, code, data in found if code == "o"), self.lossy())
        self.assertEqual("".join(data for _, code, data in found if code == "i"), "typed \ufffd\r")
        self.assertEqual([data for _, code, data in found if code == "r"], ["100x30"])
        self.assertEqual(sum(interval for interval, _, _ in found), self.length)

    def test_both_versions_tell_the_same(self):
        _, third = self.read_v3(self.export("asciicast3"))
        with open(self.export("asciicast2"), encoding="utf-8", newline="\n") as file:
            second = [json.loads(line) for line in file.read().split("\n")[1:-1]]
        now, absolute = 0, []
        for interval, code, data in third:
            now += interval
            absolute.append([now, code, data])
        self.assertEqual([[round(time * 1000000), code, data] for time, code, data in second], absolute)

    def test_a_browser_finds_only_our_elements(self):
        class Elements(html.parser.HTMLParser):
            """Every element and attribute."""
            def __init__(self):
                super().__init__()
                self.seen = set()
                self.links = []

            def handle_starttag(self, tag, attrs):
                self.seen.add(tag)
                self.seen.update(f"{tag}@{name}" for name, _ in attrs)
                self.links += [value for name, value in attrs if name == "href"]

            def handle_comment(self, data):
                self.seen.add("comment")
        with open(self.export("html"), encoding="utf-8") as file:
            page = file.read()
        elements = Elements()
        elements.feed(page)
        elements.close()
        self.assertLessEqual(elements.seen, {
            "html", "html@lang", "head", "meta", "meta@charset", "meta@http-equiv", "meta@content", "meta@name", "title", "style",
            "body", "h1", "dl", "dt", "dd", "main", "p", "time", "span", "details", "summary", "pre", "p@class", "p@id",
            "h2", "ol", "li", "a", "a@href"})
        for link in elements.links:
            self.assertRegex(link, "^#c[0-9]+$")
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", page)
        self.assertFalse(re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", page))


if __name__ == "__main__":
    unittest.main()
