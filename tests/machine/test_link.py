#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Cables pulled and plugged again (set_link) while flows are spread over two ports, for each kind of port."""

import contextlib
import threading

import guest
import machine
from machine import packets, testbed

FLOWS = 40
KINDS = ["e1000e", "vmxnet3", "virtio-net-pci"]
CLIENT_MAC = "02:00:00:00:0a:02"


def mac(kind, side):
    return f"02:00:00:00:{KINDS.index(kind):02x}:{side:02x}"


class Link(machine.Test):
    """client 10.0.0.2 - (in) weft, and for each kind two ports with a next hop, between which its network's flows are spread"""

    @classmethod
    def topology(cls):
        cls.client = cls.peer("client")
        ports = {"in": (guest.Port("in", "virtio-net-pci", cls.client), {"addresses": ["10.0.0.1/24"]})}
        routes, neighbors = [], []
        for n, kind in enumerate(KINDS):
            for side in 1, 2:
                name = f"{kind.split('-')[0]}-{side}"
                port = guest.Port(name, kind, cls.peer(name))
                ports[name] = (port, {"addresses": [f"10.{n + 1}.{side}.1/24"]})
                hop = f"10.{n + 1}.{side}.2"
                neighbors.append({"interface": name, "address": hop, "macaddress": mac(kind, side)})
            routes.append({"to": f"{20 + n}.0.0.0/8", "via": [f"10.{n + 1}.1.2", f"10.{n + 1}.2.2"]})
        cls.router = cls.boot([port for port, _ in ports.values()])
        cls.router.use(*(port for port, _ in ports.values()))
        cls.router.configure(ports, routes=routes, neighbors=neighbors)
        cls.router.start()
        cls.client.take("in", "10.0.0.2/24", "10.0.0.1")
        cls.taps = {name: cls.tap(port) for name, (port, _) in ports.items()}
        cls.mac = ports["in"][0].mac
        for name in ports:
            assert cls.router.has_link(name), cls.router.cli("show interface")

    @classmethod
    def tap(cls, port):
        port.namespace.take(port.tap)
        tap = testbed.Tap(port.namespace, port.tap)
        cls.cleanup.callback(tap.close)
        return tap

    def flows(self, kind, destination_port):
        network = 20 + KINDS.index(kind)
        return [
            packets.ethernet(
                self.mac,
                CLIENT_MAC,
                packets.ip4("10.0.0.2", f"{network}.0.0.{flow}", packets.udp(1600, destination_port)),
            )
            for flow in range(10, 10 + FLOWS)
        ]

    @contextlib.contextmanager
    def traffic(self, kind):
        """Flows of their own go on meanwhile."""
        over = threading.Event()

        def sending():
            while not over.wait(0.1):
                self.taps["in"].send(self.flows(kind, 6000))

        thread = threading.Thread(target=sending)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def send(self, kind):
        """One packet of each of FLOWS flows to a kind's network; the flows by port."""
        ways = [self.taps[f"{kind.split('-')[0]}-{side}"] for side in (1, 2)]
        for way in ways:
            way.drain()
        self.taps["in"].send(self.flows(kind, 5000))
        return [
            {
                frame.destination
                for frame in way.receive(lambda f: f.destination_port == 5000, count=FLOWS, within=3, lull=0.6)
            }
            for way in ways
        ]

    def set_link(self, name, up):
        self.router.monitor("set_link", name=name, up=up)
        self.assertTrue(self.router.has_link(name, up), self.router.cli("show interface"))

    def gives_way(self, kind):
        first, second = (f"{kind.split('-')[0]}-{side}" for side in (1, 2))
        spread = self.send(kind)
        self.assertTrue(all(spread) and sum(map(len, spread)) == FLOWS, spread)
        for dead, alive in ((first, 1), (second, 0)):
            with self.traffic(kind):
                self.set_link(dead, False)
                moved = self.send(kind)
                self.assertEqual((len(moved[alive]), len(moved[1 - alive])), (FLOWS, 0), self.router.cli("show errors"))
                self.set_link(dead, True)
            self.assertEqual(self.send(kind), spread, "flows are where they were")
        self.assertEqual(self.router.json("show errors")["errors"], [], "nothing was lost")

    def test_e1000e(self):
        self.gives_way("e1000e")

    def test_vmxnet3(self):
        self.gives_way("vmxnet3")

    def test_virtio(self):
        self.gives_way("virtio-net-pci")

    def test_unplugged_at_start(self):
        """A router that starts with a cable out says so, and uses the port once it is in."""
        names = [f"{kind.split('-')[0]}-1" for kind in KINDS]
        for name in names:
            self.router.monitor("set_link", name=name, up=False)
        self.assertEqual(self.router.stop(), [])
        self.router.start()
        for name in names:
            self.assertTrue(self.router.has_link(name, False), self.router.cli("show interface"))
            self.set_link(name, True)
        for kind in KINDS:
            self.assertTrue(all(self.send(kind)), kind)


if __name__ == "__main__":
    machine.main()
