#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VLANs with real tagged frames, on a TAP and on a memif; interfaces that come and go under traffic."""

import os
import select
import socket
import struct
import tempfile
import time

import packets
import testbed
from memif_client import MemifClient

DOT1Q, DOT1AD = 0x8100, 0x88A8
STATION = "02:00:00:00:0c:02"
ROUTER = "02:00:00:00:01:01"
SOL_PACKET, PACKET_AUXDATA = 263, 8
VLAN_VALID, TPID_VALID = 0x10, 0x40


def tagged(frame, *tags):
    """The frame with tags, the outermost first: a VLAN, or a protocol and a VLAN."""
    words = b"".join(struct.pack("!HH", *(tag if isinstance(tag, tuple) else (DOT1Q, tag))) for tag in tags)
    return frame[:12] + words + frame[12:]


def untagged(frame):
    """A frame without its tags, and these."""
    tags = []
    while struct.unpack_from("!H", frame, 12)[0] in (DOT1Q, DOT1AD):
        tags.append(struct.unpack_from("!HH", frame, 12))
        frame = frame[:12] + frame[16:]
    return packets.Frame(frame), tags


def arp_request(sender, target, mac=STATION):
    return packets.ethernet(
        packets.BROADCAST_MAC,
        mac,
        packets.arp(1, mac, sender, "00:00:00:00:00:00", target),
        packets.ETHERTYPE_ARP,
    )


def echo(sender, target, router=ROUTER, size=4, ttl=64):
    message = packets.icmp_echo(7, 1, b"w" * size)
    return packets.ethernet(router, STATION, packets.ip4(sender, target, message, protocol=1, ttl=ttl))


class Trunk:
    """Frames on a Linux interface with their tags, which the kernel takes off and tells beside."""

    def __init__(self, namespace, interface):
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind((interface, 0))

    def send(self, *frames):
        for number, frame in enumerate(frames, 1):
            try:
                self.socket.send(frame)
            except OSError:  # what is told once of a link that was down
                self.socket.send(frame)
            if number % 16 == 0:
                time.sleep(0.002)

    def receive(self, wanted, count=1, within=5.0):
        """Pairs of a frame and its tags."""
        found = []
        deadline = time.monotonic() + within
        while len(found) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                break
            data, beside, _, address = self.socket.recvmsg(65535, 256)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            for level, kind, value in beside:
                if level == SOL_PACKET and kind == PACKET_AUXDATA:
                    status, _, _, _, _, tci, tpid = struct.unpack_from("IIIHHHH", value)
                    if status & VLAN_VALID:
                        protocol = tpid if status & TPID_VALID else DOT1Q
                        data = tagged(data, (protocol, tci))
            pair = untagged(data)
            if wanted(*pair):
                found.append(pair)
        return found

    def close(self):
        self.socket.close()


def is_reply(frame, _):
    return frame.arp_operation == 2


def is_icmp(kind):
    return lambda frame, _: frame.icmp_type == kind


class Vlans(testbed.Test):
    """station - trunk (a) router (b) - host, and a memif (m)"""

    @classmethod
    def topology(cls):
        folder = cls.cleanup.enter_context(tempfile.TemporaryDirectory())
        cls.path = os.path.join(folder, "m.sock")
        cls.station, cls.server = cls.host("station"), cls.host("server")
        cls.weft = cls.router(
            testbed.config(
                {
                    "a": {},
                    "b": "10.0.1.1/24",
                    "m": {"device": f"net_memif0,role=server,socket={cls.path},socket-abstract=no"},
                    "a.100": {"vlan": 100, "link": "a", "addresses": ["10.1.0.1/24"]},
                    "a.7.8": {"vlan": 8, "link": "a.7", "addresses": ["10.2.0.1/24"]},
                    "a.7": {"vlan": 7, "link": "a", "protocol": "802.1ad"},
                    "m.5": {"vlan": 5, "link": "m", "addresses": ["10.3.0.1/24"]},
                    "lo0": {"kind": "loopback", "addresses": ["10.255.0.1/32"]},
                }
            )
        )
        cls.plug(cls.weft, "weft-a", cls.station, None)
        cls.plug(cls.weft, "weft-b", cls.server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC)
        cls.trunk = Trunk(cls.station, "weft-a")
        cls.cleanup.callback(cls.trunk.close)

    def ask(self, sender, target, *tags):
        self.trunk.send(tagged(arp_request(sender, target), *tags))
        return self.trunk.receive(is_reply, within=3)

    def assert_echo(self, sender, target, *tags, size=4):
        self.ask(sender, target, *tags)  # the router learns the station
        self.trunk.send(tagged(echo(sender, target, size=size), *tags))
        answers = self.trunk.receive(is_icmp(0), within=3)
        self.assertEqual(len(answers), 1, self.weft.errors())
        frame, found = answers[0]
        self.assertEqual((frame.source, frame.destination), (target, sender))
        wanted = [tag if isinstance(tag, tuple) else (DOT1Q, tag) for tag in tags]
        self.assertEqual(found, wanted)

    def test_the_router_answers_on_each_vlan_with_its_tag(self):
        for target, sender, *tags in (
            ("10.1.0.1", "10.1.0.2", 100),
            ("10.2.0.1", "10.2.0.2", (DOT1AD, 7), 8),
        ):
            answers = self.ask(sender, target, *tags)
            self.assertEqual(len(answers), 1, target)
            self.assertEqual(answers[0][0].arp_sender, target)
            self.assert_echo(sender, target, *tags)
        self.assertGreater(self.weft.counters("a.7.8")["tx packets"], 1)

    def test_packets_are_routed_from_a_vlan_to_a_port_and_back(self):
        self.ask("10.1.0.2", "10.1.0.1", 100)
        self.trunk.send(tagged(echo("10.1.0.2", "10.0.1.2"), 100))
        answers = self.trunk.receive(is_icmp(0), within=5)
        self.assertEqual([tags for _, tags in answers], [[(DOT1Q, 100)]], self.weft.errors())
        self.assertEqual(answers[0][0].source, "10.0.1.2")

    def test_a_full_packet_passes_beside_its_tag(self):
        self.ask("10.1.0.2", "10.1.0.1", 100)
        self.trunk.send(tagged(echo("10.1.0.2", "10.0.1.2", size=1472), 100))
        answers = self.trunk.receive(is_icmp(0), within=5)
        self.assertEqual(len(answers), 1, self.weft.errors())
        self.assertEqual(len(answers[0][0].payload), 1472)

    def test_a_loopback_is_reached_through_every_port(self):
        self.ask("10.1.0.2", "10.1.0.1", 100)
        self.trunk.send(tagged(echo("10.1.0.2", "10.255.0.1"), 100))
        answers = self.trunk.receive(is_icmp(0), within=3)
        self.assertEqual([f.source for f, _ in answers], ["10.255.0.1"])
        output = self.server.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "10.255.0.1").stdout
        self.assertIn(" 0% packet loss", output)

    def test_what_is_no_interface_s_is_dropped_for_that(self):
        before = self.weft.errors()
        frame = echo("10.1.0.2", "10.0.1.2")
        self.trunk.send(tagged(frame, 101), tagged(frame, (DOT1AD, 100)), tagged(frame, 100, 9), frame)
        for reason, count in (("unknown_vlan", 3), ("ip4_off", 1)):
            key = "ethernet-input", reason
            wanted = before.get(key, 0) + count
            self.assertTrue(
                testbed.eventually(lambda: self.weft.errors().get(key, 0) == wanted, 3), reason
            )

    def test_a_sub_interface_has_no_link_without_its_port_s(self):
        self.assertTrue(self.weft.has_link("a.100"))
        self.station.run("ip", "link", "set", "weft-a", "down")
        try:
            self.assertTrue(testbed.eventually(lambda: not self.weft.has_link("a.7.8"), 3))
        finally:
            self.station.run("ip", "link", "set", "weft-a", "up")
        self.assertTrue(testbed.eventually(lambda: self.weft.has_link("a.7.8"), 3))

    def test_a_vlan_on_a_memif(self):
        with MemifClient(self.path).connect() as client:
            self.assertTrue(testbed.eventually(lambda: self.weft.has_link("m.5"), 5))
            client.put(tagged(arp_request("10.3.0.2", "10.3.0.1"), 5))
            client.send()
            frames = []
            while (data := client.take(within=2)) is not None:
                frames.append(untagged(data))
                if frames[-1][0].arp_operation == 2:
                    break
            self.assertEqual(frames[-1][1], [(DOT1Q, 5)])
            self.assertEqual(frames[-1][0].arp_sender, "10.3.0.1")

    def test_ports_come_and_go_under_traffic(self):
        flow = self.server.start("ping", "-i", "0.01", "-c", "400", "-W", "2", "10.255.0.1")
        before = self.files()
        path = self.path + ".x"
        for _ in range(12):
            self.weft.cli("interface create dpdk t device net_tap9,iface=weft-t addresses 10.8.0.1/24")
            self.weft.cli(
                f"interface create memif x device net_memif9,role=server,socket={path},socket-abstract=no"
            )
            self.weft.cli("interface create vlan t.5 link t vlan 5 addresses 10.9.0.1/24")
            with MemifClient(path).connect():
                pass
            self.assertTrue(os.path.exists(path))
            self.weft.cli("interface delete x")
            self.assertFalse(os.path.exists(path))
            self.weft.cli("interface delete t")
            self.assertNotIn("weft-t", self.weft.namespace.run("ip", "-o", "link").stdout)
        self.assertEqual(flow.wait(60), 0)
        self.assertTrue(testbed.eventually(lambda: self.files() <= before + 1, 5), (before, self.files()))
        names = [i["name"] for i in self.weft.json("show interface")["interfaces"]]
        self.assertEqual(len(names), 8)
        self.assertTrue(all(i["index"] < 32 for i in self.weft.json("show interface")["interfaces"]))

    def files(self):
        return len(os.listdir(f"/proc/{self.weft.process.pid}/fd"))


class Thousand(testbed.Test):
    """1,000 sub-interfaces of one port, each with an address."""

    @classmethod
    def topology(cls):
        cls.station = cls.host("station")
        ports = {"a": {}}
        for n in range(1, 1001):
            ports[f"a.{n}"] = {
                "vlan": n,
                "link": "a",
                "addresses": [f"10.{100 + n // 250}.{n % 250}.1/24"],
            }
        begun = time.monotonic()
        cls.weft = cls.router(testbed.config(ports))
        cls.took = time.monotonic() - begun
        cls.plug(cls.weft, "weft-a", cls.station, None)
        cls.trunk = Trunk(cls.station, "weft-a")
        cls.cleanup.callback(cls.trunk.close)

    def test_each_answers_with_its_own_tag(self):
        self.assertLess(self.took, 20)
        asked = {}
        for n in range(1, 1001):
            net = f"10.{100 + n // 250}.{n % 250}"
            asked[f"{net}.1"] = n
            self.trunk.send(tagged(arp_request(f"{net}.2", f"{net}.1"), n))
            if n % 50 == 0:
                time.sleep(0.1)
        answers = self.trunk.receive(is_reply, count=1000, within=8)
        got = {frame.arp_sender: tags for frame, tags in answers}
        self.assertEqual(len(got), 1000, self.weft.errors())
        self.assertEqual(got, {address: [(DOT1Q, n)] for address, n in asked.items()})
        rows = {i["name"]: i for i in self.weft.json("show interface")["interfaces"]}
        self.assertEqual(len(rows), 1001)
        self.assertTrue(all(rows[f"a.{n}"]["counters"]["rx packets"] == 1 for n in range(1, 1001)))


if __name__ == "__main__":
    testbed.main()
