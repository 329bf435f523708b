#!/usr/bin/env python3
"""opelog beside `script -f` and beside a relay that records nothing, in one run on one machine.

    cmake --preset release -DOPELOG_BUILD_BENCH=ON && cmake --build build/release
    sudo OPELOG_BUILD=build/release python3 bench/bench.py [throughput] [echo] [start] [memory] [guard] [--rounds N] [--mib N]

Runs in the private host of tests/e2e/sandbox.py, so nothing of the machine is touched. Rounds of all peers are interleaved and rotated; a ratio is taken within a
round, and the median of the rounds is printed with the spread (max - min) / median. Times include what the reader (this program) costs, the
same for all. CPU is that of everything: recorder, daemon, recorded command. Machines are noisy: believe ratios, and these only when the spread is small.
"""

import argparse
import fcntl
import os
import resource
import select
import statistics
import struct
import sys
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))
import sandbox  # noqa: E402

POLICY = """version: 1
rules:
  - name: all
    match: { uid: 0 }
limits: { max_sessions: 5000, max_sessions_per_user: 5000 }
log: { target: stderr, level: error }
"""
EMIT, RELAY = "/usr/local/bin/bench_emit", "/usr/local/bin/bench_relay"
TICK = os.sysconf("SC_CLK_TCK")


def argv_of(peer, index, *command):
    line = " ".join(command)
    return {
        "raw": list(command),
        "none": [RELAY, *command],
        "script": ["script", "-q", "-f", "--log-out", f"/tmp/script/{index}.log", "--log-timing", f"/tmp/script/{index}.time", "-c", "exec " + line],
        "opelog": ["/usr/bin/opelog-shell", "-c", "exec " + line],
    }[peer]


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rsplit(b")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Bench:
    def __init__(self, host, arguments):
        self.host, self.arguments, self.index = host, arguments, 0

    def open(self, peer, *command):
        """A recorded command that has said READY."""
        self.index += 1
        term = self.host.terminal(*argv_of(peer, self.index, *command), user=None, env={"SHELL": "/bin/sh"})
        term.expect("READY\r\n")
        return term

    def rounds(self, peers, sample):
        """{peer: [value, …]}, interleaved; the order rotates."""
        values = {peer: [] for peer in peers}
        for number in range(self.arguments.rounds):
            for peer in peers[number % len(peers):] + peers[:number % len(peers)]:
                values[peer].append(sample(peer))
            print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return values

    def table(self, title, unit, values, reference="none", scale=1.0):
        print(f"\n{title}")
        print(f"  {'':10}{'median':>12} {unit:<8}{'ratio to ' + reference:>16}{'spread':>9}")
        for peer, column in values.items():
            ratios = [a / b for a, b in zip(column, values[reference]) if b]
            median = statistics.median(column)
            spread = (max(column) - min(column)) / median if median else 0
            print(f"  {peer:10}{median * scale:12.2f} {unit:<8}{statistics.median(ratios) if ratios else float('nan'):16.2f}{spread * 100:8.0f}%")

    # -- what is measured

    def throughput(self):
        peers = ["raw", "none", "script", "opelog"]
        for kind in ("text", "random"):
            cpu = {peer: [] for peer in peers}

            def sample(peer):
                term = self.open(peer, EMIT, kind, str(self.arguments.mib))
                daemon = cpu_of(self.host.daemon.pid)
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                got, want = 0, self.arguments.mib << 20
                start = time.monotonic()
                os.write(term.master, b"g")
                while got < want:
                    select.select([term.master], [], [])
                    got += len(os.read(term.master, 1 << 20))
                elapsed = time.monotonic() - start
                assert got == want, f"{peer}: {got} bytes instead of {want}"
                term.wait()
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu[peer].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + cpu_of(self.host.daemon.pid) - daemon)
                self.clean()
                return elapsed
            values = self.rounds(peers, sample)
            self.table(f"throughput, {self.arguments.mib} MiB of {kind}: time until the terminal has the last byte", "ms", values, scale=1000)
            self.table(f"throughput, {self.arguments.mib} MiB of {kind}: CPU of all processes", "ms", cpu, scale=1000)

    def echo(self):
        peers = ["raw", "none", "script", "opelog"]

        def sample(peer):
            term = self.open(peer, EMIT, "echo")
            times = []
            for _ in range(600):
                time.sleep(0.002)
                start = time.monotonic_ns()
                os.write(term.master, b"x")
                select.select([term.master], [], [])
                os.read(term.master, 100)
                times.append(time.monotonic_ns() - start)
            os.write(term.master, b"q")
            term.wait()
            return statistics.median(times) / 1e9
        self.table("keystroke echo after 2 ms of silence, p50", "us", self.rounds(peers, sample), scale=1e6)

    def start(self):
        peers = ["raw", "none", "script", "opelog"]

        def sample(peer):
            times = []
            for _ in range(15):
                start = time.monotonic()
                term = self.open(peer, EMIT, "idle")
                times.append(time.monotonic() - start)
                os.write(term.master, b"q")
                term.wait()
            return statistics.median(times)
        self.table("start: exec (with entering the host) to the command's first output", "ms", self.rounds(peers, sample), "raw", 1000)

    def memory(self):
        count = 50

        def pss(pids):
            total = 0
            for pid in pids:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
            return total

        def sample(peer):
            daemon = self.host.daemon.pid
            before = pss([daemon])
            terms = [self.open(peer, EMIT, "idle") for _ in range(count)]
            pids = [term.process.pid for term in terms]
            value = (pss(pids) + (pss([daemon]) - before if peer == "opelog" else 0)) / count
            for term in terms:
                os.write(term.master, b"q")
                term.wait()
            self.clean()
            return value
        self.table(f"memory per idle session ({count} open), PSS without the recorded command", "kB", self.rounds(["none", "script", "opelog"], sample))

    def guard(self):
        """First byte of a foreign file until its append-only flag can be seen; the recipe's shell loop beside it."""
        names = {"opelog": "/var/log/ope_log", "recipe": "/var/log/ope_log/recipe"}
        self.host.sh("mkdir -p /var/log/ope_log/recipe")
        if self.host.sh("command -v inotifywait").rc != 0:
            print("\nguard: left out, inotifywait (package inotify-tools) is missing for the comparison")
            return
        loop = self.host.popen("bash", "-c", "inotifywait -mq -e create --format '%w%f' /var/log/ope_log/recipe | while read -r f; do "
                               "test -f \"$f\" && chattr +a \"$f\"; done")
        time.sleep(1)

        def sample(name):
            times = []
            for _ in range(40):
                self.index += 1
                path = self.host.path(f"{names[name]}/bench-{self.index}")
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
                start = time.monotonic_ns()
                os.write(fd, b"x")
                flags = b"\0\0\0\0"
                while not struct.unpack("i", flags)[0] & 0x20:
                    flags = fcntl.ioctl(fd, 0x80086601, b"\0\0\0\0\0\0\0\0")[:4]
                    time.sleep(0.00002)
                times.append(time.monotonic_ns() - start)
                os.close(fd)
            return statistics.median(times) / 1e9
        self.table("guard: first byte to append-only, one file at a time, p50", "us", self.rounds(["recipe", "opelog"], sample), "recipe", 1e6)
        loop.popen.terminate()

    def clean(self):
        self.host.sh("rm -f /tmp/script/*; opelog thaw >/dev/null && rm -f /var/log/ope_log/*.log /var/log/ope_log/*.time; opelog freeze >/dev/null")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=[], help="throughput echo start memory guard (default: all)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--mib", type=int, default=32)
    arguments = parser.parse_args()
    known = ["throughput", "echo", "start", "memory", "guard"]
    for what in arguments.what:
        if what not in known:
            parser.error(f"{what}: one of {', '.join(known)}")
    build = os.environ.get("OPELOG_BUILD", "build/release")
    if not os.path.exists(os.path.join(build, "bench", "bench_emit")):
        parser.error(f"{build}/bench/bench_emit is missing: build with -DOPELOG_BUILD_BENCH=ON and set OPELOG_BUILD")
    os.environ.setdefault("OPELOG_BUILD", build)
    with sandbox.Host() as host:
        for name in ("bench_emit", "bench_relay"):
            with open(os.path.join(build, "bench", name), "rb") as file:
                host.write("/usr/local/bin/" + name, file.read(), mode=0o755)
        host.sh("mkdir -p /tmp/script")
        host.start_daemon(POLICY)
        bench = Bench(host, arguments)
        for what in arguments.what or known:
            getattr(bench, what)()


if __name__ == "__main__":
    main()
