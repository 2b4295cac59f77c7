#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A router that is enabled as a service forwards again after a reboot, and after a reset without any good-bye."""

import guest
import machine

COMMAND_LINE = f"{machine.COMMAND_LINE} default_hugepagesz=2M hugepages=256"


class Reboot(machine.Test):
    """client 10.0.0.2 - (lan) weft (wan) - server 10.0.1.2, bound by driverctl as docs/deploy.md says"""

    @classmethod
    def topology(cls):
        cls.client, cls.server = cls.peer("client"), cls.peer("server")
        lan, wan = guest.Port("lan", "e1000e", cls.client), guest.Port("wan", "vmxnet3", cls.server)
        cls.router = cls.boot([lan, wan], COMMAND_LINE)
        cls.router.run("echo vfio-pci > /etc/modules-load.d/vfio-pci.conf; modprobe vfio-pci")
        for port in lan, wan:
            cls.router.run(f"driverctl set-override {port.address} vfio-pci")
        cls.router.configure(
            {"lan": (lan, {"addresses": ["10.0.0.1/24"]}), "wan": (wan, {"addresses": ["10.0.1.1/24"]})}
        )
        cls.router.run("systemctl enable --now weft", 90)
        cls.client.take(lan.tap, "10.0.0.2/24", "10.0.0.1")
        cls.server.take(wan.tap, "10.0.1.2/24", "10.0.1.1")

    def assert_forwards(self):
        self.assertTrue(self.client.reaches("10.0.1.2", 3, 60), self.router.journal())
        self.assertEqual(self.router.run("systemctl is-active weft").strip(), "active")

    def test_it_forwards_after_each_boot(self):
        self.assert_forwards()
        boots = self.router.boots
        self.router.begin("systemctl reboot")
        self.router.wait_boot(boots + 1)
        self.assert_forwards()
        self.router.run("sync; sleep 1")
        self.router.monitor("system_reset")
        self.router.wait_boot(boots + 2)
        self.assert_forwards()


if __name__ == "__main__":
    machine.main()
