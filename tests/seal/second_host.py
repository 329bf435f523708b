"""A random host as opelogd leaves one behind: sealed recordings, one unsealed, ledger, checkpoints, pins.

Part of the second implementation (second.py). Pure: the same seed makes the same bytes. The keys come from the seed too, and
"secrets" (which no verifier reads) keeps them, so that an attacker who stole some can be played.
"""

import random
import time

from second_crypto import leaf_hash, public_key, sha256, sign, sign_note, to_base64, tree_root, write_json, write_verifier_key
from second_format import (DIGEST_MEMBERS, FILES, Seal, digest, digest_or_none, leaves_of, seal_message, write_checkpoint_text, write_seal)

SPLIT = 990
BEGAN_US = 1795356309123456
WORDS = ["ls -la\r\n", "total 48\r\n", "\x1b[1;31mred\x1b[0m ", "$ ", "größe ", "H 0.000000 OPELOG_SEAL {\"n\":1}\r\n",
         "\x1b]0;title\x07", "日本 ", "make\r\n"]


class Secrets:
    """Secret keys from the seed, found again by their public keys."""

    def __init__(self, rng):
        self.rng, self.known = rng, {}

    def new(self):
        """A new secret."""
        secret = self.rng.randbytes(32)
        self.known[public_key(secret).hex()] = secret.hex()
        return secret


class LedgerWriter:
    """The ledger of a host, growing."""

    def __init__(self, rng, secrets, host_id, turns=None):
        self.rng, self.secrets, self.host_id = rng, secrets, host_id
        self.lines, self.notes, self.sizes = [], [], []
        self.now = BEGAN_US
        self.log_key, self.epoch_key, self.epoch = secrets.new(), secrets.new(), 1
        self.coming_key, self.turns = None, turns
        self.first_key = public_key(self.epoch_key)
        self.add("key", log=write_verifier_key(f"opelog/{host_id}", public_key(self.log_key)), epoch=1,
                 next=to_base64(self.first_key), why="init")

    def add(self, kind, **members):
        """Appends an entry and returns its line."""
        # One that could not be begun is closed at once.
        self.now += self.rng.randrange(1000, 90_000_000 if members.get("reason") != "abandoned" else 1_000_000)
        line = write_json({"i": len(self.lines), "t": self.now, "k": kind, **members})
        self.lines.append(line)
        return line

    def rotate(self):
        """Another log key: the next checkpoint is signed by both. Of a random number of its own, so that a seed makes the same host otherwise."""
        self.coming_key = Secrets(self.turns).new()
        rng, self.rng = self.rng, self.turns
        self.add("key", log=write_verifier_key(f"opelog/{self.host_id}", public_key(self.coming_key)), epoch=self.epoch,
                 next=to_base64(public_key(self.epoch_key)), why="rotated")
        self.rng = rng

    def checkpoint(self):
        """Signs the tree as it is."""
        following = self.secrets.new()
        text = write_checkpoint_text(self.host_id, len(self.lines), tree_root(leaves_of(self.lines)), self.epoch,
                                     public_key(following), self.now + 500_000)
        name = f"opelog/{self.host_id}"
        logs = [self.log_key] + ([self.coming_key] if self.coming_key else [])
        self.notes.append(sign_note(text, [(name, key) for key in logs] + [(name + "/epoch", self.epoch_key)]))
        self.log_key, self.coming_key = logs[-1], None
        self.sizes.append(len(self.lines))
        self.epoch_key, self.epoch = following, self.epoch + 1

    def covered(self):
        """How many entries the last checkpoint counts."""
        return self.sizes[-1] if self.sizes else 0


def write_note(name, value, delay_us=0):
    """The `H` records of a note, split where it is long."""
    delay = f"{delay_us // 1_000_000}.{delay_us % 1_000_000:06d}"
    if len(value) <= SPLIT:
        return b"H %s %s %s\n" % (delay.encode(), name.encode(), value)
    parts = [value[at:at + SPLIT] for at in range(0, len(value), SPLIT)]
    return b"".join(b"H %s %s:%d/%d %s\n" % ((delay if at == 0 else "0.000000").encode(), name.encode(), at + 1, len(parts), part)
                    for at, part in enumerate(parts))


def somewhere(number):
    """Where session `number` is recorded, as its opening entry says; former versions said nothing."""
    return {"directory": ("/var/log/ope_log", "/srv/a b")[number % 2]} if number % 5 else {}


class SessionWriter:
    """A recording that grows and is sealed. `input` says whether `.in` is kept."""

    def __init__(self, rng, secrets, ledger, number, name, facts, plain):
        self.rng, self.secrets, self.ledger, self.number, self.name, self.plain = rng, secrets, ledger, number, name, plain
        self.data = {"log": b"", "time": b""}
        if rng.random() < 0.4:
            self.data["in"] = b""
        self.key = secrets.new()
        self.at = self.n = 0
        self.covered = dict.fromkeys(FILES, 0)
        rule = "operators" if rng.random() < 0.7 else "long~" + "x" * rng.randrange(700, 1200)
        line = ledger.add("opened", no=number, session=f"{rng.getrandbits(64):016x}", recording=name, **somewhere(number), host=facts["host"],
                          host_id=facts["host_id"], boot_id=facts["boot_id"], user=facts["user"], uid=rng.randrange(1000, 1010),
                          client="192.0.2.7", how=rng.choice(["login", "command"]), rule=rule, policy=facts["policy"],
                          key=to_base64(public_key(self.key)))
        self.leaf = self.prev = leaf_hash(line)
        self.sealed_at = []
        first = b'Script started on 2026-11-22 14:05:09+00:00 [TERM="xterm" TTY="/dev/pts/4" COLUMNS="80" LINES="24"]\n'
        for file in ("log", "in"):
            if file in self.data:
                self.data[file] += first
        session = {"format": 1, "id": f"{rng.getrandbits(64):016x}", "host": facts["host"], "host_id": facts["host_id"],
                   "boot_id": facts["boot_id"], "started_us": BEGAN_US, "how": "login", "terminal": True, "rows": 24, "cols": 80}
        self.note("OPELOG_SESSION", write_json(session), 0)
        self.note("TERM", b"xterm", 0)
        self.note("OPELOG_USER", write_json({"user": facts["user"], "uid": 1000}), 0)
        self.note("OPELOG_OPENED", line, 0)

    def note(self, name, value, delay=None):
        """Appends a note."""
        delay = self.rng.randrange(2_000_000) if delay is None else delay
        self.at += delay
        self.data["time"] += write_note(name, value, delay)

    def bytes_of(self, size):
        """Something a terminal could have shown."""
        if not self.plain and self.rng.random() < 0.3:
            return self.rng.randbytes(size)
        text = b""
        while len(text) < size:
            text += self.rng.choice(WORDS).encode()
        return text

    def data_record(self, file, letter):
        """Appends bytes to a file, and their record."""
        data = self.bytes_of(self.rng.randrange(1, 90))
        self.data[file] += data
        delay = self.rng.randrange(3_000_000)
        self.at += delay
        self.data["time"] += f"{letter} {delay // 1_000_000}.{delay % 1_000_000:06d} {len(data)}\n".encode()

    def activity(self):
        """One thing that happens."""
        what = self.rng.randrange(10)
        if what < 6:
            self.data_record("log", "O")
        elif what < 8 and "in" in self.data:
            self.data_record("in", "I")
        elif what == 8:
            self.data["time"] += b"S 0.000000 SIGWINCH ROWS=30 COLS=100\n"
        else:
            self.note("OPELOG_NOTE", b"something to know")

    def seal(self, final=False):
        """Seals what is not sealed."""
        sizes = {file: len(self.data.get(file, b"")) for file in FILES}
        digests = {file: digest_or_none(file, self.data.get(file, b"")[self.covered[file]:]) for file in FILES}
        following = None if final else self.secrets.new()
        delay = 0 if final else self.rng.randrange(1_000_000)
        self.at += delay
        self.n += 1
        seal = Seal(self.number, self.n, self.at, sizes, digests, following and public_key(following), final, b"")
        message = seal_message(seal, self.n, self.leaf, self.prev)
        seal = Seal(self.number, self.n, self.at, sizes, digests, seal.next, final, sign(self.key, message))
        self.covered, self.prev, self.key = sizes, sha256(message), following
        self.sealed_at.append(len(self.data["time"]))
        self.data["time"] += write_note("OPELOG_SEAL", write_seal(seal), delay)

    def sizes(self):
        """Members `log`, `time`, `in` of an entry: the whole files."""
        return {file: len(self.data.get(file, b"")) for file in FILES}

    def live(self, ends):
        """The session's life in steps; the last is its end, unless something else ends it."""
        for _ in range(self.rng.randrange(1, 4)):
            for _ in range(self.rng.randrange(0, 5)):
                self.activity()
            if self.rng.random() < 0.2:
                self.note("OPELOG_GAP", write_json({"what": "input", "why": "the terminal did not echo", "bytes": 8}))
            self.seal()
            if self.rng.random() < 0.6:
                self.ledger.add("sealed", no=self.number, n=self.n, seal=to_base64(self.prev), **self.covered)
            yield
        if not ends:
            for _ in range(self.rng.randrange(0, 3)):
                self.activity()
            return
        for _ in range(self.rng.randrange(0, 2)):
            self.seal()  # nothing happened
        self.end("exit")
        self.seal(final=True)
        self.ledger.add("closed", no=self.number, n=self.n, seal=to_base64(self.prev), **self.sizes(), reason="exit", exit_code=0)

    def end(self, reason):
        """The notes of an end."""
        self.note("DURATION", f"{self.at // 1_000_000}.{self.at % 1_000_000:06d}".encode(), 0)
        self.note("OPELOG_END", write_json({"reason": reason, "bytes_out": len(self.data["log"]), "duration_us": self.at}), 0)

    def lose_power(self):
        """A power cut takes the end of a file that was not on the disk yet."""
        if self.rng.random() < 0.5:
            self.data["log"] = self.data["log"][:-self.rng.randrange(1, 60)]
            self.note("OPELOG_GAP", write_json({"what": "output", "why": "the file is shorter", "bytes": 0}), 0)
        else:
            self.data["time"] = self.data["time"][:self.sealed_at[-1]]

    def complete(self):
        """What the next start makes of it after a crash."""
        if self.rng.random() < 0.5:
            self.data["log"] += b"lost and found"
            self.note("OPELOG_GAP", write_json({"what": "timing", "why": "crash", "bytes": 14}), 0)
            self.data["time"] += b"O 0.000000 14\n"
        self.note("OPELOG_REPAIR", write_json({"at_us": self.ledger.now, "did": "completed a torn recording"}), 0)
        self.end("crash")
        self.ledger.add("crashed", no=self.number, **self.sizes(),
                        **{DIGEST_MEMBERS[file]: to_base64(digest(file, self.data.get(file, b""))) for file in FILES})


def make(seed, plain=False):
    """The files of a host. `plain`: nothing in them but text."""
    rng = random.Random(seed)
    secrets = Secrets(rng)
    facts = {"host": "web1", "host_id": f"{rng.getrandbits(128):032x}", "boot_id": f"{rng.getrandbits(128):032x}", "user": "alice",
             "policy": f"{rng.getrandbits(256):064x}"}
    turns = random.Random(-seed - 1)
    ledger = LedgerWriter(rng, secrets, facts["host_id"], turns)
    host, number = {}, 0
    ledger.add("boot", boot_id=facts["boot_id"], version="0.4.0", clean=False)
    ledger.add("policy", digest=facts["policy"])
    ledger.checkpoint()

    def name_of(which):
        user = rng.choice(["alice", "bob", "carol.x"])
        return f"{user}_{time.strftime('%Y%m%d%H%M%S', time.gmtime(1795356309 + which * 61))}_192.0.2.{which}"

    if rng.random() < 0.5:
        number += 1
        gone = name_of(number)
        ledger.add("opened", no=number, session=f"{rng.getrandbits(64):016x}", recording=gone, **somewhere(number), host="web1",
                   host_id=facts["host_id"], boot_id=facts["boot_id"], user="bob", uid=1001, client="", how="login", rule="operators", policy=facts["policy"],
                   key=to_base64(public_key(secrets.new())))
        ledger.add("closed", no=number, n=2, seal=to_base64(rng.randbytes(32)), log=100, time=900, reason="exit", **{"in": 0})
        ledger.add("pruned", recording=gone, why="keep_for", log=100, time=900, **{"in": 0})

    if rng.random() < 0.5:
        number += 1
        line = ledger.add("opened", no=number, session=f"{rng.getrandbits(64):016x}", recording=name_of(number), **somewhere(number),
                          host="web1", host_id=facts["host_id"], boot_id=facts["boot_id"], user="bob", uid=1001, client="", how="login",
                          rule="operators", policy=facts["policy"], key=to_base64(public_key(secrets.new())))
        ledger.add("closed", no=number, n=0, seal=to_base64(leaf_hash(line)), log=0, time=0, reason="abandoned", **{"in": 0})

    def run(count, ending):
        """Runs sessions side by side; `ending(k)` says whether the k-th ends by itself. Returns those that do not."""
        nonlocal number
        going, left = [], []
        for which in range(count):
            number += 1
            session = SessionWriter(rng, secrets, ledger, number, name_of(number), facts, plain)
            host[session.name] = session
            if not ending(which):
                left.append(session)
            going.append(session.live(ending(which)))
        while going:
            session = rng.choice(going)
            if next(session, "over") == "over":
                going.remove(session)
            if rng.random() < 0.2:
                ledger.checkpoint()
            if rng.random() < 0.1:
                kind, members = rng.choice([("heartbeat", {"live": len(going)}), ("clock", {"by": -3_600_000_000})])
                ledger.add(kind, **members)
        return left

    if turns.random() < 0.5:
        ledger.rotate()
    kind = rng.choice(["crash", "stop", "live"])
    interrupted = run(2, lambda which: which == 0 or kind != "crash")
    ledger.checkpoint()
    if kind == "stop":
        ledger.add("shutdown")
    if kind != "live":
        new_boot = rng.random() < 0.7
        if new_boot:
            facts = {**facts, "boot_id": f"{rng.getrandbits(128):032x}"}
        ledger.add("boot", boot_id=facts["boot_id"], version="0.4.0", clean=kind == "stop")
        for session in interrupted:
            if new_boot and rng.random() < 0.6:
                session.lose_power()
            session.complete()
    run(2, lambda which: which == 0 or kind != "live")
    ledger.add("viewed", recording=rng.choice(list(host)), uid=1003, what="play")
    if turns.random() < 0.2:
        ledger.rotate()
    ledger.checkpoint()
    if rng.random() < 0.3:
        ledger.add("heartbeat", live=0)

    files = {}
    for name, session in host.items():
        for file, data in session.data.items():
            files[f"recordings/{name}.{file}"] = data
    files["recordings/old_20250101000000_UNKNOWN.log"] = b"Script started on 2025-01-01 00:00:00+00:00 []\nhello\r\n"
    files["recordings/old_20250101000000_UNKNOWN.time"] = b'H 0.000000 OPELOG_SESSION {"format":1}\nO 0.100000 7\n'
    files["ledger/entries"] = b"".join(line + b"\n" for line in ledger.lines)
    files["ledger/checkpoints"] = b"".join(ledger.notes)
    pin = write_verifier_key(f"opelog/{facts['host_id']}/epoch", ledger.first_key)
    if rng.random() < 0.5:
        size = rng.choice(ledger.sizes)
        pin += f" {size} {to_base64(tree_root(leaves_of(ledger.lines[:size])))}"
    files["pins"] = f"# web1, as printed by its first start\n{pin}\n".encode()
    files["secrets"] = "".join(f"{public} {secret}\n" for public, secret in secrets.known.items()).encode()
    return files
