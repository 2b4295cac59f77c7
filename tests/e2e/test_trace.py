#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packet trace: shows each node that a packet visited, with what that node has to say."""

import packets
import testbed


class Trace(testbed.TwoHosts):
    def setUp(self):
        self.learn()
        self.weft.cli("clear trace")

    def trace(self, frame, *words):
        """Traces one frame and checks that `words` come in this order."""
        self.weft.cli("trace add dpdk-input 1")
        self.tap_a.send([frame])
        text = testbed.eventually(
            lambda: (lambda t: t if words[-1] in t else "")(self.weft.cli("show trace"))
        ) or self.weft.cli("show trace")
        at = 0
        for word in words:
            self.assertIn(word, text[at:], text)
            at = text.index(word, at)
        self.weft.json("show trace")
        return text

    def frame(self, destination, **fields):
        return packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", destination, packets.udp(3000, 3001), **fields),
        )

    def test_a_forwarded_packet(self):
        text = self.trace(
            self.frame("10.0.1.2"),
            "Start of thread",
            "Packet 1",
            "dpdk-input",
            "ethernet-input",
            "ip4-input",
            "ip4-lookup",
            "ip4-rewrite",
            "interface-output",
        )
        for detail in ("10.0.0.2", "10.0.1.2", testbed.ROUTER_A_MAC, testbed.SERVER_MAC):
            self.assertIn(detail, text)

    def test_a_dropped_packet_shows_its_reason(self):
        text = self.trace(
            self.frame("10.0.1.2", checksum_error=1),
            "dpdk-input",
            "ethernet-input",
            "ip4-input",
            "drop",
        )
        self.assertIn("bad_checksum", text)
        self.assertNotIn("ip4-lookup", text)

    def test_a_ping_to_the_router(self):
        self.trace(
            packets.ethernet(
                testbed.ROUTER_A_MAC,
                testbed.CLIENT_MAC,
                packets.ip4("10.0.0.2", "10.0.0.1", packets.icmp_echo(1, 1), protocol=1),
            ),
            "ip4-lookup",
            "ip4-local",
            "ip4-icmp-echo",
            "interface-output",
        )

    def test_a_trace_ends_after_its_count(self):
        self.weft.cli("trace add dpdk-input 3")
        self.tap_a.send([self.frame("10.0.1.2")] * 20)
        testbed.eventually(lambda: "Packet 3" in self.weft.cli("show trace"))
        text = self.weft.cli("show trace")
        self.assertIn("Packet 3", text)
        self.assertNotIn("Packet 4", text)
        self.weft.cli("clear trace")
        self.assertIn("No packets in trace buffer", self.weft.cli("show trace"))


if __name__ == "__main__":
    testbed.main()
