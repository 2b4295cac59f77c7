# SPDX-License-Identifier: Apache-2.0
"""Network namespaces joined by a real weftd over TAP ports, for tests with real programs.

What the tests take for granted of the daemon, in one place:
- It serves its CLI socket once the graph forwards. Ports are complete then (MAC, MTU), so that a
  TAP's kernel side may be moved to another namespace.
- The last lines of its log hold `buffers: N of N returned`; it exits with 0 after SIGTERM.
- Views with -j:
  show interface    {"interfaces": [{"name", "index", "state", "link", "mtu", "macaddress",
                    "counters": {"rx packets", "rx bytes", "tx packets", "tx bytes", "drops"}}]}
                    (a counter that is zero may be left out)
  show errors       {"errors": [{"node", "reason", "count", "severity"}]} (rows of one reason,
                    one for each thread, are added up)
  show buffers      {"pools": [{"name", "size", "free", "in_use"}], "packets_in_flight"}
  show ip neighbors {"neighbors": [{"address", "macaddress", "interface", "state", "age"}]}
  show ip fib       {"routes": [{"prefix", ...}]}
  show runtime      {"threads": [{"index", "nodes": [{"name", "state", "calls", "vectors", ...}]}]}
"""

import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from packets import Frame

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WEFTD = os.environ.get("WEFTD", os.path.join(ROOT, "build/debug/weftd"))
WEFTCTL = os.environ.get("WEFTCTL", os.path.join(ROOT, "build/debug/weftctl"))
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
WRONG_CONFIGURATION = 78  # how weftd exits then
READY_WITHIN = 20.0  # seconds; a debug build beside another test on two cores
STOP_WITHIN = 2.0

_libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """One sentence on why no end-to-end test can run here; empty if they can."""
    if os.geteuid() != 0:
        return "The end-to-end tests need root, to make network namespaces and TAP ports."
    if not os.path.exists("/dev/net/tun"):
        return "The end-to-end tests need /dev/net/tun, the kernel's TAP device."
    return ""


def main():
    """Runs the tests of the calling file."""
    reason = missing()
    if reason:
        print(reason)
        sys.exit(SKIPPED)
    for program in (WEFTD, WEFTCTL):
        if not os.access(program, os.X_OK):
            sys.exit(f"The end-to-end tests need {program}, which is not built.")
    unittest.main(verbosity=2)


def eventually(probe, within=5.0, every=0.05):
    """The first true value of probe(), or its last value after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = probe()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(every)


def cores():
    """Two cores to run on, (main, worker); the same one twice on a machine with one core."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)]


class Namespace:
    """A network namespace with a name of its own, without IPv6 so that it sends nothing unasked."""

    _count = 0

    def __init__(self, label):
        Namespace._count += 1
        self.label = label
        self.name = f"weft-e2e-{os.getpid()}-{Namespace._count}-{label}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run(
            "sysctl",
            "-qw",
            "net.ipv6.conf.all.disable_ipv6=1",
            "net.ipv6.conf.default.disable_ipv6=1",
        )
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *words):
        # Unlike `ip netns exec` this leaves the mounts alone, so it works in a chroot.
        return ["nsenter", f"--net=/run/netns/{self.name}", *words]

    def run(self, *words, check=True, timeout=40, **options):
        """Runs a program inside to its end; .stdout has its output, an error shows it."""
        done = subprocess.run(
            self.command(*words),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            **options,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{' '.join(words)} in {self.label} exited with "
                f"{done.returncode}:\n{done.stdout}"
            )
        return done

    def start(self, *words, **options):
        """Starts a program inside; the caller ends it."""
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.STDOUT)
        return subprocess.Popen(self.command(*words), **options)

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in this namespace: what it opens belongs there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(home)
            os.close(there)

    def socket(self, *arguments):
        """A socket that belongs to this namespace, used from the test's own process."""
        with self.inside():
            return socket.socket(*arguments)

    def delete(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)


def _enter(descriptor):
    if _libc.setns(descriptor, 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


class Tap:
    """Raw frames on an interface of a namespace: sends any bytes, hands out what came in."""

    def __init__(self, namespace, interface):
        self._socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        self._socket.bind((interface, 0))

    def send(self, frames, burst=16, pause=0.002):
        """Sends at most `burst` frames at a time, so that no queue on the way overflows."""
        for number, frame in enumerate(frames, 1):
            self._socket.send(frame)
            if number % burst == 0:
                time.sleep(pause)

    def receive(self, wanted=lambda frame: True, count=1, within=3.0, lull=None):
        """Incoming frames that are wanted: up to `count`, or those that came `within` seconds.

        With `lull`, once none at all comes for so many seconds it is over too.
        """
        found = []
        deadline = time.monotonic() + within
        while len(found) < count:
            left = deadline - time.monotonic()
            patience = left if lull is None else min(left, lull)
            if left <= 0 or not select.select([self._socket], [], [], patience)[0]:
                break
            data, address = self._socket.recvfrom(65535)
            if address[2] != socket.PACKET_OUTGOING and len(data) >= 14:
                frame = Frame(data)
                if wanted(frame):
                    found.append(frame)
        return found

    def drain(self):
        """Forgets what has come in so far."""
        self.receive(lambda frame: False, within=0.1)

    def close(self):
        self._socket.close()


class Weft:
    """A weftd in a namespace of its own, with a configuration file of its own."""

    def __init__(self, config, environment=None, wait=True, prepare=None):
        """`config` is YAML's tree or its text; @SOCKET@ in it stands for the socket.

        `prepare` is called with the namespace before the daemon starts in it.
        """
        self.directory = tempfile.mkdtemp(prefix="weft-e2e-")
        self.socket = os.path.join(self.directory, "cli.sock")
        self.config = os.path.join(self.directory, "router.yaml")
        self.log_path = os.path.join(self.directory, "log")
        self.namespace = Namespace("router")
        self.macs = {}
        text = config if isinstance(config, str) else json.dumps(config, indent=1)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace("@SOCKET@", self.socket))
        self.process = None
        try:
            if prepare:
                prepare(self.namespace)
            self.start(environment, wait)
        except BaseException:
            self.close()
            raise

    def start(self, environment=None, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = self.namespace.start(
                WEFTD,
                "-c",
                self.config,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
            )
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def probe():
            return self.process.poll() is not None or self.try_cli("show version").returncode == 0

        if not eventually(probe, READY_WITHIN) or self.process.poll() is not None:
            raise AssertionError(
                f"weftd is not ready (exit status {self.process.poll()}):\n{self.log()}"
            )
        for interface in self.json("show interface")["interfaces"]:
            self.macs[interface["name"]] = interface.get("macaddress")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()[-8000:]

    def try_cli(self, *words, timeout=20, **options):
        """Runs weftctl once: .returncode, .stdout, .stderr."""
        return subprocess.run(
            [WEFTCTL, "-s", self.socket, *words],
            text=True,
            capture_output=True,
            timeout=timeout,
            **{"stdin": subprocess.DEVNULL, **options},
        )

    def cli(self, command):
        done = self.try_cli(*command.split())
        if done.returncode != 0:
            raise AssertionError(
                f"`{command}' exited with {done.returncode}: {done.stdout}{done.stderr}\n"
                f"{self.log()}"
            )
        return done.stdout

    def json(self, command):
        done = self.try_cli("-j", *command.split())
        if done.returncode != 0:
            raise AssertionError(
                f"`{command}' exited with {done.returncode}: {done.stdout}{done.stderr}\n"
                f"{self.log()}"
            )
        return json.loads(done.stdout)

    def errors(self):
        """Counts of drops and other errors by (node, reason)."""
        counts = {}
        for row in self.json("show errors")["errors"]:
            key = row["node"], row["reason"]
            counts[key] = counts.get(key, 0) + row["count"]
        return counts

    def counters(self, interface):
        for row in self.json("show interface")["interfaces"]:
            if row["name"] == interface:
                return {"rx packets": 0, "tx packets": 0, "drops": 0, **row["counters"]}
        raise AssertionError(f"no interface {interface}")

    def has_link(self, interface):
        rows = self.json("show interface")["interfaces"]
        return any(row["name"] == interface and row["link"] == "up" for row in rows)

    def node_vectors(self, prefix):
        """The sum of the vectors of all nodes whose name starts with `prefix`, over all threads."""
        return sum(
            node["vectors"]
            for thread in self.json("show runtime")["threads"]
            for node in thread["nodes"]
            if node["name"].startswith(prefix)
        )

    def in_flight(self):
        return self.json("show buffers")["packets_in_flight"]

    def plug(self, device, namespace, address, gateway=None, mac=None, interface=None):
        """Moves the kernel side of a TAP port to a namespace and gives it an address there.

        A TAP has one MAC address for both of its ends until its kernel side gets another one.
        """
        self.namespace.run("ip", "link", "set", device, "netns", namespace.name)
        namespace.run(
            "ip", "link", "set", device, "address", mac or f"02:00:00:00:ff:{len(device):02x}"
        )
        if address:
            namespace.run("ip", "address", "add", address, "dev", device)
        namespace.run("ip", "link", "set", device, "up")
        if gateway:
            namespace.run("ip", "route", "add", "default", "via", gateway)
        for port in self.json("show hardware")["hardware"]:
            if port["device"].endswith(f"iface={device}"):
                eventually(lambda: self.has_link(port["name"]), 3)
        return Tap(namespace, device)

    def stop(self, with_signal=signal.SIGTERM):
        """Ends the daemon and returns what was wrong with that, as sentences."""
        if self.process.poll() is not None:
            return [
                f"weftd ended before it was told to, with {self.process.returncode}:\n{self.log()}"
            ]
        wrong = []
        self.process.send_signal(with_signal)
        try:
            status = self.process.wait(STOP_WITHIN)
            if status != 0:
                wrong.append(f"exit status {status}:\n{self.log()}")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            wrong.append(f"weftd did not end within {STOP_WITHIN} s:\n{self.log()}")
        if os.path.exists(self.socket):
            wrong.append("the socket is still there")
        returned = re.findall(r"buffers: (\d+) of (\d+) returned", self.log())
        if not returned:
            wrong.append(f"no line `buffers: N of N returned' in the log:\n{self.log()}")
        elif returned[-1][0] != returned[-1][1]:
            wrong.append(f"buffers missing: {returned[-1][0]} of {returned[-1][1]}")
        return wrong

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.namespace.delete()
        shutil.rmtree(self.directory, ignore_errors=True)


def config(interfaces, **more):
    """A complete configuration. `interfaces` maps names to addresses or to whole mappings."""
    main_core, worker_core = cores()
    ports = {}
    for number, (name, what) in enumerate(interfaces.items()):
        port = dict(what) if isinstance(what, dict) else {"addresses": [what]}
        if "vlan" not in port and port.get("kind") != "loopback":
            port.setdefault("device", f"net_tap{number},iface=weft-{name}")
            port.setdefault("macaddress", f"02:00:00:00:0{number + 1:x}:01")
        ports[name] = port
    return {
        "cpu": {"main": main_core, "workers": [worker_core]},
        "memory": {"hugepages": False, "size": "256M"},
        "buffers": {"count": 16384, "size": 2048},
        "cli": {"socket": "@SOCKET@"},
        "log": {"level": "info", "target": "stderr"},
        "interfaces": ports,
        **more,
    }


class Test(unittest.TestCase):
    """One daemon for the tests of a class, ended and looked at after the last one.

    `topology` builds it with the class's helpers; `host` and `weft` undo what they did at the end.
    """

    @classmethod
    def topology(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.routers = []
        cls.cleanup = contextlib.ExitStack()
        cls.addClassCleanup(cls.cleanup.close)
        cls.topology()

    @classmethod
    def tearDownClass(cls):
        wrong = [sentence for router in cls.routers for sentence in router.stop()]
        if wrong:
            raise AssertionError("\n".join(wrong))

    @classmethod
    def host(cls, label):
        namespace = Namespace(label)
        cls.cleanup.callback(namespace.delete)
        return namespace

    @classmethod
    def router(cls, configuration, **options):
        weft = Weft(configuration, **options)
        cls.cleanup.callback(weft.close)
        cls.routers.append(weft)
        return weft

    @classmethod
    def plug(cls, weft, device, *arguments, **options):
        tap = weft.plug(device, *arguments, **options)
        cls.cleanup.callback(tap.close)
        return tap

    def assert_quiet(self, weft=None):
        """No packet is on its way: called when traffic has stopped."""
        weft = weft or self.weft
        self.assertTrue(
            eventually(lambda: weft.in_flight() == 0, 5),
            f"{weft.in_flight()} packets still in flight",
        )

    def assert_counted(self, node, reason, action, count=1):
        """`action` adds exactly `count` to a drop reason."""
        before = self.weft.errors().get((node, reason), 0)
        action()
        now = eventually(lambda: self.weft.errors().get((node, reason), 0) - before >= count, 3)
        after = self.weft.errors()
        self.assertTrue(now, f"{node}/{reason} is not counted; all: {after}")
        self.assertEqual(after.get((node, reason), 0) - before, count, f"{node}/{reason}")


CLIENT_MAC, SERVER_MAC = "02:00:00:00:0a:02", "02:00:00:00:0b:02"
ROUTER_A_MAC, ROUTER_B_MAC = "02:00:00:00:01:01", "02:00:00:00:02:01"


class TwoHosts(Test):
    """client 10.0.0.2 - (a) weft (b) - server 10.0.1.2"""

    more = {}

    @classmethod
    def topology(cls):
        cls.client, cls.server = cls.host("client"), cls.host("server")
        cls.weft = cls.router(config(cls.interfaces(), **cls.more))
        cls.tap_a = cls.plug(cls.weft, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1", CLIENT_MAC)
        cls.tap_b = cls.plug(cls.weft, "weft-b", cls.server, "10.0.1.2/24", "10.0.1.1", SERVER_MAC)

    @classmethod
    def interfaces(cls):
        return {"a": "10.0.0.1/24", "b": "10.0.1.1/24"}

    def learn(self):
        """Makes both hosts and the router know each other's MAC addresses."""
        self.client.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "10.0.1.2")


NULL_INTERFACES = {
    "in": {"device": "null", "addresses": ["10.9.0.1/24"]},
    "out": {"device": "null", "addresses": ["10.9.1.1/24"]},
}


class NullInterfaces(Test):
    """(in) and (out) are null interfaces; a stream of the packet generator crosses the router."""

    more_interfaces = {}  # in front of the two

    @classmethod
    def topology(cls):
        cls.weft = cls.router(config({**cls.more_interfaces, **NULL_INTERFACES}))
        cls.weft.cli("ip neighbor add out 10.9.1.2 02:00:00:00:09:02")

    @classmethod
    def new_stream(cls, more=""):
        """The stream `s`, not enabled yet."""
        cls.weft.cli(
            f"packet-generator new s interface in {more} source 10.9.0.2-10.9.0.40 destination 10.9.1.2"
        )

    def assert_none_lost(self):
        """Ends the stream: what came since the counters were cleared has gone out."""
        self.weft.cli("packet-generator disable s")
        self.assert_quiet()
        came, went = self.weft.counters("in")["rx packets"], self.weft.counters("out")["tx packets"]
        self.assertGreater(came, 10_000)
        self.assertEqual(came, went, self.weft.cli("show errors"))
