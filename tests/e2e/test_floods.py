#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One sender sweeps a network, or invents stations: fresh hosts resolve, and nothing is lost.

    sweeper - (a) weft (b) - 10.64.0.0/16, swept
    client  - (d)      (c) - 10.3.0.0/24
"""

import socket
import struct
import subprocess
import threading
import time

import packets
import testbed

WITHIN = 3  # seconds in which a fresh host resolves
HOSTS = 10
SWEEPER_MAC, SWEEPER = "02:00:00:00:0a:66", "10.1.0.66"


def sweep_frames(count):
    """To addresses all over the network; cheaper than by packets.ip4(), for there are many."""
    head = packets.ethernet(testbed.ROUTER_A_MAC, SWEEPER_MAC, b"")
    body = packets.udp(4000, 9)
    for number in range(count):
        # not those with 200, which are fresh
        host = number * 40503 % 0xFE00 + 0x80
        target = struct.pack("!HH", 0x0A40, host - 0x100 if host >> 8 == 200 else host)
        rest = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), 1, 0, 64, 17)
        addresses = socket.inet_aton(SWEEPER) + target
        check = struct.pack("!H", packets.checksum(rest + b"\0\0" + addresses))
        yield head + rest + check + addresses + body


def invented_senders(count):
    for number in range(count):
        mac = f"02:66:00:00:{number >> 8:02x}:{number & 255:02x}"
        sender = socket.inet_ntoa(struct.pack("!HH", 0x0A40, number + 0x100))
        request = packets.arp(1, mac, sender, "00:00:00:00:00:00", "10.64.0.1")
        yield packets.ethernet(packets.BROADCAST_MAC, mac, request, packets.ETHERTYPE_ARP)


class Flood:
    """Sends frames over and over at a rate while the block runs."""

    def __init__(self, tap, frames, rate):
        self.tap, self.frames, self.rate, self.sent = tap, list(frames), rate, 0
        self.over = threading.Event()
        self.thread = None

    def run(self):
        begin, self.sent = time.monotonic(), 0
        while not self.over.is_set():
            due = int((time.monotonic() - begin) * self.rate)
            # what could not be sent in time is left out
            self.sent = max(self.sent, due - self.rate // 50)
            while self.sent < due:
                self.tap.send([self.frames[self.sent % len(self.frames)]], burst=1 << 30)
                self.sent += 1
            time.sleep(0.005)

    def __enter__(self):
        self.over.clear()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        time.sleep(0.5)  # budgets and tables are used up by then
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Floods(testbed.Test):
    @classmethod
    def topology(cls):
        names = ("a", "b", "c", "d")
        cls.hosts = {name: cls.host(name) for name in names}
        networks = {"a": "10.1.0.1/24", "b": "10.64.0.1/16", "c": "10.3.0.1/24", "d": "10.4.0.1/24"}
        cls.weft = cls.router(testbed.config(networks))
        own = {"a": SWEEPER + "/24", "b": "10.64.0.2/16", "c": "10.3.0.2/24", "d": "10.4.0.2/24"}
        for name, address in own.items():
            gateway = networks[name].split("/")[0]
            mac = f"02:00:00:00:0{name}:66"
            tap = cls.plug(cls.weft, f"weft-{name}", cls.hosts[name], address, gateway, mac)
            setattr(cls, f"tap_{name}", tap)
        cls.fresh = {}
        for name, prefix, length in ("b", "10.64.200.", 16), ("c", "10.3.0.", 24):
            lines = [f"address add {prefix}{n}/{length} dev weft-{name}\n" for n in range(10, 80)]
            cls.hosts[name].run("ip", "-batch", "-", input="".join(lines))
            cls.fresh[name] = iter([f"{prefix}{n}" for n in range(10, 80)])
        cls.hosts["d"].run("ping", "-c", "2", "-i", "0.2", "-W", "2", "10.3.0.2")  # resolved

    def steady(self):
        ping = ["ping", "-q", "-i", "0.02", "-c", "75", "-W", "2", "10.3.0.2"]
        return self.hosts["d"].start(*ping, stdout=subprocess.PIPE, text=True)

    def resolved(self, *interfaces, by="d"):
        """How many of some fresh hosts of each answer a client's pings in time, all at once."""
        ping = ["ping", "-n", "-c", "1", "-i", "0.5", "-w", str(WITHIN)]
        pings = [
            (name, self.hosts[by].start(*ping, next(self.fresh[name])))
            for name in interfaces
            for _ in range(HOSTS)
        ]
        found = [name for name, ping in pings if ping.wait() == 0]
        return [found.count(name) for name in interfaces]

    def assert_all_resolve(self, flood):
        with flood:
            steady = self.steady()
            self.assertEqual(self.resolved("c", "b"), [HOSTS, HOSTS], self.weft.cli("show errors"))
            self.weft.cli("show version")  # the main thread has time for it
            report = steady.communicate()[0]
        self.assertIn(" 0% packet loss", report)

    def test_slow_sweep(self):
        self.assert_all_resolve(Flood(self.tap_a, sweep_frames(4000), 200))

    def test_sweep(self):
        flood = Flood(self.tap_a, sweep_frames(20_000), 5000)
        self.assert_all_resolve(flood)
        with flood:  # the sweeper's own pings are another service
            self.assertEqual(self.resolved("b", by="a"), [HOSTS])

    def test_fast_sweep(self):
        self.assert_all_resolve(Flood(self.tap_a, sweep_frames(60_000), 50_000))

    def test_invented_senders(self):
        flood = Flood(self.tap_b, invented_senders(20_000), 5000)
        self.assert_all_resolve(flood)
        ping = ["ping", "-n", "-c", "1", "-w", str(WITHIN), "10.64.0.1", "-I"]
        with flood:  # hosts that begin themselves
            asking = [self.hosts["b"].start(*ping, next(self.fresh["b"])) for _ in range(HOSTS)]
            self.assertEqual([ping.wait() for ping in asking], [0] * HOSTS)


if __name__ == "__main__":
    testbed.main()
