#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Devices that vanish, appear late, and lose frames: the router says so, costs no core meanwhile, and goes on."""

import os
import time

import packets
import testbed

LATE = "net_af_packet0,iface=late0"
BACK_WITHIN = 12.0  # seconds: 5 from one attempt to the next, and a busy machine


class Devices(testbed.Test):
    """a: client; b: a TAP that is deleted; c: a TAP whose namespace is deleted; d: an interface that is not there yet."""

    @classmethod
    def topology(cls):
        ports = {
            "a": "10.0.0.1/24",
            "b": "10.0.1.1/24",
            "c": "10.0.2.1/24",
            "d": {"device": LATE, "addresses": ["10.0.3.1/24"], "optional": True},
            "d.5": {"vlan": 5, "link": "d", "addresses": ["10.0.5.1/24"]},
        }
        cls.weft = cls.router(testbed.config(ports))
        cls.client, cls.server, cls.container = (cls.host(n) for n in ("client", "server", "late"))
        cls.tap_a = cls.plug(cls.weft, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1")
        cls.plug(cls.weft, "weft-b", cls.server, "10.0.1.2/24", "10.0.1.1")

    def states(self):
        rows = self.weft.json("show interface")["interfaces"]
        return {row["name"]: (row["device"], row["link"]) for row in rows}

    def assert_device(self, name, device, link, within=BACK_WITHIN):
        self.assertTrue(
            testbed.eventually(lambda: self.states()[name] == (device, link), within, 0.2),
            f"{name}: {self.states()}, expected {device}, {link}\n{self.weft.log()}",
        )

    def assert_reached(self, host, source, address):
        def reached():
            return host.run("ping", "-c", "1", "-W", "1", "-I", source, address, check=False).returncode == 0

        self.assertTrue(testbed.eventually(reached, 5), self.weft.log())

    def used(self):
        with open(f"/proc/{self.weft.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self):
        with open(self.weft.log_path, encoding="utf-8") as file:
            return file.read()

    def make_late(self):
        router = self.weft.namespace
        router.run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1", "netns", self.container.name)
        router.run("ip", "link", "set", "late0", "up", "mtu", "4000")
        self.container.run("ip", "link", "set", "late1", "up", "mtu", "4000")
        self.container.run("ip", "address", "replace", "10.0.3.2/24", "dev", "late1")

    def test_devices_that_vanish_come_back(self):
        passing = testbed.Namespace("passing")
        self.weft.namespace.run("ip", "link", "set", "weft-c", "netns", passing.name)
        self.assert_device("b", "present", "up")
        self.assertEqual(self.states()["d"], ("missing", "down"))
        self.assertEqual(self.states()["d.5"], ("present", "down"))
        passing.delete()
        self.server.run("ip", "link", "del", "weft-b")
        for name in "bc":
            self.assert_device(name, "gone", "down", 4)
        self.assertIn("gone", self.weft.cli("show interface b"))
        self.assertIn("net_tap1,iface=weft-b, gone", self.weft.cli("show hardware"))
        before = self.used()
        time.sleep(1.5)
        self.assertLess(self.used() - before, 0.7, "seconds of processor time in 1.5 idle seconds")
        self.weft.cli("set interface mtu b 1400")
        self.make_late()
        self.assert_reached(self.client, "10.0.0.2", "10.0.0.1")
        for name in ("b", "c", "d", "d.5"):
            self.assert_device(name, "present", "up")
        self.back_in_use()

    def back_in_use(self):
        log = self.log()
        for name in "bc":
            self.assertEqual(log.count(f"interface {name}: its device is gone"), 1, log)
            self.assertEqual(log.count(f"interface {name}: its device is available"), 1, log)
        shown = self.weft.namespace.run("ip", "-o", "link", "show", "weft-b").stdout
        self.assertIn("mtu 1400", shown)
        self.assertIn("02:00:00:00:02:01", shown)
        self.plug(self.weft, "weft-b", self.server, "10.0.1.2/24", "10.0.1.1")
        self.assert_reached(self.client, "10.0.0.2", "10.0.1.2")
        self.assert_reached(self.container, "10.0.3.2", "10.0.3.1")
        self.weft.namespace.run("ip", "link", "del", "late0")
        self.assert_device("d", "gone", "down", 4)
        self.assert_device("d.5", "present", "down", 1)
        self.make_late()
        self.assert_device("d", "present", "up")
        self.assert_reached(self.container, "10.0.3.2", "10.0.3.1")

    def test_frames_that_no_buffer_holds_are_counted(self):
        self.client.run("ip", "link", "set", "weft-a", "mtu", "4000")
        self.weft.cli("clear interface")
        frame = packets.ethernet(
            self.weft.macs["a"], "02:00:00:00:ff:06", packets.ip4("10.0.0.2", "10.0.1.2", packets.udp(1, 2, b"x" * 3000))
        )
        self.tap_a.send([frame] * 3)
        self.assertTrue(
            testbed.eventually(lambda: self.weft.counters("a").get("rx errors") == 3), self.weft.cli("show interface a")
        )
        self.assertRegex(self.weft.cli("show interface a"), r"rx errors +3")
        self.weft.cli("clear interface")
        self.assertEqual(self.weft.counters("a")["rx errors"], 0)


if __name__ == "__main__":
    testbed.main()
