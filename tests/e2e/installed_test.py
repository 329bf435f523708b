"""What the package and the programs do around recording: links of the units, the daemon's own log file, wrong words."""

import os
import unittest

import sandbox
from scene import Scene

SOURCE = os.environ.get("OPELOG_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
UNITS = "/usr/lib/systemd/system"


class Package(Scene):
    """The maintainer scripts with Debian's real helpers, as dpkg calls them."""

    enroll = False

    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host(users={})
        cls.addClassCleanup(cls.host.close)
        if cls.host.sh("command -v deb-systemd-helper && command -v systemctl").rc:
            raise unittest.SkipTest("no deb-systemd-helper or no systemctl on this machine")

    def script(self, name, *words):
        with open(os.path.join(SOURCE, "cmake/deb", name), "rb") as file:
            return self.host.run("sh", "-s", *words, input=file.read(), env={"DPKG_MAINTSCRIPT_PACKAGE": "opelog"}, check=True)

    def links(self):
        done = self.host.sh("find /etc/systemd/system -name 'opelog*' -type l | sed 's,.*/,,' | sort", check=True)
        return done.text.split()

    def remove(self):
        """As dpkg: the files are gone when postrm runs."""
        self.host.sh(f"mkdir -p /tmp/units && mv {UNITS}/opelog* /tmp/units", check=True)
        self.script("postrm", "remove")

    def install(self):
        self.host.sh(f"if [ -d /tmp/units ]; then mv /tmp/units/* {UNITS}; fi", check=True)
        self.script("postinst", "configure", "")

    def test_no_link_to_a_unit_outlives_it_and_the_next_installation_has_them_again(self):
        everything = ["opelog-index.timer", "opelog-retain.timer", "opelogd-control.socket", "opelogd.service", "opelogd.socket"]
        self.install()
        self.assertEqual(self.links(), everything)
        self.remove()
        self.assertEqual(self.links(), [])
        self.install()
        self.assertEqual(self.links(), everything)
        # What an administrator has disabled stays so.
        self.host.sh("rm /etc/systemd/system/multi-user.target.wants/opelogd.service", check=True)
        self.remove()
        self.assertEqual(self.links(), [])
        self.install()
        self.assertNotIn("opelogd.service", self.links())


class Daemon(Scene):
    policy = sandbox.POLICY.replace("target: stderr", "target: file")

    def test_its_log_file_is_as_after_a_rotation_from_the_first(self):
        facts = lambda: self.host.sh("stat -c '%a %U %G' /var/log/opelog.log", check=True).text.strip()
        with open(os.path.join(SOURCE, "etc/logrotate.d/opelog")) as file:
            rotated = next(line.split()[1:] for line in file if line.split()[:1] == ["create"])
        self.assertEqual(facts(), " ".join([rotated[0].lstrip("0"), *rotated[1:]]))
        self.host.sh("mv /var/log/opelog.log /var/log/opelog.log.1", check=True)
        self.host.opelog("reopen-log", check=True)
        self.assertEqual(facts(), " ".join([rotated[0].lstrip("0"), *rotated[1:]]))

    def test_wrong_words_are_one_line(self):
        for words in (["--nonsense"], ["surplus"], ["--config"]):
            done = self.host.run("opelogd", *words)
            self.assertEqual((done.rc, done.out), (64, b""), done)
            self.assertRegex(done.err, rb"\Aopelogd: [^\n]+; `opelogd --help` tells what is possible\n\Z")
        self.assertEqual(self.host.run("opelogd", "--version").rc, 0)


class Rotation(Scene):
    """The shipped example, by the real logrotate, in a directory that users may write to."""

    policy = sandbox.POLICY + "guard:\n  directories: [{path: /var/log/typescripts}]\n"

    @classmethod
    def prepare(cls):
        cls.host.sh("mkdir -m 1777 /var/log/typescripts && mkdir -p /var/lib/logrotate", check=True)
        with open(os.path.join(SOURCE, "etc/examples/logrotate-guarded"), "rb") as file:
            cls.host.write("/root/rotate", file.read(), mode=0o644)

    def flagged(self):
        """{name: whether it is append-only}"""
        lines = self.host.sh("lsattr /var/log/typescripts", check=True).text.splitlines()
        return {os.path.basename(line.split()[1]): "a" in line.split()[0] for line in lines}

    def test_each_week_is_kept_compressed_and_append_only(self):
        for week in (1, 2, 3):
            for name in ("a.log", "a.time"):
                self.host.sh(f"echo week {week} > /var/log/typescripts/{name}", check=True)
            sandbox.wait_until(lambda: self.flagged().get("a.log") and self.flagged().get("a.time"), "flags")
            self.assertNotEqual(self.host.sh("mv /var/log/typescripts/a.log /var/log/typescripts/b").rc, 0)
            self.host.run("logrotate", "-f", "-s", "/var/lib/logrotate/test", "/root/rotate", check=True)
            self.assertEqual(self.flagged(), {f"{name}.{age}.gz": True for name in ("a.log", "a.time") for age in range(1, week + 1)})
        self.assertEqual(self.host.sh("zcat /var/log/typescripts/a.log.3.gz", check=True).text, "week 1\n")


if __name__ == "__main__":
    sandbox.run_file()
