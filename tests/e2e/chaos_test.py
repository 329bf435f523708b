#!/usr/bin/env python3
"""Chaos: sessions of every kind over real sshd, while daemon, disk, clock, waiters and readers fail at random.

At the end of each round: every recording is what its terminal received, but for what it states; every verdict is right; nothing is left.

    OPELOG_SEED=N             begins with that round (the number is printed); the choices are the same, the moments are not
    OPELOG_CHAOS_SECONDS=S    of chaos in a round
    OPELOG_CHAOS_ROUNDS=N     that many rounds, each on a host of its own
    OPELOG_CHAOS_MINUTES=M    rounds until that long has passed
    OPELOG_CHAOS_TELL=1       tells what happened also where nothing is wrong
    OPELOG_CHAOS_KEEP=DIR     recordings, ledger, logs and what was shown of a round that fails go to DIR/SEED
"""

import collections
import contextlib
import glob
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402

SECONDS = float(os.environ.get("OPELOG_CHAOS_SECONDS", "12"))
ROUNDS = int(os.environ.get("OPELOG_CHAOS_ROUNDS", "1"))
MINUTES = float(os.environ.get("OPELOG_CHAOS_MINUTES", "0"))
SEED = int(os.environ.get("OPELOG_SEED") or random.SystemRandom().randrange(1000000))

WORKERS = 7
PATIENCE = 40     # for one thing that a session waits for; a full disk or a stopped waiter may be in its way
GRACE = 20        # limits.end_grace: longer than anything here keeps a session from its end
USERS = {"opelogtest-a": "hold", "opelogtest-b": "continue", "opelogtest.odd_x": "cut"}
DIRECTORY = sandbox.LOG_DIR + "/sub"
POLICY = "version: 1\nrules:\n" + "".join(
    f"  - name: {choice}-{kind}\n    match: {{ user: [{user}], parent: [sshd, sshd-session], terminal: {terminal} }}\n"
    f"    on_write_failure: {choice}\n" + ("    payload: true\n    input: true\n" if kind == "streams" else "")
    for user, choice in USERS.items() for kind, terminal in (("terminal", "true"), ("streams", "false"))) + f"""\
recordings: {{ directory: {DIRECTORY} }}
retention: {{ compress_after: 3s }}
limits: {{ end_grace: {GRACE}s, hold_timeout: 5m }}
log: {{ target: stderr, level: debug }}
"""
# ssh as scp and sftp use it, with all that passes written down.
# The first tee shares a socket with scp, which waits for its end.
SSH = """#!/bin/bash
exec 4< <(exec tee "$CHAOS_TO.sent")
tee=$!
ssh "$@" <&4 > >(exec tee "$CHAOS_TO.got")
status=$?
kill $tee
exit $status
"""
END = rb'OPELOG_END \{"reason":"([a-z]+)"'


class Login:
    """One login of a worker, and what its end was given."""

    def __init__(self, number, user, kind, began):
        self.number, self.user, self.kind, self.began, self.ended = number, user, kind, began, None
        self.address = f"127.1.{number >> 8}.{number & 255}"
        self.shown, self.errors, self.sent = b"", b"", None
        self.status = self.expected = None
        self.hung_up = self.early = False
        self.typed_again = self.floods = 0
        self.trouble = ""

    def __repr__(self):
        return (f"login {self.number} of {self.user} ({self.kind}, from {self.address}) {self.began:.2f}-{self.ended or 0:.2f} s: "
                f"status {self.status}, expected {self.expected}" + (", hung up" if self.hung_up else "") +
                (", ended early" if self.early else "") + (f", {self.trouble}" if self.trouble else ""))


class Ended(Exception):
    """The session ended before its worker did."""


class Work:
    """What one worker does: logins, one after the other."""

    def __init__(self, round_, number):
        self.round, self.host = round_, round_.host
        self.rng = random.Random(f"{round_.seed} worker {number}")
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.round.closing.is_set():
            kind = self.rng.choices(("terminal", "command", "copy", "short"), (5, 3, 2, 2))[0]
            login = self.round.new_login(self.rng.choice(list(USERS)), kind)
            try:
                getattr(self, kind)(login)
            except Exception:  # whatever it is, it is told with the seed
                login.trouble = traceback.format_exc()
            login.ended = self.round.now()

    # ---- an interactive login

    def read(self, login, term, wanted, patience=PATIENCE):
        """Reads until `wanted` (a regex) comes. False: it does not."""
        end = time.monotonic() + patience
        while True:
            for match in re.compile(wanted, re.S).finditer(term.output, max(0, login.at - 200)):
                if match.end() > login.at:
                    login.at = match.end()
                    return True
            if term.ended:
                raise Ended
            if time.monotonic() > end:
                return False
            before = len(term.output)
            term.pump(0.02)
            if len(term.output) > before + 4096:
                login.at = max(login.at, before - 400)

    def say(self, login, term, line, wanted, again=None):
        """Types a line and waits for the answer. A key that was on its way when the daemon was killed may be lost: once more, or `again`."""
        term.send(line + "\r")
        while not self.read(login, term, wanted, 5 if self.round.happened("kill", self.round.now() - 10) else 10):
            since = self.round.now() - 12
            if login.typed_again >= 3 or not self.round.happened("kill", since):
                if self.read(login, term, wanted):
                    return
                raise AssertionError(f"no {wanted!r} after {line!r}; last {term.output[-300:]!r}")
            login.typed_again += 1
            self.interrupt(login, term)
            term.send((line if again is None else again) + "\r")

    def interrupt(self, login, term):
        """Control-C, and the prompt. At its prompt bash may see it only with the next key, and loses that."""
        end = time.monotonic() + PATIENCE
        begin, again = len(term.output), time.monotonic() + 2
        term.send("\x03")
        while True:
            before = len(term.output)
            term.pump(0.2)
            # Of this control-C and not of one before; and nothing more comes, or the next key is lost with it.
            if len(term.output) == before and re.compile(rb"\^C.*\$ (\x1b\[K)?\Z", re.S).search(term.output, max(begin, before - 65536)):
                login.at = before
                return
            if term.ended:
                raise Ended
            if time.monotonic() > end:
                raise AssertionError(f"no prompt after control-C; last {term.output[-300:]!r}")
            if time.monotonic() > again:
                # less ends by q alone, and must have read it: control-C throws away what was typed before.
                term.send("q")
                term.pump(0.5)
                begin, again = len(term.output), time.monotonic() + 2
                term.send("\x03\r")

    def terminal(self, login):
        rng = self.rng
        login.at = 0
        term = self.host.ssh_pty(login.user, source=login.address, rows=rng.randint(20, 40), cols=rng.randint(70, 120))
        try:
            if not self.read(login, term, rb"\$ \Z"):
                raise AssertionError(f"no prompt; {term.output[-300:]!r}")
            for step in range(rng.randint(2, 9)):
                if self.round.closing.is_set():
                    break
                what = rng.choices(("lines", "flood", "endless", "screen", "resize", "idle"), (6, 3, 3, 2, 2, 2))[0]
                getattr(self, "do_" + what)(login, term, f"{login.number}.{step}")
            if rng.random() < 0.15:
                login.hung_up = True
                term.pump(0.2)
                term.hang_up()
                login.shown = term.output
                login.status = term.process.wait(PATIENCE)
                return
            login.expected = rng.randint(0, 60)
            term.send(f"exit {login.expected}\r")
            while not term.ended:
                if not self.read_rest(term):
                    raise AssertionError(f"no end; last {term.output[-300:]!r}")
        except Ended:
            login.early = True
        finally:
            login.shown = term.output
        login.status = term.process.wait(PATIENCE)

    @staticmethod
    def read_rest(term):
        end = time.monotonic() + PATIENCE
        while not term.ended and time.monotonic() < end:
            term.pump(0.05)
        return term.ended

    def do_lines(self, login, term, name):
        for n in range(self.rng.randint(1, 8)):
            self.say(login, term, f"echo line-{name}-$(({n}+1000))", rf"line-{name}-{n + 1000}\r\n".encode())
            time.sleep(self.rng.random() * 0.1)

    def pause(self, term):
        """Somebody reads, or for a while does not."""
        end = time.monotonic() + self.rng.random() * 1.2
        if self.rng.random() < 0.4:
            time.sleep(max(0, end - time.monotonic()))
        while time.monotonic() < end and not term.ended:
            term.pump(0.05)

    @staticmethod
    def numbers(login):
        """Where to count from, so that no line comes twice."""
        login.floods += 1
        return login.number * 10**8 + login.floods * 10**7

    def do_flood(self, login, term, name):
        first = self.numbers(login)
        end = f"echo end-{name}-$((40+2))"
        term.send(f"seq {first} {first + self.rng.randint(100, 60000)}; {end}\r")
        self.pause(term)
        self.say(login, term, "", rf"end-{name}-42\r\n".encode(), end)

    def do_endless(self, login, term, name):
        term.send(f"seq {self.numbers(login)} 99999999999\r")
        self.pause(term)
        self.interrupt(login, term)
        self.say(login, term, f"echo over-{name}-$((40+2))", rf"over-{name}-42\r\n".encode())

    def do_screen(self, login, term, name):
        first = self.numbers(login)
        file = f"n{login.number}"  # of this login alone: others of the user do the same
        self.say(login, term, f"seq {first} {first + 300} > {file}; less {file}", rb"\x1b\[\?1049h.*\b%d" % (first + 5))
        for key in self.rng.choices((" ", "j", "G", "g", "u"), k=6):
            term.send(key)
            term.pump(self.rng.random() * 0.1)
        self.say(login, term, "q", rb"\x1b\[\?1049l.*\$ \Z")
        self.say(login, term, f"echo left-{name}-$((40+2))", rf"left-{name}-42\r\n".encode())

    def do_resize(self, login, term, name):
        rows, cols = self.rng.randint(10, 60), self.rng.randint(70, 150)
        term.resize(rows, cols)

    def do_idle(self, login, term, name):
        term.pump(self.rng.random())

    # ---- without a terminal

    def short(self, login):
        login.expected = self.rng.randint(0, 60)
        self.talk(login, self.host.ssh_argv(login.user, f"echo short; exit {login.expected}", source=login.address), b"")

    def command(self, login):
        login.expected = self.rng.randint(0, 60)
        first = login.number * 1000000
        lines = self.rng.choice((10, 3000, 150000))
        script = self.rng.choice((
            f"seq {first} {first + lines}",
            f"seq {first} {first + 500}; seq {first + 1000} {first + 1500} >&2; seq {first + 2000} {first + 2500}",
            f"for i in 1 2 3 4 5 6 7 8 9 10; do echo {login.number}-$i; sleep 0.1; done",
            "cat; echo; echo done"))
        login.sent = b"".join(b"%d\n" % (first + n) for n in range(lines // 3)) if script.startswith("cat") else b""
        self.talk(login, self.host.ssh_argv(login.user, script + f"; exit {login.expected}", source=login.address), login.sent,
                  self.rng.random() if self.rng.random() < 0.3 else 0)

    def talk(self, login, argv, data, unread=0.0):
        process = self.host.popen(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE).popen
        time.sleep(unread)
        try:
            login.shown, login.errors = process.communicate(data, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            login.shown, login.errors = process.communicate()
            raise AssertionError(f"no end of it; got {login.shown[-300:]!r} {login.errors[-300:]!r}") from None
        login.status = process.returncode

    def copy(self, login):
        login.expected = 0
        where, there = f"/tmp/copy{login.number}", f"copy{login.number}"
        data = self.rng.randbytes(self.rng.choice((1000, 100000, 800000)))
        self.host.write(where, data)
        options = [*self.host.ssh_options(f"BindAddress={login.address}")]
        up = self.rng.random() < 0.5
        if not up:
            self.host.write(f"/home/{login.user}/{there}", data, owner=login.user)
        far = f"{login.user}@127.0.0.1:{there}"
        ways = self.rng.choice(([], ["-O"]))
        argv = ["scp", *ways, "-S", "/run/chaos-ssh", *options, *((where, far) if up else (far, where + ".back"))]
        done = self.host.run(*argv, env={"CHAOS_TO": where}, timeout=PATIENCE)
        login.status = done.rc
        login.errors = done.err
        login.shown, login.sent = self.host.read(where + ".got"), self.host.read(where + ".sent")
        if done.rc == 0:
            got = self.host.read(f"/home/{login.user}/{there}" if up else where + ".back")
            if got != data:
                login.trouble = f"{len(got)} bytes arrived and are not the {len(data)} that were sent"


class Kept:
    """A recording as it lies there at the end: plain, rotated or compressed."""

    def __init__(self, name, files):
        self.name = name
        self.log, self.time = self.load(files.get("log")), self.load(files.get("time"))
        self.input = self.load(files["in"]) if "in" in files else None
        self.sealed = re.search(rb'OPELOG_SEAL \{.*"final":true.*\}\n\Z', self.time) is not None
        self.elsewhere = re.search(r"/moved\d+/|\.\d+(\.zst)?$", files.get("time", "")) is not None
        end = re.findall(END, self.time)
        self.reason = end[-1].decode() if end else None
        self.resumed = re.findall(rb'OPELOG_RESUMED \{"how":"(\w+)"', self.time)
        self.unshown_each = [int(n) for n in re.findall(rb'"unshown":(\d+)', self.time)]
        self.unshown = sum(self.unshown_each)
        gaps = re.findall(rb'OPELOG_GAP (\{.*\})', self.time)
        self.gaps = []
        for gap in gaps:
            with contextlib.suppress(ValueError):
                self.gaps.append(json.loads(gap))
        self.lost = sum(g.get("bytes", 0) for g in self.gaps if g.get("what") == "output")

    @staticmethod
    def load(path):
        if path is None:
            return b""
        if path.endswith(".zst"):
            return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
        with open(path, "rb") as file:
            return file.read()

    def streams(self):
        """stdout and stderr of a session without a terminal."""
        parts, now, at = {b"1": [], b"2": []}, b"1", len(self.log.split(b"\n", 1)[0]) + 1
        for line in self.time.split(b"\n"):
            if match := re.match(rb"O \S+ (\d+)$", line):
                parts[now].append(self.log[at:at + int(match[1])])
                at += int(match[1])
            elif match := re.match(rb"H \S+ OPELOG_STREAM ([12])$", line):
                now = match[1]
        return b"".join(parts[b"1"]), b"".join(parts[b"2"]), len(self.log) - at


def differences(one, other, stated=()):
    """[(at, bytes only in one, bytes only in the other), …] of two texts that are mostly the same. `stated`: sizes (in one, in the other) to try first."""
    found, i, j = [], 0, 0
    while i < len(one) or j < len(other):
        same = 0
        for step in (1 << 20, 1 << 16, 1 << 12, 1 << 8, 1 << 4, 1):
            while (same + step <= min(len(one) - i, len(other) - j) and
                   one[i + same:i + same + step] == other[j + same:j + same + step]):
                same += step
        i, j = i + same, j + same
        if i == len(one) and j == len(other):
            break
        skip = resync(one, i, other, j, stated)
        found.append((j, one[i:i + skip[0]], other[j:j + skip[1]]))
        i, j = i + skip[0], j + skip[1]
    return found


def resync(one, i, other, j, stated):
    """How many bytes of each stand alone before they are the same again. Prompts come again and again: by long parts first."""
    rest, window = (len(one) - i, len(other) - j), 1 << 23
    for skip in stated:
        if skip[0] <= rest[0] and skip[1] <= rest[1] and one[i + skip[0]:i + skip[0] + 300] == other[j + skip[1]:j + skip[1] + 300]:
            return skip
    for width in (300, 120, 24):
        best = rest
        for skipped in range(1000):
            if skipped >= sum(best):
                break
            part = one[i + skipped:i + skipped + width]
            if len(part) == width and (at := other.find(part, j, j + window)) >= 0 and at - j + skipped < sum(best):
                best = (skipped, at - j)
            part = other[j + skipped:j + skipped + width]
            if len(part) == width and (at := one.find(part, i, i + window)) >= 0 and at - i + skipped < sum(best):
                best = (at - i, skipped)
            # Or the same to their ends.
            for skip in ((skipped, rest[1] - rest[0] + skipped), (rest[0] - rest[1] + skipped, skipped)):
                if min(skip) >= 0 and rest[0] - skip[0] <= width and sum(skip) < sum(best) and one[i + skip[0]:] == other[j + skip[1]:]:
                    best = skip
        if best != rest:
            break
    return best


class Round:
    """One host, its workers and what befalls them."""

    def __init__(self, seed):
        self.seed, self.rng = seed, random.Random(f"{seed} director")
        self.begun, self.events, self.logins = time.monotonic(), [], []
        self.closing, self.lock = threading.Event(), threading.Lock()
        self.moved, self.full_until, self.problems, self.stopped, self.retaining = [], None, [], [], None
        self.clocked = self.rng.random() < 0.5
        self.host = sandbox.Host(log_image_mb=512, keeps_sessions=True)

    def now(self):
        return time.monotonic() - self.begun

    def event(self, kind, text=""):
        self.events.append((self.now(), kind, text))

    def happened(self, kind, since=0.0, until=None):
        until = self.now() if until is None else until
        return any(k == kind and since <= at <= until for at, k, _ in self.events)

    def was_full(self, since, until):
        begin = None
        for at, kind, _ in self.events:
            if kind == "full":
                begin = at
            elif kind == "free":
                if begin is not None and begin <= until and at + 1 >= since:
                    return True
                begin = None
        return begin is not None and begin <= until

    def new_login(self, user, kind):
        with self.lock:
            login = Login(len(self.logins) + 1, user, kind, self.now())
            self.logins.append(login)
            return login

    def check(self, good, text):
        if not good:
            self.problems.append(text)

    # ---- the host

    def prepare(self):
        host = self.host
        host.enroll()
        host.hold_sockets()
        host.sh(f"mkdir {DIRECTORY}; chown root:opelog-audit {DIRECTORY}; chmod 750 {DIRECTORY}", check=True)
        host.write("/run/chaos-ssh", SSH, 0o755)
        host.write("/etc/opelog/opelog.yaml", POLICY)
        self.argv = ["/usr/sbin/opelogd"]
        if self.clocked:
            [library] = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
            self.set_clock(0)
            self.argv = ["env", f"LD_PRELOAD={library}", "FAKETIME_TIMESTAMP_FILE=/run/clock", "FAKETIME_NO_CACHE=1",
                         "FAKETIME_DONT_FAKE_MONOTONIC=1", "/usr/sbin/opelogd"]
        self.start()
        host.start_sshd()
        shown = json.loads(host.opelog("key", "show", "--json", check=True).out)
        host.opelog("key", "pin", "--file", "/etc/opelog/pins", shown["pin"], check=True)
        host.sh("mkdir -p /var/cache/opelog; true")
        self.at_first = self.descriptors()
        self.processes_at_first = self.processes()

    def start(self):
        self.host.start_daemon(None, self.argv)
        self.event("ready")

    def set_clock(self, seconds):
        self.host.write("/run/clock.new", f"{seconds:+d}\n")
        os.rename(self.host.path("/run/clock.new"), self.host.path("/run/clock"))

    def inside(self):
        """Processes of the host: (number outside, path of the program)."""
        space = os.readlink(f"/proc/{self.host.pid1}/ns/pid")
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/pid") == space:
                        yield int(entry), os.readlink(f"/proc/{entry}/exe")

    def processes(self):
        return collections.Counter(os.path.basename(exe) for _, exe in self.inside())

    def descriptors(self):
        """What the daemon has open, by kind."""
        pid, found = self.host.daemon.pid, collections.Counter()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found[re.sub(r"(socket|pipe):.*|\d+", r"\1", os.readlink(f"/proc/{pid}/fd/{fd}"))] += 1
        return found

    # ---- what happens

    def chaos(self):
        actions = {"kill": 6, "hand_over": 5, "reload": 3, "stop_waiters": 4, "rotate": 2, "retain": 2, "fill": 2, "move": 1, "nothing": 3}
        if self.clocked:
            actions["clock"] = 3
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            self.until(self.rng.random() * 0.7)
            getattr(self, self.rng.choices(list(actions), list(actions.values()))[0])()

    def until(self, seconds):
        """Waits, and does what is due meanwhile."""
        end = time.monotonic() + seconds
        while True:
            if self.full_until is not None and time.monotonic() >= self.full_until:
                self.free()
            for due, pids in list(self.stopped):
                if time.monotonic() >= due:
                    self.go_on(pids)
                    self.stopped.remove((due, pids))
            if time.monotonic() >= end:
                return
            time.sleep(0.01)

    def nothing(self):
        self.until(self.rng.random())

    def next_daemon(self, kind, number):
        process = self.host.daemon.process
        self.event(kind)
        process.signal(number)
        status = process.wait(60)
        self.event("gone", str(status))
        if kind == "hand_over":
            self.check(status == 0, f"the daemon left with {status}:\n{self.host.daemon.log()[-3000:]}")
        self.until(self.rng.random() * self.rng.choice((0, 0, 0.3, 1)))
        self.start()

    def kill(self):
        self.next_daemon("kill", signal.SIGKILL)

    def hand_over(self):
        self.next_daemon("hand_over", signal.SIGUSR2)

    def reload(self):
        self.event("reload")
        self.host.append("/etc/opelog/opelog.yaml", f"# {len(self.events)}\n")
        self.host.daemon.hup()

    def stop_waiters(self):
        waiters = [pid for pid, exe in self.inside() if exe.endswith("/opelog-shell")]
        some = self.rng.sample(waiters, min(len(waiters), self.rng.randint(1, 3)))
        for pid in some:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        self.event("stop_waiters", str(len(some)))
        self.stopped.append((time.monotonic() + self.rng.random() * 1.5, some))

    def go_on(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.event("go_on", str(len(pids)))

    def rotate(self):
        """As logrotate does it: all files of what has an end get another name; and at times the daemon dies before the freeze."""
        done = self.host.opelog("thaw", "--seconds", "60")
        renamed = 0
        if done.rc == 0:
            folder = self.host.path(DIRECTORY)
            for recording in self.host.recordings(directory=DIRECTORY) if os.path.isdir(folder) else ():
                with contextlib.suppress(OSError):
                    if not recording.ended() or self.rng.random() < 0.5:
                        continue
                    for end in (".time", ".log", ".in"):
                        path = os.path.join(folder, recording.name + end)
                        if os.path.exists(path) and not os.path.exists(path + ".1"):
                            try:
                                os.rename(path, path + ".1")
                            except PermissionError:
                                break
                    renamed += 1
        self.event("rotate", f"thaw {done.rc}, {renamed} renamed")
        if self.rng.random() < 0.3:
            self.kill()
        done = self.host.opelog("freeze")
        self.event("freeze", f"{done.rc} {done.err.decode().strip()}")

    def retain(self):
        """Beside all the rest: it may meet a daemon that goes."""
        if self.retaining is None or not self.retaining.is_alive():
            self.event("retain")

            def run():
                done = self.host.opelog("retain", timeout=sandbox.DEADLINE * 3)
                self.event("retained", f"{done.rc} {done.err.decode('utf-8', 'replace').strip()[-300:]}")
            self.retaining = threading.Thread(target=run, daemon=True)
            self.retaining.start()

    def fill(self):
        if self.full_until is not None:
            return
        self.event("full")
        self.host.sh("cd /run/host-disk && fallocate -l $(($(df --output=avail -k . | tail -n 1) - 64))K filler; "
                     "dd if=/dev/zero of=filler2 bs=4k 2>/dev/null; true")
        self.full_until = time.monotonic() + 0.3 + self.rng.random() * 2

    def free(self):
        self.host.sh("cd /run/host-disk && rm -f filler filler2; true")
        self.full_until = None
        self.event("free")

    def move(self):
        to = f"{sandbox.LOG_DIR}/moved{len(self.moved)}"
        if self.host.run("mv", DIRECTORY, to).rc == 0:
            self.moved.append(to)
            self.event("move", to)

    def clock(self):
        by = self.rng.choice((0, 3600, -3600, 86400, -5, 5))
        self.event("clock", str(by))
        self.set_clock(by)

    # ---- the end

    def settle(self):
        self.event("calm")
        if self.full_until is not None:
            self.free()
        for _, pids in self.stopped:
            self.go_on(pids)
        self.closing.set()
        end = time.monotonic() + 4 * PATIENCE
        for worker in self.workers:
            worker.thread.join(max(0.1, end - time.monotonic()))
            self.check(not worker.thread.is_alive(), f"a worker does not end: {self.logins[-1]}")
        if self.retaining:
            self.retaining.join(60)

        def quiet():
            return not [n for n in self.host.manager.store if re.match("opelog-(session|outer)", n)]
        self.wait(quiet, lambda: f"left in the fd store: {list(self.host.manager.store)}")
        self.wait(lambda: not (self.processes() - self.processes_at_first),
                  lambda: f"processes left: {self.processes() - self.processes_at_first}")
        # What could not be completed while the disk was full is at a start; and who started this daemon holds what it was given.
        self.hand_over()
        self.wait(lambda: not self.terminals(), lambda: f"terminals left: {self.terminals()}")
        self.wait(lambda: not (self.descriptors() - self.at_first),
                  lambda: f"descriptors of the daemon left: {self.descriptors() - self.at_first}")

    def terminals(self):
        return sorted(set(self.host.sh("ls /dev/pts").text.split()) - {"ptmx"})

    def wait(self, predicate, text, seconds=30):
        try:
            sandbox.wait_until(predicate, "", seconds)
        except AssertionError:
            self.problems.append(text())

    def load(self):
        found = collections.defaultdict(dict)
        for folder in (DIRECTORY, *self.moved):
            path = self.host.path(folder)
            for name in os.listdir(path) if os.path.isdir(path) else ():
                match = re.fullmatch(r"(.+)\.(log|time|in)(\.\d+)?(\.zst)?", name)
                if not match:
                    self.problems.append(f"{folder}/{name} is left there")
                    continue
                files = found[match[1]]
                # The plain one, if there are both.
                if match[2] not in files or files[match[2]].endswith(".zst"):
                    files[match[2]] = os.path.join(path, name)
        self.recordings = {}
        for name, files in found.items():
            self.check("log" in files and "time" in files, f"{name} has only {sorted(files)}")
            self.recordings[name] = Kept(name, files)

    def judge(self):
        self.load()
        by_address = collections.defaultdict(list)
        for recording in self.recordings.values():
            # No room for its end, and moved away before a start could complete it.
            endless = recording.elsewhere and self.happened("full")
            self.check(recording.reason is not None or endless, f"{recording.name} has no end")
            if sandbox.of_what_was_left(recording.time):
                continue
            by_address[re.search(r"_([0-9.]+)(-\d+)?$", recording.name)[1]].append(recording)
        for login in self.logins:
            if login.trouble:
                self.problems.append(repr(login))
            mine = by_address.pop(login.address, [])
            if len(mine) > 1:
                # Its first daemon was killed before it had a verdict, and it asked the next one.
                mine = [r for r in mine if r.log.split(b"\n", 1)[1:] != [b""]] or mine[-1:]
            if len(mine) > 1:
                self.problems.append(f"{login!r} has recordings {[r.name for r in mine]}")
            elif not mine:
                self.judge_refused(login)
            else:
                self.judge_login(login, mine[0])
        self.check(not by_address, f"recordings of nobody: {[r.name for rs in by_address.values() for r in rs]}")
        self.judge_verdict()

    def judge_refused(self, login):
        """Without a recording nothing was shown."""
        excuse = self.happened("kill", login.began - 1, login.ended) or self.was_full(login.began, login.ended)
        rest = re.sub(rb"(?m)^.*opelog: .*$|\s", b"", login.shown)
        self.check(rest == b"" and (excuse or login.hung_up),
                   f"nothing is recorded of {login!r}; shown {login.shown[-400:]!r} {login.errors[-300:]!r}")
        self.counts["refused"] += 1

    def judge_login(self, login, recording):
        """What was shown is what was recorded, and all that differs is stated."""
        self.counts["sessions"] += 1
        self.counts["resumed"] += len(recording.resumed)
        killed, full = self.happened("kill", login.began, login.ended), self.was_full(login.began, login.ended)
        stops = self.happened("stop_waiters", login.began, login.ended)
        allowed = {"exit"}
        if login.hung_up or killed:
            allowed.add("hangup")
        if full:
            allowed |= ({None} if recording.elsewhere else set())
            allowed |= {"crash"} | ({"failure"} if USERS[login.user] == "cut" else set())  # crash: there was no room for its end
        if killed:
            allowed |= {"crash", "failure"} if login.kind != "terminal" else {"crash"}
        if recording.reason not in allowed:
            self.problems.append(f"{recording.name} ended by {recording.reason}: {login!r}; killed {killed}, full {full}, stopped {stops}; "
                                 f"shown last {login.shown[-300:]!r}, recorded last {recording.log[-300:]!r}")
        whole = recording.reason == "exit" and not login.hung_up
        if whole and not login.early and login.expected is not None and not (killed and login.typed_again):
            self.check(login.status == login.expected, f"{login!r}, {recording.name} ended by {recording.reason}; {login.errors[-300:]!r}")
        if login.kind == "terminal":
            pairs = [("terminal", login.shown, recording.log.split(b"\n", 1)[1])]
        else:
            out, err, rest = recording.streams()
            self.check(rest == 0, f"{recording.name}: {rest} bytes of .log have no record")
            pairs = [("stdout", login.shown, out)]
            if login.kind != "copy":
                pairs.append(("stderr", login.errors, err))
        only_shown = only_recorded = 0
        told = []
        gaps = [g["bytes"] for g in recording.gaps if g.get("what") == "output" and g.get("bytes")]
        stated = [(n, 0) for n in gaps] + [(0, n) for n in recording.unshown_each if n]
        for word, shown, recorded in pairs:
            for at, one, other in differences(shown, recorded, stated):
                if other == b"" and re.fullmatch(rb"[\r\n]*opelog: [^\n]*\n?(.{0,200})", one, re.S):
                    continue  # our own words, and behind the last the echo of what is typed to nobody any more
                if at + len(other) == len(recorded) and one == b"" and not whole:
                    continue  # it had gone before all was shown
                only_shown += len(one)
                only_recorded += len(other)
                told.append(f"{word} at {at}: only shown {len(one)} {one[:120]!r}, only recorded {len(other)} {other[:120]!r}")
        # Without room for its end a recording ends as after a crash, and cannot say how much is missing.
        stated = recording.lost if recording.reason != "crash" or not full or USERS[login.user] != "continue" else len(login.shown)
        self.check(only_shown <= stated and only_recorded <= recording.unshown,
                   f"{recording.name} ({login!r}) differs from what was shown: {only_shown} only shown (stated: {recording.lost}), "
                   f"{only_recorded} only recorded (stated: {recording.unshown}); resumed {recording.resumed}, "
                   f"ended by {recording.reason}\n    " + "\n    ".join(told[:6]))
        self.counts["bytes"] += len(login.shown)
        self.counts["unshown"] += only_recorded
        if login.kind != "terminal" and login.sent is not None and recording.input is not None and whole and not killed and not full:
            sent = recording.input.split(b"\n", 1)[1]
            self.check(login.sent.startswith(sent) or sent == login.sent, f"{recording.name}: recorded input differs from what was sent")

    def judge_verdict(self):
        also = [word for folder in self.moved for word in ("--also", folder)]

        def verify():
            done = self.host.opelog("verify", "--json", *also, timeout=sandbox.DEADLINE * 3)
            return json.loads(done.out) if done.rc in (0, 1, 8, 9) else {"done": repr(done)}

        def settled():
            self.verdict = verify()
            ledger = self.verdict.get("ledger", {})
            live = any({"live", "no-end"} & {f["what"] for f in s["findings"]} for s in self.verdict.get("sessions", ()))
            return ledger.get("entries") == ledger.get("signed") and not live and "done" not in self.verdict
        self.wait(settled, lambda: f"verify does not settle: {json.dumps(self.verdict)[:3000]}")
        verdict = self.verdict
        killed = self.happened("kill")
        full = self.happened("full")
        ledger = verdict["ledger"]
        # "off": there was a moment between two daemons. A full disk takes no entry of a stop either.
        fine = {"off"} | ({"unclean-boot"} if killed or full else set()) | ({"clock-set"} if self.clocked else set())
        fine |= {"gap", "torn-entry"} if full else {"torn-entry"} if killed else set()
        self.check(ledger["integrity"] == "intact" and {f["what"] for f in ledger["findings"]} <= fine, f"the ledger: {ledger}")
        known = set()
        for session in verdict["sessions"]:
            words = {f["what"] for f in session["findings"]}
            recording = self.recordings.get(session["recording"])
            known.add(session["recording"])
            if recording is None:
                # That it was given up may not have reached the ledger any more: a full disk, and then a kill.
                fine = {"abandoned"} | ({"missing-session"} if killed and full and self.was_given_up(session["recording"]) else set())
                self.check(session["completeness"] == "gone" and words <= fine and (killed or full),
                           f"verify of what is not there: {session}")
                continue
            may = set()
            if b"OPELOG_GAP" in recording.time:  # some are torn
                may.add("gap")
            if recording.reason == "crash":
                may |= {"crash", "tail-unsealed"}
            elif full and not recording.sealed:  # no room for the last seal
                may |= {"crash", "tail-unsealed", "no-end"}
                if killed and recording.elsewhere and "inserted-bytes" in words:
                    continue  # what the next start cannot find is no more what the ledger knows
            self.check(session["integrity"] == "intact" and session["completeness"] in ("complete", "incomplete") and words <= may,
                       f"verify of {recording.name}, which ended by {recording.reason}, resumed {recording.resumed}, "
                       f"gaps {recording.gaps}: {session}")
        self.check(known >= set(self.recordings), f"verify does not know {set(self.recordings) - known}")

    def was_given_up(self, name):
        return any(re.search(rf"could not be recorded: {re.escape(name)}\.", daemon.log()) for daemon in self.host.daemons)

    def judge_files(self):
        """All that is there is append-only and a recording's. But for the compressed copies that `retain` had made when their directory was moved away:
        the daemon cannot be asked to put them in the place of the plain files any more, which stay, and nothing guards there."""
        listed = self.host.sh("lsattr -R " + " ".join((DIRECTORY, *self.moved)) + " 2>/dev/null").text
        flags = {path: flags for flags, path in (line.split() for line in listed.splitlines() if re.match(r"\S+ /\S+$", line))}
        copies = {path for path in flags if path.startswith(tuple(to + "/" for to in self.moved)) and path.endswith(".zst")
                  and "a" in flags.get(path.removesuffix(".zst"), "")}
        bare = [path for path in flags if re.search(r"\.(log|time|in)(\.|$)", path) and "a" not in flags[path] and path not in copies]
        self.check(not bare, f"not append-only: {bare[:10]}")

    def run(self):
        self.counts = collections.Counter()
        try:
            self.prepare()
            self.workers = [Work(self, n) for n in range(WORKERS)]
            for worker in self.workers:
                worker.thread.start()
            self.chaos()
            self.settle()
            self.judge()
            self.judge_files()
        except Exception:
            self.problems.append(traceback.format_exc())
        took = self.now()
        if self.problems or os.environ.get("OPELOG_CHAOS_TELL"):
            self.tell()
        if self.problems and "OPELOG_CHAOS_KEEP" in os.environ:
            self.keep(os.path.join(os.environ["OPELOG_CHAOS_KEEP"], str(self.seed)))
        self.counts["lines typed again"] = sum(login.typed_again for login in self.logins)
        happened = collections.Counter(kind for _, kind, _ in self.events if kind not in ("gone", "ready", "calm"))
        print(f"seed {self.seed}: {took:.0f} s, {len(self.logins)} logins, "
              + "; ".join(", ".join(f"{n} {k}" for k, n in sorted(counts.items())) for counts in (self.counts, happened))
              + f": {len(self.problems)} problems", flush=True)

    def tell(self):
        print(f"--- what happened (seed {self.seed})")
        for at, kind, text in self.events:
            print(f"{at:8.2f} {kind} {text}")
        for login in self.logins:
            print(repr(login)[:400])
        print(f"--- problems (repeat: OPELOG_SEED={self.seed})")
        for problem in self.problems:
            print("* " + problem[:6000])
        sys.stdout.flush()

    def keep(self, where):
        os.makedirs(where, exist_ok=True)
        subprocess.run(["sh", "-c", 'cp -r "$1/." "$2" "$4"; cat "$3"/opelogd.*.log > "$4/daemon.log"; cp "$3/sshd.log" "$4"', "sh",
                        self.host.log_dir, self.host.path(sandbox.LEDGER_DIR), self.host.exchange, where], check=False)
        for login in self.logins:
            with open(f"{where}/shown.{login.number}", "wb") as file:
                file.write(login.shown)


class Chaos(unittest.TestCase):
    def test_what_was_shown_is_recorded_and_every_verdict_is_right(self):
        begun, failed, number = time.monotonic(), [], 0
        while number < ROUNDS or time.monotonic() < begun + MINUTES * 60:
            seed = SEED + number
            print(f"round {number + 1}: OPELOG_SEED={seed}", flush=True)
            this = Round(seed)
            try:
                this.run()
            finally:
                this.host.close()
            if this.problems:
                failed.append(seed)
                if not MINUTES:
                    break
            number += 1
        self.assertEqual(failed, [], "repeat with OPELOG_SEED=" + ",".join(map(str, failed)))


if __name__ == "__main__":
    sandbox.run_file()
