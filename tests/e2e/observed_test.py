"""What others see of the daemon: metrics, hooks that hear of events; and that none of them can hold it up."""

import contextlib
import json
import socket

import sandbox
from scene import Scene

USER = "opelogtest-a"
HOOKS = """on_event:
  - events: [session-*]
    command: [/usr/local/bin/tell, one, "two words"]
  - events: "*"
    socket: /run/hook.sock
  - events: session-end
    command: [/usr/local/bin/never]
  - events: session-end
    command: [/usr/local/bin/absent]
"""


class Metrics(Scene):
    def metrics(self, *options):
        done = self.host.opelog("status", "--metrics", *options)
        return done, dict(line.rsplit(" ", 1) for line in done.text.splitlines() if line and not line.startswith("#"))

    def test_what_happened_is_counted_and_an_absent_daemon_told(self):
        _, before = self.metrics()
        self.assertEqual((before["opelog_up"], before["opelog_sessions"]), ("1", "0"))
        term = self.host.ssh_pty(USER)
        term.expect(sandbox.PROMPT)
        _, during = self.metrics()
        self.assertEqual(during["opelog_sessions"], "1")
        term.send("seq 1 1000; exit\r")
        self.assertEqual(term.wait(), 0)
        [recording] = self.new_recordings()
        sandbox.wait_until(lambda: self.metrics()[1]["opelog_sessions"] == "0", "the session to be gone")
        done, after = self.metrics()
        self.assertEqual(done.rc, 0, done)
        self.assertEqual(after['opelog_logins_total{outcome="recorded"}'], "1")
        self.assertEqual(after['opelog_events_total{event="session-end"}'], "1")
        self.assertEqual(int(after["opelog_recorded_bytes_total"]), len(recording.payload()))
        self.assertEqual(after["opelog_degraded"], "0")

        done, _ = self.metrics("--output", "/run/opelog.prom")
        self.assertEqual((done.rc, done.out), (0, b""), done)
        self.assertIn(b"opelog_up 1\n", self.host.read("/run/opelog.prom"))
        self.host.daemon.process.signal(15)
        self.host.daemon.process.wait()
        done, _ = self.metrics("--output", "/run/opelog.prom")
        self.assertEqual(done.rc, 6, done)
        text = self.host.read("/run/opelog.prom")
        self.assertIn(b"opelog_up 0\n", text)
        self.assertNotIn(b"opelog_sessions", text)


class Hooks(Scene):
    policy = sandbox.POLICY + HOOKS

    @classmethod
    def prepare(cls):
        cls.host.write("/usr/local/bin/tell", '#!/bin/sh\nline=$(cat)\nenv > /run/told.$$ && mv /run/told.$$ /run/told.env\n'
                       'printf "%s|%s|%s\\n" "$@" "$line" >> /run/told\n', mode=0o755)
        cls.host.write("/usr/local/bin/never", "#!/bin/sh\necho $$ >> /run/never\nsleep 1000 & wait\n", mode=0o755)
        cls.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        cls.socket.bind(str(cls.host.path("/run/hook.sock")))
        cls.socket.settimeout(20)
        cls.addClassCleanup(cls.socket.close)

    def heard(self, event):
        """The next datagram of that event."""
        while True:
            told = json.loads(self.socket.recv(1 << 16))
            if told["event"] == event:
                return told

    def test_commands_and_sockets_hear_and_nobody_waits_for_them(self):
        self.assertEqual(self.host.ssh(USER, "true").rc, 0)
        end = self.heard("session-end")
        self.assertEqual((end["level"], end["fields"]["user"], end["fields"]["exit"]), ("info", USER, "0"))
        self.assertRegex(end["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")

        def told():
            lines = self.host.read("/run/told").splitlines() if self.host.exists("/run/told") else []
            return lines if len(lines) == 2 else None
        lines = sandbox.wait_until(told, "the command to hear of begin and end")
        for line in lines:
            self.assertTrue(line.startswith(b"one|two words|{"), line)
        self.assertEqual(sorted(json.loads(line.split(b"|", 2)[2])["event"] for line in lines), ["session-end", "session-start"])
        environment = dict(line.split("=", 1) for line in self.host.read("/run/told.env").decode().splitlines())
        self.assertEqual(set(environment) - {"PWD", "_", "SHLVL", "OLDPWD"}, {"PATH", "LC_ALL"})
        self.host.daemon.wait_log(r"hook-failed: .*/usr/local/bin/absent: No such file")

        # Hooks that never end, and a socket that nobody reads: more logins than any queue has room for.
        for _ in range(12):
            self.assertEqual(self.host.ssh(USER, "true").rc, 0)
        self.new_recordings(13)
        alive = [pid for pid in self.host.read("/run/never").decode().split() if self.host.exists(f"/proc/{pid}")]
        self.assertTrue(alive, "logins waited for hooks")
        self.assertLessEqual(len(alive), 4)
        status = json.loads(self.host.opelog("status", "--json").out)
        self.assertEqual(status["events"]["session-end"], 13)
        # They end with the daemon, and what they started.
        self.assertEqual(self.host.daemon.stop(), 0)
        sandbox.wait_until(lambda: not [pid for pid in alive if self.host.exists(f"/proc/{pid}")], "no hook runs")
        self.assertEqual(self.host.sh("ps -C sleep").rc, 1)
        self.host.start_daemon(None, self.daemon)

    def test_reload_changes_them(self):
        self.host.write("/etc/opelog/opelog.yaml", sandbox.POLICY)
        self.host.opelog("reload", check=True)
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(1 << 16)  # what was told before
        self.assertEqual(self.host.ssh(USER, "true").rc, 0)
        self.new_recordings()
        self.host.daemon.wait_log(r"session-end: .*exit=0")
        with self.assertRaises(BlockingIOError):
            self.socket.recv(1 << 16)


if __name__ == "__main__":
    sandbox.run_file()
