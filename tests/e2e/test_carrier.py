#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A dead link is no way: its routes give way, flows take the live paths, and all come back."""

import contextlib

import packets
import testbed

FLOWS = 40
RIGHT_MAC = "02:00:00:00:0c:02"


class Carrier(testbed.Test):
    """client - (a) weft (b) - left, and (c) - right, all in namespaces of their own"""

    @classmethod
    def topology(cls):
        cls.client, cls.left, cls.right = cls.host("client"), cls.host("left"), cls.host("right")
        cls.weft = cls.router(
            testbed.config(
                {"a": "10.0.0.1/24", "b": "10.0.1.1/24", "c": "10.0.2.1/24"},
                routes=[
                    {"to": "0.0.0.0/0", "via": "10.0.1.2"},
                    {"to": "18.0.0.0/8", "via": "10.0.2.2"},
                    {"to": "19.0.0.0/8", "via": ["10.0.1.2", "10.0.2.2"]},
                    {"to": "10.0.2.0/24", "via": "10.0.1.2"},  # another way to c's network
                    {"to": "10.0.1.128/25", "type": "blackhole"},
                ],
                neighbors=[
                    {"interface": "b", "address": "10.0.1.2", "macaddress": testbed.SERVER_MAC},
                    {"interface": "c", "address": "10.0.2.2", "macaddress": RIGHT_MAC},
                ],
            )
        )
        client_mac, server_mac = testbed.CLIENT_MAC, testbed.SERVER_MAC
        cls.tap = cls.plug(cls.weft, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1", client_mac)
        cls.by_b = cls.plug(cls.weft, "weft-b", cls.left, "10.0.1.2/24", mac=server_mac)
        cls.by_c = cls.plug(cls.weft, "weft-c", cls.right, "10.0.2.2/24", mac=RIGHT_MAC)

    def send(self, network):
        """One packet of each of FLOWS flows to a network; their destinations by path."""
        for tap in self.by_b, self.by_c:
            tap.drain()
        self.tap.send(
            packets.ethernet(
                testbed.ROUTER_A_MAC,
                testbed.CLIENT_MAC,
                packets.ip4("10.0.0.2", f"{network}.{flow}", packets.udp(1600, 5000)),
            )
            for flow in range(10, 10 + FLOWS)
        )
        return [
            {
                frame.destination
                for frame in tap.receive(
                    lambda frame: frame.destination_port == 5000, count=FLOWS, within=1, lull=0.4
                )
            }
            for tap in (self.by_b, self.by_c)
        ]

    def set_link(self, up):
        self.right.run("ip", "link", "set", "weft-c", "up" if up else "down")
        self.assertTrue(testbed.eventually(lambda: self.weft.has_link("c") == up, 5))
        with contextlib.suppress(OSError):  # the socket there says once that its network is down
            self.by_c.drain()

    def assert_gives_way(self, set_up):
        spread = self.send("19.0.0")
        self.assertTrue(all(spread) and sum(map(len, spread)) == FLOWS, spread)
        self.assertEqual([len(by) for by in self.send("18.0.0")], [0, FLOWS])
        set_up(False)
        for network in "19.0.0", "18.0.0", "10.0.2":
            with self.subTest(network=network):
                self.assertEqual([len(by) for by in self.send(network)], [FLOWS, 0])
        self.assertIn("c via 10.0.2.2: ", self.weft.cli("show ip fib 18.0.0.0/8"))
        set_up(True)
        self.assertEqual([len(by) for by in self.send("18.0.0")], [0, FLOWS])
        self.assertEqual(self.send("19.0.0"), spread)

    def test_a_link_that_dies_gives_way_and_comes_back(self):
        self.assert_gives_way(self.set_link)

    def test_an_interface_set_down_gives_way_and_comes_back(self):
        self.assert_gives_way(
            lambda up: self.weft.cli(f"set interface state c {'up' if up else 'down'}")
        )

    def test_the_router_answers_for_what_is_up_only(self):
        def answers():
            ping = self.client.run("ping", "-c", "1", "-W", "1", "10.0.2.1", check=False)
            return ping.returncode == 0

        self.assertTrue(answers())
        self.set_link(False)
        self.assertFalse(answers())
        self.set_link(True)
        self.assertTrue(testbed.eventually(answers))

    def test_a_station_overrides_no_route(self):
        def lost():
            self.tap.send(
                [
                    packets.ethernet(
                        testbed.ROUTER_A_MAC,
                        testbed.CLIENT_MAC,
                        packets.ip4("10.0.0.2", "10.0.1.130", packets.udp(1, 7)),
                    )
                ]
            )

        mac = "02:00:00:00:0b:82"
        self.assert_counted("ip4-lookup", "blackhole", lost)
        request = packets.arp(1, mac, "10.0.1.130", "00:00:00:00:00:00", "10.0.1.1")
        self.by_b.drain()
        self.by_b.send(
            [packets.ethernet(packets.BROADCAST_MAC, mac, request, packets.ETHERTYPE_ARP)]
        )
        self.assertTrue(self.by_b.receive(lambda frame: frame.ethertype == packets.ETHERTYPE_ARP))
        self.assert_counted("ip4-lookup", "blackhole", lost)


if __name__ == "__main__":
    testbed.main()
