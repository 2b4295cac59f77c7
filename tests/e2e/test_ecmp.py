#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Equal paths: flows are spread over them, and each flow stays on one."""

import packets
import testbed

FLOWS, PACKETS = 128, 5


class Ecmp(testbed.Test):
    @classmethod
    def topology(cls):
        cls.client, cls.left, cls.right = cls.host("client"), cls.host("left"), cls.host("right")
        cls.weft = cls.router(
            testbed.config(
                {"a": "10.0.0.1/24", "b": "10.0.1.1/24", "c": "10.0.2.1/24"},
                routes=[{"to": "17.0.0.0/8", "via": ["10.0.1.2", "10.0.2.2"]}],
                neighbors=[
                    {"interface": "b", "address": "10.0.1.2", "macaddress": testbed.SERVER_MAC},
                    {"interface": "c", "address": "10.0.2.2", "macaddress": "02:00:00:00:0c:02"},
                ],
            )
        )
        cls.tap = cls.plug(
            cls.weft, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC
        )
        cls.paths = [
            cls.plug(cls.weft, "weft-b", cls.left, "10.0.1.2/24", mac=testbed.SERVER_MAC),
            cls.plug(cls.weft, "weft-c", cls.right, "10.0.2.2/24", mac="02:00:00:00:0c:02"),
        ]

    def send(self, flows):
        """Sends PACKETS packets of each (source port, destination); their flows by path."""
        for tap in self.paths:
            tap.drain()
        self.tap.send(
            [
                packets.ethernet(
                    testbed.ROUTER_A_MAC,
                    testbed.CLIENT_MAC,
                    packets.ip4("10.0.0.2", destination, packets.udp(port, 5000)),
                )
                for port, destination in flows
            ]
            * PACKETS
        )
        seen = [
            [
                (f.source_port, f.destination)
                for f in tap.receive(
                    lambda f: f.destination_port == 5000, count=len(flows) * PACKETS, lull=0.5
                )
            ]
            for tap in self.paths
        ]
        self.assertEqual(sum(map(len, seen)), len(flows) * PACKETS, "packets lost or doubled")
        return seen

    def assert_spread(self, flows):
        left, right = self.send(flows)
        self.assertFalse(set(left) & set(right), "a flow took both paths")
        share = len(set(left)) / FLOWS
        self.assertTrue(0.3 < share < 0.7, f"{share:.0%} of the flows on the first path")

    def test_flows_of_many_ports_are_spread(self):
        self.assert_spread([(1024 + flow, "17.1.2.3") for flow in range(FLOWS)])

    def test_flows_to_many_addresses_are_spread(self):
        self.assert_spread([(1024, f"17.1.{flow}.{flow + 1}") for flow in range(FLOWS)])

    def test_flows_stay_where_they_are(self):
        flows = [(2048 + flow, "17.9.9.9") for flow in range(FLOWS)]
        first, again = self.send(flows), self.send(flows)
        self.assertEqual(set(first[0]), set(again[0]))


if __name__ == "__main__":
    testbed.main()
