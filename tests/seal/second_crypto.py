"""The primitives of docs/formats/seals.md, written out: Ed25519, base64, JSON as in our notes, RFC 6962 trees, C2SP notes.

Part of the second implementation (second.py). Slow and plain on purpose: nothing here is fit for a secret that matters.
Everything is a pure function; what is malformed gives None or False and never raises.
"""

import base64
import functools
import hashlib
import json
import re

# ----------------------------------------------------------------- Ed25519, after the reference algorithm of RFC 8032, section 6

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, PRIME - 2, PRIME) % PRIME
SQRT_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)
NEUTRAL = (0, 1, 1, 0)


def sha512_number(data):
    """SHA-512 as a little-endian number below the group's order."""
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % ORDER


def point_add(p, q):
    """The sum of two points (X, Y, Z, T): x = X/Z, y = Y/Z, x*y = T/Z. Complete: right for p == q too."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % PRIME
    b = (p[1] + p[0]) * (q[1] + q[0]) % PRIME
    c = 2 * p[3] * q[3] * CURVE_D % PRIME
    d = 2 * p[2] * q[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME)


def point_multiply(number, p):
    """number * p, by doubling and adding."""
    total = NEUTRAL
    while number > 0:
        if number & 1:
            total = point_add(total, p)
        p = point_add(p, p)
        number >>= 1
    return total


def point_equal(p, q):
    """Whether two points are one: x and y compared without a division."""
    return (p[0] * q[2] - q[0] * p[2]) % PRIME == 0 and (p[1] * q[2] - q[1] * p[2]) % PRIME == 0


def recover_x(y, sign):
    """The x of a point with this y whose lowest bit is `sign`, or None."""
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, PRIME - 2, PRIME) % PRIME
    if square == 0:
        return None if sign else 0
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME != 0:
        x = x * SQRT_MINUS_ONE % PRIME
    if (x * x - square) % PRIME != 0:
        return None
    return PRIME - x if (x & 1) != sign else x


def point_compress(p):
    """The 32 bytes of a point."""
    inverse = pow(p[2], PRIME - 2, PRIME)
    x, y = p[0] * inverse % PRIME, p[1] * inverse % PRIME
    return (y | ((x & 1) << 255)).to_bytes(32, "little")


def point_decompress(data):
    """The point of 32 bytes, or None."""
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    x = recover_x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % PRIME)


BASE_Y = 4 * pow(5, PRIME - 2, PRIME) % PRIME
BASE = (recover_x(BASE_Y, 0), BASE_Y, 1, recover_x(BASE_Y, 0) * BASE_Y % PRIME)


@functools.lru_cache(maxsize=None)
def base_digits():
    """The only shortcut: for each of the 64 hex digits of a factor, its 16 multiples of the base point."""
    rows, point = [], BASE
    for _ in range(64):
        row = [NEUTRAL]
        for _ in range(15):
            row.append(point_add(row[-1], point))
        rows.append(row)
        point = point_add(row[-1], point)
    return rows


def base_multiply(number):
    """number * BASE; equal to point_multiply(number, BASE), which the tests check."""
    total = NEUTRAL
    for row in base_digits():
        total = point_add(total, row[number & 15])
        number >>= 4
    return total


def secret_expand(secret):
    """The scalar and the prefix of a 32-byte secret."""
    digest = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(digest[:32], "little")
    scalar &= (1 << 254) - 8
    scalar |= 1 << 254
    return scalar, digest[32:]


@functools.lru_cache(maxsize=None)
def public_key(secret):
    """The public key of a secret, both 32 bytes."""
    return point_compress(base_multiply(secret_expand(secret)[0]))


def sign(secret, message):
    """The 64 bytes of the signature."""
    scalar, prefix = secret_expand(secret)
    public = public_key(secret)
    nonce = sha512_number(prefix + message)
    commitment = point_compress(base_multiply(nonce))
    challenge = sha512_number(commitment + public + message)
    return commitment + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little")


@functools.lru_cache(maxsize=None)
def verify_signature(public, message, signature):
    """Whether `signature` is the key's over the message. Remembered, since tests look at one host many times."""
    if public is None or len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = point_decompress(public), point_decompress(signature[:32])
    number = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or number >= ORDER:
        return False
    challenge = sha512_number(signature[:32] + public + message)
    return point_equal(base_multiply(number), point_add(commitment, point_multiply(challenge, key)))


# ----------------------------------------------------------------- base64 and JSON

def sha256(data):
    """The 32 bytes of SHA-256."""
    return hashlib.sha256(data).digest()


def to_base64(data):
    """Standard alphabet, padded."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text, size=None):
    """The bytes of the one canonical spelling (of `size` bytes, if given), else None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        return None
    if to_base64(data) != text or (size is not None and len(data) != size):
        return None
    return data


def write_json(value):
    """JSON as recording.md has it in notes: no white space; outside printable ASCII, and for `~`, \\uXXXX."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("~", "\\u007e").replace("\x7f", "\\u007f").encode("ascii")


def read_json_object(data):
    """The object that `data` (ASCII) spells, else None."""
    try:
        value = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_number(value):
    """An integer as our formats have them. PAGE: no upper limit is named; taken is that of int64, as recording.md's kMaxDataBytes."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


# ----------------------------------------------------------------- RFC 6962, section 2.1

def leaf_hash(entry):
    """MTH of one entry."""
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    """MTH of two subtrees."""
    return sha256(b"\x01" + left + right)


def split_point(size):
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def tree_root(leaves):
    """MTH of a list of leaf hashes."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split_point(len(leaves))
    return node_hash(tree_root(leaves[:k]), tree_root(leaves[k:]))


def inclusion_proof(index, leaves):
    """PATH(index, leaves)."""
    if len(leaves) <= 1:
        return []
    k = split_point(len(leaves))
    if index < k:
        return inclusion_proof(index, leaves[:k]) + [tree_root(leaves[k:])]
    return inclusion_proof(index - k, leaves[k:]) + [tree_root(leaves[:k])]


def root_by_inclusion(index, size, leaf, proof):
    """The root that a leaf and its proof make, or None if the proof has not the right length."""
    if index >= size:
        return None
    if size == 1:
        return leaf if not proof else None
    if not proof:
        return None
    k = split_point(size)
    if index < k:
        below = root_by_inclusion(index, k, leaf, proof[:-1])
        return None if below is None else node_hash(below, proof[-1])
    below = root_by_inclusion(index - k, size - k, leaf, proof[:-1])
    return None if below is None else node_hash(proof[-1], below)


def consistency_proof(old, leaves):
    """PROOF(old, leaves) with 0 < old <= len(leaves)."""
    def subproof(size, part, whole):
        if size == len(part):
            return [] if whole else [tree_root(part)]
        k = split_point(len(part))
        if size <= k:
            return subproof(size, part[:k], whole) + [tree_root(part[k:])]
        return subproof(size - k, part[k:], False) + [tree_root(part[:k])]
    return subproof(old, leaves, True)


def roots_by_consistency(old, new, old_root, proof):
    """The two roots (old, new) that a consistency proof makes, or None if it has not the right length."""
    def walk(size, total, whole, rest):
        if size == total:
            if whole:
                return None if rest else (old_root, old_root)
            return (rest[0], rest[0]) if len(rest) == 1 else None
        if not rest:
            return None
        k = split_point(total)
        if size <= k:
            below = walk(size, k, whole, rest[:-1])
            return None if below is None else (below[0], node_hash(below[1], rest[-1]))
        below = walk(size - k, total - k, False, rest[:-1])
        return None if below is None else (node_hash(rest[-1], below[0]), node_hash(rest[-1], below[1]))
    return walk(old, new, True, list(proof)) if 0 < old <= new else None


# ----------------------------------------------------------------- C2SP signed notes

MAX_NOTE, MAX_SIGNATURES = 65536, 64  # PAGE: what a reader takes at the most
NOTE_SIGNATURE = re.compile("\u2014 ([^\\s+]+) ([A-Za-z0-9+/]+=*)\n")


def key_id(name, public):
    """The 4 bytes that name an Ed25519 key in a note."""
    return sha256(name.encode("utf-8", "surrogateescape") + b"\n\x01" + public)[:4]


def write_verifier_key(name, public):
    """NAME+HASH+KEY."""
    return f"{name}+{key_id(name, public).hex()}+{to_base64(bytes([1]) + public)}"


def read_verifier_key(text):
    """(name, public key) of NAME+HASH+KEY with Ed25519, else None."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not parts[0] or re.search(r"\s", parts[0]):
        return None
    data = from_base64(parts[2], 33)
    if data is None or data[0] != 1 or parts[1] != key_id(parts[0], data[1:]).hex():
        return None
    return parts[0], data[1:]


def sign_note(text, signers):
    """The note of `text` signed by each (name, secret), in bytes."""
    lines = "".join(f"\u2014 {name} {to_base64(key_id(name, public_key(secret)) + sign(secret, text.encode()))}\n"
                    for name, secret in signers)
    return (text + "\n" + lines).encode()


def read_note(data):
    """(text, [(name, id, signature)]) of the bytes of one note, else None."""
    if note_end(data, 0) != len(data):
        return None
    whole = data.decode("utf-8", "surrogateescape")
    cut = whole.rfind("\n\n")
    if cut < 0:
        return None
    text, rest, signatures = whole[:cut + 1], whole[cut + 2:], []
    while rest:
        line = NOTE_SIGNATURE.match(rest)
        blob = from_base64(line[2]) if line else None
        if blob is None or len(blob) < 5:
            return None
        signatures.append((line[1], blob[:4], blob[4:]))
        rest = rest[line.end():]
    return (text, signatures) if signatures else None


def note_signed_by(note, name, public):
    """Whether the note has this key's signature."""
    return public is not None and any(
        (who, ident) == (name, key_id(name, public)) and verify_signature(public, note[0].encode("utf-8", "surrogateescape"), signature)
        for who, ident, signature in note[1])


def note_end(data, start):
    """Where the note that begins there ends: behind the last of the signature lines that follow its first empty line. None: it is none."""
    data = data[:start + MAX_NOTE]
    at = data.find(b"\n\n", start) + 2
    if at < 2:
        return None
    signatures = 0
    while at < len(data) and data[at] == 0xe2:
        end = data.find(b"\n", at) + 1
        line = NOTE_SIGNATURE.fullmatch(data[at:end].decode("utf-8", "surrogateescape")) if end else None
        blob = from_base64(line[2]) if line else None
        signatures += 1
        if blob is None or len(blob) < 5 or signatures > MAX_SIGNATURES:
            return None
        at = end
    return at if signatures else None


def split_notes(data):
    """The notes of a file of notes, one after the other. What `~torn` closes is passed over, and so is a torn one at the end of the file,
    which nobody closed yet; other bytes that are no note are the last that is returned."""
    notes, at = [], 0
    while at < len(data):
        end = note_end(data, at)
        # Behind a whole signature line too: the note's last one is missing then.
        torn = data.find(b"~torn\n", at, end + len(b"~torn\n") if end else at + MAX_NOTE)
        if torn >= 0:
            at = torn + len(b"~torn\n")
        elif end:
            notes.append(data[at:end])
            at = end
        else:
            return notes + ([data[at:]] if data.endswith(b"\n") else [])
    return notes
