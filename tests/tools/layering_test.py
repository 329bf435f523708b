"""tools/layering.py: good trees pass, each kind of violation is named with its file and line."""

import os
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "layering.py")


def run(files):
    """Exit code and output of the tool on a tree of {path below src: text}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, "src", path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as file:
                file.write(text)
        os.makedirs(os.path.join(root, "src"), exist_ok=True)
        done = subprocess.run([sys.executable, "-B", TOOL, root], capture_output=True, text=True)
        return done.returncode, done.stdout


class GoodTreesPass(unittest.TestCase):
    def test_each_room_includes_what_it_may(self):
        rc, out = run({
            "core/a.h": "#include <string>\n",
            "core/a_io.cc": '#include <unistd.h>\n#include "core/a.h"\nint f() { return ::close(3); }\n',
            "core/loop_io.cc": "#include <uv.h>\nvoid f() { uv_run(nullptr, UV_RUN_DEFAULT); }\n",
            "watch/a.cc": '#include <sys/inotify.h>\n#include "core/a.h"\n#include "watch/a.h"\n',
            "record/a.cc": '#include "format/a.h"\n',
            "cli/a.cc": '#include "replay/a.h"\n',
            "app/a.cc": '#include "record/a.h"\n#include "watch/a.h"\n',
            "shim/a_io.c": '#include <unistd.h>\n#include "record/login_protocol.h"\n#include "shim/a.h"\n',
        })
        self.assertEqual((rc, out), (0, "layering: holds\n"))

    def test_words_in_comments_texts_and_names_are_not_calls(self):
        rc, out = run({"core/a.cc": "\n".join([
            "// getenv(\"HOME\") would be an effect; so would ::open(x)",
            "/* #include <unistd.h>",
            "   ::close(1) */",
            'const char* text = "::write(1, getenv())";',
            'const char* raw = R"x(::close(1) " )x";',
            "struct File { int open(); void write(int); };",
            "int g(File& f) { f.write(File().open()); return Name::open(); }",
            "char q = '\"'; int uvula(int); int x = uvula(1);",
        ])})
        self.assertEqual((rc, out), (0, "layering: holds\n"))


class EachViolationIsNamed(unittest.TestCase):
    def test_the_daemon_stays_clear_of_what_reads_recordings(self):
        for path in ("app/opelogd.cc", "app/daemon_io.cc", "app/config_io.h"):
            self.assert_violation(path, '#include "index/indexer_io.h"\n', 1, "the daemon may not include index/indexer_io.h")
        self.assert_violation("index/search_io.cc", "#include <sqlite3.h>\n", 1, "only in index/database_io.cc")

    def assert_violation(self, path, text, line, words):
        rc, out = run({path: text})
        self.assertEqual(rc, 1, out)
        self.assertIn(f"src/{path}:{line}: ", out)
        self.assertIn(words, out)
        self.assertIn("layering: 1 violations", out)

    def test_rooms(self):
        for path, name in (("core/a.cc", "format/a.h"), ("watch/a.cc", "record/a.h"), ("format/a.h", "watch/a.h"),
                           ("replay/a.cc", "record/a.h"), ("cli/a.cc", "record/a.h"), ("cli/a_io.cc", "watch/a.h"),
                           ("record/a.cc", "cli/a.h"), ("shim/a.c", "core/result.h"), ("shim/a.c", "record/relay.h")):
            self.assert_violation(path, f'#include <string>\n#include "{name}"\n', 2, f"may not include {name}")

    def test_a_room_nobody_planned(self):
        self.assert_violation("util/a.cc", "int x;\n", 1, "util is no room")

    def test_libraries_outside_their_file(self):
        for path, name in (("core/a_io.cc", "uv.h"), ("record/a_io.cc", "spdlog/spdlog.h"),
                           ("core/b.cc", "yaml-cpp/yaml.h"), ("core/a.cc", "CLI/CLI.hpp")):
            self.assert_violation(path, f"#include <{name}>\n", 1, "may be included only in")

    def test_effect_headers_in_pure_files(self):
        for name in ("unistd.h", "fcntl.h", "sys/socket.h", "sys/stat.h", "fstream", "filesystem", "random"):
            self.assert_violation("record/machine.cc", f"\n\n#include <{name}>\n", 3, "belongs to a file ending in _io")

    def test_effects_in_pure_files(self):
        for call in ("::open(p, 0);", "std::getenv(n);", "::read(0, b, 1);", "auto t = std::chrono::system_clock::now();",
                     "clock_gettime(0, &t);", "std::random_device{}();", "std::ifstream f(p);", "std::cerr << 1;",
                     "::kill(1, 9);", "printf(p);", "uv_run(l, m);", "recvmsg(f, &m, 0);"):
            self.assert_violation("format/a.cc", f"void f() {{\n  {call}\n}}\n", 2, "belongs to a file ending in _io")

    def test_relative_includes(self):
        self.assert_violation("core/a.cc", '#include "result.h"\n', 1, 'write "core/result.h"')

    def test_no_tree(self):
        done = subprocess.run([sys.executable, "-B", TOOL, "/nonexistent"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
