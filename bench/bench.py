#!/usr/bin/env python3
"""opelog beside `script -f` and beside a relay that records nothing, in one run on one machine.

    cmake --preset release -DOPELOG_BUILD_BENCH=ON && cmake --build build/release
    sudo python3 bench/bench.py [throughput] [echo] [start] [memory] [many] [guard] [scale] [exec] [seals] [--rounds N] [--mib N]

Runs in the private host of tests/e2e/sandbox.py, so nothing of the machine is touched; the build directory is OPELOG_BUILD, by default build/release.
Rounds of all peers are interleaved, in a new order each time; a ratio is taken within a round, and the median of the rounds is printed with the spread
(max - min) / median. `opelog/0` is opelog with sync_interval 0: written to disk when the kernel likes, as script's files are, and not within a second;
script's are gone before that. Times include what the reader (this program) costs, the same for all. CPU is that of everything: recorder, daemon, recorded
command; that of the machine has the kernel's own threads as well, which move a pty's bytes, and whatever else runs. All peers run below the same small
program that stands for sshd. Machines are noisy: believe ratios, and these only when the spread is small.
"""

import argparse
import contextlib
import fcntl
import json
import os
import random
import resource
import select
import statistics
import struct
import subprocess
import sys
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ["throughput", "echo", "start", "memory", "many", "guard", "scale", "exec", "seals"]
LOGS = "/var/log/ope_log"
POLICY_FILE = "/etc/opelog/opelog.yaml"
POLICY = """version: 1
recordings: { sync_interval: 1s }
rules:
  - name: all
    match: { uid: 0 }
limits: { max_sessions: 5000, max_sessions_per_user: 5000 }
log: { target: stderr, level: error }
"""
UNSEALED = POLICY + "seal: { ledger: /etc/passwd/ledger, required: false }\n"  # a ledger that cannot be: nothing is sealed
EMIT, RELAY, EXEC = "/usr/local/bin/bench_emit", "/usr/local/bin/bench_relay", "/usr/local/bin/bench_exec"
SSHD = "/usr/local/sbin/sshd"  # sessions below it are opelog's to keep over a restart, as real ones are
SHELL = "/bin/bash"  # root's


def argv_of(peer, index, *command):
    """All peers start the command through root's shell, as a login does."""
    line = "exec " + " ".join(command)
    return {
        "raw": [SHELL, "-c", line],
        "none": [RELAY, SHELL, "-c", line],
        "script": ["script", "-q", "-f", "--log-out", f"/tmp/script/{index}.log", "--log-timing", f"/tmp/script/{index}.time", "-c", line],
        "tlog-rec": ["tlog-rec", "--writer=file", f"--file-path=/tmp/script/{index}.json", SHELL, "-c", line],
        "opelog": ["/usr/bin/opelog-shell", "-c", line],
    }[peer.removesuffix("/0")]


def cpu_of(pid):
    """Seconds on a processor so far, of all threads, ended ones too: the process's CPU clock (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def busy():
    """Seconds that the machine's processors have worked so far, for whomever."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq = (int(ticks) for ticks in file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def run(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


class Terminal:
    """What sshd is to a login: a pty, and below a program of that name one that leads its session. Reads only when asked to."""

    def __init__(self, argv, wait=True):
        self.master, slave = os.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.pid = os.fork()
        if self.pid == 0:
            for fd in (0, 1, 2):
                os.dup2(slave, fd)
            os.closerange(3, 4096)
            os.execvpe(SSHD, [SSHD, *argv], {**os.environ, "SHELL": SHELL, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
        os.close(slave)
        seen = b""
        while wait and not seen.endswith(b"READY\r\n"):
            try:
                seen += self.read()
            except OSError as error:
                raise RuntimeError(f"{argv}: ended, having said {seen!r}") from error

    def recorder(self):
        """The process that was started; its own recorder, where that is not the daemon."""
        return children(self.pid)[0]

    def read(self):
        """At least one byte."""
        got = os.read(self.master, 1 << 16)  # more at once would be new memory each time, which costs more than the relay
        if not got:
            raise EOFError
        return got

    def write(self, data):
        os.write(self.master, data)

    def finish(self, word=b"q"):
        if word:
            self.write(word)
        with contextlib.suppress(OSError, EOFError):
            while True:
                self.read()
        os.close(self.master)
        os.waitpid(self.pid, 0)


class Bench:
    def __init__(self, daemon, arguments):
        self.daemon, self.arguments, self.index, self.interval = daemon, arguments, 0, "1s"

    def open(self, peer, *command):
        """A recorded command that has said READY."""
        interval = "0s" if peer == "opelog/0" else "1s"
        if interval != self.interval:
            with open(POLICY_FILE, "w") as file:
                file.write(POLICY.replace("sync_interval: 1s", f"sync_interval: {interval}"))
            run("opelog", "reload")
            self.interval = interval
        self.index += 1
        return Terminal(argv_of(peer, self.index, *command))

    def rounds(self, peers, sample):
        """{peer: [value, …]}, interleaved; the order is another one in each round, so that nobody always comes behind the same one."""
        values = {peer: [] for peer in peers}
        for number in range(self.arguments.rounds):
            for peer in random.Random(number).sample(peers, len(peers)):
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

    def flood(self, peer, kind):
        """Seconds until the terminal has the last byte, and of processor time: of all processes, of the daemon, of the machine."""
        term = self.open(peer, EMIT, kind, str(self.arguments.mib))
        buffer = bytearray(1 << 16)  # one, and touched already: a new one for each read costs more than the relay
        daemon = cpu_of(self.daemon)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        got, want = 0, self.arguments.mib << 20
        machine, start = busy(), time.monotonic()
        term.write(b"g")
        while got < want:
            got += os.readv(term.master, [buffer])
        elapsed, machine = time.monotonic() - start, busy() - machine
        assert got == want, f"{peer}: {got} bytes instead of {want}"
        term.finish(b"")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        daemon = cpu_of(self.daemon) - daemon
        self.clean()
        return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + daemon, daemon, machine

    def throughput(self):
        peers = ["raw", "none", "script", "opelog", "opelog/0"]
        for kind in ("text", "random"):
            cpu, whole = ({peer: [] for peer in peers} for _ in range(2))

            def sample(peer):
                elapsed, processors, _, machine = self.flood(peer, kind)
                cpu[peer].append(processors)
                whole[peer].append(machine)
                return elapsed
            for what, values in (("time until the terminal has the last byte", self.rounds(peers, sample)), ("CPU of all processes", cpu),
                                 ("CPU of the machine", whole)):
                self.table(f"throughput, {self.arguments.mib} MiB of {kind}: {what}", "ms", values, scale=1000)

    def echo_time(self, peer, count):
        """Median seconds from a key to its echo, after 2 ms of silence."""
        term, times = self.open(peer, EMIT, "echo"), []
        for _ in range(count):
            time.sleep(0.002)
            start = time.monotonic_ns()
            term.write(b"x")
            term.read()
            times.append(time.monotonic_ns() - start)
        term.finish()
        return statistics.median(times) / 1e9

    def echo(self):
        def sample(peer):
            return self.echo_time(peer, 600)
        self.table("keystroke echo after 2 ms of silence, p50", "us", self.rounds(["raw", "none", "script", "opelog"], sample), scale=1e6)

    def start_times(self, peer, count=15):
        times = []
        for _ in range(count):
            start = time.monotonic()
            term = self.open(peer, EMIT, "idle")
            times.append(time.monotonic() - start)
            term.finish()
        return statistics.median(times)

    def start(self):
        values = self.rounds(["raw", "none", "script", "opelog"], self.start_times)
        self.table("start: exec to the command's first output", "ms", values, "raw", 1000)
        self.clean()

    def memory(self):
        count = 50

        def sample(peer):
            before = pss_kb(self.daemon)
            terms = [self.open(peer, EMIT, "idle") for _ in range(count)]
            value = (sum(pss_kb(term.recorder()) for term in terms) + (pss_kb(self.daemon) - before if peer == "opelog" else 0)) / count
            for term in terms:
                term.finish()
            self.clean()
            return value
        self.table(f"memory per idle session ({count} open), PSS without the recorded command", "kB", self.rounds(["none", "script", "opelog"], sample))

    def many(self):
        """200 sessions that write 20 lines a second each: CPU of everything but the writers' own, and how late the lines are."""
        count, seconds = 200, 5
        late = {}

        def sample(peer):
            terms = [self.open(peer, EMIT, "lines", "20") for _ in range(count)]
            by_fd = {term.master: term for term in terms}
            poll = select.epoll()
            for fd in by_fd:
                poll.register(fd, select.EPOLLIN)
            pids = [term.recorder() for term in terms] if peer != "raw" else []
            cpu = sum(cpu_of(pid) for pid in pids) + cpu_of(self.daemon)
            for term in terms:
                term.write(b"g")
            lags, end = [], time.monotonic() + seconds
            while time.monotonic() < end:
                for fd, _ in poll.poll(0.1):
                    data = os.read(fd, 65536)
                    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                    lags += [now - int(line) for line in data.split() if line.isdigit()]
            cpu = sum(cpu_of(pid) for pid in pids) + cpu_of(self.daemon) - cpu
            for term in terms:
                term.finish(b"q")
            self.clean()
            lags.sort()
            late.setdefault(peer, []).append(lags[len(lags) * 99 // 100] / 1e9)
            return cpu
        peers = ["none", "script", "opelog"]
        self.table(f"{count} sessions x 20 lines/s for {seconds} s: CPU of recorders and daemon", "ms", self.rounds(peers, sample), scale=1000)
        self.table("the same: a line's way to the terminal, p99", "ms", late, scale=1000)

    def guard(self):
        """First byte of a foreign file until its append-only flag can be seen; the recipe's shell loop beside it."""
        names = {"opelog": LOGS, "recipe": LOGS + "/recipe"}
        os.makedirs(names["recipe"], exist_ok=True)
        if subprocess.run(["sh", "-c", "command -v inotifywait"], stdout=subprocess.DEVNULL).returncode != 0:
            print("\nguard: left out, inotifywait (package inotify-tools) is missing for the comparison")
            return
        loop = subprocess.Popen(["bash", "-c", f"inotifywait -mq -e create --format '%w%f' {names['recipe']} | while read -r f; do "
                                 "test -f \"$f\" && chattr +a \"$f\"; done"], start_new_session=True)
        time.sleep(1)

        def sample(name):
            times = []
            for _ in range(40):
                self.index += 1
                fd = os.open(f"{names[name]}/bench-{self.index}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
                start = time.monotonic_ns()
                os.write(fd, b"x")
                flags = b"\0\0\0\0"
                while not struct.unpack("i", flags)[0] & 0x20:
                    time.sleep(0.00002)
                    flags = fcntl.ioctl(fd, 0x80086601, b"\0\0\0\0\0\0\0\0")[:4]
                times.append(time.monotonic_ns() - start)
                os.close(fd)
            return statistics.median(times) / 1e9
        self.table("guard: first byte to append-only, one file at a time, p50", "us", self.rounds(["recipe", "opelog"], sample), "recipe", 1e6)
        os.killpg(loop.pid, 15)

    def scale(self):
        """What one more session costs beside N others, and a start in a directory with many recordings."""
        print("\nscale: one more session beside N idle ones")
        print(f"  {'N':>8}{'start ms':>12}{'echo us':>12}{'daemon kB per session':>24}")
        others, base = [], pss_kb(self.daemon)
        for count in (1, 10, 100, 1000):
            while len(others) < count:
                others.append(self.open("opelog", EMIT, "idle"))
            start = self.start_times("opelog")
            echo = self.echo_time("opelog", 300)
            print(f"  {count:8}{start * 1000:12.2f}{echo * 1e6:12.1f}{(pss_kb(self.daemon) - base) / count:24.1f}")
        for term in others:
            term.finish()
        self.clean()
        print("\nscale: start of a session in a directory with N files")
        print(f"  {'N':>8}{'start ms':>12}")
        for count in (0, 1000, 100000):
            run("opelog", "thaw", "--seconds", "600")
            for number in range(count // 2):
                for end in ("log", "time"):
                    os.close(os.open(f"{LOGS}/someone_20260101000000_{number}.{end}", os.O_WRONLY | os.O_CREAT, 0o640))
            time.sleep(2)
            print(f"  {count:8}{self.start_times('opelog') * 1000:12.2f}")
            self.clean()

    def exec(self):
        """fork, exec and wait: not captured at all, captured as no member of a session, as a member."""
        print("\nexec capture: fork, exec and wait of /bin/true")
        print(run(EXEC, str(self.arguments.rounds * 7)).decode(), end="")

    def serve(self):
        """For seals(): a sample for each line read."""
        for line in sys.stdin:
            sample = [self.echo_time("opelog", 400)] if line == "echo\n" else list(self.flood("opelog", line.strip()))
            print(json.dumps(sample), flush=True)

    def clean(self):
        """Also of what the kernel has yet to write: it is not to burden the next peer."""
        run("sh", "-c", f"sync -f /tmp/script/.; rm -f /tmp/script/*; opelog thaw >/dev/null && find {LOGS} -maxdepth 1 -type f -delete; opelog freeze >/dev/null; sync -f /tmp/script/.")


def seals(arguments, hosts):
    """opelog with and without seals: two hosts beside each other, one sampled at a time."""
    servers = {peer: host.popen("python3", "/root/bench.py", "--inside", "--serve", "--mib", str(arguments.mib), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE).popen for peer, host in hosts.items()}

    def ask(peer, what):
        servers[peer].stdin.write(what.encode() + b"\n")
        servers[peer].stdin.flush()
        return json.loads(servers[peer].stdout.readline())
    bench = Bench(None, arguments)
    for kind in ("text", "random"):
        others = [{peer: [] for peer in hosts} for _ in range(3)]

        def sample(peer):
            elapsed, *processors = ask(peer, kind)
            for values, value in zip(others, processors):
                values[peer].append(value)
            return elapsed
        for title, values in zip(("time until the terminal has the last byte", "CPU of all processes", "CPU of the daemon", "CPU of the machine"),
                                 [bench.rounds(list(hosts), sample), *others]):
            bench.table(f"seals, {arguments.mib} MiB of {kind}: {title}", "ms", values, "unsealed", 1000)
    values = bench.rounds(list(hosts), lambda peer: ask(peer, "echo")[0])
    bench.table("seals: keystroke echo after 2 ms of silence, p50", "us", values, "unsealed", 1e6)
    for server in servers.values():
        server.stdin.close()
        server.wait()


def furnish(host, build, *programs):
    """What runs in a private host: the helpers, this program, others of bench/ beside it."""
    for name in ("bench_emit", "bench_relay", "bench_exec"):
        with open(os.path.join(build, "bench", name), "rb") as file:
            host.write("/usr/local/bin/" + name, file.read(), mode=0o755)
    with open(os.path.join(build, "bench", "bench_sshd"), "rb") as file:
        host.write(SSHD, file.read(), mode=0o755)
    for name in ("bench.py", *programs):
        with open(os.path.join(HERE, name), "rb") as file:
            host.write("/root/" + name, file.read())
    host.sh("mkdir /run/host-disk/script && ln -s /run/host-disk/script /tmp/script")  # where the recordings are, too: not in memory
    host.sh("touch /run/utmp; echo 127.0.0.1 $(hostname) >>/etc/hosts")  # tlog-rec does not begin without


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=[], help=f"{' '.join(KINDS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--mib", type=int, default=32)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # this program, in the private host
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for what in arguments.what:
        if what not in KINDS:
            parser.error(f"{what}: one of {', '.join(KINDS)}")
    if arguments.inside:
        status = subprocess.run(("opelog", "status", "--json"), stdout=subprocess.PIPE).stdout  # 1: degraded, as without a ledger
        bench = Bench(json.loads(status)["pid"], arguments)
        for what in ["serve"] if arguments.serve else arguments.what:
            getattr(bench, what)()
            sys.stdout.flush()
        return
    build = os.environ.setdefault("OPELOG_BUILD", os.path.join(HERE, "..", "build", "release"))
    if not os.path.exists(os.path.join(build, "bench", "bench_emit")):
        parser.error(f"{build}/bench/bench_emit is missing: build with -DOPELOG_BUILD_BENCH=ON, or set OPELOG_BUILD")
    sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))
    import sandbox
    kinds = arguments.what or KINDS
    with contextlib.ExitStack() as stack:
        hosts = {peer: stack.enter_context(sandbox.Host(keeps_sessions=True)) for peer in (["opelog", "unsealed"] if "seals" in kinds else ["opelog"])}
        for peer, host in hosts.items():
            furnish(host, build)
            host.start_daemon(UNSEALED if peer == "unsealed" else POLICY)
        inside = [what for what in kinds if what != "seals"]
        if inside and (rc := hosts["opelog"].popen("python3", "/root/bench.py", "--inside", *inside, "--rounds", str(arguments.rounds), "--mib",
                                                   str(arguments.mib)).popen.wait()) != 0:
            sys.exit(rc)
        if "seals" in kinds:
            seals(arguments, hosts)


if __name__ == "__main__":
    main()
