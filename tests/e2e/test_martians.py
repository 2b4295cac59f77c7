#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Addresses that are not forwarded from or to (RFC 1812 section 5.3), or have no route."""

import packets
import testbed

PORT = 9100


class Martians(testbed.TwoHosts):
    more = {"routes": [{"to": "192.0.2.0/24", "type": "blackhole"}]}

    def setUp(self):
        self.learn()
        self.tap_a.drain()
        self.tap_b.drain()

    def assert_dropped(self, node, reason, source, destination, mac=testbed.ROUTER_A_MAC):
        frame = packets.ethernet(
            mac, testbed.CLIENT_MAC, packets.ip4(source, destination, packets.udp(PORT, PORT))
        )
        with self.subTest(source=source, destination=destination):
            self.assert_counted(node, reason, lambda: self.tap_a.send([frame] * 3), 3)
            self.assertFalse(
                self.tap_b.receive(lambda f: f.destination_port == PORT, within=0.2),
                "it was forwarded",
            )

    def test_sources(self):
        for source in (
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
        ):
            self.assert_dropped("ip4-input", "martian_source", source, "10.0.1.2")

    def test_own_sources(self):
        for source in ("10.0.0.1", "10.0.1.1"):
            self.assert_dropped("ip4-input", "own_source", source, "10.0.1.2")

    def test_martian_destinations(self):
        for destination in ("0.0.0.0", "127.0.0.1", "240.0.0.1"):
            self.assert_dropped("ip4-lookup", "martian_destination", "10.0.0.2", destination)

    def test_multicast(self):
        self.assert_dropped("ip4-lookup", "multicast", "10.0.0.2", "224.0.0.5", "01:00:5e:00:00:05")
        self.assert_dropped("ip4-lookup", "multicast", "10.0.0.2", "239.1.1.1")

    def test_broadcast(self):
        for destination in ("255.255.255.255", "10.0.0.255", "10.0.1.255", "10.0.1.0"):
            self.assert_dropped("ip4-lookup", "broadcast", "10.0.0.2", destination)

    def test_blackhole(self):
        self.assert_dropped("ip4-lookup", "blackhole", "10.0.0.2", "192.0.2.1")
        self.assertFalse(self.tap_a.receive(lambda f: f.icmp_type == 3, within=0.3), "it answered")

    def test_no_route_is_net_unreachable(self):
        self.assert_dropped("ip4-lookup", "no_route", "10.0.0.2", "198.51.100.1")
        output = self.client.run("ping", "-c", "1", "-W", "2", "198.51.100.1", check=False).stdout
        self.assertIn("Destination Net Unreachable", output)

    def test_errors_about_martians_are_never_sent(self):
        self.assert_dropped("ip4-input", "martian_source", "224.0.0.1", "198.51.100.1")
        self.assertFalse(self.tap_a.receive(lambda f: f.icmp_type in (3, 11), within=0.3))


if __name__ == "__main__":
    testbed.main()
