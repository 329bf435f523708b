"""How docs/formats/seals.md comes from a host's files to its verdict: the ledger first, then each recording.

Part of the second implementation (second.py). Pure: a host is a dictionary {"recordings/NAME.log": bytes, "ledger/entries": …,
"ledger/checkpoints": …, "pins": …}. The steps of the page stand in the comments by their numbers; PAGE marks a reading.
"""

from dataclasses import dataclass

from second_crypto import (from_base64, is_number, leaf_hash, read_json_object, read_verifier_key, sha256, tree_root,
                           verify_signature)
from second_format import (DIGEST_MEMBERS, FILES, LOG_BEGINS, RECORD, TIME_BEGINS, digest, leaves_of, read_checkpoints, read_entry,
                           read_opening, read_pins, read_seal, read_value, seal_message, split_lines)

# what a finding does: (integrity, completeness); None leaves it as it is
EFFECTS = {
    "altered": ("altered", None),
    "cut-head": ("altered", "cut"),
    "cut-tail": ("altered", "cut"),
    "missing-bytes": ("altered", "cut"),
    "inserted-bytes": ("altered", None),
    "seals-missing": ("altered", "cut"),
    "repeated": ("altered", None),
    "resigned": ("altered", None),
    "spliced": ("altered", None),
    "renamed": ("altered", None),
    "file-missing": ("altered", "cut"),
    "not-in-ledger": ("altered", None),
    "unsealed": ("unproven", None),
    "no-ledger": ("unproven", None),
    "unpinned": ("unproven", None),
    "ledger-damaged": ("unproven", None),
    "unsigned": ("unproven", None),
    "unsettled": ("unproven", "incomplete"),
    "tail-unsealed": (None, "incomplete"),
    "lost": (None, "incomplete"),
    "crash": (None, "incomplete"),
    "live": (None, "incomplete"),
    "no-end": (None, "incomplete"),
    "gap": (None, "incomplete"),
    "rotated": (None, None),
    "missing-session": ("altered", "gone"),
    "pruned": (None, "gone"),
    "abandoned": (None, "gone"),
}
INTEGRITY = ("intact", "unproven", "altered")
COMPLETENESS = ("complete", "incomplete", "cut", "gone")
ABANDONED_WITHIN = 30_000_000  # microseconds between opened and closed
POWER_CUT = 60_000_000  # microseconds of sealed bytes and seals that a power cut can take
LEDGER_DAMAGE = ("ledger-altered", "ledger-cut", "ledger-forked", "ledger-rolled-back", "key-chain-broken", "numbers-not-dense")

TEXTS = {
    "altered": "bytes differ from what was sealed",
    "cut-head": "the beginning is missing",
    "cut-tail": "the end is missing",
    "missing-bytes": "bytes are missing",
    "inserted-bytes": "there are bytes that were never recorded",
    "seals-missing": "seals are left out",
    "repeated": "a seal stands there twice",
    "resigned": "a seal is signed by a key whose turn it was not",
    "spliced": "a seal of another session",
    "renamed": "these are the files of another recording",
    "file-missing": "a sealed file is not there",
    "not-in-ledger": "the ledger does not hold its opening entry",
    "unsealed": "it has no seals",
    "no-ledger": "no ledger to prove it by",
    "unpinned": "the ledger's first key is not pinned",
    "ledger-damaged": "the ledger is not whole",
    "unsigned": "no checkpoint counts its entry yet",
    "tail-unsealed": "bytes behind the last seal",
    "lost": "a power cut took sealed bytes",
    "unsettled": "a power cut seems to have taken sealed bytes, and what the start found is not entered yet",
    "crash": "it ended by a crash",
    "no-end": "it has no end",
    "gap": "the recording states a gap",
    "rotated": "its files were renamed or compressed, and the ledger does not say so",
    "missing-session": "the ledger opened it, and it is not there",
    "pruned": "removed by policy",
    "abandoned": "it could not be begun",
    "unsigned-tail": "no checkpoint counts the last entries",
    "ledger-altered": "the ledger's bytes were changed",
    "ledger-cut": "fewer entries than a checkpoint counts",
    "ledger-forked": "the ledger tells two stories",
    "ledger-rolled-back": "the ledger was longer once",
    "key-chain-broken": "a checkpoint is not signed by the key whose turn it was",
    "numbers-not-dense": "a session's number does not follow",
    "unclean-boot": "a start without a stop before it",
    "off": "the daemon was stopped",
    "clock-set": "the clock was set",
    "keys-lost": "the keys were lost",
    "torn-entry": "a power cut tore an entry",
}


@dataclass(frozen=True)
class Finding:
    """A finding and where: bytes of a file of a recording, or (with `index`) the ledger's entry or checkpoint."""
    what: str
    file: str = ""
    start: int = 0
    end: int = 0
    index: int = -1

    def as_json(self):
        """As it is printed."""
        value = {"what": self.what}
        if self.index >= 0:
            value["index"] = self.index
        if self.file:
            value["file"] = self.file
            if self.index < 0:
                value.update({"from": self.start, "to": self.end})
        value["text"] = TEXTS[self.what]
        return value


def verdict(findings):
    """(integrity, completeness) that follow from findings."""
    integrity, completeness = "intact", "complete"
    for finding in findings:
        effect = EFFECTS[finding.what]
        if effect[0]:
            integrity = max(integrity, effect[0], key=INTEGRITY.index)
        if effect[1]:
            completeness = max(completeness, effect[1], key=COMPLETENESS.index)
    return integrity, completeness


# ----------------------------------------------------------------- the ledger

class Ledger:
    """What the ledger says, and what is wrong with it. `there` is false where a host has none."""

    def __init__(self, host):
        self.there = "ledger/entries" in host
        self.all_pins = read_pins(host.get("pins", b""))
        self.findings = []
        data = host.get("ledger/entries", b"")
        self.lines = [line for _, line in split_lines(data)]
        self.entries = [read_entry(line, index) for index, line in enumerate(self.lines)]
        self.leaves = leaves_of(self.lines)
        notes = host.get("ledger/checkpoints", b"")
        self.checkpoints = read_checkpoints(notes)
        self.host_id = next((checkpoint.host_id for checkpoint in self.checkpoints if checkpoint), None) or self.first_key()[0]
        self.covered = max([checkpoint.size for checkpoint in self.checkpoints if checkpoint and checkpoint.host_id == self.host_id] or [0])
        if self.there:
            self.judge_entries()
            if not data.endswith(b"\n") and data:
                self.find("unsigned-tail", "entries", len(self.lines))
            if not self.lines:
                self.find("ledger-cut", "entries", 0)
            self.judge_checkpoints()
            self.judge_pins()
            if notes and not notes.endswith(b"\n"):
                self.find("unsigned-tail", "checkpoints", len(self.checkpoints))
            if self.covered < len(self.lines):
                self.find("unsigned-tail", "entries", self.covered)

    def find(self, what, file, index):
        """Notes a finding, once."""
        finding = Finding(what, file, index=index)
        if finding not in self.findings:
            self.findings.append(finding)

    def of_kind(self, *kinds):
        """[(index, entry)] of these kinds."""
        return [(index, entry) for index, entry in enumerate(self.entries) if entry and entry["k"] in kinds]

    def judge_entries(self):
        """Each entry by itself and by those before it."""
        number, ran, stopped = 0, False, None
        for index, entry in enumerate(self.entries):
            kind = entry["k"] if entry else None
            if entry is None:
                self.find("ledger-altered", "entries", index)
            elif index == 0 and kind != "key":
                self.find("ledger-altered", "entries", index)
            elif kind == "torn":
                self.find("torn-entry", "entries", index)
            elif kind == "clock":
                self.find("clock-set", "entries", index)
            elif kind == "key" and index > 0 and entry.get("why") != "rotated":
                self.find("keys-lost", "entries", index)
            elif kind == "opened":
                if entry.get("no") != number + 1:
                    self.find("numbers-not-dense", "entries", index)
                number = max(number, entry["no"])
            elif kind == "boot":
                # PAGE: before the first start of all there is no stop to miss.
                if stopped is not None:
                    self.find("off", "entries", stopped)
                elif ran:
                    self.find("unclean-boot", "entries", index)
                ran, stopped = True, None
            elif kind == "shutdown":
                stopped = index

    def first_key(self):
        """(host id, public key of epoch 1) of entry 0, each None where it cannot be read."""
        entry = self.entries[0] if self.entries else None
        if not entry or entry["k"] != "key":
            return None, None
        log = read_verifier_key(entry["log"]) if isinstance(entry.get("log"), str) else None
        name = log[0] if log and log[0].startswith("opelog/") else None
        return name and name[len("opelog/"):], from_base64(entry.get("next"), 32)

    def judge_checkpoints(self):
        """The chain of keys, and each checkpoint against the tree."""
        key, pinned = self.first_key()[1], [pin[1] for pin in self.pins()]
        lost = {entry.get("epoch"): (index, from_base64(entry.get("next"), 32))
                for index, entry in self.of_kind("key") if entry.get("why") == "lost"}
        epoch = self.entries[0]["epoch"] if key else 1
        epochs, roots, before = set(), {}, 0
        wrong_root = cut = False
        for number, checkpoint in enumerate(self.checkpoints):
            if checkpoint is None:
                # PAGE: what is no checkpoint at all, and not closed by `~torn`.
                self.find("ledger-altered", "checkpoints", number)
                continue
            if checkpoint.host_id != self.host_id:
                self.find("ledger-altered", "checkpoints", number)
                continue
            if (checkpoint.epoch in epochs or checkpoint.size < before
                    or roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root):
                self.find("ledger-forked", "checkpoints", number)
            index, other = lost.get(checkpoint.epoch, (checkpoint.size, None))
            by_lost = index < checkpoint.size and other in pinned and checkpoint.signed_by(other)
            if not by_lost and (checkpoint.epoch != epoch or not checkpoint.signed_by(key)):
                self.find("key-chain-broken", "checkpoints", number)
            if checkpoint.size > len(self.leaves):
                if not cut:  # PAGE: the first tells all
                    self.find("ledger-cut", "checkpoints", number)
                cut = True
            elif tree_root(self.leaves[:checkpoint.size]) != checkpoint.root:
                if not wrong_root:  # PAGE: likewise
                    self.find("ledger-altered", "checkpoints", number)
                wrong_root = True
            epochs.add(checkpoint.epoch)
            epoch, key, before = checkpoint.epoch + 1, checkpoint.next, checkpoint.size

    def pins(self):
        """The pins of this host."""
        return [pin for pin in self.all_pins if pin[0] == f"opelog/{self.host_id}/epoch"]

    def judge_pins(self):
        """The first key, and what was seen once."""
        key = self.first_key()[1]
        if key is None or key not in [pin[1] for pin in self.pins()]:
            self.find("unpinned", "entries", 0)
        for _, _, size, root in self.pins():
            if size is not None and size > len(self.leaves):
                self.find("ledger-rolled-back", "entries", len(self.leaves))
            elif size is not None and tree_root(self.leaves[:size]) != root:
                self.find("ledger-forked", "entries", size)

    def opened(self):
        """[(index, opening entry)] that can be read."""
        found = [(index, read_opening(self.lines[index])) for index, _ in self.of_kind("opened")]
        return [(index, entry) for index, entry in found if entry]

    def opened_as(self, recording):
        """(index, entry) of the last session of this name, else None."""
        found = [pair for pair in self.opened() if pair[1]["recording"] == recording]
        return found[-1] if found and not self.is_abandoned(found[-1][1]["no"]) else None

    def opened_with(self, number):
        """(index, entry) of the session of this number, else None."""
        found = [pair for pair in self.opened() if pair[1]["no"] == number]
        return found[-1] if found else None

    def of_session(self, number, *kinds):
        """The entries of these kinds that concern a session."""
        return [entry for _, entry in self.of_kind(*kinds) if entry.get("no") == number]

    def told_of(self, number):
        """The entries that count of a session: nothing behind the first `closed` or `crashed`."""
        told = []
        for entry in self.of_session(number, "sealed", "closed", "crashed"):
            told.append(entry)
            if entry["k"] != "sealed":
                break
        return told

    def crash_of(self, opening):
        """(entry, whether another boot than the session's came before it) of a session's `crashed` entry, else None: the first of them,
        and none behind a `closed`."""
        boot = None
        for _, entry in self.of_kind("boot", "closed", "crashed"):
            if entry["k"] == "boot":
                boot = entry.get("boot_id")
            elif entry.get("no") == opening["no"]:
                return (entry, bool(boot) and bool(opening.get("boot_id")) and boot != opening.get("boot_id")) if entry["k"] == "crashed" else None
        return None

    def is_unsettled(self, opening):
        """Whether the last boot is another than the session's, and nothing yet says how that ended."""
        boots = [entry for _, entry in self.of_kind("boot") if entry["i"] > opening["i"]]
        if not boots or any(told["k"] != "sealed" for told in self.told_of(opening["no"])):
            return False
        last, own = boots[-1].get("boot_id"), opening.get("boot_id")
        return bool(last) and bool(own) and last != own

    def is_abandoned(self, number):
        """Whether a session could not be begun: that is all the ledger says of it."""
        entries = self.of_session(number, "sealed", "closed", "crashed")
        if len(entries) != 1 or entries[0]["k"] != "closed" or entries[0].get("n") != 0:
            return False
        opening = self.opened_with(number)
        index = entries[0]["i"]
        boots = [at for at, _ in self.of_kind("boot") if opening[0] < at < index]
        late = not 0 <= entries[0].get("t", 0) - opening[1].get("t", 0) <= ABANDONED_WITHIN
        return not boots and not late and "unsigned" not in self.trust([index])

    def pruned(self):
        """{(recording, index of its opening entry or None): index of the `pruned` entry}: each concerns the last session of its name
        so far, or one from before the ledger."""
        found = {}
        for index, entry in self.of_kind("pruned"):
            opened = [at for at, opening in self.opened() if at < index and opening["recording"] == entry.get("recording")]
            found[entry.get("recording", ""), opened[-1] if opened else None] = index
        return found

    def trust(self, indexes):
        """What the ledger's own state takes from a verdict that rests on these entries."""
        if not self.there:
            return ["no-ledger"]
        words = {finding.what for finding in self.findings}
        found = ["unpinned"] if "unpinned" in words else []
        found += ["ledger-damaged"] if words & set(LEDGER_DAMAGE) else []
        found += ["unsigned"] if any(index >= self.covered for index in indexes) else []
        return found

    def integrity(self):
        """One word for the ledger."""
        words = {finding.what for finding in self.findings}
        if words & set(LEDGER_DAMAGE):
            return "altered"
        return "unproven" if "unpinned" in words or not self.there else "intact"


# ----------------------------------------------------------------- one recording

@dataclass(frozen=True)
class Walked:
    """A seal that was walked: under which number, whether its digests are checked, whether its sizes count (its signature fits, or could
    not be checked), and the hash of its message if that is known."""
    seal: object
    n: int
    compared: bool
    counts: bool
    hash: bytes


class Recording:
    """The verdict on the files of one name."""

    def __init__(self, name, files, ledger):
        self.name, self.files, self.ledger = name, files, ledger
        self.time = files.get("time", b"")
        self.lines = split_lines(self.time)
        self.seals = [seal for seal in (read_seal(line, start) for start, line in self.lines) if seal]
        self.findings, self.walked, self.number, self.final = [], [], 0, None
        self.told = set()  # files whose size step 6 explained
        self.unsealed_tail = False
        self.crashed = False
        self.unsettled = False  # the host was started anew, and the ledger has no `crashed` entry yet
        self.crash = None  # the ledger's `crashed` entry, and whether the host was started anew before it
        self.session = []  # the ledger's entries on this session; none where the ledger does not hold its opening entry
        self.judge()

    def find(self, what, file="", start=0, end=0):
        """Notes a finding, once."""
        finding = Finding(what, file, start, end)
        if finding not in self.findings:
            self.findings.append(finding)

    def judge(self):
        """Steps 2 to 9."""
        entry, line = self.opening()
        if entry is None:
            if "unsealed" not in [finding.what for finding in self.findings]:
                self.stated()
            return
        self.number = entry["no"]
        entry, line, index = self.in_ledger(entry, line)
        self.opened_at = entry["t"]
        if index is not None:
            self.session = self.ledger.told_of(entry["no"])
            self.crash, self.unsettled = self.ledger.crash_of(entry), self.ledger.is_unsettled(entry)
        for what in self.ledger.trust([] if index is None else [index]):
            self.find(what)
        if index is not None and ("log" not in self.files or "time" not in self.files):
            by = self.ledger.pruned().get((entry["recording"], index))
            if by is not None and "unsigned" not in self.ledger.trust([by]):
                self.find("pruned")
                return
        leaf = leaf_hash(line)
        self.walk(entry, leaf)
        self.judge_time()
        self.judge_data("log")
        self.judge_data("in")
        self.behind()
        self.by_ledger()
        self.stated()

    def killed_before_header(self, opening):
        """Whether all there is came at the start after a crash (or that start is to come), because that came before the header."""
        crash = self.ledger.crash_of(opening)
        if self.seals or any(entry["k"] in ("sealed", "closed") for entry in self.ledger.told_of(opening["no"])):
            return False
        if not crash:
            return self.files.get("time") == b""
        if crash[0].get("missing") is True:
            return False
        return all(len(self.files.get(file, b"")) == crash[0].get(file) for file in FILES)

    def opening(self):
        """Step 2: (opening entry, its line), or (None, None) where no seal can be checked."""
        line = read_value(self.lines, "OPELOG_OPENED")[1]
        entry = read_opening(line)
        if entry is not None:
            return entry, line
        known = self.ledger.opened_as(self.name)
        if not self.seals and known is None:
            self.find("unsealed")
            return None, None
        if known is None and self.seals:
            known = self.ledger.opened_with(self.seals[0].s)
        # `file-missing` is found in step 5.
        if known is not None and self.killed_before_header(known[1]):
            pass
        elif "time" in self.files and known is not None:
            self.session, self.crash = self.ledger.told_of(known[1]["no"]), self.ledger.crash_of(known[1])
            self.unsettled = self.ledger.is_unsettled(known[1])
            headless = not self.time.startswith(TIME_BEGINS)
            what = "cut-head" if headless else self.by_power_cut("time") or "altered"
            self.find(what, "time", 0, self.seals[0].start if self.seals else len(self.time))
        if known is None:
            self.find("altered", "time", 0, self.seals[0].start if self.seals else len(self.time))
            self.number = self.seals[0].s if self.seals else 0
            for what in self.ledger.trust([]):
                self.find(what)
            return None, None
        return known[1], self.ledger.lines[known[0]]

    def in_ledger(self, entry, line):
        """Step 3: the opening entry to go on with, its line, and its index in the ledger or None."""
        index = entry["i"]
        if not self.ledger.there:
            index = None
        elif index >= len(self.ledger.lines) or self.ledger.lines[index] != line:
            known = self.ledger.opened_as(self.name)
            if known:
                self.find("altered", "time", 0, self.seals[0].start if self.seals else len(self.time))
                index, entry = known
                line, self.number = self.ledger.lines[index], entry["no"]
            else:
                self.find("not-in-ledger")
                # PAGE: only what ends here counts as naming an entry; a flipped digit in a recording whose entry is there does
                # not make the whole host unproven.
                if index >= len(self.ledger.lines):
                    self.ledger.find("ledger-rolled-back", "entries", index)
                index = None
        if entry["recording"] != self.name:
            self.find("renamed")
        return entry, line, index

    def walk(self, entry, leaf):
        """Step 4."""
        first = from_base64(entry["key"], 32)
        chain = [first] + [seal.next for seal in self.seals if seal.next]
        expected, key, prev = 1, first, leaf
        for seal in self.seals:
            message = seal_message(seal, expected, leaf, prev) if prev else None
            fits = message is not None and self.final is None and verify_signature(key, message, seal.sig)
            compared = counts = True
            by_other = False
            if fits:
                if (seal.s, seal.n) != (entry["no"], expected):
                    self.find("altered", "time", seal.start, seal.end)
            elif seal.s != entry["no"]:
                self.find("spliced", "time", seal.start, seal.end)
                continue
            elif seal.n < expected:
                self.find("repeated", "time", seal.start, seal.end)
                continue
            elif self.final is not None:
                continue
            elif seal.n == expected:
                if message is not None:
                    by_other = any(verify_signature(other, message, seal.sig) for other in chain if other != key)
                    self.find("resigned" if by_other else "altered", "time", seal.start, seal.end)
                    counts = by_other
            else:
                start, size = (self.walked[-1].seal.start, self.walked[-1].seal.sizes["time"]) if self.walked else (0, 0)
                if seal.start - start == seal.sizes["time"] - size:
                    self.find("altered", "time", self.walked[-1].seal.end if self.walked else 0, seal.start)
                else:
                    self.find("seals-missing", "time", start, seal.start)
                compared, expected = False, seal.n
            self.walked.append(Walked(seal, expected, compared, counts, sha256(message) if fits or by_other else None))
            if seal.final:
                self.final = seal
            expected, key, prev = expected + 1, seal.next, self.walked[-1].hash

    def judge_time(self):
        """Step 5."""
        if "time" not in self.files:
            self.find("file-missing", "time")
        start = size = 0
        counted = True
        for number, walked in enumerate(self.walked):
            seal = walked.seal
            if walked.compared:
                lacking = seal.sizes["time"] - size - (seal.start - start) if counted and walked.counts else 0
                covered = self.time[start:seal.start]
                if lacking > 0:
                    headless = number == 0 and not self.time.startswith(TIME_BEGINS)
                    self.find("cut-head" if headless else "missing-bytes", "time", start, seal.start)
                elif lacking < 0:
                    self.find("inserted-bytes", "time", start, seal.start)
                elif digest("time", covered) != (seal.digests["time"] or digest("time", b"")):
                    self.find("altered", "time", start, seal.start)
            start, size, counted = seal.start, seal.sizes["time"], walked.counts

    def judge_data(self, file):
        """Step 6."""
        data = self.files.get(file)
        last = max([0] + [walked.seal.sizes[file] for walked in self.walked if walked.counts][-1:])
        if data is None:
            promised = [entry.get(file) for entry in self.session]
            if last > 0 or any(is_number(size) and size > 0 for size in promised):
                self.find("file-missing", file)
            return
        segments, start, counted = [], 0, True  # those that have bytes
        for walked in self.walked:
            end = walked.seal.sizes[file]
            if counted and walked.counts:
                if walked.compared and start < end:
                    segments.append((start, end, walked.seal.digests[file] or digest(file, b"")))
            start, counted = end if walked.counts else start, walked.counts

        def equal(segment, earlier):
            begin, end, wanted = segment[0] - earlier, segment[1] - earlier, segment[2]
            return 0 <= begin <= end <= len(data) and digest(file, data[begin:end]) == wanted

        whole = [at for at, segment in enumerate(segments) if segment[1] <= len(data)]
        differing = [at for at in whole if not equal(segments[at], 0)]
        lacking = last - len(data)
        if differing:
            j = differing[0]
            if self.final and lacking != 0 and all(equal(segment, lacking) for segment in segments[j + 1:]):
                headless = j == 0 and not data.startswith(LOG_BEGINS[:len(data)])
                self.find("inserted-bytes" if lacking < 0 else "cut-head" if headless else "missing-bytes", file,
                          segments[j][0], max(segments[j][0], segments[j][1] - lacking))
                self.told.add(file)
                return
            for at in differing:
                self.find("altered", file, segments[at][0], segments[at][1])
        if lacking > 0:
            self.told.add(file)
            if (not differing and segments and self.final and data and not data.startswith(LOG_BEGINS[:len(data)])
                    and all(equal(segment, lacking) for segment in segments[1:])):
                self.find("cut-head", file, 0, segments[0][1])
            else:
                old = [one for one in self.walked if one.seal.at < self.newest() - POWER_CUT and one.seal.sizes[file] > len(data)]
                self.find(self.by_power_cut(file) or "cut-tail" if not old else "cut-tail", file, len(data), last)

    def newest(self):
        """When the newest seal known of was made, in microseconds since the recording began."""
        here = self.walked[-1].seal.at if self.walked else 0
        sealed = [entry["t"] - self.opened_at for entry in self.session if entry["k"] == "sealed"]
        return max([here] + sealed[-1:])

    def by_power_cut(self, file):
        """Step 8, the end: the word for a file as short as the next start found it, or may find it; None if it is no power cut's doing."""
        if self.unsettled:
            return "unsettled"
        entry, other_boot = self.crash or (None, False)
        found_so = other_boot and not entry.get("missing") and entry.get(file) == len(self.files.get(file, b""))
        return "lost" if found_so else None

    def behind(self):
        """Step 7."""
        sizes = {file: self.walked[-1].seal.sizes[file] if self.walked else 0 for file in FILES}
        sizes["time"] = self.walked[-1].seal.end if self.walked else 0
        for file in FILES:
            if len(self.files.get(file, b"")) <= sizes[file]:
                continue
            if file in self.told:
                continue
            if self.final is None:
                self.unsealed_tail = True
                self.find("tail-unsealed", file, sizes[file], len(self.files[file]))
            else:
                self.find("inserted-bytes", file, sizes[file], len(self.files[file]))

    def by_ledger(self):
        """Step 8."""
        last = self.walked[-1] if self.walked else None
        number, begin = (last.n, last.seal.end) if last else (0, 0)
        told = [entry for kind in ("closed", "sealed") for entry in [one for one in self.session if one["k"] == kind][-1:]]
        above = [entry for entry in told if entry["n"] > number]
        if above:
            entry = above[0]
            young = entry["n"] == number + 1 or self.newest() - (last.seal.at if last else 0) <= POWER_CUT
            lost = self.by_power_cut("time") if entry["k"] == "sealed" and young else None
            if lost:
                self.find(lost, "time", begin, len(self.time))
            elif len(self.time) >= entry["time"] + (entry["k"] == "sealed"):
                self.find("altered", "time", begin, len(self.time))
            else:
                self.find("cut-tail", "time", len(self.time), max(len(self.time), entry["time"]))
        for entry in told:
            for walked in self.walked:
                if walked.n == entry["n"] and walked.hash and walked.hash != from_base64(entry["seal"], 32):
                    self.find("altered", "time", walked.seal.start, walked.seal.end)
        if self.crash:
            entry = self.crash[0]
            self.crashed = self.final is None
            for file in FILES:
                if entry.get("missing") is True:
                    if self.final is None and file in self.files:
                        self.find("inserted-bytes", file, 0, len(self.files[file]))
                    continue
                if file in self.told:
                    continue
                data, size = self.files.get(file, b""), entry[file]
                if file not in self.files and ("file-missing", file) in [(finding.what, finding.file) for finding in self.findings]:
                    continue
                if len(data) < size:
                    self.find("cut-tail", file, len(data), size)
                elif len(data) > size:
                    self.find("inserted-bytes", file, size, len(data))
                elif self.unsealed_tail and data and digest(file, data) != from_base64(entry.get(DIGEST_MEMBERS[file]), 32):
                    self.find("altered", file, 0, size)

    def stated(self):
        """Step 9."""
        for start, line in self.lines:
            record = RECORD.fullmatch(line)
            if record and record[2] == b"OPELOG_GAP":
                self.find("gap", "time", start, start + len(line) + 1)
            if record and record[2] == b"OPELOG_END" and (read_json_object(record[3]) or {}).get("reason") == "crash":
                self.crashed = True
        if self.crashed:
            self.find("crash")
        elif self.final is None:
            self.find("no-end")


# ----------------------------------------------------------------- the host

def recordings_of(host):
    """{name: {file: bytes}} of the recordings of a host."""
    found = {}
    for path, data in sorted(host.items()):
        stem, dot, extension = path.rpartition(".")
        if dot and extension in FILES and stem.startswith("recordings/"):
            found.setdefault(stem[len("recordings/"):], {})[extension] = data
    return found


def describe(name, number, findings):
    """A recording as it is printed."""
    integrity, completeness = verdict(findings)
    said = ", ".join(dict.fromkeys(TEXTS[finding.what] for finding in findings))
    return {"recording": name, "no": number, "integrity": integrity, "completeness": completeness,
            "findings": [finding.as_json() for finding in findings],
            "text": f"{name}: {integrity}, {completeness}" + (f": {said}" if said else "")}


def verify(host):
    """The verdict on a host, as it is printed."""
    ledger = Ledger(host)
    names = recordings_of(host)
    # Twice: a recording that names an entry beyond the ledger makes the whole ledger rolled back, for the others too.
    for _ in range(2):
        judged = [Recording(name, files, ledger) for name, files in names.items()]
    rows = [describe(recording.name, recording.number, recording.findings) for recording in judged]
    pruned = ledger.pruned()
    for index, entry in ledger.opened():
        # Of two sessions of one name, the files are those of the last.
        if entry["recording"] in names and ledger.opened_as(entry["recording"])[0] == index:
            continue
        if ledger.is_abandoned(entry["no"]):
            closed = ledger.of_session(entry["no"], "closed")[0]["i"]
            findings = [Finding(what) for what in ["abandoned"] + ledger.trust([closed])]
            rows.append(describe(entry["recording"], entry["no"], findings))
            continue
        by = pruned.pop((entry["recording"], index), None)
        crash = ledger.crash_of(entry)
        lost = "lost" if crash and crash[0].get("missing") is True and crash[1] else None
        if by is None and ledger.is_unsettled(entry):
            lost = "unsettled"
        if any(told["k"] == "sealed" for told in ledger.told_of(entry["no"])):
            lost = None
        findings = [Finding(lost or ("missing-session" if by is None else "pruned"))]
        findings += [Finding(what) for what in ledger.trust([index if by is None else by])]
        rows.append(describe(entry["recording"], entry["no"], findings))
    for (name, index), by in pruned.items():
        if index is None and name not in names:
            rows.append(describe(name, 0, [Finding(what) for what in ["pruned"] + ledger.trust([by])]))
    return {"ledger": {"integrity": ledger.integrity(), "findings": [finding.as_json() for finding in ledger.findings]},
            "sessions": sorted(rows, key=lambda row: (row["recording"], row["no"]))}
