"""The bytes of docs/formats/seals.md as values: seal lines and their message, the opening entry, entries, checkpoints, pins.

Part of the second implementation (second.py). Pure. A comment that begins with PAGE marks a reading of a sentence that could be
read otherwise.
"""

import re
from dataclasses import dataclass

from second_crypto import (from_base64, is_number, leaf_hash, note_signed_by, read_json_object, read_note, read_verifier_key,
                           sha256, split_notes, to_base64, write_json)

FILES = ("log", "time", "in")
DOMAINS = {"log": b"opelog/log/1\n", "time": b"opelog/time/1\n", "in": b"opelog/in/1\n"}
DIGEST_MEMBERS = {"log": "dl", "time": "dt", "in": "di"}
TIME_BEGINS = b"H 0.000000 OPELOG_SESSION "
LOG_BEGINS = b"Script started on "
RECORD = re.compile(rb"H ([0-9]+\.[0-9]{6}) ([!-~]+) (.*)", re.DOTALL)


def digest(file, data):
    """The digest of bytes of one of the three files, with its domain."""
    return sha256(DOMAINS[file] + data)


def digest_or_none(file, data):
    """The same; None where there are no bytes."""
    return digest(file, data) if data else None


def split_lines(data):
    """[(offset, line without its LF)]; what follows the last LF is no line."""
    lines, start = [], 0
    for line in data.split(b"\n")[:-1]:
        lines.append((start, line))
        start += len(line) + 1
    return lines


# ----------------------------------------------------------------- seals

@dataclass(frozen=True)
class Seal:
    """What a seal line says, and where it stands in `.time` (both 0 for one not written yet)."""
    s: int
    n: int
    at: int
    sizes: dict          # of each file
    digests: dict        # of each file: 32 bytes or None
    next: bytes          # or None
    final: bool
    sig: bytes
    start: int = 0
    end: int = 0         # behind its LF


def write_seal(seal):
    """The object of a seal line in its one way."""
    members = {"s": seal.s, "n": seal.n, "at": seal.at}
    members.update({file: seal.sizes[file] for file in FILES})
    members.update({DIGEST_MEMBERS[file]: to_base64(seal.digests[file]) for file in FILES if seal.digests[file] is not None})
    if seal.next is not None:
        members["next"] = to_base64(seal.next)
    if seal.final:
        members["final"] = True
    members["sig"] = to_base64(seal.sig)
    return write_json(members)


def read_seal(line, start):
    """The seal of a line, else None: it is plain bytes then."""
    record = RECORD.fullmatch(line)
    value = read_json_object(record[3]) if record and record[2] == b"OPELOG_SEAL" else None
    if value is None or not all(is_number(value.get(name)) for name in ("s", "n", "at") + FILES):
        return None
    digests = {}
    for file in FILES:
        text = value.get(DIGEST_MEMBERS[file])
        digests[file] = None if text is None else from_base64(text, 32)
        # PAGE: a digest that stands there although no bytes are covered (it is that of the domain alone) is not the one way:
        # the message would be the same with and without it.
        if digests[file] == digest(file, b""):
            return None
    key = from_base64(value["next"], 32) if "next" in value else None
    final = value.get("final") is True
    sig = from_base64(value.get("sig"), 64)
    # PAGE: exactly the final one has no `next`.
    if sig is None or final != (key is None) or (final and record[1] != b"0.000000"):
        return None
    seal = Seal(value["s"], value["n"], value["at"], {file: value[file] for file in FILES}, digests, key, final, sig,
                start, start + len(line) + 1)
    return seal if write_seal(seal) == record[3] else None


def seal_message(seal, n, leaf, prev):
    """The 247 bytes that are signed, with the number taken as `n`."""
    numbers = (n, seal.at, seal.sizes["log"], seal.sizes["time"], seal.sizes["in"])
    return (b"opelog/seal/1\n" + leaf + b"".join(number.to_bytes(8, "big") for number in numbers)
            + b"".join(seal.digests[file] or digest(file, b"") for file in FILES)
            + prev + (seal.next or bytes(32)) + bytes([seal.final]))


# ----------------------------------------------------------------- notes in .time

def read_value(lines, name):
    """The value of the first note of this name, its parts joined: (there is one, value or None if it is not whole)."""
    wanted = name.encode()
    for at, (_, line) in enumerate(lines):
        record = RECORD.fullmatch(line)
        if not record or record[2].split(b":")[0] != wanted:
            continue
        if record[2] == wanted:
            return True, record[3]
        parts = re.fullmatch(rb"1/([1-9][0-9]{0,3})", record[2][len(wanted) + 1:])
        if not parts:
            return True, None
        value = record[3]
        for part in range(2, int(parts[1]) + 1):
            record = RECORD.fullmatch(lines[at + part - 1][1]) if at + part - 1 < len(lines) else None
            if not record or record[2] != b"%s:%d/%s" % (wanted, part, parts[1]):
                return True, None
            value += record[3]
        return True, value
    return False, None


def read_opening(line):
    """The members of an opening entry, else None."""
    entry = read_json_object(line) if line is not None else None
    if entry is None or entry.get("k") != "opened" or not is_number(entry.get("i")) or not is_number(entry.get("no")):
        return None
    if from_base64(entry.get("key"), 32) is None:
        return None
    return entry if isinstance(entry.get("recording"), str) else {**entry, "recording": ""}


# ----------------------------------------------------------------- the ledger

NEEDED = {  # members without which a line is no entry of its kind; 32: base64 of so many bytes
    "key": {"epoch": 0, "next": 32},
    "opened": {"no": 0, "key": 32},
    "sealed": {"no": 0, "n": 0, "seal": 32, "log": 0, "time": 0, "in": 0},
    "closed": {"no": 0, "n": 0, "seal": 32, "log": 0, "time": 0, "in": 0},
    "crashed": {"no": 0, "log": 0, "time": 0, "in": 0, "dl": 32, "dt": 32, "di": 32},
    "pruned": {"log": 0, "time": 0, "in": 0},
    "compressed": {"log": 0, "time": 0, "in": 0},
}


def is_whole(entry):
    """Whether an entry has the numbers, keys and digests of its kind."""
    needed = {"no": 0} if entry["k"] == "crashed" and entry.get("missing") is True else NEEDED.get(entry["k"], {})
    return all(from_base64(entry.get(name), 32) is not None if size else is_number(entry.get(name)) for name, size in needed.items())


def read_entry(line, index):
    """The members of a line of `entries`, else None. A torn line has only its kind."""
    entry = read_json_object(line)
    if entry is None:
        return {"k": "torn"} if line.endswith(b"~torn") else None
    if list(entry)[:3] != ["i", "t", "k"] or entry["i"] != index or not is_number(entry["i"]) or not is_number(entry["t"]):
        return None
    flat = not any(isinstance(value, (dict, list)) for value in entry.values())
    return entry if flat and isinstance(entry["k"], str) and is_whole(entry) else None


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says."""
    host_id: str
    size: int
    root: bytes
    epoch: int
    next: bytes
    at: int
    note: tuple

    def signed_by(self, key):
        """Whether the epoch's signature is this key's."""
        return note_signed_by(self.note, f"opelog/{self.host_id}/epoch", key)


def write_checkpoint_text(host_id, size, root, epoch, next_key, at):
    """The text of a checkpoint."""
    return (f"opelog/{host_id}\n{size}\n{to_base64(root)}\n"
            f"opelog-epoch {epoch}\nopelog-next {to_base64(next_key)}\nopelog-time {at}\n")


CHECKPOINT = re.compile(r"opelog/([^\n]*)\n(\d+)\n(\S+)\nopelog-epoch (\d+)\nopelog-next (\S+)\nopelog-time (\d+)\n", re.ASCII)


def read_checkpoint(data):
    """The checkpoint of a note's bytes, else None."""
    note = read_note(data)
    found = CHECKPOINT.match(note[0]) if note else None
    if not found:
        return None
    root, key = from_base64(found[3], 32), from_base64(found[5], 32)
    numbers = [int(found[at]) for at in (2, 4, 6)]
    if root is None or key is None or not all(map(is_number, numbers)):
        return None
    checkpoint = Checkpoint(found[1], numbers[0], root, numbers[1], key, numbers[2], note)
    text = write_checkpoint_text(found[1], numbers[0], root, numbers[1], key, numbers[2])
    return checkpoint if note[0].startswith(text) else None


def read_checkpoints(data):
    """Each note of the file `checkpoints`: a Checkpoint, or None where it is none. Behind bytes that are no note nothing is read."""
    checkpoints = []
    for note in split_notes(data):
        checkpoints.append(read_checkpoint(note))
        if read_note(note) is None:
            break
    return checkpoints


def read_pins(data):
    """[(name, key, size or None, root or None)]. PAGE: a line that is no pin pins nothing and is passed over."""
    pins = []
    for line in data.decode("utf-8", "replace").split("\n"):
        words = line.split("#")[0].split()
        key = read_verifier_key(words[0]) if words else None
        if key and len(words) == 1:
            pins.append((*key, None, None))
        elif key and len(words) == 3 and re.fullmatch(r"0|[1-9]\d{0,17}", words[1], re.ASCII) and from_base64(words[2], 32):
            pins.append((*key, int(words[1]), from_base64(words[2], 32)))
    return pins


def leaves_of(lines):
    """The leaf hashes of the lines of `entries`."""
    return [leaf_hash(line) for line in lines]
