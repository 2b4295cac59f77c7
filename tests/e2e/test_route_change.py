#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Routes come and go while traffic runs; the routes that stay lose nothing."""

import threading

import packets
import testbed

COUNT = 6000


class RouteChange(testbed.TwoHosts):
    def setUp(self):
        self.learn()

    def test_no_loss_on_a_route_that_stays(self):
        frame = packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", "10.0.1.2", packets.udp(7000, 7001)),
        )
        sender = threading.Thread(target=self.tap_a.send, args=([frame] * COUNT, 8, 0.004))
        sender.start()
        changes = 0
        while sender.is_alive():
            lines = [
                f"ip route {verb} 10.{50 + changes % 50}.{net}.0/24{via}"
                for verb, via in (("add", " via 10.0.1.2"), ("del", ""))
                for net in range(32)
            ]
            done = self.weft.try_cli(input="\n".join(lines) + "\n", stdin=None)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            changes += len(lines)
        sender.join()
        got = self.tap_b.receive(lambda f: f.destination_port == 7001, count=COUNT, within=5)
        self.assertEqual(len(got), COUNT)
        self.assertGreater(changes, 200)
        self.assert_quiet()

    def test_a_route_works_from_add_to_del(self):
        def through(count):
            frame = packets.ethernet(
                testbed.ROUTER_A_MAC,
                testbed.CLIENT_MAC,
                packets.ip4("10.0.0.2", "10.200.0.1", packets.udp(7000, 7002)),
            )
            self.tap_a.send([frame] * 10)
            return len(
                self.tap_b.receive(lambda f: f.destination_port == 7002, count=count, within=1)
            )

        self.assertEqual(through(1), 0)
        self.weft.cli("ip route add 10.200.0.0/16 via 10.0.1.2")
        self.assertEqual(through(10), 10)
        self.weft.cli("ip route add 10.200.0.0/24 via 10.0.0.99")  # more specific, elsewhere
        self.assertEqual(through(1), 0)
        self.weft.cli("ip route del 10.200.0.0/24")
        self.assertEqual(through(10), 10)
        self.weft.cli("ip route del 10.200.0.0/16")
        self.assertEqual(through(1), 0)
        self.assertNotIn("10.200.", self.weft.cli("show ip fib"))

    def test_address_added_while_running_is_announced_and_answers(self):
        self.tap_b.drain()
        self.weft.cli("set interface ip address b 10.0.5.1/24")
        found = self.tap_b.receive(lambda f: f.arp_sender == f.arp_target == "10.0.5.1")
        self.assertTrue(found, "no gratuitous ARP")
        self.server.run("ip", "address", "add", "10.0.5.2/24", "dev", "weft-b")
        output = self.server.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "10.0.5.1").stdout
        self.assertIn(" 0% packet loss", output)

    def test_interface_down_and_up(self):
        self.weft.cli("set interface state b down")
        done = self.client.run("ping", "-c", "1", "-W", "1", "10.0.1.2", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.weft.cli("set interface state b up")
        self.assertTrue(
            testbed.eventually(
                lambda: self.client.run(
                    "ping", "-c", "1", "-W", "1", "10.0.1.2", check=False
                ).returncode
                == 0
            )
        )
        self.assert_quiet()


if __name__ == "__main__":
    testbed.main()
