"""A real session, indexed while it goes on by a user without privilege, and found in all it typed, ran and showed."""

import json

import sandbox
from scene import Scene

USER = "opelogtest-a"
INDEX = "/var/tmp/opelog-index/index.db"


class Search(Scene):
    @classmethod
    def prepare(cls):
        cls.host.sh("mkdir -m 0755 /var/tmp/opelog-index && chown nobody:opelog-audit /var/tmp/opelog-index", check=True)

    def index(self):
        """As the unit does: no root, the auditors' group alone."""
        return json.loads(self.host.run("setpriv", "--reuid=nobody", "--regid=opelog-audit", "--clear-groups", "/usr/bin/opelog", "index", "--json",
                                        "--index", INDEX, check=True).text)

    def search(self, *words):
        done = self.host.opelog("search", "--json", "--index", INDEX, *words)
        self.assertIn(done.rc, (0, 1), done)
        return [(hit["kind"], hit["line"]) for hit in json.loads(done.text)]

    def test_a_session_is_found_while_it_goes_on_and_after_its_end(self):
        term = self.log_in(USER)
        [recording] = self.new_recordings(ended=False)
        term.send("ehco one-$((20+1))\x1b[D\x01\x0b")  # thrown away again
        term.send("printf 'a \\033[31mcol\\033[0moured-%s word\\n' 21\r")
        term.expect(r"oured-21 word")
        # The record of a byte's time comes up to 0.1 s behind it.
        sandbox.wait_until(lambda: self.search("coloured-21") == [("text", "a coloured-21 word")], "a hit without an index")
        self.assertEqual(self.index()["indexed"], 1)
        self.assertEqual(self.search("coloured-21"), [("text", "a coloured-21 word")])
        term.send("true later-$((20+1))\r")
        self.assertEqual(self.log_out(term), 0)
        sandbox.wait_until(recording.ended, "an end")
        self.assertIn(("command", "true later-$((20+1))"), self.search("later-"), "newer than the index")
        self.assertEqual(self.index()["indexed"], 1)
        self.assertEqual(self.index()["indexed"], 0)
        self.assertEqual(self.search("coloured-21"), [("text", "a coloured-21 word")])
        self.assertEqual([line for kind, line in self.search("--commands", "later-") if kind == "command"][:1], ["true later-$((20+1))"])
        self.assertEqual(self.search("-u", "opelogtest-b", "coloured-21"), [])
        # The line that replays it does.
        hit = json.loads(self.host.opelog("search", "--json", "--index", INDEX, "coloured-21").text)[0]
        self.assertIn("coloured-21", self.host.sh(hit["play"] + " | sed 's/\\x1b\\[[0-9;]*m//g'", check=True).text)


if __name__ == "__main__":
    sandbox.run_file()
