#!/usr/bin/env python3
"""What the privileged programs are linked with: an allow list of libraries, and nothing of the rooms that read recordings.

  links_test.py BUILD      a CMake build directory

What interprets an operator's bytes, databases and packers are the reading tools' alone. What the daemon's libraries need for
themselves (libsystemd: zstd) is not asked. That the look finds what it looks for is seen by `opelog`, which has all of it.
"""

import functools
import glob
import os
import re
import subprocess
import sys
import unittest

BUILD = "."
C = {"libc", "ld-linux-x86-64", "ld-linux-aarch64"}
CXX = C | {"libstdc++", "libgcc_s", "libm"}
# Program -> libraries it may need.
MAY_NEED = {
    "app/opelogd": CXX | {"libuv", "libyaml-cpp", "libspdlog", "libfmt", "libcrypto", "libsystemd", "libbpf"},
    "shim/opelog-shell": C,
    "shim/opelog-waiter": set(),
}
# Rooms that are no part of the daemon, and a library that only they bring.
READING = {"format/libopelog_stored.a": "libarchive", "seal/libopelog_verdict.a": None, "replay/libopelog_replay.a": "libvterm",
           "index/libopelog_index.a": "libsqlite3", "cli/libopelog_cli.a": None}


def said(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def path(name):
    return os.path.join(BUILD, "src", name)


def needed(program):
    return set(re.findall(r"\(NEEDED\).*\[([^]]*?)\.so\.[0-9.]*\]", said("readelf", "-dW", path(program))))


@functools.cache
def symbols(name):
    """Functions and data that it defines itself: not what templates and inline functions leave in many."""
    lines = said("nm", "--defined-only", path(name)).splitlines()
    return {m[1] for m in (re.match(r"[0-9a-f]+ [TDBR] (\S+)$", line) for line in lines) if m}


def reading_in(program):
    """{archive: its symbols that are in the program}"""
    inside = symbols(program)
    ours = set().union(*(symbols(os.path.relpath(archive, os.path.join(BUILD, "src")))
                         for archive in glob.glob(path("*/libopelog_*.a")) if os.path.relpath(archive, path(".")) not in READING))
    return {archive: (symbols(archive) - ours) & inside for archive in READING}


class Links(unittest.TestCase):
    def test_privileged_programs_need_no_other_library(self):
        for program, may in MAY_NEED.items():
            with self.subTest(program=program):
                self.assertEqual(needed(program) - may, set())

    def test_what_every_login_passes_is_alone(self):
        with open(os.path.join(BUILD, "CMakeCache.txt")) as file:
            cache = dict(re.findall(r"^(\w+):\w+=(.*)$", file.read(), re.M))
        for program in ("opelog-waiter", "opelog-shell") if cache["OPELOG_SHIM_LIBC"] == "musl" else ("opelog-waiter",):
            with self.subTest(program=program):
                self.assertNotIn("INTERP", said("readelf", "-lW", path("shim/" + program)))

    def test_nothing_that_reads_recordings_is_in_the_daemon(self):
        for program in MAY_NEED:
            for archive, found in reading_in(program).items():
                with self.subTest(program=program, archive=archive):
                    self.assertEqual(sorted(found)[:10], [])

    def test_the_same_look_finds_them_where_they_are(self):
        of_opelog = needed("app/opelog")
        for archive, found in reading_in("app/opelog").items():
            with self.subTest(archive=archive):
                self.assertGreater(len(found), 3)
                self.assertTrue(READING[archive] is None or READING[archive] in of_opelog)


if __name__ == "__main__":
    BUILD = sys.argv.pop(1)
    unittest.main()
