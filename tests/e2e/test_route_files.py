#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Routes from files: at start, by command, wrong ones, and a whole table while others ask."""

import os
import socket
import subprocess
import tempfile
import threading
import time

import packets
import testbed

NEIGHBORS = [
    {"interface": "a", "address": "10.0.0.2", "macaddress": testbed.CLIENT_MAC},
    {"interface": "b", "address": "10.0.1.2", "macaddress": testbed.SERVER_MAC},
    {"interface": "b", "address": "10.0.1.3", "macaddress": "02:00:00:00:0b:03"},
]
FULL_SIZE = 900_000


class Files:
    def __init__(self):
        self._directory = tempfile.TemporaryDirectory()

    def write(self, name, text):
        path = os.path.join(self._directory.name, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def close(self):
        self._directory.cleanup()


class RouteFiles(testbed.TwoHosts):
    @classmethod
    def topology(cls):
        cls.files = Files()
        cls.cleanup.callback(cls.files.close)
        at_start = cls.files.write("start", "60.0.0.0/8 via 10.0.1.3\n61.0.0.0/8 via 10.0.1.3\n")
        cls.more = {
            "route-files": [at_start],
            "routes": [{"to": "61.0.0.0/8", "via": "10.0.1.2"}],
            "neighbors": NEIGHBORS,
        }
        super().topology()

    def load(self, text):
        return self.weft.cli(f"ip route load {self.files.write('load', text)}")

    def refused(self, text):
        """What the daemon says of a wrong file, whose path is @."""
        path = self.files.write("wrong", text)
        done = self.weft.try_cli("ip", "route", "load", path)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return (done.stdout + done.stderr).replace(path, "@")

    def next_hop_to(self, destination):
        """The MAC address that a packet leaves b with; empty if it does not."""
        self.tap_b.drain()
        frame = packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", destination, packets.udp(7000, 7010)),
        )
        self.tap_a.send([frame])
        found = self.tap_b.receive(lambda f: f.destination == destination, within=1)
        return found[0].destination_mac if found else ""

    def test_files_at_start_come_before_routes(self):
        self.assertEqual(self.next_hop_to("60.1.2.3"), "02:00:00:00:0b:03")
        self.assertEqual(self.next_hop_to("61.1.2.3"), testbed.SERVER_MAC)

    def test_load_change_and_remove(self):
        answer = self.load("62.0.0.0/8 via 10.0.1.2\n62.1.0.0/16 via 10.0.1.3\n")
        self.assertIn("2 routes: 2 added, 0 changed, 0 removed, 0 unchanged in ", answer)
        self.assertEqual(self.next_hop_to("62.2.0.1"), testbed.SERVER_MAC)
        self.assertEqual(self.next_hop_to("62.1.0.1"), "02:00:00:00:0b:03")
        answer = self.load("62.0.0.0/8 via 10.0.1.3\n62.1.0.0/16 blackhole\n")
        self.assertIn("0 added, 2 changed", answer)
        self.assertEqual(self.next_hop_to("62.2.0.1"), "02:00:00:00:0b:03")
        self.assertEqual(self.next_hop_to("62.1.0.1"), "")
        self.assertIn("2 removed", self.load("del 62.0.0.0/8\ndel 62.1.0.0/16\n"))
        self.assertEqual(self.next_hop_to("62.2.0.1"), "")

    def test_wrong_files_change_nothing(self):
        before = self.weft.cli("show ip fib summary")
        said = self.refused("63.0.0.0/8 via 10.0.1.2\n63.0.0.1/8 via 10.9.9.9\n")
        self.assertIn("@:2:1: expected a network such as 10.0.0.0/24", said)
        said = self.refused("63.0.0.0/8 via 10.0.1.1\n63.0.0.0/8 to 10.0.1.2\n")
        self.assertIn("@:1:16: this next hop is an address of this router", said)
        self.assertIn("@:2:12: expected `via' or `blackhole'", said)
        self.assertNotIn("63.0.0.0", said)  # the file may be one that the client cannot read
        self.assertIn("it contains no route", self.refused(""))
        self.assertIn("@:1:1: ", self.refused("\0" * 100_000))
        self.assertIn("only the first 20 errors are listed", self.refused("what\n" * 100))
        self.assertEqual(self.weft.cli("show ip fib summary"), before)

    def test_check_reads_the_files(self):
        wrong = self.files.write("unchecked", "64.0.0.0/8 via 10.0.0.1\n")
        config = self.files.write(
            "router.yaml",
            "interfaces: {a: {device: net_null0, addresses: [10.0.0.1/24]}}\n"
            f"route-files: [{wrong}, /nonexistent]\n",
        )
        done = subprocess.run(
            [testbed.WEFTD, "-c", config, "--check"],
            text=True,
            capture_output=True,
            timeout=20,
            check=False,
        )
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, testbed.WRONG_CONFIGURATION, said)
        self.assertIn(
            f"router.yaml:2:15: route-files[0]: {wrong}:1:16: this next hop is an address of", said
        )
        self.assertIn("route-files[1]: /nonexistent: No such file", said)

    def test_others_are_answered_while_a_whole_table_loads(self):
        networks = range(FULL_SIZE)
        lines = (f"{65 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24" for n in networks)
        full = self.files.write("full", "".join(f"{line} via 10.0.1.2\n" for line in lines))
        answers = []
        loader = threading.Thread(
            target=lambda: answers.append(
                self.weft.try_cli("ip", "route", "load", full, timeout=60)
            )
        )
        session = Session(self.weft.socket)
        self.addCleanup(session.close)
        loader.start()
        started = time.monotonic()
        waits = []
        while loader.is_alive():
            waits.append(session.ask())
        took = time.monotonic() - started
        loader.join()
        self.assertEqual(answers[0].returncode, 0, answers[0].stderr)
        self.assertIn(f"{FULL_SIZE} routes: {FULL_SIZE} added", answers[0].stdout)
        self.assertGreater(len(waits), 20)
        self.assertLess(sorted(waits)[len(waits) * 9 // 10], 0.1)
        self.assertLess(max(waits), max(0.1, took / 4))  # a busy machine stretches both
        self.assertEqual(self.next_hop_to("78.1.2.3"), testbed.SERVER_MAC)
        both = [threading.Thread(target=self.load, args=("66.0.0.0/8 blackhole\n",))]
        both += [threading.Thread(target=self.weft.cli, args=(f"ip route load {full}",))]
        for one in both:
            one.start()
        for one in both:
            one.join()
        self.assertEqual(self.next_hop_to("78.1.2.3"), testbed.SERVER_MAC)


class Session:
    """A connection to the control socket that asks `show version` again and again."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)

    def ask(self):
        """Seconds until the answer is there: a line `ok SIZE` and a line."""
        started = time.monotonic()
        self._socket.sendall(b"show version\n")
        answer = b""
        while answer.count(b"\n") < 2:
            answer += self._socket.recv(4096)
        return time.monotonic() - started

    def close(self):
        self._socket.close()


if __name__ == "__main__":
    testbed.main()
