"""The harness itself: what it promises to every other end-to-end test."""

import os
import signal
import subprocess
import sys
import textwrap
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox  # noqa: E402


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class TheMachineIsNotTouched(unittest.TestCase):
    def test_users_files_and_mounts_of_the_host_are_not_seen_outside(self):
        mounts = text_of("/proc/self/mountinfo")
        with sandbox.Host(users={"opelogtest-a": 1000}, install=False) as host:
            host.sh("touch /etc/opelogtest /usr/opelogtest /var/opelogtest /root/opelogtest /run/opelogtest "
                    "/home/opelogtest /tmp/opelogtest", check=True)
            for path in ("/etc", "/usr", "/var", "/root", "/run", "/home", "/tmp"):
                self.assertFalse(os.path.exists(path + "/opelogtest"), path)
            self.assertIn(b"opelogtest-a", host.read("/etc/passwd"))
            self.assertNotIn("opelogtest-a", text_of("/etc/passwd"))
            self.assertEqual(text_of("/proc/self/mountinfo"), mounts)

    def test_nothing_is_left_after_the_test_process_was_killed(self):
        script = textwrap.dedent("""
            import sys, time; sys.path.insert(0, sys.argv[1])
            import sandbox
            host = sandbox.Host(users={}, install=False)
            host.sh("echo x > /var/log/ope_log/kept; chattr +a /var/log/ope_log/kept", check=True)
            sleeper = host.popen("sleep", "1000")
            print(host.base, sleeper.pid, host._keeper.pid, flush=True)
            sys.stdin.read()
        """)
        test = subprocess.Popen([sys.executable, "-B", "-c", script, os.path.dirname(os.path.abspath(__file__))],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        base, sleeper, keeper = test.stdout.readline().split()
        self.assertTrue(os.path.isdir(base))
        test.send_signal(signal.SIGKILL)
        test.communicate()
        sandbox.wait_until(lambda: not os.path.exists(base), f"{base} removed")
        sandbox.wait_until(lambda: not os.path.exists(f"/proc/{sleeper}"), "the host's programs ended")
        sandbox.wait_until(lambda: not os.path.exists(f"/proc/{keeper}"), "the keeper ended")


class WhatAHostHas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host(install=False)
        cls.addClassCleanup(cls.host.close)
        cls.host.start_sshd()

    def test_append_only_works_in_the_recordings_directory(self):
        done = self.host.sh("cd /var/log/ope_log; echo a > f; chattr +a f; echo b >> f; echo c > f; rm f; cat f")
        self.assertEqual(done.out, b"a\nb\n", done)

    def test_a_setgid_program_gets_its_group(self):
        self.host.sh("cp /usr/bin/id /usr/bin/id2; chown root:adm /usr/bin/id2; chmod 2711 /usr/bin/id2", check=True)
        done = self.host.run("/usr/bin/id2", "-gn", user="opelogtest-a")
        self.assertEqual(done.out, b"adm\n", done)

    def test_logins_by_ipv4_and_ipv6_and_from_another_address(self):
        for address, source, seen in (("127.0.0.1", None, b"127.0.0.1"), ("::1", None, b"::1"),
                                      ("127.0.0.1", "127.0.0.9", b"127.0.0.9")):
            done = self.host.ssh("opelogtest.odd_x", "echo $SSH_CONNECTION; exit 37", address=address, source=source)
            self.assertEqual((done.rc, done.out.split()[0]), (37, seen), done)

    def test_pam_login(self):
        self.host.restart_sshd(pam=True)
        self.assertEqual(self.host.ssh("opelogtest-a", "id -un").out, b"opelogtest-a\n", self.host.sshd_log())

    def test_interactive_login_follows_the_window(self):
        term = self.host.ssh_pty("opelogtest-b", rows=30, cols=100)
        term.expect(sandbox.PROMPT)
        term.send("stty size\r")
        term.expect(r"\n30 100\r")
        term.expect(sandbox.PROMPT)
        term.resize(10, 40)
        term.send("trap 'echo got size' WINCH; until [ \"$(stty size)\" = '10 40' ]; do :; done; echo seen\r")
        term.expect(r"\nseen\r")
        term.send("exit 3\r")
        self.assertEqual(term.wait(), 3, term.output)

    def test_a_lost_connection_ends_the_session(self):
        term = self.host.ssh_pty("opelogtest-b")
        term.expect(sandbox.PROMPT)
        term.send("echo $$ > /tmp/shell\r")
        term.expect(sandbox.PROMPT)
        shell = self.host.read("/tmp/shell").decode().strip()
        term.hang_up()
        sandbox.wait_until(lambda: not self.host.exists(f"/proc/{shell}"), "the shell ended")


class ASmallDisk(unittest.TestCase):
    def test_the_recordings_directory_can_be_made_small(self):
        with sandbox.Host(users={}, install=False, log_image_mb=8) as host:
            done = host.sh("head -c 20000000 /dev/zero > /var/log/ope_log/big")
            self.assertNotEqual(done.rc, 0)
            self.assertIn(b"No space left", done.err)
            done = host.sh("cd /var/log/ope_log; : > f; chattr +a f; lsattr f", check=True)
            self.assertIn(b"-a-", done.out)


if __name__ == "__main__":
    sandbox.run_file()
