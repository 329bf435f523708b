"""seal.agree: `opelog verify` and the second implementation (second.py) come to the same verdict on random hosts and random damages.

    OPELOG_BUILD=BUILD agree_test.py [HOSTS [FIRST]]    HOSTS random hosts from seed FIRST on, each with DAMAGES damages

Compared are the ledger's integrity and the set of its finding words; for each recording integrity, completeness and the set of finding
words, and for each word that both place in bytes of files that some place of the one overlaps one of the other. What differs is
printed with its seeds: `second.py make DIR --seed S`, then `damage DIR --seed D` for each D. Without HOSTS the number is that of
OPELOG_AGREE_HOSTS, or a small one for the suite. A damage is one attack; every fourth host suffers two at once.
A host with a crash is also looked at as it was just before that was entered. The host among the
vectors comes first.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

from second import load, save
from second_crypto import split_notes
from second_damage import damage
from second_format import read_checkpoint
from second_host import make
from second_verdict import verify

HOSTS, DAMAGES = 22, 8


def opelog(directory):
    """What `opelog verify` says of the host in a directory."""
    program = os.path.join(os.environ["OPELOG_BUILD"], "src", "app", "opelog")
    pins = os.path.join(directory, "pins")
    told = subprocess.run([program, "verify", "--json", "--directory", os.path.join(directory, "recordings"),
                           "--ledger", os.path.join(directory, "ledger"), "--pins", pins if os.path.exists(pins) else os.devnull],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if told.returncode not in (0, 1, 8, 9):
        raise RuntimeError(f"opelog verify: exit code {told.returncode}: {told.stderr.decode(errors='replace')}")
    return json.loads(told.stdout)


def places(findings, what):
    """[(file, from, to)] of the findings of a word that are placed."""
    return [(finding["file"], finding["from"], finding["to"]) for finding in findings if finding["what"] == what and "from" in finding]


def overlap(one, other):
    """Whether two places have something in common; neighbours have their border."""
    return one[0] == other[0] and one[1] <= other[2] and other[1] <= one[2]


def compare_findings(where, ours, theirs):
    """The differences of two lists of findings."""
    differences = []
    words = [{finding["what"] for finding in findings} for findings in (ours, theirs)]
    if words[0] != words[1]:
        differences.append(f"{where}: opelog also {sorted(words[0] - words[1])}, second also {sorted(words[1] - words[0])}")
    for what in sorted(words[0] & words[1]):
        here, there = places(ours, what), places(theirs, what)
        if here and there and not any(overlap(one, other) for one in here for other in there):
            differences.append(f"{where}: {what}: opelog {here}, second {there}")
    return differences


def compare(ours, theirs):
    """The differences of two verdicts, as lines."""
    differences = []
    if ours["ledger"]["integrity"] != theirs["ledger"]["integrity"]:
        differences.append(f"ledger: opelog {ours['ledger']['integrity']}, second {theirs['ledger']['integrity']}")
    differences += compare_findings("ledger", ours["ledger"]["findings"], theirs["ledger"]["findings"])
    rows = [{(row["recording"], row["no"]): row for row in told["sessions"]} for told in (ours, theirs)]
    for key in sorted(set(rows[0]) | set(rows[1])):
        row, other = rows[0].get(key), rows[1].get(key)
        if row is None or other is None:
            differences.append(f"{key[0]} ({key[1]}): only {'second' if row is None else 'opelog'} has it: {row or other}")
            continue
        for word in ("integrity", "completeness"):
            if row[word] != other[word]:
                differences.append(f"{key[0]} ({key[1]}): {word}: opelog {row[word]}, second {other[word]}")
        differences += compare_findings(f"{key[0]} ({key[1]})", row["findings"], other["findings"])
    return differences


def judge(host, title):
    """Writes a host, asks both, prints what differs; whether they agree."""
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "recordings"))
        save(directory, host)
        differences = compare(opelog(directory), verify(host))
    for difference in differences:
        print(f"{title}: {difference}")
    return not differences


def before_the_crash_was_entered(host):
    """What stood there just before the start had entered what a crash left; None if there was none."""
    lines = host["ledger/entries"].splitlines(True)
    crashed = next((at for at, line in enumerate(lines) if json.loads(line)["k"] == "crashed"), None)
    if crashed is None:
        return None
    notes = [note for note in split_notes(host["ledger/checkpoints"]) if read_checkpoint(note).size <= crashed]
    pins = b"".join(b" ".join(line.split(b" ")[:1]) for line in host["pins"].splitlines(True) if not line.startswith(b"#"))
    return {**host, "ledger/entries": b"".join(lines[:crashed]), "ledger/checkpoints": b"".join(notes), "pins": pins.rstrip() + b"\n"}


def main():
    """The command line."""
    numbers = [int(word) for word in sys.argv[1:]]
    count = numbers[0] if numbers else int(os.environ.get("OPELOG_AGREE_HOSTS", HOSTS))
    first = numbers[1] if len(numbers) > 1 else 1
    done, agreed = 1, int(judge(load(os.path.join(HERE, "vectors", "host")), "vectors/host"))
    for seed in range(first, first + count):
        host = make(seed)
        done, agreed = done + 1, agreed + judge(host, f"make {seed}")
        before = before_the_crash_was_entered(host)
        if before:
            done, agreed = done + 1, agreed + judge(before, f"make {seed}, before its crash was entered")
        for number in range(DAMAGES):
            damaged, title = host, f"make {seed}"
            for again in range(2 if seed % 4 == 0 else 1):
                at = seed * 1000 + number * 10 + again
                damaged, report = attack(damaged, at)
                title += f", damage {at} ({report})"
            done, agreed = done + 1, agreed + judge(damaged, title)
    print(f"{agreed} of {done} verdicts agree: hosts {first} to {first + count - 1}, {DAMAGES} damages each")
    return 0 if agreed == done else 1


def attack(host, seed):
    """(damaged host, kind of damage). A host that the first damage left unfit for the second is left as it is."""
    try:
        damaged, report = damage(host, seed)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        return host, "none fits"
    return damaged, report["kind"] if report else "none fits"


if __name__ == "__main__":
    sys.exit(main())
