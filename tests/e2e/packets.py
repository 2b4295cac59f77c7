# SPDX-License-Identifier: Apache-2.0
"""Builds and reads Ethernet, ARP, IPv4, ICMP and UDP packets byte by byte, right or wrong."""

import socket
import struct

ETHERTYPE_IP4 = 0x0800
ETHERTYPE_ARP = 0x0806
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_bytes(text):
    return bytes(int(part, 16) for part in text.split(":"))


def mac_text(data):
    return ":".join(f"{byte:02x}" for byte in data)


def ethernet(destination, source, payload, ethertype=ETHERTYPE_IP4):
    return mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", ethertype) + payload


def ip4(
    source,
    destination,
    payload=b"",
    *,
    protocol=17,
    ttl=64,
    version=4,
    header_words=5,
    total_length=None,
    checksum_error=0,
    identification=1,
    flags=0,
):
    """An IPv4 packet; `checksum_error` is added to the right checksum."""
    if total_length is None:
        total_length = 20 + len(payload)

    def header(sum_field):
        return struct.pack(
            "!BBHHHBBH4s4s",
            version << 4 | header_words,
            0,
            total_length,
            identification,
            flags << 13,
            ttl,
            protocol,
            sum_field,
            socket.inet_aton(source),
            socket.inet_aton(destination),
        )

    right = checksum(header(0))
    return header((right + checksum_error) & 0xFFFF) + payload


def udp(source_port, destination_port, payload=b"weft"):
    """A UDP datagram without a checksum, which IPv4 allows (RFC 768)."""
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload


def icmp_echo(identifier, sequence, payload=b"weft"):
    head = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence)
    return struct.pack("!BBHHH", 8, 0, checksum(head + payload), identifier, sequence) + payload


def arp(operation, sender_mac, sender, target_mac, target):
    return struct.pack(
        "!HHBBH6s4s6s4s",
        1,
        ETHERTYPE_IP4,
        6,
        4,
        operation,
        mac_bytes(sender_mac),
        socket.inet_aton(sender),
        mac_bytes(target_mac),
        socket.inet_aton(target),
    )


class Frame:
    """A received frame's fields, as far as its bytes go; absent ones are None."""

    def __init__(self, data):
        self.data = data
        self.destination_mac, self.source_mac = mac_text(data[:6]), mac_text(data[6:12])
        self.ethertype = struct.unpack("!H", data[12:14])[0]
        self.source = self.destination = self.ttl = self.protocol = None
        self.source_port = self.destination_port = self.icmp_type = self.icmp_code = None
        self.payload = b""
        self.arp_operation = self.arp_sender = self.arp_target = None
        if self.ethertype == ETHERTYPE_IP4 and len(data) >= 34:
            self._read_ip4(data[14:])
        elif self.ethertype == ETHERTYPE_ARP and len(data) >= 42:
            self.arp_operation = struct.unpack("!H", data[20:22])[0]
            self.arp_sender = socket.inet_ntoa(data[28:32])
            self.arp_target = socket.inet_ntoa(data[38:42])

    def _read_ip4(self, packet):
        self.ttl, self.protocol = packet[8], packet[9]
        self.source, self.destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(
            packet[16:20]
        )
        self.header_checksum_right = checksum(packet[:20]) == 0
        body = packet[20 : struct.unpack("!H", packet[2:4])[0]]
        if self.protocol == 17 and len(body) >= 8:
            self.source_port, self.destination_port = struct.unpack("!HH", body[:4])
            self.payload = body[8:]
        elif self.protocol == 1 and len(body) >= 8:
            self.icmp_type, self.icmp_code = body[0], body[1]
            self.payload = body[8:]
