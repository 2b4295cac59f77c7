#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two routers in a row, joined by a bridge: client - (a) one (w) - wire - (w) two (b) - server."""

import packets
import testbed

FLOWS = 256


class TwoRouters(testbed.Test):
    @classmethod
    def topology(cls):
        cls.client, cls.server, cls.wire = cls.host("client"), cls.host("server"), cls.host("wire")
        cls.wire.run("ip", "link", "add", "br0", "type", "bridge")
        cls.wire.run("ip", "link", "set", "br0", "up")
        cls.one = cls.router(
            testbed.config(
                {
                    "a": "10.0.0.1/24",
                    "one": {"addresses": ["10.0.9.1/24"], "macaddress": "02:00:00:00:09:01"},
                },
                routes=[{"to": "10.0.1.0/24", "via": "10.0.9.2"}],
            )
        )
        cls.two = cls.router(
            testbed.config(
                {
                    "b": {"addresses": ["10.0.1.1/24"], "macaddress": testbed.ROUTER_B_MAC},
                    "two": {"addresses": ["10.0.9.2/24"], "macaddress": "02:00:00:00:09:02"},
                },
                routes=[{"to": "10.0.0.0/24", "via": "10.0.9.1"}],
            )
        )
        cls.tap_a = cls.plug(cls.one, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC)
        cls.tap_b = cls.plug(cls.two, "weft-b", cls.server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC)
        for weft, device, mac in (
            (cls.one, "weft-one", "02:00:00:00:99:01"),
            (cls.two, "weft-two", "02:00:00:00:99:02"),
        ):
            cls.plug(weft, device, cls.wire, None, mac=mac)
            cls.wire.run("ip", "link", "set", device, "master", "br0")

    def test_ping_goes_through_both(self):
        for size in ("56", "1472"):
            output = self.client.run(
                "ping", "-c", "4", "-i", "0.2", "-W", "2", "-s", size, "10.0.1.2"
            ).stdout
            self.assertIn(" 0% packet loss", output)
            self.assertIn("ttl=62", output)
        self.assert_quiet(self.one)
        self.assert_quiet(self.two)

    def test_traceroute_shows_both(self):
        lines = self.client.run(
            "traceroute", "-n", "-q", "1", "-w", "2", "10.0.1.2"
        ).stdout.splitlines()
        hops = [line.split()[1] for line in lines[1:]]
        self.assertEqual(hops, ["10.0.0.1", "10.0.9.2", "10.0.1.2"])

    def test_a_routing_loop_ends_by_ttl(self):
        self.one.cli("ip route add 10.66.0.0/16 via 10.0.9.2")
        self.two.cli("ip route add 10.66.0.0/16 via 10.0.9.1")
        output = self.client.run("ping", "-c", "2", "-W", "2", "10.66.0.1", check=False).stdout
        self.assertIn("Time to live exceeded", output)
        self.assert_quiet(self.one)
        self.assert_quiet(self.two)

    def assert_half(self, part, whole, where):
        # five standard deviations of a fair coin
        self.assertLess(abs(part - whole / 2), 5 * whole**0.5 / 2, f"{part} of {whole} {where}")

    def test_flows_split_evenly_at_both(self):
        absent = "02:00:00:00:99:09"
        self.one.cli(f"ip neighbor add one 10.0.9.9 {absent}")
        self.one.cli("ip route add 17.0.0.0/8 via 10.0.9.2 10.0.9.9")
        self.two.cli(f"ip neighbor add b 10.0.1.9 {absent}")
        self.two.cli("ip route add 17.0.0.0/8 via 10.0.1.2 10.0.1.9")
        self.client.run("ping", "-c", "1", "-W", "2", "10.0.1.2")  # all neighbours are known
        self.tap_b.drain()
        self.tap_a.send(
            packets.ethernet(
                self.one.macs["a"],
                testbed.CLIENT_MAC,
                packets.ip4("10.0.0.2", "17.0.0.1", packets.udp(1024 + flow, 9400)),
            )
            for flow in range(FLOWS)
        )
        arrived = self.tap_b.receive(
            lambda f: f.destination_port == 9400, count=FLOWS, within=10, lull=1
        )
        self.assert_half(len(arrived), FLOWS, "by the first router's first path")
        first = [f.source_port for f in arrived if f.destination_mac == testbed.SERVER_MAC]
        self.assert_half(len(first), len(arrived), "by the second router's first path")
        for flow in (first[0], arrived[-1].source_port):
            path = self.two.json(
                "show ip fib exact-path 10.0.0.2 17.0.0.1 protocol udp "
                f"source-port {flow} destination-port 9400"
            )["path"]
            self.assertEqual(
                path["macaddress"], testbed.SERVER_MAC if flow in first else absent
            )


if __name__ == "__main__":
    testbed.main()
