"""The show of ./try: a session is recorded, defended, listed and replayed. Every step is checked, not only shown."""

import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
import sandbox  # noqa: E402

USER = "opelogtest"
FAILED = []


def say(sentence):
    print(f"\n# {sentence}", flush=True)


def shown(data):
    """Output of a command as lines of ours: nothing in it steers the terminal it is shown on."""
    text = re.sub(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]", "",
                  data.decode("utf-8", "backslashreplace"))
    for line in text.rstrip("\n").split("\n"):
        print("  | " + line, flush=True)


def must(held, what):
    print(f"  {'ok' if held else 'FAILED'}: {what}", flush=True)
    if not held:
        FAILED.append(what)


def command(host, sentence, line, expect, what):
    """Prints and runs a shell line as root; `expect(Done)` must hold."""
    say(sentence)
    print(f"$ {line}", flush=True)
    done = host.sh(line)
    shown(done.out + done.err)
    must(expect(done), what)
    return done


def log_in(host):
    """A person at a terminal, played by this program."""
    say("A throw-away operator (uid 5001, a target) logs in over ssh, on a real terminal, and leaves with status 37.")
    print(f"$ ssh {USER}@127.0.0.1", flush=True)
    term = host.ssh_pty(USER, env={"TERM": "dumb"})
    for line in ("id -un; tty", "echo this will be in the record | tr a-z A-Z", "exit 37"):
        term.expect(sandbox.PROMPT)
        term.send(line + "\r")
    status = term.wait()
    shown(term.output)
    must(status == 37, f"the login ended with the shell's own status ({status})")
    must(b"THIS WILL BE IN THE RECORD" in term.output, "the operator saw the output")
    return term.output


def sit_down(host):
    """The person at this terminal. Inside it is an ordinary shell of the throw-away user."""
    say("A recorded shell in your own terminal. Do what you like in it, then leave it with: exit")
    print("$ opelog rec", flush=True)
    # A handler, not SIG_IGN: that one the recorded shell would inherit, and its Control-C would be dead.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        argv, env = host.entry("env", "-C", f"/home/{USER}", "opelog", "rec", user=USER,
                                env={"TERM": os.environ.get("TERM", "dumb")})
        status = subprocess.run(argv, env=env).returncode
    finally:
        signal.signal(signal.SIGINT, before)
    print(f"  (it ended with status {status})")
    return None


def show_recording(host, seen):
    recordings = host.wait_recordings(1)
    recording = recordings[0]
    log = f"{sandbox.LOG_DIR}/{recording.name}.log"
    command(host, "The recording: named by who, when and from where; root's, readable for auditors.",
            f"ls -l {sandbox.LOG_DIR}", lambda d: d.rc == 0 and recording.name in d.text, "the recording is there")
    command(host, "Both files carry the append-only flag (the `a`), from before their first byte.",
            f"lsattr {sandbox.LOG_DIR}", lambda d: d.text.count("-a-") >= 2, "append-only")
    command(host, "So not even root overwrites it …", f"echo gone > {log}",
            lambda d: d.rc != 0 and b"Operation not permitted" in d.err, "`>` was refused")
    command(host, "… or removes it.", f"rm -f {log}",
            lambda d: d.rc != 0 and b"Operation not permitted" in d.err, "`rm` was refused")
    must(os.path.exists(recording.path(".log")), "it is still there")
    command(host, "The auditor's list.", "opelog ls", lambda d: d.rc == 0 and (USER in d.text), "opelog ls names it")
    played = command(host, "opelog replays it (here as fast as it goes).",
                     f"opelog play --speed 1000 {recording.name}", lambda d: d.rc == 0 and d.out, "opelog play")
    replayed = command(host, "And so does plain scriptreplay of util-linux: no opelog is needed to read the files.",
                       f"cd {sandbox.LOG_DIR} && scriptreplay -d 1000 -m 0.1 --timing {recording.name}.time "
                       f"--log-out {recording.name}.log", lambda d: d.rc == 0 and d.out, "scriptreplay")
    command(host, "The auditor pins the host's key (in earnest: on another machine), and asks whether anything was changed since.",
            "opelog key pin --file /etc/opelog/pins \"$(opelog key show --json | sed 's/.*\"pin\":\"\\([^\"]*\\)\".*/\\1/')\" && sleep 1.5 && opelog verify -a",
            lambda d: d.rc == 0 and "intact" in d.text, "intact and complete")
    command(host, "Root takes the flags off, and puts one letter into what the screen said.",
            f"opelog thaw && sed -i '2s/^/X/' {log}; opelog freeze && opelog verify",
            lambda d: d.rc == 9 and "altered" in d.text, "opelog verify names it")
    if seen is not None:
        must(b"THIS WILL BE IN THE RECORD" in played.out, "opelog play shows the output")
        must(replayed.out[:-1] == seen, f"scriptreplay's {len(seen)} bytes are exactly those the operator's terminal got")


def main(here):
    begin = time.monotonic()
    say("A private host: namespaces with overlays over /usr, /etc and /var. This machine's own stay as they are.")
    with sandbox.Host(users={USER: 5001}, own_pts=not here) as host:
        say("opelog is installed in it, with the default policy. Its daemon starts.")
        print("$ opelogd --log-stderr &", flush=True)
        host.start_daemon(policy=None, argv=("/usr/sbin/opelogd", "--log-stderr"))
        command(host, f"{USER}, whom the policy wants recorded, gets opelog-shell as login shell.",
                f"opelog enroll {USER}", lambda d: d.rc == 0, "enrolled")
        if here:
            seen = sit_down(host)
        else:
            say("A real sshd, with the users' own keys.")
            print("$ sshd -D &", flush=True)
            host.start_sshd()
            seen = log_in(host)
        show_recording(host, seen)
        say("The end: the daemon stops, and the host goes with everything in it.")
        must(host.daemon.stop() == 0, "opelogd stopped cleanly")
        base = host.base
        if FAILED:
            print("\nopelogd said:\n" + host.daemon.log())
    must(not os.path.exists(base), "nothing is left behind")
    if FAILED:
        print(f"\ntry: FAILED: {'; '.join(FAILED)}")
        return 1
    print(f"\ntry: every step held ({time.monotonic() - begin:.0f} s). Next: docs/install.md")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main("--here" in sys.argv[1:]))
    except BrokenPipeError:  # nobody reads on; the host is gone already
        os._exit(1)
    except (AssertionError, sandbox.SandboxError) as error:
        print(f"\ntry: FAILED: {error}")
        sys.exit(1)
