"""A service manager as the daemon knows it: hears what sd_notify(3) says, and keeps descriptors (the fd store of systemd).

    manager = Manager(directory, keeps=True)     # binds DIRECTORY/notify; keeps=False: closes what it is given, as systemd does
                                                 # for a unit without FileDescriptorStoreMax=
    manager.said("READY=1"), manager.store       # name -> descriptors
    manager.listeners[name] = descriptor         # sockets of units, handed to each daemon besides
    *wrap, pass_fds, preexec = manager.starting(argv)

One for a host, over all its daemons.
"""

import array
import contextlib
import fcntl
import os
import select
import socket
import threading


class Manager(threading.Thread):
    def __init__(self, directory, keeps=False):
        super().__init__(daemon=True)
        self.keeps, self.store, self.listeners, self.messages = keeps, {}, {}, []
        self.stored = 0        # descriptors, in all
        self.path = os.path.join(directory, "notify")
        self.lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(self.path)
        self._over, self._end = os.pipe2(os.O_CLOEXEC)
        self.start()

    def run(self):
        while True:
            ready, _, _ = select.select([self._socket, self._over], [], [])
            if self._over in ready:
                return
            self._take()

    def _take(self):
        text, control, _, _ = self._socket.recvmsg(65536, socket.CMSG_SPACE(4 * 253), socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for level, kind, data in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
        lines = text.decode("utf-8", "replace").split("\n")
        words = dict(line.split("=", 1) for line in lines if "=" in line)
        with self.lock:
            self.messages += lines
            if words.get("FDSTOREREMOVE") == "1":
                self._close(self.store.pop(words["FDNAME"], []))
            elif words.get("FDSTORE") == "1" and self.keeps:
                self.store.setdefault(words.get("FDNAME", "stored"), []).extend(fds)
                self.stored += len(fds)
                fds = []
        self._close(fds)

    @staticmethod
    def _close(fds):
        for fd in fds:
            os.close(fd)

    def said(self, word):
        with self.lock:
            return word in self.messages

    def forget(self):
        """What was said, before another daemon speaks."""
        with self.lock:
            self.messages = []

    def starting(self, argv):
        """(argv, pass_fds, preexec_fn) for a daemon that is given sockets and store. Close what pass_fds names afterwards."""
        with self.lock:
            named = [(name, fd) for name, fd in self.listeners.items()]
            named += [(name, fd) for name, fds in reversed(self.store.items()) for fd in reversed(fds)]
            # Out of the way of the numbers they are to have, and ours while the daemon may have its own removed.
            copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3 + 2 * len(named) + 64) for _, fd in named]
        if not copies:
            return list(argv), (), None
        names = ":".join(name for name, _ in named)

        def preexec():
            for number, fd in enumerate(copies, 3):
                os.dup2(fd, number, inheritable=True)
        script = 'export LISTEN_PID=$$ LISTEN_FDS="$1" LISTEN_FDNAMES="$2"; shift 2; exec "$@"'
        return ["sh", "-c", script, "sh", str(len(named)), names, *argv], tuple(copies), preexec

    def close(self):
        os.close(self._end)
        self.join()
        os.close(self._over)
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.release()
        self._close(self.listeners.values())
        self.listeners = {}

    def release(self):
        """As when the unit is stopped: nothing is kept any more."""
        with self.lock:
            for fds in self.store.values():
                self._close(fds)
            self.store = {}
