"""The vectors in tests/seal/vectors: those that others published, written down and checked, and a small host of our own.

Part of the second implementation (second.py). Pure. Numbers and bytes are separated by spaces, bytes are hex, `-` are no bytes.
"""

import json

from second_crypto import from_base64, leaf_hash, sha256, tree_root
from second_format import read_seal, seal_message, split_lines
from second_host import make
from second_verdict import Ledger, recordings_of, verify

# RFC 8032, section 7.1, TEST 1 to 3: secret, public key, message, signature
ED25519 = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
     "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
     "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
     "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]

# The test data of the certificate-transparency project for RFC 6962: leaves, roots of the first 0 to 8 of them, proofs
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = [  # index from 0, size of the tree, proof
    (0, 1, []),
    (0, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (5, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (1, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]
CONSISTENCY = [  # the smaller size, the larger, proof
    (1, 1, []),
    (1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 5, ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]

# Signed notes: the one in the documentation of Go's sumdb/note, whose secret is published too, and the example of C2SP's signed-note
NOTES = {
    "note-peterneumann": (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"),
    "note-example": (
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "This is an example message.\n\n"
        "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"),
}
PETERNEUMANN_SECRET = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM="

README = """\
# Vectors for seals and the ledger

Written by `tests/seal/second.py vectors`; the test beside it checks that they are what it writes. Bytes are hex, `-` are no bytes.

- `ed25519.txt`: RFC 8032, section 7.1, TEST 1 to 3; a line is secret, public key, message, signature.
- `merkle.txt`: the certificate-transparency project's test data for RFC 6962: `leaf DATA` (8 in order), `root SIZE HASH`, `inclusion INDEX SIZE HASH…`, `consistency OLD NEW HASH…`.
- `note-peterneumann`: the signed note in the documentation of Go's `sumdb/note`.
- `note-example`: the example of C2SP's signed-note.
- `notes.txt`: for each of these, name and verifier key.
- `host/`: a host of `second.py make --seed 1 --text`: recordings, ledger, pins.
- `host.json`: what `second.py verify` says of it.
- `seals.txt`: every seal of that host: session, number, public key, message, signature, SHA-256 of the message.
- `roots.txt`: the tree of that host's ledger: number of entries, root.
"""


def hexes(*values):
    """Bytes as words of a line."""
    return " ".join(value.hex() if value else "-" for value in values)


def merkle_text():
    """The file merkle.txt."""
    lines = [f"leaf {leaf or '-'}" for leaf in LEAVES]
    lines += [f"root {size} {root}" for size, root in enumerate(ROOTS)]
    lines += [" ".join(["inclusion", str(index), str(size)] + proof) for index, size, proof in INCLUSION]
    lines += [" ".join(["consistency", str(old), str(new)] + proof) for old, new, proof in CONSISTENCY]
    return "\n".join(lines) + "\n"


def seals_text(host):
    """The file seals.txt."""
    ledger, lines = Ledger(host), []
    for name, files in recordings_of(host).items():
        known = ledger.opened_as(name)
        if known is None:
            continue
        prev = leaf = leaf_hash(ledger.lines[known[0]])
        key = from_base64(known[1]["key"])
        for start, line in split_lines(files["time"]):
            seal = read_seal(line, start)
            if seal is None:
                continue
            message = seal_message(seal, seal.n, leaf, prev)
            prev = sha256(message)
            lines.append(f"{seal.s} {seal.n} " + hexes(key, message, seal.sig, prev))
            key = seal.next
    return "\n".join(lines) + "\n"


def vectors():
    """{path: bytes} of all of them."""
    host = make(1, plain=True)
    del host["secrets"]
    ledger = Ledger(host)
    files = {
        "README.md": README,
        "ed25519.txt": "".join(" ".join(field or "-" for field in vector) + "\n" for vector in ED25519),
        "merkle.txt": merkle_text(),
        "notes.txt": "".join(f"{name} {key}\n" for name, (key, _) in NOTES.items()),
        "host.json": json.dumps(verify(host), indent=1, ensure_ascii=False) + "\n",
        "seals.txt": seals_text(host),
        "roots.txt": "".join(f"{size} {tree_root(ledger.leaves[:size]).hex()}\n" for size in range(len(ledger.leaves) + 1)),
    }
    files.update({name: note for name, (_, note) in NOTES.items()})
    found = {name: text.encode() for name, text in files.items()}
    found.update({f"host/{path}": data for path, data in host.items()})
    return found
