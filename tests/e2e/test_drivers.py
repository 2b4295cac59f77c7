#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every driver that needs no hardware: what it carries, what it can be told, and what it says where it cannot."""

import shutil
import tempfile

import packets
import testbed

# Interfaces of the near router, each with a network 10.0.N.0/24 behind it.
NUMBERS = {"tap": 1, "packet": 2, "vhost": 4, "memif": 5}
SHORT = 1400
CLIENT_MAC = "02:00:00:00:0a:02"
VIRTUAL_ROUTER = "00:00:5e:00:01:07"


def add_veth(namespace, host, name, number):
    """A pair of veths, NAME0 in the router's namespace and NAME1 at a host."""
    namespace.run("ip", "link", "add", f"{name}0", "type", "veth", "peer", "name", f"{name}1", "netns", host.name)
    namespace.run("ip", "link", "set", f"{name}0", "up")
    host.run("ip", "link", "set", f"{name}1", "up")
    host.run("ip", "address", "add", f"10.0.{number}.2/24", "dev", f"{name}1")
    host.run("ip", "route", "add", "default", "via", f"10.0.{number}.1")


def mac(number):
    return f"02:00:00:00:d{number}:01"


class Asked(testbed.Test):
    """What tests ask of a router."""

    def said(self, command):
        """What the near router answers, without an error or with one."""
        done = self.weft.try_cli(*command.split())
        return done.stderr if done.returncode else done.stdout

    def link(self, name):
        rows = self.weft.json("show interface")["interfaces"]
        return next(row["link"] for row in rows if row["name"] == name)

    def assert_link(self, name, wanted):
        self.assertTrue(testbed.eventually(lambda: self.link(name) == wanted), f"{name} is {self.link(name)}")


class Drivers(Asked):
    """client - (in) near (tap, packet, vhost, memif, null); behind vhost and memif is far, a router with (out) - server"""

    @classmethod
    def topology(cls):
        cls.folder = tempfile.mkdtemp(prefix="weft-e2e-")
        cls.cleanup.callback(shutil.rmtree, cls.folder)
        hosts = ["client", "tap", "packet", "server"]
        cls.hosts = {name: cls.host(name) for name in hosts}
        cls.weft = cls.router(cls.near(), prepare=cls.add_veths)
        cls.far = cls.router(cls.far_config())
        cls.tap = cls.plug(cls.weft, "weft-in", cls.hosts["client"], "10.0.0.2/24", "10.0.0.1", CLIENT_MAC)
        cls.plug(cls.weft, "weft-tap", cls.hosts["tap"], "10.0.1.2/24", "10.0.1.1", "02:00:00:00:0b:02")
        cls.plug(cls.far, "weft-out", cls.hosts["server"], "10.0.9.2/24", "10.0.9.1", "02:00:00:00:0c:02")
        cls.hosts["server"].run("ip", "address", "add", "10.0.8.2/24", "dev", "weft-out")

    @classmethod
    def add_veths(cls, namespace):
        add_veth(namespace, cls.hosts["packet"], "packet", NUMBERS["packet"])

    @classmethod
    def near(cls):
        devices = {
            "tap": "net_tap1,iface=weft-tap",
            "packet": "net_af_packet0,iface=packet0",
            "vhost": f"net_vhost0,iface={cls.folder}/vhost.sock,queues=2",
            "memif": f"net_memif0,role=server,socket={cls.folder}/memif.sock,socket-abstract=no",
        }
        ports = {"in": {"addresses": ["10.0.0.1/24"], "queues": 2}}
        for name, n in NUMBERS.items():
            ports[name] = {"device": devices[name], "addresses": [f"10.0.{n}.1/24"], "macaddress": mac(n)}
        for name in "vhost", "memif":
            ports[name]["queues"] = 2
        ports["null"] = {"device": "null", "addresses": ["10.0.6.1/24"], "macaddress": mac(6)}
        routes = [{"to": "10.0.9.0/24", "via": "10.0.4.2"}, {"to": "10.0.8.0/24", "via": "10.0.5.2"}]
        config = testbed.config(ports, routes=routes, cpu=cls.cpu(), buffers={"count": 32768})
        del config["interfaces"]["vhost"]["macaddress"]  # which its driver cannot set
        return config

    @classmethod
    def far_config(cls):
        user = f"net_virtio_user0,path={cls.folder}/vhost.sock,queues=2,mac=02:00:00:00:d4:02"
        client = f"net_memif0,role=client,socket={cls.folder}/memif.sock,socket-abstract=no"
        ports = {
            "out": {"addresses": ["10.0.9.1/24", "10.0.8.1/24"]},
            "virtio": {"device": user, "addresses": ["10.0.4.2/24"], "queues": 2},
            "memif": {"device": client, "addresses": ["10.0.5.2/24"], "queues": 2},
        }
        routes = [{"to": "10.0.0.0/24", "via": ["10.0.4.1", "10.0.5.1"]}]
        config = testbed.config(ports, routes=routes, cpu=cls.cpu(), buffers={"count": 32768})
        del config["interfaces"]["virtio"]["macaddress"]
        return config

    @staticmethod
    def cpu():
        first, last = testbed.cores()
        return {"main": first, "workers": sorted({first, last})}

    def test_packets_cross_each(self):
        for address in ("10.0.1.2", "10.0.2.2", "10.0.9.2", "10.0.8.2"):
            with self.subTest(address):
                self.assertIn(" 0% packet loss", self.hosts["client"].run("ping", "-c", "3", "-i", "0.2", address).stdout)

    def test_flows_use_both_queues(self):
        for name, network in (("virtio", "10.0.9"), ("memif", "10.0.8")):
            self.hosts["client"].run("ping", "-c", "2", "-i", "0.2", f"{network}.2", check=False)  # neighbours are known
            self.tap.send(
                packets.ethernet(
                    self.weft.macs["in"], CLIENT_MAC, packets.ip4("10.0.0.2", f"{network}.2", packets.udp(port, 9))
                )
                for port in range(1000, 1064)
            )
            for queue in 0, 1:
                node = f"{'memif' if name == 'memif' else 'dpdk'}-input-{name}-{queue}"
                self.assertTrue(testbed.eventually(lambda: self.far.node_vectors(node) > 0), self.far.cli("show runtime"))

    def test_mtu(self):
        for name in "packet", "memif", "null":
            self.assertEqual(self.said(f"set interface mtu {name} {SHORT}"), "", name)
        self.assertIn(f"mtu {SHORT}", self.weft.namespace.run("ip", "link", "show", "packet0").stdout)
        self.assertIn("its MTU could not be set: Operation not supported", self.said(f"set interface mtu vhost {SHORT}"))
        for name in "tap", "packet", "vhost":
            self.assertIn("takes more than one buffer of 2048 bytes", self.said(f"set interface mtu {name} 9000"), name)
        self.assertEqual(self.said("set interface mtu memif 9000"), "")
        self.assertEqual(self.said(f"set interface mtu memif {SHORT}"), "")

    def test_rx_mode(self):
        for name in NUMBERS:
            refused = "has no receive interrupts; expected polling" if name == "packet" else ""
            self.assertIn(refused, self.said(f"set interface rx-mode {name} interrupt"))
            for mode in "polling", "adaptive":
                self.assertEqual(self.said(f"set interface rx-mode {name} {mode}"), "")
        self.assertIn("has no receive queues", self.said("set interface rx-mode null polling"))

    def test_mac_addresses(self):
        self.assertIn(mac(2), self.weft.namespace.run("ip", "link", "show", "packet0").stdout)
        shown = {row["name"]: row["macaddress"] for row in self.weft.json("show interface")["interfaces"]}
        for name in "tap", "packet", "memif":
            self.assertEqual(shown[name], mac(NUMBERS[name]))
        self.assertEqual(shown["null"], mac(6))

    def test_more_than_one_mac_address(self):
        host, shown = self.hosts["packet"], ("ip", "link", "show", "packet0")
        ping = ("ping", "-c", "2", "-i", "0.2", "-W", "1", "10.0.2.1")
        host.run("ip", "neighbor", "replace", "10.0.2.1", "lladdr", VIRTUAL_ROUTER, "dev", "packet1")
        self.addCleanup(host.run, "ip", "neighbor", "del", "10.0.2.1", "dev", "packet1")
        self.assertNotIn("PROMISC", self.weft.namespace.run(*shown).stdout)
        self.assertEqual(self.said(f"interface mac add packet {VIRTUAL_ROUTER}"), "")
        self.assertIn("PROMISC", self.weft.namespace.run(*shown).stdout)  # its driver filters by one alone
        self.assertIn(" 0% packet loss", host.run(*ping).stdout)
        self.assertEqual(self.said(f"interface mac delete packet {VIRTUAL_ROUTER}"), "")
        self.assertNotIn("PROMISC", self.weft.namespace.run(*shown).stdout)
        self.assertIn("100% packet loss", host.run(*ping, check=False).stdout)

    def test_promiscuity(self):
        shown = ("ip", "link", "show", "packet0")
        for state in "on", "off":
            self.assertEqual(self.said(f"set interface promiscuous packet {state}"), "")
            self.assertEqual("PROMISC" in self.weft.namespace.run(*shown).stdout, state == "on")
            for name in "memif", "null":
                self.assertEqual(self.said(f"set interface promiscuous {name} {state}"), "", name)
        self.assertEqual(self.said("set interface promiscuous vhost on"), "")  # as it always is
        said = self.said("set interface promiscuous vhost off")
        self.assertIn("its promiscuity could not be set: Operation not supported", said)

    def test_what_a_start_refuses(self):
        vhost = {"device": f"net_vhost0,iface={self.folder}/other.sock,queues=2"}
        for keys, status, said in (
            ({"macaddress": mac(7)}, 1, "its MAC address could not be set: Operation not supported"),
            ({"queues": 4}, testbed.WRONG_CONFIGURATION, "has at most 2 receive queues, 4"),
        ):
            config = testbed.config({"v": {**vhost, **keys}})
            weft = testbed.Weft(config, wait=False)
            self.addCleanup(weft.close)
            self.assertEqual(weft.process.wait(20), status, weft.log())
            self.assertIn(said, weft.log())

    def test_a_link_behind_af_packet(self):
        for state in "down", "up":
            self.hosts["packet"].run("ip", "link", "set", "packet1", state)
            self.assert_link("packet", state)
        self.hosts["packet"].run("ip", "route", "add", "default", "via", "10.0.2.1")

    def test_peers_that_leave(self):
        self.assertEqual(self.far.stop(), [])
        for name in "vhost", "memif":
            self.assert_link(name, "down")
        self.far.start()
        for name in "vhost", "memif":
            self.assert_link(name, "up")


class Xdp(Asked):
    """host 10.0.3.2 - (xdp) weft, which answers"""

    @classmethod
    def topology(cls):
        cls.there = cls.host("xdp")
        port = {"device": "net_af_xdp0,iface=xdp0", "addresses": ["10.0.3.1/24"]}
        config = testbed.config({"xdp": port})
        del config["interfaces"]["xdp"]["macaddress"]
        cls.weft = testbed.Weft(config, prepare=lambda space: add_veth(space, cls.there, "xdp", 3))
        cls.cleanup.callback(cls.weft.close)

    def test_af_xdp_on_veth(self):
        self.assertIn(" 0% packet loss", self.there.run("ping", "-c", "3", "-i", "0.2", "10.0.3.1").stdout)
        self.assertEqual(self.said(f"set interface mtu xdp {SHORT}"), "")
        veth = self.weft.namespace.run("ip", "link", "show", "xdp0").stdout
        self.assertIn(f"mtu {SHORT}", veth)
        self.assertIn(self.weft.macs["xdp"], veth)
        self.assertIn("has no receive interrupts", self.said("set interface rx-mode xdp interrupt"))
        for state in "down", "up":
            self.there.run("ip", "link", "set", "xdp1", state)
            self.assert_link("xdp", state)
        self.weft.process.terminate()
        self.assertEqual(self.weft.process.wait(5), 0, self.weft.log())
        self.assertIn("af_xdp keeps those in its rings", self.weft.log())


if __name__ == "__main__":
    testbed.main()
