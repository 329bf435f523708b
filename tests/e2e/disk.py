"""A disk that can lose its power or fail, for a Host: an image whose every write and flush a program here answers.

The image is the only file of a FUSE file system; a loop device lies on it, and ext4 on that. So what the disk was given and
what it was told to flush is known one request at a time, and

    cut      is what is left when the power goes now: all that was written ahead of the last flush, and of what was written
             since any part, in sectors of 512 bytes, in any order (a volatile write cache): random, by the seed given
    holds    says whether bytes are safe: on the disk, and flushed (since the last time that it said so of others)
    fail     has every write answered with EIO from now on, until it is told to stop

It needs nothing of the kernel but loop and FUSE, no device mapper.

    disk = Disk(host, 64)                 # made, formatted, mounted, and put below the host's logs, ledger and key
    disk.wait_holds(b"mark-1")            # the power may go now
    disk.cut("/run/disk/cut.1", seed)     # an image
    disk.take_away(); disk.put(IMAGE)     # the daemon must not run
"""

import ctypes
import os
import random
import select
import struct
import subprocess
import sys

SECTOR = 512
BLOCK = 4096
PLACES = {"/var/log/ope_log": "ope_log", "/var/log/opelog-ledger": "ledger", "/var/lib/opelog": "lib"}


class Disk:
    def __init__(self, host, megabytes, places=None, options="loop"):
        # Here, because the program below runs without the tests beside it.
        import sandbox
        self.host, self.sandbox = host, sandbox
        self.places = PLACES if places is None else places
        host.sh("mkdir -p /run/disk/mounted", check=True)
        with open(__file__, "rb") as file:
            host.write("/run/disk/disk.py", file.read())
        host.sh(f"truncate -s {megabytes}M /run/disk/made && touch /run/disk/image && "
                "mkfs.ext4 -q -F -m 0 -b 4096 -E lazy_itable_init=0,nodiscard /run/disk/made && mount -o loop /run/disk/made /run/disk/mounted && "
                + "".join(f"mkdir -p {place} /run/disk/mounted/{name} && cp -a {place}/. /run/disk/mounted/{name}/ && "
                          f"chown --reference={place} /run/disk/mounted/{name} && chmod --reference={place} /run/disk/mounted/{name} && "
                          for place, name in self.places.items()) + "umount /run/disk/mounted", check=True)
        self.server = host.popen("python3", "-B", "/run/disk/disk.py", "/run/disk/made", "/run/disk/image",
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.server.popen.stdout.readline() == b"mounted\n", "no FUSE file system"
        self.put("/run/disk/image", options)

    def _ask(self, *words):
        self.server.popen.stdin.write(" ".join(words).encode() + b"\n")
        self.server.popen.stdin.flush()
        return self.server.popen.stdout.readline().decode().split()

    def put(self, image, options="loop"):
        """Mounts an image; its journal is replayed."""
        self.host.run("mount", "-t", "ext4", "-o", options, image, "/run/disk/mounted", check=True)
        for place, name in self.places.items():
            self.host.run("mount", "--bind", f"/run/disk/mounted/{name}", place, check=True)

    def take_away(self):
        """Unmounts it."""
        for place in self.places:
            self.host.run("umount", place, check=True)
        self.host.run("umount", "/run/disk/mounted", check=True)

    def cut(self, image, seed, moment="now"):
        """Writes what a power cut now would leave to `image`, or one at the next "flush", just ahead of it. Returns how many
        sectors were not flushed, and how many of these it kept."""
        unflushed, kept = self._ask("cut", image, str(seed), moment)
        return int(unflushed), int(kept)

    def holds(self, data):
        return self._ask("holds", data.hex()) == ["yes"]

    def wait_holds(self, data, meanwhile=lambda: None):
        def there():
            meanwhile()
            return self.holds(data)
        self.sandbox.wait_until(there, f"{data!r} on the disk")

    def fail(self, on):
        self._ask("fail", "on" if on else "off")


# --- the program -----------------------------------------------------------------------------------------------

class Image:
    def __init__(self, data):
        self.now = bytearray(data)     # what a reader sees
        self.safe = bytearray(data)    # what was flushed
        self.since = []                # (offset, bytes), in order
        self.unsearched = []             # (from, to) that were flushed and that holds() has not looked at
        self.failing = False
        self.at_flush = None           # a cut to be made then

    def write(self, offset, data):
        self.now[offset:offset + len(data)] = data
        self.since.append((offset, bytes(data)))

    def flush(self):
        if self.at_flush:
            print(self.cut(*self.at_flush), flush=True)
            self.at_flush = None
        for offset, data in self.since:
            self.safe[offset:offset + len(data)] = data
            self.unsearched.append((offset, offset + len(data)))
        self.since.clear()

    def holds(self, data):
        around = len(data)
        if any(self.safe.find(data, max(0, start - around), end + around) >= 0 for start, end in self.unsearched):
            return True
        self.unsearched.clear()
        return False

    def cut(self, path, seed):
        chance = random.Random(seed)
        left, sectors, kept = bytearray(self.safe), 0, 0
        share = chance.random()
        for offset, data in self.since:
            for at in range(0, len(data), SECTOR):
                sectors += 1
                if chance.random() < share:
                    kept += 1
                    left[offset + at:offset + at + SECTOR] = data[at:at + SECTOR]
        with open(path, "wb") as file:
            empty = bytes(1 << 16)
            for at in range(0, len(left), 1 << 16):
                piece = left[at:at + (1 << 16)]
                if piece != empty:
                    file.seek(at)
                    file.write(piece)
            file.truncate(len(left))
        return f"{sectors} {kept}"

    def command(self, words):
        """The answer; None if it comes later."""
        if words[0] == "cut" and words[3] == "flush":
            self.at_flush = (words[1], int(words[2]))
            return None
        if words[0] == "cut":
            return self.cut(words[1], int(words[2]))
        if words[0] == "holds":
            return "yes" if self.holds(bytes.fromhex(words[1])) else "no"
        self.failing = words[1] == "on"
        return "done"


INIT, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, DESTROY = 26, 3, 4, 14, 15, 16, 17, 18, 20, 25, 38
NO_ANSWER = (2, 36, 42)  # FORGET, INTERRUPT, BATCH_FORGET
EIO, ENOSYS = 5, 38
LARGEST = 128 << 10


def answer(image, opcode, body):
    """(error, bytes) to one request."""
    if opcode == INIT:
        return 0, struct.pack("=4I2H2I2HI28x", 7, 31, 1 << 16, 1 << 5 | 1 << 22, 16, 12, LARGEST, 1, LARGEST // BLOCK, 0, 0)
    if opcode in (GETATTR, SETATTR):
        size = len(image.now)
        return 0, struct.pack("=Q2I", 3600, 0, 0) + struct.pack("=6Q10I", 1, size, size // SECTOR, 0, 0, 0, 0, 0, 0, 0o100600, 1,
                                                                 0, 0, 0, BLOCK, 0)
    if opcode == OPEN:
        return 0, struct.pack("=Q2I", 0, 0, 0)
    if opcode == READ:
        _, offset, size = struct.unpack_from("=QQI", body)
        return 0, bytes(image.now[offset:offset + size])
    if opcode in (WRITE, FSYNC) and image.failing:
        return EIO, b""
    if opcode == WRITE:
        _, offset, size = struct.unpack_from("=QQI", body)
        image.write(offset, body[40:40 + size])
        return 0, struct.pack("=2I", size, 0)
    if opcode == FSYNC:
        image.flush()
        return 0, b""
    if opcode == STATFS:
        return 0, struct.pack("=5Q4I24x", 0, 0, 0, 0, 0, BLOCK, 255, BLOCK, 0)
    if opcode in (RELEASE, FLUSH, DESTROY):
        return 0, b""
    return ENOSYS, b""


def serve(made, place):
    with open(made, "rb") as file:
        image = Image(file.read())
    os.unlink(made)
    fuse = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fuse},rootmode=100000,user_id=0,group_id=0,allow_other,max_read={LARGEST}".encode()
    if libc.mount(b"disk", place.encode(), b"fuse", 0, options) != 0:
        sys.exit(f"no FUSE file system: {os.strerror(ctypes.get_errno())}")
    print("mounted", flush=True)
    while True:
        ready, _, _ = select.select([fuse, 0], [], [])
        if fuse in ready:
            try:
                request = os.read(fuse, LARGEST + BLOCK)
            except OSError:
                return  # unmounted
            opcode, unique = struct.unpack_from("=IQ", request, 4)
            if opcode not in NO_ANSWER:
                error, data = answer(image, opcode, memoryview(request)[40:])
                os.write(fuse, struct.pack("=IiQ", 16 + len(data), -error, unique) + data)
        elif 0 in ready:
            words = sys.stdin.readline().split()
            if not words:
                return
            said = image.command(words)
            if said is not None:
                print(said, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
