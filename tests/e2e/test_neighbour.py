#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Neighbours: resolved, static, and one that never answers."""

import packets
import testbed


class Neighbour(testbed.TwoHosts):
    more = {
        "neighbors": [{"interface": "b", "address": "10.0.1.50", "macaddress": "02:00:00:00:0b:50"}]
    }

    def neighbours(self):
        return {row["address"]: row for row in self.weft.json("show ip neighbors")["neighbors"]}

    def to(self, address, port):
        return packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", address, packets.udp(port, port)),
        )

    def test_a_neighbour_that_answers_is_known(self):
        self.learn()
        self.assertEqual(self.neighbours()["10.0.1.2"]["macaddress"], testbed.SERVER_MAC)
        self.assertEqual(self.neighbours()["10.0.1.2"]["interface"], "b")

    def test_a_static_neighbour_needs_no_arp(self):
        self.tap_b.drain()
        self.tap_a.send([self.to("10.0.1.50", 6001)] * 3)
        got = self.tap_b.receive(
            lambda f: f.arp_target == "10.0.1.50" or f.destination_port == 6001, count=4, within=1
        )
        self.assertEqual([f.destination_mac for f in got], ["02:00:00:00:0b:50"] * 3)

    def test_static_by_command(self):
        self.weft.cli("ip neighbor add b 10.0.1.51 02:00:00:00:0b:51")
        self.tap_a.send([self.to("10.0.1.51", 6002)])
        got = self.tap_b.receive(lambda f: f.destination_port == 6002)
        self.assertEqual([f.destination_mac for f in got], ["02:00:00:00:0b:51"])
        self.weft.cli("ip neighbor del b 10.0.1.51")
        self.assertNotIn("10.0.1.51", self.neighbours())

    def test_waiting_packets_go_out_once_resolved(self):
        self.tap_b.drain()
        self.server.run("ip", "address", "add", "10.0.1.60/24", "dev", "weft-b")
        self.tap_a.send([self.to("10.0.1.60", 6003)])
        got = self.tap_b.receive(lambda f: f.destination_port == 6003)
        self.assertEqual([f.destination_mac for f in got], [testbed.SERVER_MAC])

    def test_silent_neighbour_is_host_unreachable(self):
        output = self.client.run("ping", "-c", "2", "-w", "10", "10.0.1.99", check=False).stdout
        self.assertIn("Destination Host Unreachable", output)
        self.assertIn("10.0.0.1", output)
        self.assert_quiet()
        self.assertGreaterEqual(self.weft.errors().get(("ip4-glean", "host_unreachable"), 0), 2)

    def test_arp_that_was_heard_is_no_loss(self):
        before = self.weft.counters("b")["drops"]
        self.server.run("arping", "-c", "2", "-w", "3", "-I", "weft-b", "10.0.1.77", check=False)
        self.learn()
        self.assertEqual(self.weft.counters("b")["drops"], before, self.weft.errors())
        self.assertNotIn("arp-input", {node for node, _ in self.weft.errors()})

    def test_silent_neighbour_gets_a_bounded_queue(self):
        self.tap_b.drain()
        before = self.weft.errors()
        self.tap_a.send([self.to("10.0.1.98", 6004)] * 400)
        arps = self.tap_b.receive(lambda f: f.arp_target == "10.0.1.98", count=50, within=4)
        self.assertTrue(1 <= len(arps) <= 8, f"{len(arps)} ARP requests")
        self.assert_quiet()

        def over_the_bound():
            return sum(
                count - before.get(key, 0)
                for key, count in self.weft.errors().items()
                if key[0] == "ip4-glean" and key[1] in ("queue_full", "handoff_full", "rate_limited")
            )

        self.assertTrue(testbed.eventually(lambda: over_the_bound() > 300), self.weft.errors())

    def test_scanning_a_network_stays_bounded(self):
        self.tap_a.send([self.to(f"10.0.1.{host}", 6005) for host in range(100, 250)] * 3)
        self.learn()  # a neighbour that answers still works meanwhile
        self.assertTrue(testbed.eventually(lambda: self.weft.in_flight() == 0, 10))


if __name__ == "__main__":
    testbed.main()
