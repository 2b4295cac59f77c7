#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ping, traceroute and arping to the router and through it."""

import re

import packets
import testbed


class Forward(testbed.TwoHosts):
    def ping(self, host, address, size=56, count=4):
        output = host.run(
            "ping", "-c", str(count), "-i", "0.2", "-W", "2", "-M", "do", "-s", str(size), address
        ).stdout
        self.assertIn(" 0% packet loss", output)

    def test_own_addresses_answer_ping(self):
        for size in (56, 1472):
            self.ping(self.client, "10.0.0.1", size)
            self.ping(self.client, "10.0.1.1", size)  # of the other interface
            self.ping(self.server, "10.0.1.1", size)

    def test_ping_goes_through(self):
        for size in (56, 1472):
            self.ping(self.client, "10.0.1.2", size)
            self.ping(self.server, "10.0.0.2", size)
        self.assert_quiet()

    def test_traceroute_shows_the_router(self):
        lines = self.client.run(
            "traceroute", "-n", "-q", "1", "-w", "2", "10.0.1.2"
        ).stdout.splitlines()
        self.assertRegex(lines[1], r"^ *1  10\.0\.0\.1 ")
        self.assertRegex(lines[2], r"^ *2  10\.0\.1\.2 ")

    def test_arping_finds_the_router(self):
        output = self.client.run("arping", "-c", "3", "-I", "weft-a", "10.0.0.1").stdout
        found = re.findall(testbed.ROUTER_A_MAC, output, re.IGNORECASE)
        self.assertGreaterEqual(len(found), 3, output)

    def test_arp_for_others_is_not_answered(self):
        done = self.client.run("arping", "-c", "2", "-I", "weft-a", "10.0.0.77", check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)

    def test_forwarding_rewrites_the_header(self):
        self.learn()
        frame = packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", "10.0.1.2", packets.udp(4711, 4712, b"rewritten"), ttl=33),
        )
        self.tap_a.send([frame])
        got = self.tap_b.receive(lambda f: f.destination_port == 4712)
        self.assertEqual(len(got), 1)
        self.assertEqual(
            (got[0].source_mac, got[0].destination_mac), (testbed.ROUTER_B_MAC, testbed.SERVER_MAC)
        )
        self.assertEqual((got[0].ttl, got[0].payload), (32, b"rewritten"))
        self.assertTrue(got[0].header_checksum_right)

    def test_interface_counters_agree_with_the_senders(self):
        self.learn()
        before_a, before_b = self.weft.counters("a"), self.weft.counters("b")
        frame = packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", "10.0.1.2", packets.udp(4711, 4800)),
        )
        self.tap_a.send([frame] * 300)
        got = self.tap_b.receive(lambda f: f.destination_port == 4800, count=300)
        self.assertEqual(len(got), 300)

        def counted():
            a, b = self.weft.counters("a"), self.weft.counters("b")
            return (
                a["rx packets"] - before_a["rx packets"],
                b["tx packets"] - before_b["tx packets"],
            )

        # A neighbour probe of either side may come between.
        self.assertTrue(testbed.eventually(lambda: min(counted()) >= 300), counted())
        self.assertLess(max(counted()), 310)


if __name__ == "__main__":
    testbed.main()
