#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tagged frames and VRFs between weft on PCI ports and Linux's own 8021q and VRF devices.

Two customers have the same addresses: red is VLAN 100 and green VLAN 200 of a trunk, and of the far port inside of VLAN 7
(802.1ad). Both ends of Linux are one guest, whose VRFs keep them apart.
"""

import re

import guest
import machine

CUSTOMERS = {"red": 100, "green": 200}
NEAR, FAR = "10.0.0.2", "10.0.1.2"


def linux_end(port, side, address, remote, service_vlan=None):
    """Orders that make a VRF for each customer, with the customer's VLAN of a port and a route by weft."""
    orders = [f"ip link set {port} up"]
    parent = port
    if service_vlan:
        parent = f"{port}.{service_vlan}"
        orders += [f"ip link add link {port} name {parent} type vlan proto 802.1ad id {service_vlan}", f"ip link set {parent} up"]
    for customer, vlan in CUSTOMERS.items():
        vrf, device, table = f"{customer}-{side}", f"{parent}.{vlan}", vlan + (1 if service_vlan else 0)
        orders += [
            f"ip link add {vrf} type vrf table {table}",
            f"ip link set {vrf} up",
            f"ip link add link {parent} name {device} type vlan id {vlan}",
            f"ip link set {device} master {vrf}",
            f"ip link set {device} up",
            f"ip address add {address}/24 dev {device}",
            f"ip route add {remote} via {address.rsplit('.', 1)[0]}.1 table {table}",
        ]
    return "\n".join(orders)


class Customers(machine.Test):
    """Linux (near: 8021q, VRFs) - t0 weft f0 - Linux (far: 802.1ad, 8021q, VRFs)"""

    kind = "e1000e"
    keys = {}

    @classmethod
    def topology(cls):
        wires = cls.peer("wires")
        cls.ports = {name: guest.Port(name, cls.kind, wires) for name in ("t0", "f0")}
        ends = {name: guest.Port(name, "virtio-net-pci", wires) for name in ("t1", "f1")}
        cls.router = cls.boot(cls.ports.values(), memory="1G")
        cls.linux = cls.boot(ends.values(), memory="512M", cpus=1)
        for bridge, taps in (("trunk", ("t0", "t1")), ("far", ("f0", "f1"))):
            wires.run("ip", "link", "add", bridge, "type", "bridge")
            for device in (bridge, *taps):
                wires.run("ip", "link", "set", device, "up", *(["master", bridge] if device != bridge else []))
        cls.router.use(*cls.ports.values())
        interfaces = {name: (port, cls.keys) for name, port in cls.ports.items()}
        interfaces["f0.7"] = None, {"vlan": 7, "protocol": "802.1ad", "link": "f0"}
        for customer, vlan in CUSTOMERS.items():
            own = {"vlan": vlan, "vrf": customer}
            interfaces[f"t0.{vlan}"] = None, {**own, "link": "t0", "addresses": ["10.0.0.1/24"]}
            interfaces[f"f0.7.{vlan}"] = None, {**own, "link": "f0.7", "addresses": ["10.0.1.1/24"]}
        cls.router.configure(interfaces, vrfs={customer: {} for customer in CUSTOMERS})
        cls.router.start()
        names = {}
        for name, port in ends.items():
            names[name] = cls.linux.run(f"basename $(ls -d /sys/bus/pci/devices/{port.address}/virtio*/net/*)").strip()
        cls.linux.run(
            "set -e; modprobe -a 8021q vrf\n"
            + linux_end(names["t1"], "near", NEAR, "10.0.1.0/24")
            + "\n"
            + linux_end(names["f1"], "far", FAR, "10.0.0.0/24", service_vlan=7)
        )

    def ping(self, vrf, address, *options, count=3):
        words = " ".join(options)
        return self.linux.run(f"ping -n -c {count} -i 0.2 -W 2 -I {vrf} {words} {address}", 60, check=False)

    def test_each_customer_has_its_own(self):
        for customer in CUSTOMERS:
            for vrf, address in ((f"{customer}-near", FAR), (f"{customer}-far", NEAR)):
                with self.subTest(vrf):
                    reached = machine.eventually(lambda vrf=vrf, address=address: self.ping(vrf, address)[0] == 0, 20, 0.2)
                    self.assertTrue(reached, self.router.cli("show errors") + self.router.cli("show interface"))
        before = self.counts()
        self.assertEqual(self.ping("red-near", FAR, count=10)[0], 0)
        grown = {name: now - before[name] for name, now in self.counts().items()}
        for name in ("t0.100", "f0.7.100", "f0.7"):
            self.assertGreaterEqual(grown[name], 10, grown)
        self.assertLess(grown["t0.200"] + grown["f0.7.200"], 5, "the other customer's")

    def counts(self):
        rows = self.router.json("show interface")["interfaces"]
        return {row["name"]: row["counters"].get("rx packets", 0) for row in rows}

    def test_large_packets_with_two_tags(self):
        """A full packet fits beside one tag; what does not fit beside two is told of."""
        self.assertEqual(self.ping("red-near", FAR, "-M do -s 1468")[0], 0)
        status, said = self.ping("red-near", FAR, "-M do -s 1472")
        self.assertNotEqual(status, 0)
        self.assertRegex(said, r"mtu ?= ?1496|too long")

    def test_streams(self):
        self.linux.run("for v in red green; do ip vrf exec $v-far iperf3 -s -1 -D -B 10.0.1.2; done; sleep 1")
        for customer in CUSTOMERS:
            said = self.linux.run(f"ip vrf exec {customer}-near iperf3 -c {FAR} -t 2", 60)
            self.assertRegex(said, r"receiver")
        errors = self.router.json("show errors")
        self.assertNotIn("bad_checksum", str(errors))

    def test_unknown_tags_and_untagged_packets(self):
        """Nothing of a VLAN that weft does not know, or of none, is routed."""
        near = re.search(r"\d+: (\w+)\.100@", self.linux.run("ip -o link show type vlan"))[1]
        self.linux.run(
            f"set -e; ip link add link {near} name other type vlan id 300; ip link set other up\n"
            "ip address add 10.0.0.9/24 dev other"
        )
        self.linux.run("arping -c 2 -I other 10.0.0.1 || ping -c 2 -W 1 -I other 10.0.0.1", check=False)
        self.linux.run("ip link del other")
        reasons = {row["reason"]: row["count"] for row in self.router.json("show errors")["errors"]}
        self.assertGreater(reasons.get("unknown_vlan", 0), 0, reasons)


class OfVmxnet3(Customers):
    kind = "vmxnet3"


if __name__ == "__main__":
    machine.main()
