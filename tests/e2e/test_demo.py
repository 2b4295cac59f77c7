#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/demo: shows what it promises and leaves nothing behind, also when it is interrupted."""

import html
import os
import signal
import subprocess
import tempfile
import unittest

import testbed

DEMO = os.path.join(testbed.ROOT, "scripts/demo")
SOCKET = "/run/weft-demo.sock"


class Demo(unittest.TestCase):
    def demo(self, *options):
        return subprocess.run(
            [DEMO, *options],
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def namespaces(self):
        return subprocess.run(["ip", "netns"], text=True, capture_output=True, check=True).stdout

    def assert_nothing_left(self, output=""):
        self.assertNotIn("weft-demo", self.namespaces(), output)
        self.assertFalse(os.path.exists(SOCKET), output)

    def setUp(self):
        self.demo("--stop")  # else what a killed run left is taken for this one's
        self.assert_nothing_left()
        self.addCleanup(self.demo, "--stop")

    def test_shows_a_router_at_work(self):
        done = self.demo()
        self.assertEqual(done.returncode, 0, done.stdout)
        for words in (
            " 0% packet loss",
            "10.0.0.1",
            "receiver",
            "show interface",
            "show runtime",
            "show errors",
            "ip4-lookup",
            "dpdk-input-a-0",
            "graph.svg",
        ):
            self.assertIn(words, done.stdout)
        with open(os.path.join(testbed.ROOT, "build/demo/graph.svg"), encoding="utf-8") as file:
            self.assertIn("ip4-lookup", html.unescape(file.read()))
        self.assert_nothing_left()

    def test_keeps_running_if_asked_until_stopped(self):
        done = self.demo("--keep")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(f"weftctl -s {SOCKET}", done.stdout)
        self.assertIn("--stop", done.stdout)
        self.assertIn("weft-demo-client", self.namespaces())
        answer = subprocess.run(
            [testbed.WEFTCTL, "-s", SOCKET, "show", "version"], timeout=10, check=False
        )
        self.assertEqual(answer.returncode, 0)
        again = self.demo()
        self.assertNotEqual(again.returncode, 0, "a second demo beside the first")
        self.assertIn("--stop", again.stdout)
        self.assertEqual(self.demo("--stop").returncode, 0)
        self.assert_nothing_left()

    def interrupt(self, number, reached):
        """Sends the signal to a demo once it has reached the place, as the terminal does on Ctrl-C."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            with subprocess.Popen(
                [DEMO],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            ) as demo:
                self.assertTrue(testbed.eventually(reached, 60))
                os.killpg(demo.pid, number)
                status = demo.wait(20)
            output.seek(0)
            said = f"signal {number}, status {status}:\n{output.read()}"
        self.assertEqual(status, 128 + number, said)
        self.assert_nothing_left(said)

    def test_cleans_up_when_interrupted(self):
        places = (lambda: "weft-demo-router" in self.namespaces(), lambda: os.path.exists(SOCKET))
        for reached in places:
            for number in (signal.SIGINT, signal.SIGTERM):
                self.interrupt(number, reached)

    def test_cleans_up_when_nobody_reads_its_output(self):
        with subprocess.Popen(
            [DEMO], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        ) as demo:
            for line in demo.stdout:
                if b"Starting weftd" in line:
                    break
            demo.stdout.close()
            self.assertNotEqual(demo.wait(30), 0)
        self.assert_nothing_left()

    def test_says_what_it_does_not_understand(self):
        done = self.demo("--frobnicate")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--frobnicate", done.stdout)


if __name__ == "__main__":
    testbed.main()
