# SPDX-License-Identifier: Apache-2.0
"""A daemon between null interfaces, and the traffic that its packet generator makes."""

import random
import socket
import struct
import time

FORWARDING = ("ethernet-input", "ip4-input", "ip4-lookup", "ip4-rewrite", "interface-output")
ROUND_SECONDS = 0.3
HOPS = 16
IN_MAC, PEER_MAC = "02:00:00:00:0a:01", "02:00:00:00:fe:01"
MIX_FRAMES, MIX_ODD = 4096, 512  # frames in the capture, and how many are not just forwarded

INTERFACES = f"""
interfaces:
  in: {{device: "null", macaddress: "{IN_MAC}", addresses: [10.9.0.1/24]}}
  out1: {{device: "null", addresses: [10.9.1.1/24]}}
  out2: {{device: "null", addresses: [10.9.2.1/24]}}
"""
ONE_ROUTE = INTERFACES + "routes: [{to: 20.0.0.0/8, via: 10.9.1.2}]\n"
TWO_ROUTES = (
    INTERFACES
    + "routes: [{to: 20.0.0.0/8, via: 10.9.1.2}, {to: 21.0.0.0/8, via: 10.9.2.2}]\n"
)
UDP = "source 10.9.0.2-10.9.0.250 source-port 1024-65535"


class Bed:
    """A daemon with its neighbours, and the streams that it is given."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.commands = []
        self.run(f"ip neighbor add in 10.9.0.2 {PEER_MAC}")
        for out in (1, 2):
            for hop in range(HOPS):
                mac = f"02:00:00:00:{out:02x}:{hop:02x}"
                daemon.cli(f"ip neighbor add out{out} 10.9.{out}.{2 + hop} {mac}")

    def run(self, command):
        self.commands.append(command)
        return self.daemon.cli(command)

    def stream(self, name, words):
        self.run(f"packet-generator new {name} interface in {words}")

    def threads(self, seconds):
        """What `show runtime` says of each thread over so many seconds."""
        self.daemon.cli("clear runtime")
        time.sleep(seconds)
        return self.daemon.json("show runtime")["threads"]

    def turn(self, name, warm_up):
        """What the worker's nodes did for a stream: {node: (vectors, clocks)}."""
        self.daemon.cli(f"packet-generator enable {name}")
        self.threads(warm_up)
        (worker,) = (t for t in self.threads(ROUND_SECONDS) if t["name"] == "worker-1")
        self.daemon.cli(f"packet-generator disable {name}")
        return {n["name"]: (n["vectors"], n["clocks"]) for n in worker["nodes"]}

    def rounds(self, lab, *names):
        """The nodes of every round in which the worker got packets of all of these streams, which
        take turns: a list for each stream of what turn() gives."""
        found = []
        for number in range(lab.rounds):
            warm_up = 0.05 if lab.quick or number > 0 else 0.5
            turns = [self.turn(name, warm_up) for name in names]
            if all(t.get(f"packet-generator-{n}", (0, 0))[0] > 0 for t, n in zip(turns, names)):
                found.append(turns)
        self.commands.append(f"packet-generator enable and disable {' and '.join(names)} in turn")
        return [list(column) for column in zip(*found)]


def write_routes(prefixes, path):
    """A route file: each prefix that may be routed, through the next hops in turn."""
    with open(path, "w", encoding="ascii") as file:
        for number, prefix in enumerate(prefixes):
            if not prefix.startswith(("0.", "127.")):  # never routed
                file.write(f"{prefix} via 10.9.1.{2 + number % HOPS}\n")


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(destination, body, *, source="10.9.0.2", protocol=17, ttl=64, version=4, words=5, wrong=0):
    def header(sum_field):
        return struct.pack(
            "!BBHHHBBH4s4s",
            version << 4 | words,
            0,
            20 + len(body),
            0,
            0,
            ttl,
            protocol,
            sum_field,
            socket.inet_aton(source),
            socket.inet_aton(destination),
        )

    return header(checksum(header(0)) + wrong & 0xFFFF) + body


def ethernet(payload, to=IN_MAC, ethertype=0x0800):
    head = mac_bytes(to) + mac_bytes(PEER_MAC) + struct.pack("!H", ethertype)
    return (head + payload).ljust(60, b"\0")


def odd_frames():
    """Frames that are not just forwarded: ten that are dropped, each for its own reason, two of ARP
    and four for the router itself."""
    udp = struct.pack("!HHHH", 1024, 9, 26, 0) + bytes(18)
    echo = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + bytes(18)
    echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
    arp = struct.pack(
        "!HHBBH6s4s6s4s",
        1,
        0x0800,
        6,
        4,
        1,
        mac_bytes(PEER_MAC),
        socket.inet_aton("10.9.0.2"),
        bytes(6),
        socket.inet_aton("10.9.0.1"),
    )
    to = "20.0.0.1"
    return [
        ethernet(ip4(to, udp, wrong=1)),  # bad_checksum
        ethernet(ip4(to, udp, version=5)),  # bad_version
        ethernet(ip4(to, udp, words=4)),  # bad_header_length
        ethernet(ip4(to, udp, source="127.0.0.1")),  # martian_source
        ethernet(ip4(to, udp, source="10.9.0.1")),  # own_source
        ethernet(ip4(to, udp, ttl=1)),  # ttl_expired
        ethernet(ip4("99.0.0.1", udp)),  # no_route
        ethernet(b"", to="02:00:00:00:77:77"),  # not_for_us
        ethernet(b"", ethertype=0x88B5),  # unknown_ethertype
        ethernet(ip4(to, udp))[:10],  # too_short
        ethernet(arp, to="ff:ff:ff:ff:ff:ff", ethertype=0x0806),
        ethernet(arp, ethertype=0x0806),
        ethernet(ip4("10.9.0.1", echo, protocol=1)),
        ethernet(ip4("10.9.0.1", echo, protocol=1)),
        ethernet(ip4("10.9.0.1", udp)),  # no port of the router's
        ethernet(ip4("10.9.2.1", echo, protocol=1)),
    ]


def write_mix(path):
    rng = random.Random(1)
    odd = odd_frames()
    udp = struct.pack("!HHHH", 1024, 9, 26, 0) + bytes(18)
    frames = [odd[i % len(odd)] for i in range(MIX_ODD)] + [
        ethernet(ip4(f"{rng.choice((20, 21))}.0.{rng.randrange(4)}.{rng.randrange(1, 255)}", udp))
        for _ in range(MIX_FRAMES - MIX_ODD)
    ]
    rng.shuffle(frames)
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
