#!/usr/bin/env python3
"""Checks the rules of docs/architecture.md that a compiler does not: who may include whom, and where effects live.

  tools/layering.py [SOURCE_DIR]      default: the project this file lies in

Prints `src/ROOM/FILE:LINE: message` for each violation; exit code 0 none, 1 some, 2 no such tree.
The tables below are the rules; change them only together with the architecture page.
"""

import os
import re
import sys

# Room -> rooms whose headers it may include besides its own. None: all.
MAY_INCLUDE = {
    "core": [],
    "watch": ["core"],
    "format": ["core"],
    "seal": ["core", "format"],
    "record": ["core", "format"],
    "replay": ["core", "format"],
    "index": ["core", "format", "replay"],
    "cli": ["core", "format", "seal", "replay", "index"],
    "shim": [],
    "app": None,
}

# Single headers beyond the table: what two programs must agree on byte by byte.
MAY_ALSO_INCLUDE = {"shim": ["record/login_protocol.h"]}

# Files of a room that may include everything -> rooms they must stay clear of: what interprets an operator's bytes, and what brings
# a terminal emulator or a database, is no part of the daemon. tests/tools looks at what it links.
MUST_NOT_INCLUDE = {"app/opelogd.cc": ["replay", "index", "cli"], "app/daemon_*": ["replay", "index", "cli"],
                    "app/config_io.*": ["replay", "index", "cli"]}

# The mains: they compose, and may speak to the terminal and the environment they are started in.
MAINS = ["app/opelogd.cc", "app/opelog.cc"]

# External library (prefix of the include) -> the only files that may include it.
LIBRARIES = {
    "uv.h": ["core/loop_io.cc"],
    "spdlog/": ["core/log_io.cc"],
    "yaml-cpp/": ["core/yaml_tree.cc"],
    "nlohmann/": ["record/control_message.cc", "cli/*"],
    "CLI/": ["cli/*", *MAINS],
    "systemd/": ["record/systemd_io.cc"],
    "openssl/": ["core/sha256.cc", "seal/base64.cc", "seal/signature.cc", "seal/signing_key_io.cc"],
    "bpf/": ["record/exec_capture_io.cc", "record/exec_kernel_io.cc", "record/exec_events.bpf.c"],
    "vterm.h": ["replay/screen.cc", "replay/character_widths.cc"],
    "sqlite3.h": ["index/database_io.cc"],
    "re2/": ["index/pattern.cc"],
    "zstd.h": ["format/zstd_bytes.cc"],
    "zlib.h": ["format/gzip_bytes.cc"],
    "archive.h": ["format/tar_bytes.cc"],
    "archive_entry.h": ["format/tar_bytes.cc"],
}

# Headers that a file whose name does not end in _io must not include …
EFFECT_HEADERS = re.compile(
    r"(unistd\.h|fcntl\.h|poll\.h|termios\.h|pty\.h|utmpx?\.h|dirent\.h|pwd\.h|grp\.h|shadow\.h|netdb\.h|syslog\.h|"
    r"uv\.h|fstream|filesystem|iostream|random|thread|pthread\.h|mqueue\.h|spawn\.h|sched\.h|"
    r"sys/(?!inotify\.h|types\.h).*|systemd/.*|spdlog/.*)$")

# … and calls it must not make: names that mean nothing else, and system calls written as ::name(.
EFFECT_WORDS = re.compile(
    r"\b(?:getenv|secure_getenv|setenv|clock_gettime|gettimeofday|localtime(?:_r)?|mktime|fopen|fdopen|popen|"
    r"opendir|syslog|getrandom|getpw\w+|getgr\w+|openat2?|fork|vfork|execve?|posix_spawn|waitpid|pidfd_\w+|recvmsg|sendmsg|uv_\w+|sd_\w+|"
    r"printf|fprintf|puts|fputs|perror)\s*(?=\()"
    r"|\b(?:random_device|system_clock|steady_clock|high_resolution_clock|ifstream|ofstream)\b"
    r"|\bstd::(?:cout|cerr|clog|cin)\b"
    r"|(?<![\w>:])::(?:open|close|read|write|pread|pwrite|send|recv|stat|fstat|lstat|statx|ioctl|kill|socket|bind|"
    r"connect|accept4?|listen|unlink\w*|rename\w*|mkdir\w*|chmod|fchmod\w*|chown|fchown\w*|dup[23]?|pipe2?|poll|"
    r"epoll_\w+|inotify_add_watch|inotify_init1?|inotify_rm_watch|signal|sigaction|time|usleep|nanosleep|syscall|"
    r"getuid|geteuid|getpid|setsid|tcsetattr|tcgetattr|isatty|ttyname_r?|fsync|fdatasync|ftruncate|lseek)\s*\(")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = (".h", ".hh", ".cc", ".cpp", ".c", ".S")


def strip(text):
    """The text with comments and the insides of literals blanked; lines stay where they are."""
    # A quote after a digit separates thousands.
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(match):
        word = match.group(0)
        return word if word.startswith('"') and is_include(text, match.start()) else re.sub(r"[^\n]", " ", word)
    return pattern.sub(blank, text)


def is_include(text, at):
    return INCLUDE.match(text[text.rfind("\n", 0, at) + 1:].split("\n", 1)[0]) is not None


def may(allowed, path):
    return any(path == a or (a.endswith("*") and path.startswith(a[:-1])) for a in allowed)


def check_include(path, room, name):
    """The violation of including `name` from `path` (ROOM/FILE), or None."""
    head = name.split("/", 1)[0]
    if "/" in name and head in MAY_INCLUDE:
        for pattern, rooms in MUST_NOT_INCLUDE.items():
            if head in rooms and may([pattern], path):
                return f"the daemon may not include {name}"
        allowed = MAY_INCLUDE[room]
        if head == room or allowed is None or head in allowed or name in MAY_ALSO_INCLUDE.get(room, []):
            return None
        return f"{room} may not include {name}"
    for prefix, files in LIBRARIES.items():
        if (name.startswith(prefix) if prefix.endswith("/") else name == prefix) and not may(files, path):
            return f"<{name}> may be included only in {', '.join(files) or 'no file'}"
    return None


def check_file(path, text):
    """[(line, message)] for one file; `path` is ROOM/FILE."""
    room = path.split("/", 1)[0]
    stem = os.path.splitext(os.path.basename(path))[0]
    pure = path not in MAINS and not stem.endswith("_io")
    if room not in MAY_INCLUDE:
        return [(1, f"{room} is no room of the architecture")]
    found = []
    for number, line in enumerate(strip(text).split("\n"), 1):
        include = INCLUDE.match(line)
        if include:
            quoted, name = include.group(1) == '"', include.group(2)
            problem = check_include(path, room, name)
            if not problem and quoted and "/" not in name:
                problem = f'write "{room}/{name}": includes start at src/'
            if not problem and quoted and name.startswith("../"):
                problem = f"{name}: includes start at src/"
            if not problem and pure and EFFECT_HEADERS.match(name):
                problem = f"<{name}> belongs to a file ending in _io"
            if problem:
                found.append((number, problem))
            continue
        if pure:
            for match in EFFECT_WORDS.finditer(line):
                found.append((number, f"{match.group(0).strip('( ')} belongs to a file ending in _io"))
    return found


def check_tree(root):
    """[(path, line, message)] for every file below root/src."""
    found = []
    source = os.path.join(root, "src")
    for folder, folders, files in os.walk(source):
        folders.sort()
        for file in sorted(files):
            if not file.endswith(SOURCES):
                continue
            full = os.path.join(folder, file)
            path = os.path.relpath(full, source)
            with open(full, encoding="utf-8", errors="replace") as data:
                found += [("src/" + path, line, message) for line, message in check_file(path, data.read())]
    return found


def main(argv):
    root = argv[1] if len(argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if len(argv) > 2 or not os.path.isdir(os.path.join(root, "src")):
        print(f"layering: no src in {root}", file=sys.stderr)
        return 2
    found = check_tree(root)
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    print(f"layering: {len(found)} violations" if found else "layering: holds")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
