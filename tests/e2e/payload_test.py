"""What `input` without `payload` keeps, on a terminal and without one."""

import hashlib
import json
import os

import sandbox
from scene import Scene

RECORDED = "opelogtest-a"


class InputWithoutPayload(Scene):
    policy = sandbox.POLICY.replace("    action: record\n", "    action: record\n    input: true\n")

    def files_of(self, recording):
        return sorted(name[len(recording.name):] for name in os.listdir(recording.directory)
                      if name.startswith(recording.name + "."))

    def test_the_bytes_of_a_command_pass_and_are_counted_and_nothing_keeps_them(self):
        blob = b"sesame\n" + os.urandom(1 << 20)
        done = self.host.ssh(RECORDED, "cat; echo err >&2; exit 3", input=blob)
        self.assertEqual((done.rc, hashlib.sha256(done.out).digest(), done.err), (3, hashlib.sha256(blob).digest(), b"err\n"))
        [recording] = self.new_recordings()
        end = json.loads(recording.notes()["OPELOG_END"][0])
        self.assertEqual((end["bytes_in"], end["bytes_out"], end["bytes_err"], end["exit_code"]), (len(blob), len(blob) + 4, 4, 3))
        self.assertEqual(recording.payload(), b"")
        self.assertEqual(self.files_of(recording), [".log", ".time"], "nothing speaks of input that is not kept")
        self.assertNotIn(b"sesame", recording.log + recording.time)
        self.assertEqual({letter for letter, _, _ in recording.timing()}, {"H"})
        self.assertNotIn("INPUT_LOG", recording.notes())
        self.assertNotIn("OPELOG_GAP", recording.notes(), "what the policy does not want is not missing")
        self.assertEqual(recording.replay(), b"")

    def test_what_is_said_of_a_command_is_what_is_kept(self):
        self.host.ssh(RECORDED, "cat", input=b"in")
        [recording] = self.new_recordings()
        said = self.host.opelog("show", recording.name, check=True).text
        self.assertRegex(said, r"(?m)^records +who, when and how many bytes$")
        shown = json.loads(self.host.opelog("show", "--json", recording.name).out)
        self.assertEqual((shown["records_input"], shown["records_payload"]), (True, False), "what the policy said")
        done = self.host.opelog("play", recording.name)
        self.assertEqual((done.rc, done.out), (0, b""))

    def test_copies_pass_and_are_counted(self):
        self.host.write("/root/blob", os.urandom(300000))
        self.host.run("scp", "-q", *self.host.ssh_options(), "/root/blob", f"{RECORDED}@127.0.0.1:blob", check=True)
        self.assertEqual(self.host.read(f"/home/{RECORDED}/blob"), self.host.read("/root/blob"))
        [recording] = self.new_recordings()
        self.assertGreater(json.loads(recording.notes()["OPELOG_END"][0])["bytes_in"], 300000)
        self.assertEqual(self.files_of(recording), [".log", ".time"])

    def test_a_shell_without_a_terminal_is_a_command(self):
        done = self.host.ssh(RECORDED, "bash -i", input=b"echo $((6*7)); exit 4\n")
        self.assertEqual((done.rc, done.out), (4, b"42\n"), done)
        [recording] = self.new_recordings()
        self.assertEqual(self.files_of(recording), [".log", ".time"])

    def test_what_is_typed_on_a_terminal_is_kept(self):
        term = self.log_in()
        # Only when the shell has given the terminal's settings back is a return a new line.
        term.send("echo re''ady; cat\r")
        term.expect(r"\nready\r\n")
        term.send("typed words\r")
        term.expect(r"typed words\r\ntyped words\r\n")
        term.send("\x04")
        term.expect(r"\$ (\x1b\[K)?$")
        self.assertEqual(self.log_out(term), 0)
        [recording] = self.new_recordings()
        self.assertEqual(self.files_of(recording), [".in", ".log", ".time"])
        with open(recording.path(".in"), "rb") as file:
            self.assertIn(b"typed words\r", file.read())
        self.assert_replays(recording, term.output)


if __name__ == "__main__":
    sandbox.run_file()
