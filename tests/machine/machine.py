# SPDX-License-Identifier: Apache-2.0
"""What the tests on a machine with PCI ports share: peers in namespaces, a router as a guest, weft inside it.

    class Name(machine.Test):
        @classmethod
        def topology(cls):
            cls.lan = cls.peer("lan")
            port = guest.Port("lan0", "e1000e", cls.lan)
            cls.router = cls.boot([port])
            cls.router.use(port)
            cls.router.configure({"lan": (port, {"addresses": ["10.0.0.1/24"]})})
            cls.router.start()
            cls.lan.take("lan0", "10.0.0.2/24", "10.0.0.1")

Set WEFT_MACHINE_CONSOLE=1 to see a guest's console and journal when a test fails.
"""

import atexit
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "e2e"))

import guest  # noqa: E402
import packets  # noqa: E402, F401
import root  # noqa: E402
import testbed  # noqa: E402

BUILD = os.path.dirname(testbed.WEFTD)
COMMAND_LINE = "intel_iommu=on iommu=pt"
CONFIG, SOCKET = "/etc/weft/weft.yaml", "/run/weft/cli.sock"
eventually = testbed.eventually


def missing():
    """One sentence on why no machine can be had here; empty if one can."""
    reason = testbed.missing()
    if reason:
        return reason
    for program in (guest.QEMU, "mke2fs", "debugfs"):
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            return f"A machine with PCI ports needs {program}, which is not installed (scripts/packages machine)."
    return ""


def main():
    """Runs the tests of the calling file."""
    reason = missing()
    if not reason:
        try:
            root.get()
        except root.Unavailable as why:
            reason = str(why)
    if reason:
        print(f"Skipped: {reason}")
        sys.exit(testbed.SKIPPED)
    unittest.main(verbosity=2)


class _Disk:
    """The disk with weft on it, made once for each test program."""

    path = None

    @classmethod
    def get(cls):
        made = root.get()
        if cls.path is None:
            directory = tempfile.mkdtemp(prefix="weft-machine-disk-")
            atexit.register(shutil.rmtree, directory)
            disk = os.path.join(directory, "disk")
            root.with_weft(made, disk, BUILD)
            cls.path = disk
        return made, cls.path


class Peer(testbed.Namespace):
    """A neighbour of the router: a namespace of the host, with a TAP for each port that leads to it."""

    def take(self, interface, address=None, gateway=None, mtu=None):
        """Gives the TAP, which QEMU has made, its address."""
        more = ["mtu", str(mtu)] if mtu else []
        self.run("ip", "link", "set", "dev", interface, "up", *more)
        if address:
            self.run("ip", "address", "add", address, "dev", interface)
        if gateway:
            self.run("ip", "route", "add", "default", "via", gateway)

    def reaches(self, address, count=1, within=15, options=()):
        """Whether `count` pings in a row are answered, tried until `within` seconds are over."""

        def probe():
            words = ("ping", "-n", "-q", "-c", str(count), "-i", "0.2", "-W", "2", *options, address)
            return self.run(*words, check=False).returncode == 0

        return eventually(probe, within, 0.2)


class Router(guest.Guest):
    """A guest with weft installed."""

    def use(self, *ports, driver="vfio-pci"):
        """Binds ports to vfio-pci, or gives them back to their kernel drivers."""
        for port in ports:
            device = f"/sys/bus/pci/devices/{port.address}"
            self.run(
                f"modprobe vfio-pci; echo {driver} > {device}/driver_override\n"
                f"[ ! -e {device}/driver ] || echo {port.address} > {device}/driver/unbind\n"
                f"echo {port.address} > /sys/bus/pci/drivers_probe; test -e {device}/driver"
            )

    def configure(self, interfaces, **more):
        """Writes the configuration of weft: `interfaces` maps names to (port, keys), with None for what is no port."""
        ports = {name: ({"device": port.address} if port else {}) | keys for name, (port, keys) in interfaces.items()}
        tree = {
            "cpu": {"main": 0, "workers": [1]},
            "memory": {"hugepages": True, "size": "256M"},
            "buffers": {"count": 16384, "size": 2048},
            "cli": {"socket": SOCKET},
            "log": {"level": "info", "target": "journal"},
            "interfaces": ports,
            **more,
        }
        self.write(CONFIG, json.dumps(tree, indent=1))

    def start(self, hugepages=256):
        self.run(f"sysctl -q vm.nr_hugepages={hugepages}; systemctl restart weft || {{ {self.WHY}; exit 1; }}", 90)

    WHY = "journalctl -u weft -b -o cat | tail -40"

    def stop(self):
        """Stops weft; what was wrong with that, as sentences."""
        self.run("systemctl stop weft")
        log = self.journal()
        wrong = []
        returned = re.findall(r"buffers: (\d+) of (\d+) returned", log)
        if not returned or returned[-1][0] != returned[-1][1]:
            wrong.append(f"buffers missing or not counted: {returned[-1:]}")
        if self.run("systemctl show weft -P Result").strip() != "success":
            wrong.append("the service did not end well")
        return [f"{sentence}\n{log}" for sentence in wrong]

    def journal(self):
        return self.run("journalctl -u weft -b -o cat | tail -60")

    def cli(self, command):
        return self.run(f"weftctl {command}")

    def json(self, command):
        return json.loads(self.run(f"weftctl -j {command}"))

    def interface(self, name):
        rows = self.json("show interface")["interfaces"]
        return next(row for row in rows if row["name"] == name)

    def has_link(self, name, up=True, within=10):
        wanted = "up" if up else "down"
        return eventually(lambda: self.interface(name)["link"] == wanted, within, 0.2)


class Test(unittest.TestCase):
    """Machines and peers for the tests of a class, ended after the last one."""

    @classmethod
    def topology(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.cleanup = contextlib.ExitStack()
        cls.addClassCleanup(cls.cleanup.close)
        cls.topology()

    @classmethod
    def peer(cls, label):
        namespace = Peer(label)
        cls.cleanup.callback(namespace.delete)
        return namespace

    @classmethod
    def boot(cls, ports, arguments=COMMAND_LINE, **options):
        made, disk = _Disk.get()
        router = Router(made, disk, ports, arguments=arguments, **options)
        cls.cleanup.callback(router.close)
        return router

    def run(self, result=None):
        before = len((result.errors + result.failures) if result else [])
        result = super().run(result)
        if result and len(result.errors + result.failures) > before and os.environ.get("WEFT_MACHINE_CONSOLE"):
            for router in {r for r in vars(type(self)).values() if isinstance(r, Router)}:
                with contextlib.suppress(AssertionError):
                    print(router.log(), router.run("journalctl -b -o cat | tail -80", check=False)[1], file=sys.stderr)
        return result

    def iperf(self, client, server, address, *options, seconds=3):
        """Bits a second of TCP from one peer through the router to another."""
        serving = server.start("iperf3", "-s", "-1", "-B", address)
        try:
            listening = ("ss", "-Hltn", f"src {address}:5201")
            self.assertTrue(eventually(lambda: server.run(*listening).stdout.strip(), 5))
            words = ("iperf3", "-J", "-c", address, "-t", str(seconds), *options)
            done = client.run(*words, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:])
            return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]
        finally:
            serving.kill()
            serving.wait()
