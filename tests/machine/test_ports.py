#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What each kind of port does: interrupts and idling, large packets, several queues."""

import re
import time

import guest
import machine

KINDS = ["e1000e", "vmxnet3", "virtio-net-pci"]
JUMBO = 9000


class Ports(machine.Test):
    """For each kind n: left 10.n.0.2 - (ln) weft (rn) - right 10.n.1.2"""

    @classmethod
    def topology(cls):
        cls.left = [cls.peer(f"left{n}") for n in range(len(KINDS))]
        cls.right = [cls.peer(f"right{n}") for n in range(len(KINDS))]
        cls.ports = {}
        for n, kind in enumerate(KINDS):
            queues = 2 if kind.startswith("virtio") else 1
            cls.ports[f"l{n}"] = guest.Port(f"l{n}", kind, cls.left[n], queues)
            cls.ports[f"r{n}"] = guest.Port(f"r{n}", kind, cls.right[n], queues)
        cls.router = cls.boot(cls.ports.values(), cpus=3)
        cls.router.use(*cls.ports.values())
        for n in range(len(KINDS)):
            cls.left[n].take(f"l{n}", f"10.{n}.0.2/24", f"10.{n}.0.1", mtu=JUMBO)
            cls.right[n].take(f"r{n}", f"10.{n}.1.2/24", f"10.{n}.1.1", mtu=JUMBO)

    def restart(self, keys=None, **more):
        """Starts weft with keys of its own for each kind's ports."""
        self.router.run("systemctl stop weft")
        interfaces = {}
        for n, kind in enumerate(KINDS):
            for side, name in enumerate((f"l{n}", f"r{n}")):
                own = {"addresses": [f"10.{n}.{side}.1/24"], **((keys or {}).get(kind, {}))}
                interfaces[name] = self.ports[name], own
        self.router.configure(interfaces, **more)
        self.router.start()

    def crosses(self, kind, *options, count=1):
        n = KINDS.index(kind)
        self.assertTrue(
            self.left[n].reaches(f"10.{n}.1.2", count, options=options),
            f"{kind} {options}:\n{self.router.cli('show errors')}{self.router.cli('show hardware')}",
        )

    def used(self):
        """Seconds of processor time."""
        fields = self.router.run("cat /proc/$(pidof weftd)/stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def interrupts(self, port):
        rows = re.findall(rf".*vfio-.*\({port.address}\)", self.router.run("cat /proc/interrupts"))
        return sum(int(count) for row in rows for count in row.split(":")[1].split()[:3])

    def test_an_idle_router_costs_no_core_and_wakes_at_once(self):
        self.restart()
        for kind in KINDS:
            self.crosses(kind, count=6)  # so many, too, until an interrupt that never comes is not waited for
        before = self.used()
        time.sleep(6)
        self.assertLess(self.used() - before, 1.2, "seconds of processor time in 6 idle seconds")
        for n, kind in enumerate(KINDS):
            with self.subTest(kind):
                self.wakes(n, kind)
        self.assertEqual(self.router.stop(), [])

    def wakes(self, n, kind):
        before = self.interrupts(self.ports[f"l{n}"])

        def answered_soon():
            done = self.left[n].run("ping", "-c", "7", "-i", "0.4", f"10.{n}.1.2", check=False).stdout
            times = sorted(float(ms) for ms in re.findall(r"time=([\d.]+) ms", done))
            return len(times) == 7 and times[3] < 40

        self.assertTrue(machine.eventually(answered_soon, 12), "a worker that sleeps hears of no packet")
        if kind != "e1000e":  # DPDK's driver has none with MSI-X
            self.assertGreater(self.interrupts(self.ports[f"l{n}"]), before)

    def test_rx_modes(self):
        for mode in "interrupt", "polling":
            self.restart({kind: {"rx-mode": mode} for kind in KINDS})
            for kind in KINDS:
                with self.subTest(f"{kind} {mode}"):
                    self.crosses(kind, count=6)
            self.assertEqual(self.router.stop(), [])

    def test_jumbo_packets(self):
        """A packet of 9000 bytes goes through, one more is too long; MTU from the file and at run time."""
        buffers = {"count": 16384, "size": 9216}
        self.restart({kind: {"mtu": JUMBO} for kind in KINDS}, buffers=buffers, memory={"hugepages": True, "size": "384M"})
        for kind in KINDS:
            with self.subTest(kind):
                self.crosses(kind, "-M", "do", "-s", str(JUMBO - 28), count=3)
        for n, kind in enumerate(KINDS):
            with self.subTest(f"{kind} at run time"):
                self.router.cli(f"set interface mtu r{n} 1500")
                done = self.left[n].run("ping", "-c", "1", "-M", "do", "-s", str(JUMBO - 28), f"10.{n}.1.2", check=False)
                self.assertRegex(done.stdout, r"[Mm]essage too long|Frag needed.*mtu = 1500")
                self.left[n].run("ip", "route", "flush", "cache")
                self.router.cli(f"set interface mtu r{n} {JUMBO}")
                self.crosses(kind, "-M", "do", "-s", str(JUMBO - 28))
        self.assertEqual(self.router.stop(), [])

    def test_several_queues(self):
        """Two queues and two workers: flows are spread over both where the device does so, and all get through."""
        keys = {kind: {"queues": 2} for kind in KINDS}
        keys["vmxnet3"]["rx-mode"] = "interrupt"  # which is refused where there are none
        self.restart(keys, buffers={"count": 32768}, cpu={"main": 0, "workers": [1, 2]})
        for kind in KINDS:
            with self.subTest(kind):
                n = KINDS.index(kind)
                self.crosses(kind, count=3)
                self.iperf(self.left[n], self.right[n], f"10.{n}.1.2", "-P", "8", seconds=3)
        n = KINDS.index("virtio-net-pci")  # DPDK's em has no RSS, QEMU's vmxnet3 uses its first queue only
        for side in "lr":
            self.assertEqual(self.polled(f"{side}{n}"), {0, 1}, self.router.cli("show runtime"))
        self.assertEqual(self.router.stop(), [])

    def polled(self, name):
        """The queues of an interface that brought packets."""
        nodes = [node for thread in self.router.json("show runtime")["threads"] for node in thread["nodes"]]
        found = [(re.fullmatch(rf"dpdk-input-{name}-(\d+)", node["name"]), node["vectors"]) for node in nodes]
        return {int(match.group(1)) for match, vectors in found if match and vectors}

    def test_more_queues_than_there_are(self):
        self.router.run("systemctl stop weft; sysctl -q vm.nr_hugepages=256")
        self.router.configure({"l0": (self.ports["l0"], {"queues": 3})})
        status, _ = self.router.run("systemctl start weft", 30, check=False)
        self.assertNotEqual(status, 0)
        self.router.run("systemctl stop weft")
        self.assertRegex(self.router.journal(), r"has at most 2 receive queues, 3")


if __name__ == "__main__":
    machine.main()
