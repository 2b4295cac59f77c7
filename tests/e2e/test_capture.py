#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What can be seen of vectors: a capture that Wireshark opens, its replay, and the graph drawn with its rates."""

import os
import re
import subprocess
import threading

import packets
import testbed

HOST_B = "10.0.1.99"  # has the server's MAC address, but is not the server: nobody answers


class Capture(testbed.TwoHosts):
    more = {
        "neighbors": [
            {"interface": "a", "address": "10.0.0.2", "macaddress": testbed.CLIENT_MAC},
            {"interface": "b", "address": HOST_B, "macaddress": testbed.SERVER_MAC},
        ]
    }

    def frame(self, destination, **fields):
        return packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", destination, packets.udp(3000, 3001), **fields),
        )

    def file(self, name):
        return os.path.join(self.weft.directory, name)

    def tshark(self, *words):
        done = subprocess.run(["tshark", "-n", *words], text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def replay(self, file, status=0):
        """What a replay prints, or its log where it is to fail."""
        done = subprocess.run(
            [testbed.WEFTD, "-c", self.weft.config, "--replay", file],
            text=True,
            capture_output=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def record(self, name, frames, words=""):
        self.weft.cli(f"capture dispatch on {self.file(name)} {words}")
        self.tap_a.send(frames)
        self.assertTrue(
            testbed.eventually(lambda: self.weft.json("show capture")["packets"] >= len(frames)),
            self.weft.cli("show capture"),
        )
        self.assertIn("capture ended", self.weft.cli("capture dispatch off"))
        return self.file(name)

    def test_wireshark_opens_a_capture_and_it_is_replayed(self):
        good, bad = self.frame(HOST_B), self.frame(HOST_B, checksum_error=1)
        lost = self.frame("192.0.2.1")
        file = self.record("all", [good] * 20 + [bad] * 5 + [lost] * 3)
        comments = self.tshark("-r", file, "-T", "fields", "-e", "frame.comment")
        self.assertEqual(len(comments), 28)
        for comment in comments:
            self.assertRegex(
                comment, r"^weft: node=ethernet-input thread=1 vector=\d+ place=\d+ size=\d+ l3=14 "
            )
        names = self.tshark("-r", file, "-T", "fields", "-e", "frame.interface_name")
        self.assertEqual(set(names), {"a"})

        first = self.replay(file)
        self.assertIn("28 packets in ", first)
        self.assertRegex(first, r"(?m)^ *5 ip4-input +bad_checksum$")
        self.assertRegex(first, r"(?m)^ *3 ip4-lookup +no_route$")
        self.assertRegex(first, r"(?m)^a +3 ")  # ICMP
        self.assertRegex(first, rf"(?m)^b +20 +{20 * len(good)} +[0-9a-f]{{16}}$")
        self.assertEqual(first, self.replay(file), "two replays differ")

        some = self.file("some")
        self.tshark("-r", file, "-Y", "ip.dst == 192.0.2.1", "-w", some)
        self.assertIn("3 packets in ", self.replay(some))

    def test_what_a_later_node_was_given_is_replayed_from_there(self):
        file = self.record("late", [self.frame(HOST_B)] * 4, "node ip4-rewrite")
        comment = self.tshark("-r", file, "-T", "fields", "-e", "frame.comment")[0]
        self.assertRegex(comment, r"node=ip4-rewrite .* l3=14 .*\(rewrite b via 10.0.1.99 ")
        text = self.replay(file)
        self.assertRegex(text, r"(?m)^b +4 +\d+ +[0-9a-f]{16}$")
        self.assertNotIn("ip4-lookup", text)

    def test_what_cannot_be_replayed_says_why(self):
        file = self.record("sent", [self.frame(HOST_B)], "node dpdk-tx-b")
        self.assertIn("no node `dpdk-tx-b' (devices are null interfaces here)", self.replay(file, 1))
        with open(file, "rb") as whole, open(self.file("cut"), "wb") as cut:
            cut.write(whole.read()[:-3])
        self.assertRegex(self.replay(self.file("cut"), 1), r"cut: at byte \d+: a block of \d+ bytes")
        self.assertIn("No such file", self.replay(self.file("none"), 1))

    def test_the_live_graph_is_drawn(self):
        stop = threading.Event()

        def send():
            while not stop.is_set():
                self.tap_a.send([self.frame(HOST_B)] * 16)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            dot = self.weft.cli("show graph dot live")
        finally:
            stop.set()
            sender.join()
        self.assertRegex(dot, r'"ip4-lookup" \[style="filled", fillcolor="0.000 [01]\.\d{3} 1.000"')
        self.assertRegex(dot, r'"ip4-lookup" -> "ip4-rewrite" \[color="[^"]+", penwidth=\d\.\d, label=')
        picture = subprocess.run(
            ["dot", "-Tsvg"], input=dot, text=True, capture_output=True, timeout=60, check=True
        )
        self.assertEqual(picture.stderr, "")
        self.assertRegex(picture.stdout, r"<svg[^>]*>")
        figures = re.findall(r">(\S+ k?pps), \d+ clocks each, [\d.]+ % of clocks<", picture.stdout)
        self.assertGreaterEqual(len(figures), 6, picture.stdout)


if __name__ == "__main__":
    testbed.main()
