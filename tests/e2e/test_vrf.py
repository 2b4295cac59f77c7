#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two VRFs with the same addresses on both sides: what belongs to one never reaches the other."""

import packets
import testbed


class Vrf(testbed.Test):
    @classmethod
    def topology(cls):
        cls.hosts = {name: cls.host(name) for name in ("a", "b", "c", "d")}
        ports = {
            name: {
                "addresses": [f"10.0.{number % 2}.1/24"],
                "vrf": "blue" if number < 2 else "red",
                "mtu": 1500 if number < 3 else 1400,
            }
            for number, name in enumerate(cls.hosts)
        }
        cls.weft = cls.router(
            testbed.config(
                ports,
                vrfs={"blue": {}, "red": {}},
                routes=[
                    {"to": "20.0.0.0/8", "via": "10.0.1.2", "vrf": "blue", "via-vrf": "red"},
                    {"to": "21.0.0.0/8", "via": "10.7.0.2", "vrf": "blue"},
                    {"to": "22.0.0.0/8", "type": "prohibit", "vrf": "red"},
                ],
            )
        )
        cls.taps = {
            name: cls.plug(
                cls.weft,
                f"weft-{name}",
                host,
                f"10.0.{number % 2}.2/24",
                f"10.0.{number % 2}.1",
                f"02:00:00:00:0{number + 1}:02",
            )
            for number, (name, host) in enumerate(cls.hosts.items())
        }

    def ping(self, name, address, count=3):
        done = self.hosts[name].run(
            "ping", "-c", str(count), "-i", "0.2", "-W", "2", address, check=False
        )
        return done.stdout

    def send_udp(self, name, destination, port):
        number = list(self.hosts).index(name)
        router, own = (f"02:00:00:00:0{number + 1}:0{end}" for end in (1, 2))
        payload = packets.ip4(f"10.0.{number % 2}.2", destination, packets.udp(4711, port))
        self.taps[name].send([packets.ethernet(router, own, payload)])

    def test_each_vrf_forwards_among_its_own(self):
        for name in ("a", "c"):
            self.assertIn(" 0% packet loss", self.ping(name, "10.0.0.1"))
            self.assertIn(" 0% packet loss", self.ping(name, "10.0.1.1"))
            self.assertIn(" 0% packet loss", self.ping(name, "10.0.1.2"))
        for name, other in (("a", "d"), ("c", "b")):
            self.taps[other].drain()
            self.taps["b" if name == "a" else "d"].drain()
            self.send_udp(name, "10.0.1.2", 4801)
            own = "b" if name == "a" else "d"
            got = self.taps[own].receive(lambda f: f.destination_port == 4801)
            self.assertEqual(len(got), 1)
            self.assertEqual(
                self.taps[other].receive(lambda f: f.destination_port == 4801, within=0.3), []
            )

    def test_neighbours_are_each_vrfs_own(self):
        self.ping("a", "10.0.1.2", 1)
        self.ping("c", "10.0.1.2", 1)
        rows = self.weft.json("show ip neighbors")["neighbors"]
        found = {
            (row["vrf"], row["address"]): row["macaddress"]
            for row in rows
            if row["address"] == "10.0.1.2"
        }
        self.assertEqual(
            found,
            {
                ("blue", "10.0.1.2"): "02:00:00:00:02:02",
                ("red", "10.0.1.2"): "02:00:00:00:04:02",
            },
        )

    def test_errors_speak_in_their_vrf(self):
        output = self.ping("a", "99.9.9.9", 1)
        self.assertIn("From 10.0.0.1 icmp_seq=1 Destination Net Unreachable", output)
        output = self.ping("c", "22.0.0.1", 1)
        self.assertIn("From 10.0.0.1 icmp_seq=1 Packet filtered", output)
        output = self.hosts["c"].run(
            "traceroute", "-n", "-q", "1", "-w", "2", "10.0.1.2"
        ).stdout
        self.assertRegex(output, r"\n *1  10\.0\.0\.1 ")
        self.assertRegex(output, r"\n *2  10\.0\.1\.2 ")
        output = self.hosts["c"].run(
            "ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1472", "10.0.1.2", check=False
        ).stdout
        self.assertIn("mtu = 1400", output.replace("mtu=", "mtu = "))

    def test_a_route_leaks_where_it_says_so(self):
        self.ping("c", "10.0.1.2", 1)
        self.taps["d"].drain()
        self.send_udp("a", "20.0.0.1", 4802)
        self.assertEqual(len(self.taps["d"].receive(lambda f: f.destination_port == 4802)), 1)

    def test_a_route_waits_for_its_network(self):
        route = self.weft.cli("show ip fib 21.0.0.0/8 vrf blue")
        self.assertIn("not used: via 10.7.0.2: no connected network", route)
        self.weft.cli("set interface ip address b 10.7.0.1/24")
        self.addCleanup(self.weft.cli, "set interface ip address del b 10.7.0.1/24")
        self.hosts["b"].run("ip", "address", "add", "10.7.0.2/24", "dev", "weft-b")
        self.taps["b"].drain()

        def arrives():
            self.send_udp("a", "21.0.0.1", 4803)
            return self.taps["b"].receive(lambda f: f.destination_port == 4803, within=0.5)

        self.assertTrue(testbed.eventually(arrives, 5))
        self.assertNotIn("not used", self.weft.cli("show ip fib 21.0.0.0/8 vrf blue"))


if __name__ == "__main__":
    testbed.main()
