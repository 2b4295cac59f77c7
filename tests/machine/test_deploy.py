#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/deploy.md word for word, for each kind of port: only PCI addresses, names and cores are this machine's."""

import re

import document
import guest
import machine
import root

KERNEL = "Kernel command line: IOMMU, hugepages, isolated cores"
BIND = "Bind the ports to vfio-pci"
KINDS = ["e1000e", "vmxnet3", "virtio-net-pci"]


def command_line():
    said = re.search(r'GRUB_CMDLINE_LINUX="(.*)"', document.section(KERNEL)).group(1)
    return said.replace("2-5", "2-3")  # four cores instead of eight


class Deploy(machine.Test):
    """provider 198.51.100.1 - (wan) weft (lan) - host 10.0.0.2, three times"""

    @classmethod
    def topology(cls):
        cls.providers, cls.hosts, cls.ports = {}, {}, {}
        for number, kind in enumerate(KINDS):
            queues = 2 if kind.startswith("virtio") else 1  # of the TAP; the others have theirs in any case
            cls.providers[kind] = cls.peer(f"provider{number}")
            cls.hosts[kind] = cls.peer(f"host{number}")
            cls.ports[kind] = [
                guest.Port(f"wan{number}", kind, cls.providers[kind], queues),
                guest.Port(f"lan{number}", kind, cls.hosts[kind], queues),
            ]
        every = [port for pair in cls.ports.values() for port in pair]
        cls.router = cls.boot(every, command_line(), cpus=4, memory="5G")
        for kind, (wan, lan) in cls.ports.items():
            cls.providers[kind].take(wan.tap, "198.51.100.1/30", "198.51.100.2")
            cls.hosts[kind].take(lan.tap, "10.0.0.2/24", "10.0.0.1")

    def own(self, text, kind):
        """A text of the page with the addresses and names of this machine."""
        wan, lan = self.ports[kind]
        for said, port in (("0000:03:00.0", wan), ("0000:03:00.1", lan)):
            self.assertIn(said, text)
            text = text.replace(said, port.address)
        for said, port in (("enp3s0f0", wan), ("enp3s0f1", lan)):
            text = text.replace(said, f"enp{port.slot}s0")
        return text

    def test_0_what_is_installed(self):
        listed = re.findall(r"^\| `(/[^ ]+)`", document.section("1. Build and install"), re.MULTILINE)
        self.assertGreaterEqual(len(listed), 4)
        self.router.run(f"ls -d {' '.join(listed)}; ! ldd /usr/sbin/weftd | grep 'not found'")
        packages = re.findall(r"apt-get install -y (.*)", "".join(document.blocks("2. Prepare the machine")))
        for heading in ("Which NICs, which cores", BIND):
            packages += re.findall(r"apt-get install -y (.*)", document.section(heading))
        self.assertEqual(sorted(" ".join(packages).split()), sorted(root.DOCUMENTED))

    def test_1_the_command_line_is_in_force(self):
        checks = re.search(r"^Check it: (.*)", document.section(KERNEL), re.MULTILINE).group(1)
        shown = self.router.run("; ".join(re.findall(r"`([^`]+)`", checks)))
        self.assertIn("isolcpus=2-3", shown)
        self.assertRegex(shown, r"HugePages_Free: +2\n")
        self.assertRegex(shown, r"Hugepagesize: +1048576 kB")
        self.assertGreater(len(self.router.run("ls /sys/kernel/iommu_groups").split()), len(KINDS) * 2)

    def bind(self, kind):
        for text in document.blocks(BIND):
            orders = [line for line in text.splitlines() if not line.startswith("apt-get ")]
            self.router.run("set -e\n" + (self.own("\n".join(orders), kind)))
        shown = self.router.run("dpdk-devbind.py --status-dev net")
        for port in self.ports[kind]:
            self.assertRegex(shown, rf"{port.address} .*drv=vfio-pci")

    def configure(self, kind):
        text = self.own(document.block("3. A first configuration", "interfaces:"), kind)
        self.router.write(machine.CONFIG, text)
        self.router.run(document.block("3. A first configuration", "--check"))

    def start(self):
        orders = document.block("4. Start it", "systemctl enable")
        self.router.run("systemctl stop weft")
        self.router.run(f"{{ {orders.splitlines()[0]} ; }} || {{ {self.router.WHY}; exit 1; }}", 90)
        self.router.run("set -e\n" + orders.split("\n", 1)[1])
        shown = [self.router.run(line) for line in document.block("4. Start it", "weftctl").splitlines()]
        self.assertTrue(all(shown), shown)

    def carries(self, kind):
        host = self.hosts[kind]
        self.assertTrue(self.router.has_link("wan") and self.router.has_link("lan"), self.router.cli("show interface"))
        self.assertTrue(host.reaches("198.51.100.1", 5), self.router.cli("show errors") + self.router.journal())
        self.assertIn("198.51.100.1", self.router.cli("show ip neighbors"))
        rate = self.iperf(host, self.providers[kind], "198.51.100.1")
        self.assertGreater(rate, 1e6, self.router.cli("show interface"))

    def deploys(self, kind):
        self.bind(kind)
        self.configure(kind)
        self.start()
        self.carries(kind)
        self.assertEqual(self.router.stop(), [])

    def test_2_e1000e(self):
        self.deploys("e1000e")

    def test_3_vmxnet3(self):
        self.deploys("vmxnet3")

    def test_4_virtio(self):
        self.deploys("virtio-net-pci")


if __name__ == "__main__":
    machine.main()
