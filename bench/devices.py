# SPDX-License-Identifier: Apache-2.0
"""Devices under test behind two memif sockets, and the generator that drives them."""

import contextlib
import json
import os
import signal
import subprocess
import time

from lab import BenchError, Watch, tail

GENERATOR_MACS = ("02:00:00:00:0a:02", "02:00:00:00:0b:02")  # the devices' next hops
# l3fwd-graph's routes are compiled in: 198.18.N.0/24 leaves by port N.
L3FWD_GRAPH_ADDRESS = "198.18.1.1"
L3FWD_GRAPH_BACK = "198.18.0.1"

WEFT_CONFIG = """\
buffers: {{count: 16384, size: 2048}}
interfaces:
  a: {{device: "{a}", addresses: [10.0.0.1/24]}}
  b: {{device: "{b}", addresses: [10.0.1.1/24]}}
neighbors:
{neighbors}
routes:
  - {{to: 16.0.0.0/8, via: 10.0.1.2}}
  - {{to: 48.0.0.0/8, via: 10.0.0.2}}
  - {{to: 198.18.1.0/24, via: 10.0.1.2}}
  - {{to: 198.18.0.0/24, via: 10.0.0.2}}
"""
NEXT_HOPS = 16  # on b, from 10.0.1.2 on, all with the generator's MAC address


class Device:
    """A program that forwards between two memif sockets, and its generator. Only one runs at a
    time: the others are paused, so that turns can be short and follow each other at once. Both
    stay connected, for DPDK's memif driver does not survive a peer that goes under traffic."""

    def __init__(self, lab, name, process, log, folder, unchanged=False):
        self.lab = lab
        self.name = name
        self.process = process
        self.log = log
        self.sockets = [os.path.join(folder, side + ".sock") for side in "ab"]
        self.unchanged = unchanged
        self.options = []
        self.generator = None

    def attach(self, *options):
        """The generator's options for all turns; it starts with the first."""
        self.options = options

    def _start_generator(self):
        words = [self.lab.program("memif_generator"), "--repeat", "--core", self.lab.main_core]
        words += ["--expect", "unchanged"] if self.unchanged else []
        self.generator = self.lab.start(
            [*words, *self.options, *self.sockets], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def detach(self):
        """Once the device has ended."""
        if self.generator is not None:
            self.generator.terminate()
            self.generator.communicate()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def turn(self, rate=""):
        """What the generator measures in one turn, with "wait" and "steal" of the device's busiest
        thread and "command" added. rate: frames a second instead of the options' --rate, 0: as many
        as possible."""
        self.resume()
        if self.generator is None:
            self._start_generator()
        try:
            watch = Watch(self.process.pid, self.lab.worker_core)
            with contextlib.suppress(BrokenPipeError):
                self.generator.stdin.write(f"{rate}\n")
                self.generator.stdin.flush()
            line = self.generator.stdout.readline()
            if self.process.poll() is not None:
                raise BenchError(
                    f"{self.name} ended under traffic (exit status {self.process.returncode}); its "
                    f"log ends with:\n{tail(self.log)}"
                )
            if not line:
                raise BenchError(f"{self.name}: the generator ended; see its message above")
            result = json.loads(line)
            if result["median_mpps"] == 0:
                raise BenchError(
                    f"{self.name} forwarded nothing in a whole turn, and waited for core "
                    f"{self.lab.worker_core} {watch.shares()['wait']:.0f} % of it"
                )
            return {**result, **watch.shares(), "command": " ".join(self.generator.args)}
        finally:
            self.pause()


def _folder(lab, name):
    path = os.path.join(lab.work, f"{name}-{time.monotonic_ns()}")
    os.mkdir(path)
    return path


def _device_arguments(folder):
    return [
        f"net_memif{i},role=server,id=0,socket={folder}/{side}.sock,socket-abstract=no,rsize=10,"
        f"bsize=2048,mac=02:00:00:00:0{side}:01"
        for i, side in enumerate("ab")
    ]


@contextlib.contextmanager
def weft(lab, routes_file=None, name="weft", rx_mode=None):
    """weftd with four routes, and those of a file besides (as `ip route load` reads it)."""
    folder = _folder(lab, name)
    a, b = _device_arguments(folder)
    neighbors = [("a", "10.0.0.2", GENERATOR_MACS[0])]
    neighbors += [("b", f"10.0.1.{2 + i}", GENERATOR_MACS[1]) for i in range(NEXT_HOPS)]
    config = WEFT_CONFIG.format(
        a=a,
        b=b,
        neighbors="\n".join(
            f'  - {{interface: {port}, address: {address}, macaddress: "{mac}"}}'
            for port, address, mac in neighbors
        ),
    )
    if routes_file is not None:
        config += f"route-files: [{routes_file}]\n"
    with lab.daemon(config) as daemon:
        for port in ("a", "b") if rx_mode else ():
            daemon.cli(f"set interface rx-mode {port} {rx_mode}")
        device = Device(lab, name, daemon.process, daemon.log, folder)
        device.pause()
        try:
            yield device
        finally:
            lab.stop(daemon.process)
            device.detach()


@contextlib.contextmanager
def _peer(lab, name, words, unchanged=False):
    """`words` are made from the devices' folder."""
    folder = _folder(lab, name)
    log = os.path.join(folder, "log")
    with open(log, "w", encoding="utf-8") as output:
        process = lab.start(
            words(folder), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    device = Device(lab, name, process, log, folder, unchanged)
    try:
        deadline = time.monotonic() + 20
        while not all(os.path.exists(path) for path in device.sockets):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{name} did not start; its log ends with:\n{tail(log)}")
            time.sleep(0.05)
        device.pause()
        yield device
    finally:
        lab.stop(process)
        device.detach()


def _eal(lab, folder, cores):
    words = ["-l", cores, "--no-pci", "--no-telemetry"]
    words += ["--in-memory"] if lab.hugepages else ["--no-huge", "--no-shconf", "-m", "512"]
    for device in _device_arguments(folder):
        words += ["--vdev", device]
    return words


def _forwarding(lab):
    """What l3fwd and l3fwd-graph have in common: queues, and next hops."""
    queues = ",".join(f"({port},0,{lab.worker_core})" for port in (0, 1))
    hops = [f"--eth-dest={port},{mac}" for port, mac in enumerate(GENERATOR_MACS)]
    return ["-p", "0x3", "-P", f"--config={queues}", *hops]


def _two_cores(lab):
    return f"{lab.main_core},{lab.worker_core}"


def testpmd(lab):
    """testpmd's io mode: moves frames and touches none of their bytes, the upper bound."""

    def words(folder):
        eal = _eal(lab, folder, _two_cores(lab)) + ["--main-lcore", lab.main_core]
        return ["dpdk-testpmd", *eal, "--", "--nb-cores=1", "--forward-mode=io", "--burst=64"] + [
            "--total-num-mbufs=16384",
            "--stats-period=3600",
            "--auto-start",
        ]

    return _peer(lab, "testpmd-io", words, unchanged=True)


def l3fwd(lab):
    """l3fwd with longest prefix match. It makes a transmit queue for each core, and a memif has
    one: so it gets one core."""
    program = build_example(lab, "l3fwd")

    def words(folder):
        rules = {
            "4": "R16.0.0.0/8 1\nR48.0.0.0/8 0\nR198.18.1.0/24 1\nR198.18.0.0/24 0\n",
            "6": "R2001:db8::/64 1\n",
        }
        for version, text in rules.items():
            with open(os.path.join(folder, "rules" + version), "w", encoding="ascii") as file:
                file.write(text)
        return [program, *_eal(lab, folder, str(lab.worker_core)), "--", *_forwarding(lab)] + [
            "--lookup=lpm",
            "--parse-ptype",
            f"--rule_ipv4={folder}/rules4",
            f"--rule_ipv6={folder}/rules6",
        ]

    return _peer(lab, "l3fwd", words)


def l3fwd_graph(lab):
    program = build_example(lab, "l3fwd-graph")

    def words(folder):
        eal = _eal(lab, folder, _two_cores(lab)) + ["--main-lcore", lab.main_core]
        return [program, *eal, "--", *_forwarding(lab)]

    return _peer(lab, "l3fwd-graph", words)


# -- DPDK's examples, from the source of the very package that is installed

APT_SOURCES = "".join(
    f"deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {archive} main\n"
    for archive in (
        "http://deb.debian.org/debian bookworm",
        "http://deb.debian.org/debian bookworm-updates",
        "http://deb.debian.org/debian-security bookworm-security",
    )
)


def _run(words, folder, **options):
    done = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        **options,
    )
    if done.returncode != 0:
        lines = "\n".join(done.stdout.splitlines()[-10:])
        raise BenchError(f"`{' '.join(words)}' failed:\n{lines}")
    return done.stdout


def _dpdk_source(lab):
    """The folder with the source of the installed libdpdk-dev, unpacked into the cache."""
    version = _run(["dpkg-query", "-W", "-f", "${Version}", "libdpdk-dev"], lab.cache)
    folder = os.path.join(lab.cache, f"dpdk-{version}")
    if not os.path.exists(folder):
        unpacked = folder + ".new"
        lists = os.path.join(lab.cache, "apt-lists")
        os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
        sources = os.path.join(lab.cache, "sources.list")
        with open(sources, "w", encoding="ascii") as file:
            file.write(APT_SOURCES)
        # private lists, so that the system's own stay as they are
        apt = ["apt-get", "-o", f"Dir::Etc::SourceList={sources}"]
        apt += ["-o", "Dir::Etc::SourceParts=/dev/null", "-o", f"Dir::State::Lists={lists}"]
        apt += ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
        lab.say(f"Fetching the source of dpdk {version} into {lab.cache}")
        _run([*apt, "update"], lab.cache)
        _run(["rm", "-rf", unpacked], lab.cache)
        os.mkdir(unpacked)
        _run([*apt, "source", "--only-source", f"dpdk={version}"], unpacked)
        os.rename(unpacked, folder)
    return next(entry.path for entry in os.scandir(folder) if entry.is_dir())


def build_example(lab, name):
    """The program of DPDK's example NAME, built for this processor."""
    folder = os.path.join(_dpdk_source(lab), "examples", name)
    program = os.path.join(folder, "build", name)
    if os.path.exists(program):
        return program
    lab.say(f"Building {name}")
    main = os.path.join(folder, "main.c")
    with open(main, encoding="utf-8") as file:
        text = file.read()
    with open(main, "w", encoding="utf-8") as file:
        # memif has no checksum offload, and l3fwd refuses a port without those that it asks for
        file.write(text.replace(".offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM,", ".offloads = 0,"))
    # The Makefile appends libdpdk's own -march to CFLAGS; LDFLAGS come after it in the one command.
    flags = "-O3 -march=native"
    _run(["make", "shared"], folder, env={**os.environ, "CFLAGS": flags, "LDFLAGS": flags})
    return program
