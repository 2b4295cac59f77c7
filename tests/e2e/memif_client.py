# SPDX-License-Identifier: Apache-2.0
"""A memif client written down from the protocol (drivers/memif/protocol.hh), which can also do what none should."""

import fcntl
import mmap
import os
import select
import socket
import struct
import time

ACK, HELLO, INIT, ADD_REGION, ADD_RING, CONNECT, CONNECTED, DISCONNECT = range(1, 9)
VERSION, COOKIE, TO_SERVER, GOES_ON = 0x200, 0x3E31F20, 1, 1
F_ADD_SEALS, F_SEAL_SHRINK = 1033, 2
HEAD, TAIL, DESCRIPTORS = 6, 64, 128  # offsets in a ring


class Refused(Exception):
    """The server's reason."""


class MemifClient:
    """One ring each way of 2^log2 descriptors, a buffer of 2048 bytes for each. Keyword arguments of
    connect() replace what is right by what is not."""

    def __init__(self, path, log2=6):
        self.size, self.log2 = 1 << log2, log2
        self.ring_bytes = DESCRIPTORS + 16 * self.size
        self.buffers = 2 * self.ring_bytes
        self.bytes = -(-(self.buffers + 2 * self.size * 2048) // 4096) * 4096
        self.memory = None
        self.bells = []
        self.sent = self.received = 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(5)
        self.socket.connect(path)

    def close(self):
        self.socket.close()
        for bell in self.bells:
            os.close(bell)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- messages

    def hear(self, wanted):
        answer = self.socket.recv(128)
        if not answer:
            raise Refused("closed")
        (kind,) = struct.unpack_from("<H", answer)
        if kind == DISCONNECT:
            raise Refused(answer[6:].split(b"\0")[0].decode())
        assert kind == wanted, (kind, wanted)
        return answer[2:]

    def say(self, kind, body=b"", file=None, wanted=ACK):
        numbers = file if isinstance(file, tuple) else (file,) if file is not None else ()
        rights = struct.pack(f"<{len(numbers)}i", *numbers)
        files = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if numbers else []
        self.socket.sendmsg([(struct.pack("<H", kind) + body).ljust(128, b"\0")], files)
        return self.hear(wanted)

    def connect(self, version=VERSION, identity=0, mode=0, secret=b"", sealed=True, file_bytes=None,
                region=0, region_bytes=None, ring_region=0, ring_offset=0, log2=None, bell=None,
                cookie=COOKIE, rings=2):
        self.hear(HELLO)
        self.say(INIT, struct.pack("<HIB24s32s", version, identity, mode, secret, b"test"))
        file = os.memfd_create("test", os.MFD_ALLOW_SEALING)
        os.ftruncate(file, file_bytes or self.bytes)
        if sealed:
            fcntl.fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK)
        self.memory = mmap.mmap(file, file_bytes or self.bytes)
        for way in range(2):
            struct.pack_into("<IH", self.memory, way * self.ring_bytes, cookie, 0)
            for i in range(self.size):
                self.describe(way, i)
        self.say(ADD_REGION, struct.pack("<HQ", region, region_bytes or self.bytes), file)
        os.close(file)
        for way in range(rings):
            self.bells.append(os.eventfd(0, os.EFD_NONBLOCK))
            body = struct.pack("<HHHIBH", TO_SERVER if way == 0 else 0, 0, ring_region,
                               way * self.ring_bytes + ring_offset, log2 or self.log2, 0)
            self.say(ADD_RING, body, self.bells[-1] if bell is None else bell)
        self.say(CONNECT, b"test".ljust(32, b"\0"), wanted=CONNECTED)
        self.move(1, HEAD, self.size)
        return self

    # -- rings: way 0 to the server, 1 from it

    def move(self, way, end, position):
        struct.pack_into("<H", self.memory, way * self.ring_bytes + end, position & 0xFFFF)

    def position(self, way, end):
        return struct.unpack_from("<H", self.memory, way * self.ring_bytes + end)[0]

    def buffer(self, way, place):
        return self.buffers + (way * self.size + place % self.size) * 2048

    def describe(self, way, place, flags=0, region=0, length=2048, offset=None):
        where = way * self.ring_bytes + DESCRIPTORS + 16 * (place % self.size)
        offset = self.buffer(way, place) if offset is None else offset
        struct.pack_into("<HHIII", self.memory, where, flags, region, length, offset, 0)

    def put(self, frame, **descriptor):
        """Lays a frame, or a part of one, into the ring; send() gives all to the server."""
        at = self.buffer(0, self.sent)
        self.memory[at : at + len(frame)] = frame
        self.describe(0, self.sent, **{"length": len(frame), **descriptor})
        self.sent += 1

    def send(self):
        self.move(0, HEAD, self.sent)
        if not struct.unpack_from("<H", self.memory, 4)[0] & 1:  # the server sleeps
            os.eventfd_write(self.bells[0], 1)
        deadline = time.monotonic() + 5
        while self.position(0, TAIL) != self.sent & 0xFFFF:
            if time.monotonic() > deadline:
                raise AssertionError("the server takes nothing")
            time.sleep(0.001)

    def take(self, within=2.0):
        """The next frame; None if none comes."""
        deadline = time.monotonic() + within
        while self.position(1, TAIL) == self.received & 0xFFFF:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.bells[1]], [], [], left)[0]:
                return None
            os.eventfd_read(self.bells[1])
        frame, goes_on = b"", True
        while goes_on:
            place = self.received % self.size
            flags, _, length, offset, _ = struct.unpack_from(
                "<HHIII", self.memory, self.ring_bytes + DESCRIPTORS + 16 * place
            )
            frame += self.memory[offset : offset + length]
            goes_on = flags & GOES_ON
            self.describe(1, self.received)
            self.received += 1
        self.move(1, HEAD, self.received + self.size)
        return frame
