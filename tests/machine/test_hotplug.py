#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A port that is missing at boot, is plugged in, pulled out under traffic, and plugged in again: the router goes on."""

import guest
import machine

KINDS = ["e1000e", "vmxnet3", "virtio-net-pci"]


class HotPlug(machine.Test):
    """client 10.0.0.2 - (a) weft (b) - server 10.0.1.2, and optional (x1), (x2), (x3), one of each kind, not there at first"""

    @classmethod
    def topology(cls):
        cls.client, cls.server = cls.peer("client"), cls.peer("server")
        a, b = guest.Port("a", "virtio-net-pci", cls.client), guest.Port("b", "vmxnet3", cls.server)
        cls.late = [guest.Port(f"x{n}", kind, cls.peer(f"x{n}"), plugged=False) for n, kind in enumerate(KINDS, 1)]
        cls.router = cls.boot([a, b, *cls.late])
        cls.router.use(a, b)
        ports = {"a": (a, {"addresses": ["10.0.0.1/24"]}), "b": (b, {"addresses": ["10.0.1.1/24"]})}
        for n, port in enumerate(cls.late, 1):
            ports[port.name] = port, {"addresses": [f"10.1.{n}.1/24"], "optional": True}
        cls.router.configure(ports)
        cls.router.start()
        cls.client.take("a", "10.0.0.2/24", "10.0.0.1")
        cls.server.take("b", "10.0.1.2/24", "10.0.1.1")
        for n, port in enumerate(cls.late, 1):
            port.namespace.take(port.tap, f"10.1.{n}.2/24", f"10.1.{n}.1")

    def state(self, port):
        return self.router.interface(port.name)["device"]

    def becomes(self, port, state, within=40):
        self.assertTrue(
            machine.eventually(lambda: self.state(port) == state, within, 0.5),
            f"{port.name} is {self.state(port)}, not {state}\n{self.router.journal()}",
        )

    def plug(self, port):
        self.router.monitor("device_add", **port.device())
        there = f"test -e /sys/bus/pci/devices/{port.address}/driver"
        self.assertTrue(machine.eventually(lambda: self.router.run(there, check=False)[0] == 0, 40, 0.3))

    def pull(self, port):
        """As from its slot, where Linux is asked first; until the machine no longer has it."""
        self.router.monitor("device_del", id=port.name)
        gone = f"test ! -e /sys/bus/pci/devices/{port.address}"
        self.assertTrue(
            machine.eventually(lambda: self.router.run(gone, check=False)[0] == 0, 40, 0.3),
            f"{port.name} is still there\n{self.router.journal()}\n{self.router.log()}",
        )
        self.assertTrue(machine.eventually(lambda: self.unplugged(port), 40, 0.3))

    def unplugged(self, port):
        return all(row["name"] != port.name for row in self.router.monitor("qom-list", path="/machine/peripheral"))

    def test_ports_come_and_go(self):
        for port in self.late:
            with self.subTest(port.kind):
                self.comes_and_goes(port)
        self.assertEqual(self.router.stop(), [])

    def comes_and_goes(self, port):
        self.assertEqual(self.state(port), "missing")
        self.plug(port)
        self.router.run(f"driverctl set-override {port.address} vfio-pci")
        self.becomes(port, "present")
        self.assertTrue(port.namespace.reaches("10.0.1.2"), self.router.journal())
        pinging = self.client.start("ping", "-q", "-i", "0.05", "10.0.1.2")
        through = port.namespace.start("ping", "-q", "-f", "-i", "0.01", "10.0.1.2")
        self.addCleanup(pinging.kill)
        self.addCleanup(through.kill)
        self.pull(port)
        self.becomes(port, "gone", 15)
        self.assertTrue(self.client.reaches("10.0.1.2", 5, 5), self.router.journal())
        self.plug(port)  # driverctl binds it, as it was told before
        self.becomes(port, "present")
        self.assertTrue(port.namespace.reaches("10.0.1.2"), self.router.journal())
        for ping in pinging, through:
            ping.kill()
            ping.wait()


if __name__ == "__main__":
    machine.main()
