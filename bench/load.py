#!/usr/bin/env python3
"""Many sessions at once: opelog beside `script -f`, tlog-rec (where it is installed), a relay that records nothing and the bare command.

    cmake --preset release -DOPELOG_BUILD_BENCH=ON && cmake --build build/release
    sudo python3 bench/load.py [sessions] [storm] [forks] [flood] [directory] [--quick] [--rounds N] [--sessions N] [--rate N] [--seconds N] [--peers a,b]

sessions   so many sessions open (1,000): how fast they start one after the other, memory, descriptors and processes of each, a key's echo in one more
           while they are silent and while each writes two lines a second, what that costs, how late the lines are
storm      --rate logins a second, each due at its time whether those before are done or not: from due to the command's first output
forks      a session in which two loops fork and execute /bin/true: how many a second, and a key's echo in another session
flood      a session that writes as fast as it can beside 200 in which keys are pressed in turn: echo, and what the flood gets through
directory  start of a session in a directory that holds 100,000 files; opelog alone

Runs in the private host of tests/e2e/sandbox.py as bench.py does, on the same terms: all peers in one run, rounds interleaved and rotated, ratios within
a round, medians printed with the spread. This program is every session's sshd and reader (a process of its own reads what is written beside), so its own
time on the same cores is in every row: `raw` shows it. All sessions are root's. Whatever is open when it ends, ends with the host.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import bench  # noqa: E402

KINDS = ["sessions", "storm", "forks", "flood", "directory"]
PEERS = ["raw", "none", "script", "tlog-rec", "opelog"]
LINES = "2"  # a second, of each session
FORKS = "sh -c 'echo READY; (while [ ! -e /tmp/stop ]; do /bin/true; echo >>/tmp/forks.1; done) & " \
        "while [ ! -e /tmp/stop ]; do /bin/true; echo >>/tmp/forks.2; done; wait'"
GIVE_UP = 30  # seconds for what a login may take


def of_sorted(values, part):
    values = sorted(values)
    return values[min(int(len(values) * part), len(values) - 1)] if values else float("nan")


def descendants(pid):
    return [one for child in bench.children(pid) for one in (child, *descendants(child))]


class Reader:
    """A process that reads terminals until told to stop: nothing that we measure waits for it. Then: bytes, lateness of lines that are times."""

    def __init__(self, fds):
        self.ours, theirs = multiprocessing.Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.ours.close()
            total, late, poll = 0, [], select.epoll()
            for fd in fds:
                poll.register(fd, select.EPOLLIN)
            poll.register(theirs.fileno(), select.EPOLLIN)
            while True:
                for fd, _ in poll.poll():
                    if fd == theirs.fileno():
                        theirs.send((total, late))
                        os._exit(0)
                    try:
                        data = os.read(fd, 65536)
                    except OSError:
                        data = b""
                    if not data:
                        poll.unregister(fd)
                        continue
                    total += len(data)
                    if len(data) < 4096:
                        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                        late += [now - int(line) for line in data.split() if line.isdigit()]
        theirs.close()

    def stop(self):
        self.ours.send(None)
        result = self.ours.recv()
        os.waitpid(self.pid, 0)
        self.ours.close()
        return result


class Load(bench.Bench):
    def __init__(self, daemon, arguments):
        super().__init__(daemon, arguments)
        self.peers = [peer for peer in arguments.peers.split(",") if peer != "tlog-rec" or shutil.which("tlog-rec")]
        self.kept = {}

    def keep(self, what, peer, value):
        """For a table of its own."""
        self.kept.setdefault(what, {}).setdefault(peer, []).append(value)

    def tables(self, reference, *rows):
        """(what was kept, title, unit, scale)"""
        for what, title, unit, scale in rows:
            values = self.kept.get(what, {})
            if values:
                self.table(title, unit, values, reference if reference in values else next(iter(values)), scale)

    def own(self, pids):
        """Of the recorder (its first process is a session's) and, whatever the peer, of the daemon: processor time so far."""
        return sum(bench.cpu_of(pid) for pid in pids) + bench.cpu_of(self.daemon)

    def keys(self, terms, seconds, pause=0.002):
        """Seconds from a key to its echo, one terminal after the other."""
        times, number, end = [], 0, time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(pause)
            term = terms[number % len(terms)]
            number += 1
            start = time.monotonic_ns()
            term.write(b"x")
            if not self.readable(term):
                raise TimeoutError(f"a key had no echo for {GIVE_UP} s")
            term.read()
            times.append((time.monotonic_ns() - start) / 1e9)
        return times

    @staticmethod
    def readable(term):
        poll = select.poll()
        poll.register(term.master, select.POLLIN)
        return poll.poll(GIVE_UP * 1000)

    def keep_keys(self, what, peer, times):
        self.keep(what + " p50", peer, statistics.median(times))
        self.keep(what + " p99", peer, of_sorted(times, 0.99))
        self.keep(what + " max", peer, max(times))

    # -- what is measured

    def sessions(self):
        count, seconds = self.arguments.sessions, self.arguments.seconds

        def sample(peer):
            recorded = peer == "opelog"
            fds, memory = len(os.listdir(f"/proc/{self.daemon}/fd")), bench.pss_kb(self.daemon)
            one = self.open(peer, bench.EMIT, "echo")
            start, marks, terms = time.monotonic(), {}, []
            while len(terms) < count:
                began = time.monotonic()
                terms.append(self.open(peer, bench.EMIT, "lines", LINES))
                marks[len(terms)] = time.monotonic() - began
            self.keep("start", peer, (time.monotonic() - start) / count)
            for first, last in ((1, 100), (count - 99, count)):
                self.keep(f"start {'first' if first == 1 else 'last'}", peer, statistics.median([marks[n] for n in range(max(first, 1), last + 1) if n in marks]))
            if peer != "raw":
                below = [descendants(term.recorder()) for term in terms[:20]]
                own = sum(bench.pss_kb(term.recorder()) for term in terms) / count
                own += sum(bench.pss_kb(pid) for pids in below for pid in pids[:-1]) / len(below)
                self.keep("memory", peer, own + ((bench.pss_kb(self.daemon) - memory) / count if recorded else 0))
                self.keep("processes", peer, statistics.median(map(len, below)))
            if recorded:
                self.keep("daemon memory", peer, (bench.pss_kb(self.daemon) - memory) / count)
                self.keep("daemon fds", peer, (len(os.listdir(f"/proc/{self.daemon}/fd")) - fds) / (count + 1))
            pids = [term.recorder() for term in [one, *terms]] if peer != "raw" else []
            before, began = self.own(pids), time.monotonic()
            self.keep_keys("silent", peer, self.keys([one], seconds / 2))
            self.keep("silent cpu", peer, (self.own(pids) - before) / (time.monotonic() - began))
            reader = Reader([term.master for term in terms])
            for term in terms:
                term.write(b"g")
                time.sleep(0.5 / count)
            before, began = self.own(pids), time.monotonic()
            times = self.keys([one], seconds)
            cpu = (self.own(pids) - before) / (time.monotonic() - began)
            for term in terms:
                term.write(b"q")
            _, late = reader.stop()
            self.keep_keys("printing", peer, times)
            self.keep("late", peer, of_sorted(late, 0.99) / 1e9)
            one.finish()
            for term in terms:
                term.finish(b"")
            self.clean()
            return cpu
        values = self.rounds(self.peers, sample)
        print(f"\n==== {count} sessions")
        self.tables("raw", ("start", "start, one after the other: exec to the command's first output, mean of all", "ms", 1e3),
                    ("start first", "of these the first 100, p50", "ms", 1e3), ("start last", "of these the last 100, p50", "ms", 1e3))
        self.tables("none", ("memory", "memory of a session, PSS without the recorded command, the daemon's part included", "kB", 1),
                    ("processes", "processes below the login's own", "", 1), ("daemon memory", "of the memory: the daemon's part", "kB", 1),
                    ("daemon fds", "descriptors of the daemon, for each session", "", 1))
        self.tables("none", *[(f"{when} {part}", f"key to echo in one more session, the others {when}, {part}", "us", 1e6)
                              for when in ("silent", "printing") for part in ("p50", "p99", "max")])
        self.kept["cpu"] = values
        self.tables("none", ("cpu", f"each writes {LINES} lines a second, and keys: processor time of recorders and daemon for a second", "ms", 1e3),
                    ("late", "the same: a line's way to the terminal, p99", "ms", 1e3))

    def storm(self):
        rate, count = self.arguments.rate, self.arguments.rate * self.arguments.seconds

        def sample(peer):
            poll, open_, times, failed = select.epoll(), {}, [], 0
            begun, ended, start = 0, 0, time.monotonic()
            while ended < count:
                now = time.monotonic()
                while begun < count and start + begun / rate <= now:
                    self.index += 1
                    term = bench.Terminal(bench.argv_of(peer, self.index, bench.EMIT, "idle"), wait=False)
                    open_[term.master] = [term, start + begun / rate, b""]
                    poll.register(term.master, select.EPOLLIN)
                    begun += 1
                if now > start + count / rate + GIVE_UP:
                    failed += len(open_)
                    for term, _, _ in open_.values():
                        os.close(term.master)
                    break
                for fd, _ in poll.poll(0.002):
                    entry = open_[fd]
                    try:
                        data = os.read(fd, 4096)
                    except OSError:
                        data = b""
                    if data and entry[2] is not None:
                        entry[2] += data
                        if entry[2].endswith(b"READY\r\n"):
                            times.append(time.monotonic() - entry[1])
                            entry[2] = None
                            entry[0].write(b"q")
                    if not data:
                        failed += entry[2] is not None
                        if entry[2]:
                            print(f"{peer}: {entry[2][:200]!r}", file=sys.stderr)
                        poll.unregister(fd)
                        os.close(fd)
                        os.waitpid(entry[0].pid, 0)
                        del open_[fd]
                        ended += 1
            self.keep("storm p99", peer, of_sorted(times, 0.99))
            self.keep("storm max", peer, max(times, default=float("nan")))
            self.keep("storm done", peer, ended / (time.monotonic() - start))
            self.keep("storm failed", peer, failed)
            self.clean()
            return statistics.median(times)
        values = self.rounds(self.peers, sample)
        print(f"\n==== {rate} logins a second, {count} of them, each ends at once")
        self.kept["storm p50"] = values
        self.tables("raw", ("storm p50", "from the time a login is due to the command's first output, p50", "ms", 1e3),
                    ("storm p99", "the same, p99", "ms", 1e3), ("storm max", "the same, the longest", "ms", 1e3),
                    ("storm done", "logins done in a second", "", 1), ("storm failed", "logins without a session", "", 1))

    @staticmethod
    def forked():
        return sum(os.path.getsize(f"/tmp/forks.{n}") for n in (1, 2) if os.path.exists(f"/tmp/forks.{n}"))

    def forks(self):
        def sample(peer):
            for name in ("stop", "forks.1", "forks.2"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink("/tmp/" + name)
            one = self.open(peer, bench.EMIT, "echo")
            self.keep_keys("alone", peer, self.keys([one], self.arguments.seconds / 2))
            storm = self.open(peer, FORKS)
            began = time.monotonic()
            times = self.keys([one], self.arguments.seconds)
            # Without keys: what the daemon needs for these is not the forks'.
            daemon, before = bench.cpu_of(self.daemon), self.forked()
            time.sleep(self.arguments.seconds / 2)
            daemon, before = bench.cpu_of(self.daemon) - daemon, self.forked() - before
            elapsed = time.monotonic() - began
            with open("/tmp/stop", "w"):
                pass
            done = self.forked()
            self.keep_keys("beside", peer, times)
            if peer == "opelog":
                self.keep("daemon", peer, daemon / before)
            storm.finish(b"")
            one.finish()
            self.clean()
            return done / elapsed
        values = self.rounds(self.peers, sample)
        print("\n==== a session that forks in two loops")
        self.kept["forks"] = values
        self.tables("raw", ("forks", "fork and exec of /bin/true, a second", "", 1))
        self.tables("none", ("alone p50", "key to echo in another session before that, p50", "us", 1e6), ("beside p50", "meanwhile, p50", "us", 1e6),
                    ("beside p99", "meanwhile, p99", "us", 1e6), ("beside max", "meanwhile, the longest", "us", 1e6),
                    ("daemon", "processor time of the daemon for each", "us", 1e6))

    def flood(self):
        count = min(200, self.arguments.sessions)

        def sample(peer):
            terms = [self.open(peer, bench.EMIT, "echo") for _ in range(count)]
            self.keep_keys("quiet", peer, self.keys(terms, self.arguments.seconds / 2))
            flood = self.open(peer, bench.EMIT, "text", "1000000")
            reader = Reader([flood.master])
            flood.write(b"g")
            began = time.monotonic()
            times = self.keys(terms, self.arguments.seconds)
            elapsed = time.monotonic() - began
            total, _ = reader.stop()
            below = descendants(flood.pid)
            os.close(flood.master)
            for pid in below[-1:]:  # script goes on without a terminal
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(flood.pid, 0)
            self.keep_keys("beside a flood", peer, times)
            for term in terms:
                term.finish()
            self.clean()
            return total / elapsed / (1 << 20)
        values = self.rounds(self.peers, sample)
        print(f"\n==== one session that writes at full speed beside {count} in which keys are pressed")
        self.kept["flood"] = values
        self.tables("none", ("flood", "what the flood gets through", "MiB/s", 1))
        self.tables("none", *[(f"{when} {part}", f"key to echo, {when}, {part}", "us", 1e6)
                              for when in ("quiet", "beside a flood") for part in ("p50", "p99", "max")])

    def directory(self):
        print("\n==== start of a session in a directory with N files")
        print(f"  {'N':>8}{'start ms':>12}")
        counts = (0, 1000, 20000 if self.arguments.quick else 100000)
        for count in counts:
            bench.run("opelog", "thaw", "--seconds", "600")
            for number in range(count // 2):
                for end in ("log", "time"):
                    os.close(os.open(f"{bench.LOGS}/someone_20260101000000_{number}.{end}", os.O_WRONLY | os.O_CREAT, 0o640))
            time.sleep(2)
            print(f"  {count:8}{statistics.median([self.start_times('opelog') for _ in range(self.arguments.rounds)]) * 1000:12.2f}", flush=True)
            self.clean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=[], help=f"{' '.join(KINDS)} (default: all)")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--rate", type=int, default=200, help="logins a second")
    parser.add_argument("--seconds", type=int, help="how long what is measured over a time is measured")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of {','.join(PEERS)}")
    parser.add_argument("--quick", action="store_true", help="200 sessions, one round, two seconds: whether it works, in a minute or two")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # this program, in the private host
    arguments = parser.parse_args()
    for what in arguments.what:
        if what not in KINDS:
            parser.error(f"{what}: one of {', '.join(KINDS)}")
    for peer in arguments.peers.split(","):
        if peer not in PEERS:
            parser.error(f"{peer}: one of {', '.join(PEERS)}")
    for name, quick, full in (("rounds", 1, 3), ("sessions", 200, 1000), ("seconds", 2, 5)):
        if getattr(arguments, name) is None:
            setattr(arguments, name, quick if arguments.quick else full)
    if arguments.inside:
        status = subprocess.run(("opelog", "status", "--json"), stdout=subprocess.PIPE).stdout  # 1: degraded, as without a ledger
        load = Load(json.loads(status)["pid"], arguments)
        for what in arguments.what:
            load.kept = {}
            getattr(load, what)()
            sys.stdout.flush()
        return
    build = os.environ.setdefault("OPELOG_BUILD", os.path.join(HERE, "..", "build", "release"))
    if not os.path.exists(os.path.join(build, "bench", "bench_emit")):
        parser.error(f"{build}/bench/bench_emit is missing: build with -DOPELOG_BUILD_BENCH=ON, or set OPELOG_BUILD")
    if not shutil.which("tlog-rec"):
        print("tlog-rec is left out: it is not installed (package tlog)")
    sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))
    import sandbox
    with sandbox.Host(keeps_sessions=True) as host:  # as under systemd
        bench.furnish(host, build, "load.py")
        host.start_daemon(bench.POLICY)
        options = [f"--{name}={getattr(arguments, name)}" for name in ("rounds", "sessions", "rate", "seconds", "peers")]
        argv = ["python3", "/root/load.py", "--inside", *(arguments.what or KINDS), *options, *(["--quick"] if arguments.quick else [])]
        try:
            sys.exit(host.popen(*argv).popen.wait(arguments.rounds * len(arguments.what or KINDS) * GIVE_UP * 10))
        except subprocess.TimeoutExpired:
            sys.exit("given up: something hangs")


if __name__ == "__main__":
    main()
