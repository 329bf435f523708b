"""What an attacker with root does to a host's files, once, at random: each kind of the project's table of threats.

Part of the second implementation (second.py). Pure. A kind is a function of (host, rng) that changes the host in place and returns
what it did -- {"file", "offset", "recordings": those whose verdict must change, "ledger": whether the ledger's must} -- or None where
this host offers no opportunity. Whatever it does lies where the host holds a proof: bytes that no seal and no entry covers are
anybody's.
"""

import random

from second_crypto import leaf_hash, public_key, sha256, sign, sign_note, split_notes, tree_root, write_verifier_key
from second_format import (FILES, RECORD, Seal, digest, leaves_of, read_checkpoint, read_entry, read_seal, seal_message, split_lines,
                           write_checkpoint_text, write_seal)
from second_verdict import Ledger, recordings_of

KINDS = {}


def kind(function):
    """Registers an attack under its name."""
    KINDS[function.__name__.replace("_", "-")] = function
    return function


class Target:
    """A sealed recording as the attacker sees it, before he does anything."""

    def __init__(self, name, files, ledger):
        self.name, self.files = name, files
        self.index, self.entry = ledger.opened_as(name)
        self.lines = split_lines(files["time"])
        self.seals = [seal for seal in (read_seal(line, start) for start, line in self.lines) if seal]
        entries = ledger.of_session(self.entry["no"], "sealed", "closed", "crashed")
        self.state = {"closed": "closed", "crashed": "crashed"}.get(entries[-1]["k"] if entries else "", "live")
        self.known = max([entry.get("n", 0) for entry in entries] or [0])

    def proven(self, file):
        """Up to where the bytes of a file are proven: sealed, or in an entry."""
        return len(self.files.get(file, b"")) if self.state != "live" else self.seals[-1].sizes[file]

    def path(self, file):
        """Where a file stands in the host."""
        return f"recordings/{self.name}.{file}"


def targets(host):
    """The sealed recordings of a host."""
    ledger = Ledger(host)
    return [Target(name, files, ledger) for name, files in recordings_of(host).items() if ledger.opened_as(name)]


def pick(rng, items):
    """One of these, or None if there are none."""
    items = list(items)
    return rng.choice(items) if items else None


def did(path, offset, *names, ledger=False):
    """The report of an attack."""
    return {"file": path, "offset": offset, "recordings": sorted(names), "ledger": ledger}


def everything(host):
    """The names of all sealed recordings: what rests on the ledger."""
    return [target.name for target in targets(host)]


# ----------------------------------------------------------------- bytes of a recording

def some_file(host, rng, least=1):
    """(target, file) with at least `least` bytes proven."""
    return pick(rng, [(target, file) for target in targets(host) for file in FILES if target.proven(file) >= least])


@kind
def flipped_bit(host, rng):
    """One bit of one file."""
    target, file = some_file(host, rng)
    at = rng.randrange(target.proven(file))
    data = bytearray(target.files[file])
    data[at] ^= 1 << rng.randrange(8)
    host[target.path(file)] = bytes(data)
    return did(target.path(file), at, target.name)


@kind
def truncated(host, rng):
    """A file's end is gone: at any length that a proof goes beyond."""
    choices = []
    for target in targets(host):
        for file in FILES:
            limit = target.proven(file)
            if target.state == "live" and file == "time":
                limit = target.seals[target.known - 1].end if target.known else 0
            if limit > 0:
                choices.append((target, file, limit))
    target, file, limit = rng.choice(choices)
    length = rng.randrange(limit)
    host[target.path(file)] = target.files[file][:length]
    return did(target.path(file), length, target.name)


@kind
def cut_head(host, rng):
    """A file's beginning is gone."""
    target, file = some_file(host, rng, 2)
    count = rng.randrange(1, min(200, target.proven(file)))
    host[target.path(file)] = target.files[file][count:]
    return did(target.path(file), 0, target.name)


@kind
def removed_bytes(host, rng):
    """Bytes in between are gone."""
    target, file = some_file(host, rng, 4)
    start = rng.randrange(1, target.proven(file) - 1)
    end = rng.randrange(start + 1, min(start + 60, target.proven(file)) + 1)
    host[target.path(file)] = target.files[file][:start] + target.files[file][end:]
    return did(target.path(file), start, target.name)


@kind
def inserted_bytes(host, rng):
    """Bytes are put in between, or (where it has ended) behind everything."""
    target, file = some_file(host, rng)
    start = rng.randrange(target.proven(file) + (target.state != "live"))
    host[target.path(file)] = target.files[file][:start] + rng.randbytes(rng.randrange(1, 40)) + target.files[file][start:]
    return did(target.path(file), start, target.name)


# ----------------------------------------------------------------- lines of .time

def with_lines(target, lines):
    """`.time` made of other lines, and what stood behind its last LF."""
    return b"".join(line + b"\n" for line in lines) + target.files["time"].rpartition(b"\n")[2]


def plain_lines(target):
    """Indexes of the lines in `.time` that are no seals and proven."""
    starts = {seal.start for seal in target.seals}
    return [at for at, (start, line) in enumerate(target.lines)
            if start not in starts and start + len(line) < target.proven("time")]


def seal_lines(target, all_of_them=False):
    """Indexes of the lines that are seals; of a live recording's not the last, unless the ledger knows of it."""
    starts = {seal.start: seal for seal in target.seals}
    found = [at for at, (start, _) in enumerate(target.lines) if start in starts]
    if target.state == "live" and target.known < target.seals[-1].n and not all_of_them:
        return found[:-1]
    return found


def on_lines(host, rng, choose, change, count=1):
    """Changes the list of lines of a recording at `count` random ones of `choose(target)`."""
    target = pick(rng, [target for target in targets(host) if len(choose(target)) >= count])
    if target is None:
        return None
    chosen = sorted(rng.sample(choose(target), count))
    lines = [line for _, line in target.lines]
    if count == 2 and lines[chosen[0]] == lines[chosen[1]]:
        return None
    change(lines, *chosen)
    host[target.path("time")] = with_lines(target, lines)
    return did(target.path("time"), target.lines[chosen[0]][0], target.name)


def swap(items, one, other):
    """Two of a list change places."""
    items[one], items[other] = items[other], items[one]


@kind
def removed_record(host, rng):
    """A record that is no seal is gone."""
    return on_lines(host, rng, plain_lines, lambda lines, at: lines.pop(at))


@kind
def repeated_record(host, rng):
    """A record that is no seal stands there twice."""
    return on_lines(host, rng, plain_lines, lambda lines, at: lines.insert(at, lines[at]))


@kind
def swapped_records(host, rng):
    """Two records changed places."""
    return on_lines(host, rng, plain_lines, swap, 2)


@kind
def removed_seal(host, rng):
    """A seal is gone."""
    return on_lines(host, rng, seal_lines, lambda lines, at: lines.pop(at))


@kind
def repeated_seal(host, rng):
    """A seal stands there twice."""
    return on_lines(host, rng, lambda target: seal_lines(target, True), lambda lines, at: lines.insert(at, lines[at]))


@kind
def swapped_seals(host, rng):
    """Two seals changed places."""
    return on_lines(host, rng, seal_lines, swap, 2)


@kind
def spliced_seal(host, rng):
    """A seal of another session stands before one, or in its stead."""
    all_targets = targets(host)
    target = pick(rng, all_targets)
    other = pick(rng, [one for one in all_targets if one.entry["no"] != target.entry["no"]])
    chosen = pick(rng, seal_lines(target))
    if other is None or chosen is None:
        return None
    foreign = rng.choice(other.seals)
    lines = [line for _, line in target.lines]
    lines[chosen:chosen + rng.randrange(2)] = [other.files["time"][foreign.start:foreign.end - 1]]
    host[target.path("time")] = with_lines(target, lines)
    return did(target.path("time"), target.lines[chosen][0], target.name)


@kind
def resigned_seal(host, rng):
    """What a seal covers is changed, and the seal made anew with a later key that was stolen."""
    secrets = dict(line.split() for line in host["secrets"].decode().splitlines())
    target = pick(rng, [target for target in targets(host) if target.state != "live" and target.seals[0].next])
    if target is None:
        return None
    at = rng.randrange(len([seal for seal in target.seals if seal.next]))
    seal, before = target.seals[at], target.seals[at - 1] if at else None
    stolen = rng.choice([later.next for later in target.seals[at:] if later.next])
    leaf = leaf_hash(Ledger(host).lines[target.index])
    prev = leaf
    for earlier in target.seals[:at]:
        prev = sha256(seal_message(earlier, earlier.n, leaf, prev))
    start, end = before.sizes["log"] if before else 0, seal.sizes["log"]
    digests = dict(seal.digests)
    if start < end:
        data = bytearray(target.files["log"])
        data[rng.randrange(start, end)] ^= 1
        host[target.path("log")] = bytes(data)
        digests["log"] = digest("log", bytes(data[start:end]))
    made = Seal(seal.s, seal.n, seal.at + (start == end), seal.sizes, digests, seal.next, seal.final, b"")
    sig = sign(bytes.fromhex(secrets[stolen.hex()]), seal_message(made, made.n, leaf, prev))
    made = Seal(made.s, made.n, made.at, made.sizes, made.digests, made.next, made.final, sig)
    lines = [line for _, line in target.lines]
    here = [index for index, (offset, _) in enumerate(target.lines) if offset == seal.start][0]
    record = RECORD.fullmatch(lines[here])
    lines[here] = b"H " + record[1] + b" OPELOG_SEAL " + write_seal(made)
    host[target.path("time")] = with_lines(target, lines)
    return did(target.path("time"), seal.start, target.name)


@kind
def trailing_seals_cut(host, rng):
    """The last seals, which cover no output, are cut away."""
    choices = []
    for target in targets(host):
        sizes = [(0, 0)] + [(seal.sizes["log"], seal.sizes["in"]) for seal in target.seals]
        at = len(target.seals)
        while at > 0 and sizes[at] == sizes[at - 1]:
            at -= 1
            if target.state != "live" or target.seals[at].n <= target.known:
                choices.append((target, target.seals[at].start))
    if not choices:
        return None
    target, length = rng.choice(choices)
    host[target.path("time")] = target.files["time"][:length]
    return did(target.path("time"), length, target.name)


# ----------------------------------------------------------------- whole files

@kind
def removed_file(host, rng):
    """One file of a recording is gone."""
    target, file = some_file(host, rng)
    del host[target.path(file)]
    return did(target.path(file), 0, target.name)


def put(host, name, files):
    """The files of a recording become these."""
    for file in FILES:
        host.pop(f"recordings/{name}.{file}", None)
    for file, data in files.items():
        host[f"recordings/{name}.{file}"] = data


@kind
def removed_recording(host, rng):
    """A recording is gone with all its files."""
    target = rng.choice(targets(host))
    put(host, target.name, {})
    return did(target.path("time"), 0, target.name)


@kind
def swapped_recordings(host, rng):
    """Two recordings changed places."""
    one, other = rng.sample(targets(host), 2)
    put(host, one.name, other.files)
    put(host, other.name, one.files)
    return did(one.path("time"), 0, one.name, other.name)


@kind
def replayed_recording(host, rng):
    """Another recording's files stand under this name."""
    one, other = rng.sample(targets(host), 2)
    put(host, one.name, other.files)
    return did(one.path("time"), 0, one.name)


@kind
def renamed_recording(host, rng):
    """A recording has a name that nobody gave it. Both names show it: the old one is missing."""
    target = rng.choice(targets(host))
    put(host, target.name, {})
    put(host, "alice_20200101000000_192.0.2.1", target.files)
    return did(target.path("time"), 0, target.name, "alice_20200101000000_192.0.2.1")


@kind
def swapped_logs(host, rng):
    """Only the .log files of two recordings changed places."""
    one, other = rng.sample([target for target in targets(host)], 2)
    names = [target.name for target in (one, other) if target.state != "live"]
    if not names or one.files["log"] == other.files["log"]:
        return None
    host[one.path("log")], host[other.path("log")] = other.files["log"], one.files["log"]
    return did(one.path("log"), 0, *names)


@kind
def unsealed_offered(host, rng):
    """A recording without seals stands under a sealed one's name."""
    target = rng.choice(targets(host))
    files = dict(target.files)
    if rng.random() < 0.5:
        files = dict(recordings_of(host)["old_20250101000000_UNKNOWN"])
    else:
        files["time"] = b"".join(line + b"\n" for _, line in target.lines
                                 if not line.split(b" ")[2].startswith((b"OPELOG_SEAL", b"OPELOG_OPENED")))
    put(host, target.name, files)
    return did(target.path("time"), 0, target.name)


# ----------------------------------------------------------------- the ledger

def covered_lines(host):
    """(all lines of `entries`, how many a checkpoint counts)."""
    ledger = Ledger(host)
    return list(ledger.lines), ledger.covered


def set_lines(host, lines):
    """`entries` becomes these lines."""
    host["ledger/entries"] = b"".join(line + b"\n" for line in lines)


def on_entries(host, rng, change, count=1):
    """Changes the list of entries at `count` random ones that a checkpoint counts."""
    lines, covered = covered_lines(host)
    chosen = sorted(rng.sample(range(covered), count))
    offset = len(b"".join(line + b"\n" for line in lines[:chosen[0]]))
    change(lines, *chosen)
    set_lines(host, lines)
    return did("ledger/entries", offset, *everything_before(host), ledger=True)


def everything_before(host):
    """The sealed recordings by their own word: the ledger may be damaged already."""
    return [name for name, files in recordings_of(host).items() if b" OPELOG_SEAL " in files["time"]]


@kind
def flipped_entry_bit(host, rng):
    """One bit of an entry."""
    lines, covered = covered_lines(host)
    at = rng.randrange(sum(len(line) + 1 for line in lines[:covered]))
    data = bytearray(host["ledger/entries"])
    data[at] ^= 1 << rng.randrange(8)
    host["ledger/entries"] = bytes(data)
    return did("ledger/entries", at, *everything_before(host), ledger=True)


@kind
def removed_entry(host, rng):
    """An entry is gone."""
    return on_entries(host, rng, lambda lines, at: lines.pop(at))


@kind
def repeated_entry(host, rng):
    """An entry stands there twice."""
    return on_entries(host, rng, lambda lines, at: lines.insert(at, lines[at]))


@kind
def swapped_entries(host, rng):
    """Two entries changed places."""
    return on_entries(host, rng, swap, 2)


@kind
def entries_cut(host, rng):
    """The entries end before what a checkpoint counts."""
    lines, covered = covered_lines(host)
    length = rng.randrange(sum(len(line) + 1 for line in lines[:covered]))
    host["ledger/entries"] = host["ledger/entries"][:length]
    return did("ledger/entries", length, *everything_before(host), ledger=True)


def before_a_session(host, rng):
    """(notes, how many to keep, entries they count, recordings opened behind them), with at least one such recording."""
    notes = split_notes(host["ledger/checkpoints"])
    choices = []
    for keep in range(1, len(notes)):
        size = read_checkpoint(notes[keep - 1]).size
        behind = [target.name for target in targets(host) if target.index >= size]
        if behind:
            choices.append((notes, keep, size, behind))
    return pick(rng, choices)


@kind
def checkpoints_cut(host, rng):
    """The last checkpoints are gone: sessions stand behind the last one left, where anybody can write."""
    found = before_a_session(host, rng)
    if found is None:
        return None
    notes, keep, _, behind = found
    host["ledger/checkpoints"] = b"".join(notes[:keep])
    return did("ledger/checkpoints", len(host["ledger/checkpoints"]), *behind, ledger=False)


@kind
def ledger_cut(host, rng):
    """Entries and checkpoints end earlier, consistently; the pins were never told a size."""
    found = before_a_session(host, rng)
    if found is None:
        return None
    notes, keep, size, _ = found
    names = everything(host)
    host["ledger/checkpoints"] = b"".join(notes[:keep])
    set_lines(host, covered_lines(host)[0][:size])
    host["pins"] = b"\n".join(line.split(b" ")[0] for line in host["pins"].split(b"\n"))
    return did("ledger/entries", len(host["ledger/entries"]), *names, ledger=True)


@kind
def restored_snapshot(host, rng):
    """The whole host as it was once: of what came later nothing is left but a line of the auditor's."""
    found = before_a_session(host, rng)
    if found is None:
        return None
    notes, keep, size, behind = found
    last = read_checkpoint(notes[-1])
    ledger = Ledger(host)
    kept = [name for name in everything(host) if name not in behind]
    pin = write_verifier_key(f"opelog/{last.host_id}/epoch", ledger.first_key()[1])
    root = notes[-1].decode().split("\n")[2]
    host["pins"] = f"{pin} {last.size} {root}\n".encode()
    host["ledger/checkpoints"] = b"".join(notes[:keep])
    set_lines(host, ledger.lines[:size])
    for name in behind:
        put(host, name, {})
    return did("ledger/entries", len(host["ledger/entries"]), *kept, ledger=True)


def on_notes(host, rng, change, count=1, last=True):
    """Changes the list of checkpoints at `count` random ones."""
    notes = split_notes(host["ledger/checkpoints"])
    choices = range(len(notes) if last else len(notes) - 1)
    if len(choices) < count:
        return None
    chosen = sorted(rng.sample(choices, count))
    offset = len(b"".join(notes[:chosen[0]]))
    change(notes, *chosen)
    host["ledger/checkpoints"] = b"".join(notes)
    return did("ledger/checkpoints", offset, *everything_before(host), ledger=True)


@kind
def removed_checkpoint(host, rng):
    """A checkpoint in between is gone."""
    return on_notes(host, rng, lambda notes, at: notes.pop(at), last=False)


@kind
def repeated_checkpoint(host, rng):
    """A checkpoint stands there twice."""
    return on_notes(host, rng, lambda notes, at: notes.insert(at, notes[at]))


@kind
def swapped_checkpoints(host, rng):
    """Two checkpoints changed places."""
    return on_notes(host, rng, swap, 2)


@kind
def flipped_checkpoint_bit(host, rng):
    """One bit of a checkpoint's text or of its epoch's signature. The log keys' signatures prove nothing and are not read."""
    def flip(notes, at):
        *logs, second = [len(line) + 1 for line in notes[at].split(b"\n")[7:-1]]
        first = sum(logs)
        # Without the LF behind it, the last one counts as torn.
        offset = rng.choice([place for place in range(len(notes[at]) - (at == len(notes) - 1)) if not -first - second <= place - len(notes[at]) < -second])
        data = bytearray(notes[at])
        data[offset] ^= 1 << rng.randrange(8)
        notes[at] = bytes(data)
    return on_notes(host, rng, flip)


def signed_checkpoint(host, like, size, root, secret):
    """A checkpoint as `like`, with another size and root, signed by this secret."""
    text = write_checkpoint_text(like.host_id, size, root, like.epoch, like.next, like.at)
    return sign_note(text, [(f"opelog/{like.host_id}/epoch", secret)])


@kind
def forked_ledger(host, rng):
    """Another checkpoint is signed for an epoch whose key was stolen."""
    secrets = {bytes.fromhex(line.split()[0]): bytes.fromhex(line.split()[1]) for line in host["secrets"].decode().splitlines()}
    notes = split_notes(host["ledger/checkpoints"])
    at = rng.randrange(len(notes))
    like = read_checkpoint(notes[at])
    key = read_checkpoint(notes[at - 1]).next if at else Ledger(host).first_key()[1]
    offset = len(b"".join(notes[:at + 1]))
    notes.insert(at + 1, signed_checkpoint(host, like, like.size, rng.randbytes(32), secrets[key]))
    host["ledger/checkpoints"] = b"".join(notes)
    return did("ledger/checkpoints", offset, *everything_before(host), ledger=True)


@kind
def resigned_ledger(host, rng):
    """An entry is changed, and every checkpoint that counts it signed anew with today's key."""
    secrets = {bytes.fromhex(line.split()[0]): bytes.fromhex(line.split()[1]) for line in host["secrets"].decode().splitlines()}
    notes = split_notes(host["ledger/checkpoints"])
    today = secrets[read_checkpoint(notes[-1]).next]
    lines, covered = covered_lines(host)
    at = rng.choice([index for index in range(1, covered) if read_entry(lines[index], index)["k"] != "opened"])
    moment = str(read_entry(lines[at], at)["t"]).encode()
    lines[at] = lines[at].replace(moment, moment[:-1] + (b"1" if moment[-1:] != b"1" else b"2"), 1)
    set_lines(host, lines)
    leaves, changed = leaves_of(lines), None
    for number, note in enumerate(notes):
        checkpoint = read_checkpoint(note)
        if checkpoint.size > at:
            changed = number if changed is None else changed
            notes[number] = signed_checkpoint(host, checkpoint, checkpoint.size, tree_root(leaves[:checkpoint.size]), today)
    host["ledger/checkpoints"] = b"".join(notes)
    return did("ledger/checkpoints", len(b"".join(notes[:changed])), *everything_before(host), ledger=True)


@kind
def removed_ledger(host, rng):
    """There is no ledger."""
    del host["ledger/entries"], host["ledger/checkpoints"]
    return did("ledger/entries", 0, *everything_before(host), ledger=True)


# ----------------------------------------------------------------- the pins

@kind
def wrong_pin(host, rng):
    """The pin is of another key."""
    name = next(line for line in host["pins"].decode().split("\n") if "+" in line).split("+")[0]
    host["pins"] = f"{write_verifier_key(name, public_key(rng.randbytes(32)))}\n".encode()
    return did("pins", 0, *everything_before(host), ledger=True)


@kind
def removed_pins(host, rng):
    """There is no pin."""
    del host["pins"]
    return did("pins", 0, *everything_before(host), ledger=True)


def damage(host, seed, wanted=None):
    """(damaged host, report): one attack, of the kind wanted or any. The report is None where the host offers no opportunity."""
    rng = random.Random(seed)
    kinds = [wanted] if wanted else rng.sample(sorted(KINDS), len(KINDS))
    for name in kinds:
        damaged = dict(host)
        report = KINDS[name](damaged, rng)
        if report:
            return damaged, {"kind": name, **report}
    return host, None
