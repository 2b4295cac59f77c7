#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""IPv4 as strangers send it: what weft answers finds its way out, and nothing leaves that nobody sent."""

import packets
import testbed

PORT = 9300
ROUTER_E_MAC = "02:00:00:00:03:01"


def frame(destination, payload=b"weft", source="10.0.0.2", mac=testbed.ROUTER_A_MAC, **fields):
    return packets.ethernet(
        mac,
        testbed.CLIENT_MAC,
        packets.ip4(source, destination, packets.udp(PORT, PORT, payload), **fields),
    )


class StrangePackets(testbed.TwoHosts):
    """Below an MTU of 576 a message of the usual length is too big; `e` has no address, but IPv4."""

    @classmethod
    def interfaces(cls):
        return {
            "a": {"addresses": ["10.0.0.1/24"], "mtu": 296},
            "b": {"addresses": ["10.0.1.1/24"], "mtu": 1000},
            "e": {"ip4": True},
        }

    @classmethod
    def topology(cls):
        super().topology()
        # the other end of a wire may send more than weft does
        cls.client.run("ip", "link", "set", "weft-a", "mtu", "1500")
        cls.other = cls.host("other")
        cls.tap_e = cls.plug(cls.weft, "weft-e", cls.other, None, mac="02:00:00:00:0e:02")

    def setUp(self):
        self.learn()
        for tap in (self.tap_a, self.tap_b):
            tap.drain()

    def message(self, tap, kind):
        found = tap.receive(lambda f: f.icmp_type == kind, within=2)
        self.assertTrue(found, f"no ICMP message of type {kind}; {self.weft.errors()}")
        return found[0]

    def test_messages_fit_the_way_back(self):
        self.tap_a.send([frame("10.0.1.2", b"x" * 700, ttl=1)])
        self.assertEqual(len(self.message(self.tap_a, 11).data), 14 + 296)
        output = self.client.run(
            "ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1072", "10.0.1.2", check=False
        ).stdout
        self.assertRegex(output, r"From 10\.0\.0\.1 .*Frag needed and DF set \(mtu = 1000\)")

    def test_an_interface_without_an_address_answers(self):
        self.tap_e.send([frame("10.0.0.2", source="10.0.1.2", mac=ROUTER_E_MAC, ttl=1)])
        self.assertEqual(self.message(self.tap_b, 11).source, "10.0.1.1")

    def test_martian_destinations_with_a_low_ttl(self):
        for destination in ("0.0.0.0", "127.0.0.1"):
            for ttl in (1, 64):
                self.assert_counted(
                    "ip4-lookup",
                    "martian_destination",
                    lambda to=destination, ttl=ttl: self.tap_a.send([frame(to, ttl=ttl)]),
                )
        self.assertFalse(self.tap_a.receive(lambda f: f.icmp_type is not None, within=0.3))

    def test_broadcast_sources(self):
        for source in ("10.0.0.255", "10.0.1.0"):
            self.assert_counted(
                "ip4-input",
                "martian_source",
                lambda source=source: self.tap_a.send([frame("10.0.1.2", source=source)]),
            )

    def test_trailing_bytes_stay_behind(self):
        for behind in (18, 900):
            self.tap_a.send([frame("10.0.1.2", b"") + b"\xee" * behind])
            out = self.tap_b.receive(lambda f: f.destination_port == PORT)
            self.assertEqual([len(f.data) for f in out], [14 + 28])
        echo = packets.ip4("10.0.0.2", "10.0.0.1", packets.icmp_echo(1, 1), protocol=1)
        self.tap_a.send(
            [packets.ethernet(testbed.ROUTER_A_MAC, testbed.CLIENT_MAC, echo) + b"\xee" * 200]
        )
        self.assertEqual(len(self.message(self.tap_a, 0).data), 14 + len(echo))

    def test_priority_tags(self):
        whole = frame("10.0.1.2")
        for control in (b"\x00\x00", b"\xe0\x00"):
            self.tap_a.send([whole[:12] + b"\x81\x00" + control + whole[12:]])
            out = self.tap_b.receive(lambda f: f.destination_port == PORT)
            self.assertEqual([len(f.data) for f in out], [len(whole)])
        self.assert_counted(
            "ethernet-input",
            "unknown_vlan",
            lambda: self.tap_a.send([whole[:12] + b"\x81\x00\x00\x05" + whole[12:]]),
        )

    def test_ping_records_the_route_and_the_time(self):
        ping = ("ping", "-c", "1", "-W", "2", "10.0.1.2")
        output = self.client.run(*ping, "-R").stdout
        for address in ("10.0.1.1", "10.0.1.2", "10.0.0.1"):
            self.assertIn(address, output)
        output = self.client.run(*ping, "-T", "tsandaddr").stdout
        self.assertRegex(output, r"TS:(?s:.*)10\.0\.1\.1")

    def test_source_routes_are_refused(self):
        packet = packets.ip4(
            "10.0.0.2", "10.0.0.1", b"\x83\x07\x04\x0a\x00\x01\x02\x00" + b"weft", header_words=7
        )
        summed = packet[:10] + b"\0\0" + packet[12:28]
        packet = packet[:10] + packets.checksum(summed).to_bytes(2, "big") + packet[12:]
        self.assert_counted(
            "ip4-options",
            "source_route_refused",
            lambda: self.tap_a.send(
                [packets.ethernet(testbed.ROUTER_A_MAC, testbed.CLIENT_MAC, packet)]
            ),
        )
        self.assertEqual(self.message(self.tap_a, 3).icmp_code, 5)


if __name__ == "__main__":
    testbed.main()
