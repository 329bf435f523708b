#!/usr/bin/env python3
"""A second implementation of seals, ledger and verdicts, written from docs/formats/seals.md alone: slow, plain, independent of src/.

    second.py make DIR --seed N [--text]         writes a random host: DIR/recordings, DIR/ledger, DIR/pins (and DIR/secrets, its keys)
    second.py damage DIR --seed N [--kind KIND]  attacks it once, prints as JSON what was done
    second.py kinds                              the kinds of attack, one a line
    second.py verify DIR                         prints what `opelog verify --json` must say of it
    second.py vectors [DIR]                      writes tests/seal/vectors, or the same elsewhere

`damage` prints {"kind", "file", "offset", "recordings": [those whose verdict must change], "ledger": whether the ledger's must}; "kind" null:
this host offers no opportunity for it. This file touches the disk; the others beside it are pure.
"""

import argparse
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from second_damage import KINDS, damage
from second_host import make
from second_vectors import vectors
from second_verdict import verify


def load(directory):
    """The files of a host: {path below the directory: bytes}."""
    host = {}
    for name in ("recordings", "ledger"):
        folder = os.path.join(directory, name)
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, entry), "rb") as file:
                host[f"{name}/{entry}"] = file.read()
    for name in ("pins", "secrets"):
        if os.path.exists(os.path.join(directory, name)):
            with open(os.path.join(directory, name), "rb") as file:
                host[name] = file.read()
    return host


def save(directory, host, before=()):
    """Writes the files of a host; those of `before` that it has no more are removed."""
    for path in set(before) - set(host):
        os.unlink(os.path.join(directory, path))
    for path, data in host.items():
        full = os.path.join(directory, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(data)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="a second implementation of seals, ledger and verdicts")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("make", "damage", "verify"):
        command = commands.add_parser(name)
        command.add_argument("directory")
        if name != "verify":
            command.add_argument("--seed", type=int, required=True)
    commands.choices["make"].add_argument("--text", action="store_true", help="recordings hold text only")
    commands.choices["damage"].add_argument("--kind", choices=sorted(KINDS))
    commands.add_parser("kinds")
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors")
    commands.add_parser("vectors").add_argument("directory", nargs="?", default=here)
    options = parser.parse_args()

    if options.command == "make":
        save(options.directory, make(options.seed, options.text))
    elif options.command == "damage":
        host = load(options.directory)
        damaged, report = damage(host, options.seed, options.kind)
        save(options.directory, damaged, host)
        print(json.dumps(report or {"kind": None}))
    elif options.command == "kinds":
        print("\n".join(KINDS))
    elif options.command == "verify":
        print(json.dumps(verify(load(options.directory)), ensure_ascii=False))
    else:
        save(options.directory, vectors())


if __name__ == "__main__":
    main()
