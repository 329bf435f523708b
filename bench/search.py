#!/usr/bin/env python3
"""The search index: how fast it is built, how large it is, and how fast it answers beside grep on the raw files.

    cmake --preset release && cmake --build build/release
    python3 bench/search.py [--mib 256] [--rounds 5] [--directory DIR] [--keep]

Makes recordings of real terminal output (of this machine's own programs, in colour, with typed commands, redrawn progress, full screens
and wrapped lines) as `script` writes them, and needles at known places: plain, coloured in the middle, wrapped, written byte by byte.
The build directory is OPELOG_BUILD, by default build/release. Everything is read from the page cache, grep's files too.
Times are medians of interleaved rounds; believe ratios. What grep cannot find (it sees bytes, not the screen) shows in the column "found".
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OPELOG = os.path.join(os.environ.get("OPELOG_BUILD", os.path.join(HERE, "..", "build", "release")), "src/app/opelog")
COMMANDS = [
    "ls -la --color=always /etc", "ls -lR --color=always /usr/share/doc", "ls -lR --color=always /usr/lib", "dpkg -l", "ps auxww", "df -h; mount",
    "cat /var/lib/dpkg/status", "find /usr -xdev", "grep -rn --color=always include /usr/include/*.h", "cat /usr/lib/python3*/[a-m]*.py",
    "cat /usr/lib/python3*/[n-z]*.py", "env", "cat /etc/services", "systemctl list-unit-files --no-pager", "cat /usr/include/*/*.h",
]
SAMPLE = 8 << 20  # of one command's output
NEEDLE = "qzneedle-%s-7f3a"


def outputs():
    """[(command, its output as a terminal gets it)]"""
    found = []
    for command in COMMANDS:
        with subprocess.Popen(["sh", "-c", command + " 2>/dev/null"], stdout=subprocess.PIPE) as child:
            data = child.stdout.read(SAMPLE)
            child.kill()
        data = data.replace(b"\r", b"").replace(b"\n", b"\r\n")
        if data:
            found.append((command, data))
    return found


def progress():
    return b"".join(b"\rGet:%d 12.3 MB  [%s%s]" % (i, b"#" * (i // 4), b" " * (25 - i // 4)) for i in range(100)) + b"\r\n"


def full_screen(data):
    """What an editor shows, and the screen given back."""
    rows = data.split(b"\r\n")[:23]
    return b"\x1b[?1049h\x1b[2J" + b"".join(b"\x1b[%d;1H%s\x1b[K" % (i + 1, row[:79]) for i, row in enumerate(rows)) + b"\x1b[?1049l"


class Recording:
    def __init__(self, base, start):
        self.log = open(base + ".log", "wb")
        self.time = open(base + ".time", "w")
        stamp = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(start))
        self.log.write(f"Script started on {stamp} [TERM=\"xterm-256color\" TTY=\"/dev/pts/3\" COLUMNS=\"80\" LINES=\"24\"]\n".encode())
        self.time.write(f"H 0.000000 START_TIME {stamp}\nH 0.000000 TERM xterm-256color\nH 0.000000 COLUMNS 80\nH 0.000000 LINES 24\n")
        self.size = 0

    def write(self, data, piece=4095):
        for at in range(0, len(data), piece):
            part = data[at:at + piece]
            self.log.write(part)
            self.time.write(f"O 0.010000 {len(part)}\n")
            self.size += len(part)

    def close(self):
        self.time.write("H 0.000000 EXIT_CODE 0\n")
        self.log.close()
        self.time.close()


def generate(directory, total, seed=1):
    """Returns the bytes of output."""
    choose = random.Random(seed)
    samples = outputs()
    written, number = 0, 0
    while written < total:
        start = 1795000000 + number * 600
        name = f"{choose.choice(['alice', 'bob', 'carol', 'dave'])}_{time.strftime('%Y%m%d%H%M%S', time.gmtime(start))}_192.0.2.{number % 250 + 1}"
        recording = Recording(os.path.join(directory, name), start)
        wanted = min(total - written, choose.choice([50_000, 200_000, 1 << 20, 4 << 20, 16 << 20]))
        while recording.size < wanted:
            command, data = choose.choice(samples)
            size = min(len(data), choose.choice([500, 3000, 20_000, 200_000]))
            at = choose.randrange(0, len(data) - size + 1)
            recording.write(b"\x1b[?2004h\x1b]0;alice@web1: ~\x07\x1b[01;32malice@web1\x1b[00m:\x1b[01;34m~\x1b[00m$ ")
            for c in command:
                recording.write(c.encode())
            recording.write(b"\r\n\x1b[?2004l\r")
            recording.write(data[at:at + size])
            if choose.random() < 0.1:
                recording.write(progress())
            if choose.random() < 0.1:
                recording.write(full_screen(data[at:at + 4000]))
        if number == 2:
            plain, coloured, wrapped, bytewise = (NEEDLE % kind for kind in ("plain", "coloured", "wrapped", "bytewise"))
            recording.write(f"\r\n{plain}\r\n{coloured[:5]}\x1b[1;31m{coloured[5:]}\x1b[0m\r\n{'.' * 70}{wrapped}\r\n".encode())
            recording.write((bytewise[:9] + "xyz\b\b\b" + bytewise[9:] + "\r\n").encode(), piece=1)
        recording.write(b"\x1b[?2004halice@web1:~$ exit\r\n\x1b[?2004l\r")
        recording.close()
        written += recording.size
        number += 1
    return written, number


def timed(argv):
    begin = time.perf_counter()
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begin, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", default="/var/tmp")
    parser.add_argument("--keep", action="store_true", help="leave recordings and index where they are, and say where")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="opelog-bench-search.", dir=options.directory)
    try:
        measure(work, options)
    finally:
        if options.keep:
            print("kept:", work)
        else:
            shutil.rmtree(work)


def measure(work, options):
    recordings, index = os.path.join(work, "recordings"), os.path.join(work, "index.db")
    os.mkdir(recordings)
    size, count = generate(recordings, options.mib << 20)
    print(f"{count} recordings, {size / 2**20:.0f} MiB of output")
    where = ["--directory", recordings, "--index", index]
    took, said = timed([OPELOG, "index", "--json", *where])
    report = json.loads(said)
    print(f"index built: {size / took / 2**20:.1f} MiB/s; {report['lines']} lines, {report['commands']} commands; "
          f"size {report['index_bytes'] / size:.3f} of the output")
    took, _ = timed([OPELOG, "index", "--quiet", *where])
    print(f"nothing new: {took * 1000:.0f} ms")

    logs = sorted(os.path.join(recordings, name) for name in os.listdir(recordings) if name.endswith(".log"))
    packed = os.path.join(work, "packed")
    os.mkdir(packed)
    for log in logs:
        with open(os.path.join(packed, os.path.basename(log) + ".gz"), "wb") as out:
            subprocess.run(["gzip", "-1", "-c", log], stdout=out, check=True)
    archives = [os.path.join(packed, name) for name in sorted(os.listdir(packed))]

    cases = [("needle", ["-F"], [], NEEDLE[:8]), ("needle wrapped", ["-F"], [], NEEDLE % "wrapped"), ("needle coloured", ["-F"], [], NEEDLE % "coloured"),
             ("absent", ["-F"], [], "qz-there-is-no-such-text"), ("word", ["-wF"], ["--word"], "gethostbyaddr"),
             ("expression", ["-E"], ["--regex"], "qzneedle-(plain|bytewise)-[0-9a-f]{4}"),
             ("newest 20 of many", ["-F"], ["-n", "20"], "include"),
             ("no trigram", ["-E"], ["--regex", "-n", "20"], "[0-9]{3}[.][0-9]{3}[.][0-9]{3}[.][0-9]{3}[.]")]
    print(f"\n{'what':<20} {'opelog ms':>10} {'grep ms':>9} {'zgrep ms':>9} {'grep/opelog':>12} {'zgrep/opelog':>13}  found (opelog, grep)")
    for what, grep_options, our_options, pattern in cases:
        ours, greps, zgreps = [], [], []
        for round_ in range(options.rounds):
            took, said = timed([OPELOG, "search", "--json", *where, *our_options, pattern])
            ours.append(took)
            found = len(json.loads(said or "[]"))
            took, said = timed(["grep", "-a", "-h", *grep_options, pattern, *logs])
            greps.append(took)
            if round_ == 0:
                zgreps.append(timed(["zgrep", "-a", "-h", *grep_options, pattern, *archives])[0])
        our, grep, zgrep = (statistics.median(times) for times in (ours, greps, zgreps))
        print(f"{what:<20} {our * 1000:>10.1f} {grep * 1000:>9.1f} {zgrep * 1000:>9.0f} {grep / our:>12.1f} {zgrep / our:>13.1f}  {found}, {len(said.splitlines())}",
              flush=True)


if __name__ == "__main__":
    main()
