"""What units/opelogd.service allows the daemon, for a host without systemd as PID 1.

allowed_calls() is the unit's SystemCallFilter, resolved by systemd-analyze; opelogd_in_bounds() starts a program with
the unit's capabilities, its filter, no new privileges, a network without anything and a /proc that hides others' processes.
What is left to tests/host: devices and mounts, which only systemd makes.
"""

import functools
import os
import re
import subprocess

UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "units", "opelogd.service")

# Run within the host, after the capabilities were dropped: libseccomp makes of names what the kernel takes.
UNDER_FILTER = """\
import errno, os, seccomp, sys
filter = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
for name in open(sys.argv[1]).read().split():
    try:
        filter.add_rule(seccomp.ALLOW, name)
    except (RuntimeError, ValueError):
        pass  # a call of another architecture
filter.load()
os.execv(sys.argv[2], sys.argv[2:])
"""


def of_unit(key):
    """Every value of a key, in order."""
    with open(UNIT) as file:
        return re.findall(rf"(?m)^{key}=(.*)$", file.read())


def capabilities():
    [line] = of_unit("CapabilityBoundingSet")
    return [word[4:].lower() for word in line.split()]


@functools.cache
def group(name):
    """The calls of a group, groups within it too."""
    said = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in said.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return frozenset(call for word in words for call in (group(word) if word.startswith("@") else [word]))


def allowed_calls():
    # @default is always permitted.
    allowed = set(group("@default"))
    for line in of_unit("SystemCallFilter"):
        calls = {call for word in line.lstrip("~").split() for call in (group(word) if word.startswith("@") else [word])}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return sorted(allowed)


def with_capabilities(capabilities_kept, *program):
    kept = ",".join("+" + name for name in capabilities_kept)
    return ("setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{kept}", *program)


def opelogd_in_bounds(host, program=("/usr/sbin/opelogd",), calls=None):
    """The words that start `program` in the host as the unit would."""
    host.write("/root/under_filter.py", UNDER_FILTER)
    host.write("/root/allowed", "\n".join(calls or allowed_calls()))
    return ("unshare", "--net", "--mount", "sh", "-c", 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"', "sh",
            *with_capabilities(capabilities(), "/usr/bin/python3", "-I", "/root/under_filter.py", "/root/allowed", *program))
