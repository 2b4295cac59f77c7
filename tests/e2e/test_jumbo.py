#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packets longer than a buffer: client - (a) weft (b) - server with buffers of 512 bytes, a memif (m) with 9,000."""

import os
import tempfile

import packets
import testbed
from memif_client import GOES_ON, MemifClient

MTU = 9000
STATION = "02:00:00:00:0c:02"


class Jumbo(testbed.Test):
    @classmethod
    def topology(cls):
        folder = cls.cleanup.enter_context(tempfile.TemporaryDirectory())
        cls.path = os.path.join(folder, "m.sock")
        cls.client, cls.server = cls.host("client"), cls.host("server")
        memif = f"net_memif0,role=server,socket={cls.path},socket-abstract=no"
        ports = {
            "a": "10.0.0.1/24",
            "b": "10.0.1.1/24",
            "m": {"device": memif, "addresses": ["10.0.2.1/24"], "mtu": MTU},
        }
        cls.weft = cls.router(testbed.config(ports, buffers={"count": 32768, "size": 512}))
        cls.plug(cls.weft, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC)
        cls.plug(cls.weft, "weft-b", cls.server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC)

    def ping(self, size, address, *options, check=True):
        words = ("ping", "-c", "3", "-i", "0.2", "-W", "2", "-M", "do", "-s", str(size), *options, address)
        return self.client.run(*words, check=check).stdout

    def test_packets_cross_in_several_buffers(self):
        for size in (56, 448, 470, 471, 1000, 1472):
            self.assertIn(" 0% packet loss", self.ping(size, "10.0.1.2"), size)
        self.assert_quiet()

    def test_the_router_answers_and_complains(self):
        self.assertIn(" 0% packet loss", self.ping(1472, "10.0.0.1"))
        self.assertIn("Time to live exceeded", self.ping(1472, "10.0.1.2", "-t", "1", check=False))

    def test_tcp_crosses(self):
        with self.server.start("iperf3", "-s", "-1") as listener:
            try:
                done = testbed.eventually(
                    lambda: self.client.run("iperf3", "-c", "10.0.1.2", "-n", "8M", check=False).returncode == 0, 10, 0.3
                )
                self.assertTrue(done, self.weft.errors())
            finally:
                listener.kill()

    def test_they_are_traced(self):
        self.weft.cli("trace add dpdk-input-a-0 2")
        self.ping(1400, "10.0.1.2")
        self.assertIn("1442 bytes", self.weft.cli("show trace"))
        self.weft.cli("clear trace")

    def test_9000_bytes_on_a_memif(self):
        with MemifClient(self.path).connect() as peer:
            self.assertTrue(testbed.eventually(lambda: self.weft.has_link("m"), 5))
            router = self.weft.macs["m"]
            for size in 56, 1000, 8900, MTU - 28:
                message = packets.icmp_echo(7, size & 0xFFFF, os.urandom(size))
                request = packets.ethernet(router, STATION, packets.ip4("10.0.2.2", "10.0.2.1", message, protocol=1))
                announce = packets.arp(1, STATION, "10.0.2.2", "00:00:00:00:00:00", "10.0.2.1")
                peer.put(packets.ethernet(packets.BROADCAST_MAC, STATION, announce, packets.ETHERTYPE_ARP))
                for at in range(0, len(request), 2000):
                    last = at + 2000 >= len(request)
                    peer.put(request[at : at + 2000], flags=0 if last else GOES_ON)
                peer.send()
                answers = []
                while (frame := peer.take(within=2)) is not None and not answers:
                    answers = [f for f in [packets.Frame(frame)] if f.icmp_type == 0]
                self.assertEqual(len(answers), 1, (size, self.weft.errors()))
                self.assertEqual(len(answers[0].payload), size)
                self.assertEqual(answers[0].payload, message[8:])

    def test_what_a_driver_cannot_is_told(self):
        for device, mtu, said in (
            ("net_tap7,iface=weft-x", MTU, "net_tap has frames of up to"),
            ("net_null0", MTU, "net_null"),
        ):
            config = testbed.config({"x": {"device": device, "mtu": mtu}})
            del config["interfaces"]["x"]["macaddress"]
            weft = testbed.Weft(config, wait=False)
            self.addCleanup(weft.close)
            self.assertEqual(weft.process.wait(20), testbed.WRONG_CONFIGURATION, weft.log())
            self.assertIn(said, weft.log())


if __name__ == "__main__":
    testbed.main()
