#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packets that are wrong are dropped, each with its reason counted, and never forwarded."""

import random
import socket
import struct

import packets
import testbed

PORT = 9000


class Malformed(testbed.TwoHosts):
    def setUp(self):
        self.learn()
        self.tap_b.drain()

    def assert_dropped(self, node, reason, frame, forwarded=lambda f: f.destination_port == PORT):
        self.assert_counted(node, reason, lambda: self.tap_a.send([frame] * 7), 7)
        self.assertFalse(self.tap_b.receive(forwarded, within=0.2), "it was forwarded")
        self.assert_quiet()

    def packet(self, source="10.0.0.2", destination="10.0.1.2", **fields):
        return packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4(source, destination, packets.udp(PORT, PORT, b"malformed" * 4), **fields),
        )

    def test_right_packet_goes_through(self):  # what the others differ from by one field
        self.tap_a.send([self.packet()])
        self.assertEqual(len(self.tap_b.receive(lambda f: f.destination_port == PORT)), 1)

    def test_checksum(self):
        self.assert_dropped("ip4-input", "bad_checksum", self.packet(checksum_error=1))

    def test_version(self):
        for version in (0, 5, 6, 15):
            self.assert_dropped("ip4-input", "bad_version", self.packet(version=version))

    def test_header_length(self):
        for words in (0, 4):
            self.assert_dropped("ip4-input", "bad_header_length", self.packet(header_words=words))

    def test_total_length(self):
        for length in (0, 19, 200, 65535):  # the frame holds 64 bytes
            self.assert_dropped("ip4-input", "bad_total_length", self.packet(total_length=length))

    def test_frame_without_a_whole_header(self):
        for size in (0, 1, 19):
            frame = packets.ethernet(
                testbed.ROUTER_A_MAC, testbed.CLIENT_MAC, packets.ip4("10.0.0.2", "10.0.1.2")[:size]
            )
            self.assert_dropped("ip4-input", "too_short", frame)

    def test_ttl(self):
        for ttl in (0, 1):
            self.tap_a.drain()
            self.assert_dropped("ip4-input", "ttl_expired", self.packet(ttl=ttl))
        answers = self.tap_a.receive(lambda f: f.icmp_type == 11, within=1)
        self.assertTrue(answers, "no time exceeded")
        self.assertEqual((answers[0].source, answers[0].icmp_code), ("10.0.0.1", 0))
        # It quotes the header and eight bytes of what it is about (RFC 792).
        self.assertEqual(
            answers[0].payload[12:24],
            socket.inet_aton("10.0.0.2")
            + socket.inet_aton("10.0.1.2")
            + struct.pack("!HH", PORT, PORT),
        )

    def test_frame_for_another_station(self):
        frame = packets.ethernet(
            "02:00:00:00:77:77",
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", "10.0.1.2", packets.udp(PORT, PORT)),
        )
        self.assert_dropped("ethernet-input", "not_for_us", frame)

    def test_unknown_ethertype(self):
        frame = packets.ethernet(testbed.ROUTER_A_MAC, testbed.CLIENT_MAC, b"x" * 50, 0x88B5)
        self.assert_dropped("ethernet-input", "unknown_ethertype", frame)

    def test_random_bytes_do_no_harm(self):
        chance = random.Random(4711)
        head = packets.ethernet(testbed.ROUTER_A_MAC, testbed.CLIENT_MAC, b"")
        arp = packets.ethernet(
            packets.BROADCAST_MAC, testbed.CLIENT_MAC, b"", packets.ETHERTYPE_ARP
        )
        self.tap_a.send(
            [
                chance.choice((head, arp))
                + chance.choice((b"", b"\x45", b"\x46"))
                + chance.randbytes(chance.randrange(0, 1400))
                for _ in range(2000)
            ]
        )
        self.learn()
        self.assert_quiet()


if __name__ == "__main__":
    testbed.main()
