"""The disk of the host tests' machine: Debian by debootstrap, with what the package needs and the users of the tests, as an
ext4 image in build/host. It is made once and never changed again; another list of packages, or another line here, makes
another image. The mirror is the one that this machine's apt uses.
"""

import hashlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
STORE = os.environ.get("OPELOG_HOST_STORE") or os.path.join(SOURCE, "build", "host")
RELEASE = "12"  # of Debian; what the package is built on is what it runs on
DISK_MB = 3072
PACKAGES = """python3 systemd systemd-sysv dbus libpam-systemd openssh-server sudo rsync git logrotate procps e2fsprogs less
  util-linux bsdutils passwd man-db""".split()
# carol administers and is nobody's target, opc and alice are the shipped policy's targets, bob is none, dora reads as an
# auditor, gina comes by ForceCommand and hugo by the profile.d hook.
USERS = {"opc": 1000, "bob": 2000, "dora": 2001, "carol": 3000, "alice": 5001, "gina": 5002, "hugo": 5003}
# What would reach the real machine's kernel, or has nothing to do in a container.
MASKED = """systemd-sysctl.service systemd-modules-load.service systemd-udevd.service systemd-timesyncd.service
  systemd-remount-fs.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount apt-daily.timer
  apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer man-db.timer""".split()


class NotHere(Exception):
    """Tools or rights are missing: the tests are skipped, with this reason."""


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


# --- what is needed -----------------------------------------------------------------------------------------------

def unified_hierarchy():
    """Where control groups of the second kind are mounted, as systemd in the machine needs them."""
    with open("/proc/self/mounts") as file:
        for line in file:
            words = line.split()
            if words[2] == "cgroup2":
                return words[1]
    raise NotHere("no cgroup2 file system is mounted")


def groups_of(name):
    """The control groups of a machine: in the unified hierarchy, and in systemd's own where there is one beside it."""
    return [os.path.join(top, name) for top in (unified_hierarchy(), "/sys/fs/cgroup/systemd")
            if os.path.exists(os.path.join(top, "cgroup.procs"))]


def require():
    if os.geteuid() != 0:
        raise NotHere("needs root (mounts, namespaces, a machine)")
    for program, package in (("debootstrap", "debootstrap"), ("systemd-nspawn", "systemd-container"), ("mkfs.ext4", "e2fsprogs"),
                             ("ssh", "openssh-client"), ("nsenter", "util-linux"), ("cpack", "cmake"), ("rsync", "rsync"), ("git", "git")):
        if not shutil.which(program):
            raise NotHere(f"no {program} here: apt-get install {package}")
    with open("/etc/os-release") as file:
        if not re.search(rf'(?ms)^ID=debian$.*^VERSION_ID="{RELEASE}"$|^VERSION_ID="{RELEASE}"$.*^ID=debian$', file.read()):
            raise NotHere(f"this is no Debian {RELEASE}, and the package is built for what it is built on")
    for group in groups_of(f"opelog-host-probe-{os.getpid()}"):
        try:
            os.mkdir(group)
            os.rmdir(group)
        except OSError as error:
            raise NotHere(f"cannot make a control group: {error}") from None
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--propagation", "private", "sh", "-c",
                            "mount -t tmpfs none /mnt && losetup -f"], capture_output=True, text=True)
    if probe.returncode:
        raise NotHere(f"no mounts, namespaces or loop devices: {probe.stderr.strip()}")


def mirror():
    """(URI, suite) of the Debian archive that this machine's apt uses."""
    sources = []
    for folder, _, names in os.walk("/etc/apt"):
        sources += [os.path.join(folder, n) for n in sorted(names) if n.endswith((".list", ".sources"))]
    for path in sources:
        with open(path) as file:
            text = re.sub(r"(?m)^\s*#.*\n?", "", file.read())
        if path.endswith(".list"):
            found = [(m[1], m[2]) for m in re.finditer(r"(?m)^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+main\b", text)]
        else:
            found = []
            for stanza in re.split(r"\n\s*\n", text):
                keys = {k.lower(): v.split() for k, v in re.findall(r"(?m)^([\w-]+):\s*(.*)$", stanza)}
                if "main" in keys.get("components", []) and "deb" in keys.get("types", []) and keys.get("enabled") != ["no"]:
                    found += [(uri, suite) for uri in keys.get("uris", []) for suite in keys.get("suites", [])]
        for uri, suite in found:
            if re.fullmatch(r"[a-z]+", suite) and re.match(r"(https?|file|ftp):", uri):
                return uri, suite
    raise NotHere("this machine's apt names no Debian mirror in /etc/apt")


# --- the package --------------------------------------------------------------------------------------------------

def build_package():
    """The .deb of build/release, in the store; its path."""
    build = os.environ.get("OPELOG_BUILD") or os.path.join(SOURCE, "build", "release")
    config = os.path.join(build, "CPackConfig.cmake")
    if not os.path.exists(config):
        raise NotHere(f"{build} holds no build: see README, or run ./check --host")
    folder = os.path.join(STORE, "package")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "log"), "wb") as log:
        subprocess.run(["cpack", "-G", "DEB", "--config", os.path.abspath(config), "-B", folder], check=True, stdout=log, stderr=log)
    return package()


def package():
    folder = os.path.join(STORE, "package")
    found = [n for n in os.listdir(folder) if n.endswith(".deb")] if os.path.isdir(folder) else []
    if len(found) != 1:
        raise NotHere("no package: run `host_test.py --image` first")
    return os.path.join(folder, found[0])


def newer_package(path, into):
    """The same package with a higher revision, as an upgrade would bring it; its path."""
    tree = os.path.join(into, "newer")
    subprocess.run(["dpkg-deb", "--raw-extract", path, tree], check=True)
    control = os.path.join(tree, "DEBIAN", "control")
    with open(control) as file:
        text = re.sub(r"(?m)^(Version: \S+)$", r"\1.1", file.read())
    with open(control, "w") as file:
        file.write(text)
    made = os.path.join(into, "opelog_newer.deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, made], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return made


def needed_by(path):
    """The packages that a .deb depends on: they are on the image, for the machine has no way out. This machine built it, and so
    has them all: what is only a name there (debootstrap knows no such ones) is the package that provides it."""
    def output(*argv):
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    provides = {}
    for line in output("dpkg-query", "-W", "-f", "${Package} ${Provides}\\n").splitlines():
        real, _, names = line.partition(" ")
        provides.update({name.split()[0]: real for name in names.split(",") if name.strip() and provides.get(name) != name})
        provides[real] = real
    names = {re.split(r"[ (:|]", part.strip())[0] for part in output("dpkg-deb", "--field", path, "Depends").split(",")}
    return sorted({provides.get(name, name) for name in names})


# --- the image ----------------------------------------------------------------------------------------------------

def image_path(deb):
    made_by = inspect.getsource(_fill) + inspect.getsource(_configure)
    key = hashlib.sha256(repr((needed_by(deb), mirror(), PACKAGES, USERS, MASKED, DISK_MB, made_by)).encode()).hexdigest()[:12]
    return os.path.join(STORE, f"debian-{RELEASE}-{key}.ext4")


def make_image():
    """Debian with what the package needs on an ext4 image, made once; its path."""
    require()
    os.makedirs(STORE, exist_ok=True)
    deb = build_package()
    path = image_path(deb)
    if os.path.exists(path):
        say(f"image {os.path.basename(path)} is there")
        return path
    for name in os.listdir(STORE):
        if re.match(r"debian-.*\.(ext4|new|key|key\.pub)$", name):
            os.unlink(os.path.join(STORE, name))
    begin = time.monotonic()
    say(f"making {os.path.basename(path)}: debootstrap, some minutes")
    new = path + ".new"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "host-test", "-f", key_of(path)], check=True, stdin=subprocess.DEVNULL)
    with open(new, "wb") as file:
        file.truncate(DISK_MB << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", new], check=True)
    # In a mount namespace of its own: whatever happens, no mount is left.
    subprocess.run(["unshare", "--mount", "--propagation", "private", sys.executable, "-B", os.path.abspath(__file__),
                    "--fill", new, path, *needed_by(deb)], check=True)
    os.rename(new, path)
    say(f"image made in {time.monotonic() - begin:.0f} s")
    return path


def key_of(image):
    return image[:-len(".ext4")] + ".key"


def _fill(new, path, needed):
    root = tempfile.mkdtemp(prefix="opelog-host.")
    try:
        subprocess.run(["mount", "-o", "loop", new, root], check=True)
        uri, suite = mirror()
        packages = ",".join([*PACKAGES, *needed])
        log = os.path.join(STORE, "debootstrap.log")
        with open(log, "wb") as file:
            if subprocess.run(["debootstrap", "--variant=minbase", "--include=" + packages, suite, root, uri], stdout=file, stderr=file).returncode:
                with open(log, errors="replace") as said:
                    sys.exit("debootstrap failed:\n" + said.read()[-3000:])
        _configure(root, key_of(path) + ".pub")
        subprocess.run(["umount", root], check=True)
    finally:
        if os.path.ismount(root):
            subprocess.run(["umount", "--lazy", root])
        os.rmdir(root)


def _configure(root, key):
    def put(path, text, mode=0o644):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        with open(root + path, "w") as file:
            file.write(text)
        os.chmod(root + path, mode)

    def inside(script):
        subprocess.run(["chroot", root, "sh", "-ec", script], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    put("/etc/hostname", "opeloghost\n")
    put("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 opeloghost\n::1 localhost\n")
    put("/etc/machine-id", os.urandom(16).hex() + "\n")
    put("/etc/fstab", "")
    put("/etc/sudoers.d/host-test", "carol ALL=(ALL) NOPASSWD: ALL\nopc ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    put("/etc/systemd/journald.conf.d/host-test.conf", "[Journal]\nStorage=persistent\nRateLimitBurst=0\n")
    inside("apt-get clean; groupadd operators; ssh-keygen -A >/dev/null; mkdir -p /var/log/journal")
    with open(key) as file:
        public = file.read()
    for name, uid in USERS.items():
        inside(f"useradd -m -U -u {uid} -s /bin/bash -p '*' {name}")
        put(f"/home/{name}/.ssh/authorized_keys", public, 0o600)
        put(f"/home/{name}/.hushlogin", "")
        inside(f"chown -R {name}:{name} /home/{name}")
    inside("usermod -aG operators gina; systemctl set-default multi-user.target 2>/dev/null")
    for unit in MASKED:
        inside(f"ln -sf /dev/null /etc/systemd/system/{unit}")

if __name__ == "__main__" and len(sys.argv) >= 4 and sys.argv[1] == "--fill":
    _fill(sys.argv[2], sys.argv[3], sys.argv[4:])
