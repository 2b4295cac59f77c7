#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What systemd is told: READY=1 once the graph forwards, and the log with its priorities."""

import contextlib
import os
import select
import socket
import tempfile
import unittest

import testbed


class Notify(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "notify")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.listener.close)
        self.listener.bind(path)
        self.environment = {"NOTIFY_SOCKET": path}

    def messages(self, within):
        while select.select([self.listener], [], [], within)[0]:
            yield from self.listener.recv(4096).decode().splitlines()

    def test_ready_when_the_graph_forwards(self):
        weft = testbed.Weft(testbed.config({"a": "10.0.0.1/24"}), self.environment, wait=False)
        self.addCleanup(weft.close)
        self.assertTrue(
            any(m == "READY=1" for m in self.messages(testbed.READY_WITHIN)), weft.log()
        )
        # No waiting from here: the socket answers and workers go round.
        self.assertEqual(weft.try_cli("show", "version").returncode, 0)
        runtime = weft.json("show runtime")
        self.assertTrue(runtime["threads"])
        host = testbed.Namespace("host")
        self.addCleanup(host.delete)
        weft.plug("weft-a", host, "10.0.0.2/24").close()
        host.run("ping", "-c", "1", "-W", "2", "10.0.0.1")
        self.assertEqual(weft.stop(), [])
        self.assertIn("STOPPING=1", list(self.messages(0.2)))

    def test_a_manager_that_does_not_listen_holds_up_nobody(self):
        filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(filler.close)
        filler.setblocking(False)

        def fill():
            with contextlib.suppress(BlockingIOError):
                while True:
                    filler.sendto(b"full", self.environment["NOTIFY_SOCKET"])

        fill()
        weft = testbed.Weft(testbed.config({"a": "10.0.0.1/24"}), self.environment)
        self.addCleanup(weft.close)
        self.assertIn("READY=1", list(self.messages(1)))
        fill()
        self.assertEqual(weft.stop(), [])

    def test_never_ready_with_a_port_that_does_not_open(self):
        broken = {"a": {"device": "net_nonsense0", "addresses": ["10.0.0.1/24"]}}
        weft = testbed.Weft(testbed.config(broken), self.environment, wait=False)
        self.addCleanup(weft.close)
        self.assertEqual(weft.process.wait(testbed.READY_WITHIN), 1, weft.log())
        self.assertNotIn("READY=1", list(self.messages(0.2)))

    def test_the_log_goes_to_the_journal_with_priorities(self):
        path = "/run/systemd/journal/socket"
        if os.path.exists(path):
            self.skipTest("a journal runs here; the test would have to take its place")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(os.unlink, path)
        self.addCleanup(journal.close)
        journal.bind(path)
        weft = testbed.Weft(
            testbed.config(
                {"a": "10.0.0.1/24"}, log={"target": "journal"}, startup=["show interface nonsense"]
            )
        )
        self.addCleanup(weft.close)
        weft.process.terminate()
        self.assertEqual(weft.process.wait(5), 0)
        entries = []
        while select.select([journal], [], [], 0.2)[0]:
            lines = journal.recv(65536).decode(errors="replace").split("\n")
            entries.append(dict(line.split("=", 1) for line in lines if "=" in line))
        found = {e.get("MESSAGE", "").split(";")[0]: e.get("PRIORITY") for e in entries}
        self.assertEqual(found.get("forwarding"), "6", found)
        errors = [e for e in entries if "show interface nonsense" in e.get("MESSAGE", "")]
        self.assertEqual([e["PRIORITY"] for e in errors], ["3"], found)
        self.assertEqual(errors[0]["SYSLOG_IDENTIFIER"], "weftd")


if __name__ == "__main__":
    testbed.main()
