# SPDX-License-Identifier: Apache-2.0
"""The control path: a whole Internet table from a file, changes while forwarding, start, idling."""

import contextlib
import itertools
import json
import os
import re
import select
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from lab import BenchError, Report

DESCRIPTION = "loading and changing an Internet table, start to the first packet, idling"
TABLE_MIB = 200  # of memory, with a whole table
NEXT_HOPS = 16
ROUND_SECONDS = 2  # of traffic, long enough for a change of all routes on a shared core
PACED_RATE = 100_000  # frames a second when losses count: a generator that shares its core keeps up

TAPS = ("weft-bench-a", "weft-bench-b")
MACS = ("02:00:00:00:0a:01", "02:00:00:00:0b:01")  # weft's own
MEMORY = "memory: {hugepages: false, size: 256M}\n"  # what anybody's machine has
SMALL_CONFIG = MEMORY + """\
interfaces:
  a: {{device: "net_tap0,iface={0}", macaddress: "{2}", addresses: [10.0.0.1/24]}}
  b: {{device: "net_tap1,iface={1}", macaddress: "{3}", addresses: [10.0.1.1/24]}}
neighbors:
  - {{interface: b, address: 10.0.1.2, macaddress: "02:00:00:00:0b:02"}}
routes: [{{to: 198.18.0.0/15, via: 10.0.1.2}}]
""".format(*TAPS, *MACS)
# Ethernet, IPv4 and UDP from 10.0.0.2 to 198.18.0.1, port 9 (discard), without UDP's checksum.
FRAME = bytes.fromhex(
    MACS[0].replace(":", "") + "02000000000a 0800"
    "4500002e000000004011aaaa 0a000002 c6120001 00090009001a0000" + "00" * 18
)


class FirstFrame(threading.Thread):
    """Sends the frame into TAP a, as soon as there is one, until it comes out of TAP b."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = None
        self.ended = False

    def run(self):
        with contextlib.ExitStack() as stack:
            taps = []
            while not self.ended and self.seen is None:
                time.sleep(0.0005)
                with contextlib.suppress(OSError):
                    if len(taps) < 2:
                        taps.append(self._open(stack, TAPS[len(taps)]))
                        continue
                    taps[0].send(FRAME)
                    while self.seen is None:
                        if taps[1].recv(2048)[14 + 16 : 14 + 20] == FRAME[14 + 16 : 14 + 20]:
                            self.seen = time.monotonic()

    @staticmethod
    def _open(stack, name):
        tap = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300))
        tap.bind((name, 0))
        tap.setblocking(False)
        return tap


def first_frame_ms(lab, config):
    """Milliseconds from exec to the first forwarded frame."""
    probe = FirstFrame()
    probe.start()
    try:
        with lab.daemon(config) as daemon:
            executed = time.monotonic() - daemon.ready_seconds
            probe.join(20)
    finally:
        probe.ended = True
        probe.join()
    if probe.seen is None:
        raise BenchError("weftd forwards no frame between its TAP ports within 20 s")
    return (probe.seen - executed) * 1000


def idle_percent(lab):
    """Per cent of one core that an idle weftd uses, main thread and worker together."""
    with lab.daemon(SMALL_CONFIG) as daemon:
        time.sleep(1)

        def ticks():
            with open(f"/proc/{daemon.pid}/stat", encoding="ascii") as file:
                return sum(int(word) for word in file.read().rsplit(")", 1)[1].split()[11:13])

        seconds = 2 if lab.quick else 10
        before = ticks()
        time.sleep(seconds)
        return 100 * (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) / 1024


def hop_mac(hop):
    return f"02:00:00:00:0b:{2 + hop:02x}"


def table_config(folder, **more):
    """weft between the sockets a.sock and b.sock, with next hops of a MAC address each on b."""
    device = "net_memif{},role=server,id=0,socket={}/{}.sock,socket-abstract=no,mac={}"
    a, b = (device.format(i, folder, side, MACS[i]) for i, side in enumerate("ab"))
    neighbors = "".join(
        f'  - {{interface: b, address: 10.0.1.{2 + hop}, macaddress: "{hop_mac(hop)}"}}\n'
        for hop in range(NEXT_HOPS)
    )
    config = (
        f'{MEMORY}interfaces:\n  a: {{device: "{a}", addresses: [10.0.0.1/24]}}\n'
        f'  b: {{device: "{b}", addresses: [10.0.1.1/24]}}\n'
        f"neighbors:\n{neighbors}"
        "routes: [{to: 16.0.0.0/8, via: 10.0.1.2}]\n"
    )
    return config + "".join(f"{key}: {value}\n" for key, value in more.items())


class Tables:
    """Files of all the prefixes: two of routes that differ in every next hop, one of removals, and
    the MAC addresses that either of the two allows."""

    def __init__(self, lab):
        prefixes, self.origin = lab.prefix_table()
        self.prefixes = prefixes
        names = ("routes", "others", "removals", "allowed", "one-hop")
        paths = [os.path.join(lab.work, name) for name in names]
        self.routes, self.others, self.removals, self.allowed, self.one_hop = paths
        self.count = 0
        with contextlib.ExitStack() as stack:
            lines = stack.enter_context(open(prefixes, encoding="ascii"))
            files = [stack.enter_context(open(path, "w", encoding="ascii")) for path in paths]
            for line in lines:
                prefix = line.strip()
                hop = self.count * 2654435761 % (NEXT_HOPS - 1)
                files[0].write(f"{prefix} via 10.0.1.{2 + hop}\n")
                files[1].write(f"{prefix} via 10.0.1.{3 + hop}\n")
                files[2].write(f"del {prefix}\n")
                files[3].write(f"{prefix} {hop_mac(hop)},{hop_mac(hop + 1)}\n")
                files[4].write(f"{prefix} via 10.0.1.2\n")
                self.count += 1
            files[3].write(f"16.0.0.0/8 {hop_mac(0)}\n")


class Generator:
    """memif_generator between the daemon's sockets, one process for many short rounds, which checks
    every frame's next hop. On two cores it shares the main thread's."""

    def __init__(self, lab, folder, tables, *options):
        self.lab = lab
        cores = sorted(os.sched_getaffinity(0))
        self.alone = len(cores) > 2
        self.core = cores[2] if self.alone else lab.main_core
        self.words = [lab.program("memif_generator"), "--core", self.core]
        self.process = self._start(
            "--repeat", "--prefixes", tables.prefixes, "--count", 1_000_000,
            "--seconds", ROUND_SECONDS, "--warm-up", 0.3, "--check-next-hops", tables.allowed,
            *options, f"{folder}/a.sock", f"{folder}/b.sock",
        )

    def _start(self, *words):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return self.lab.start([*self.words, *words], **pipes)

    @property
    def command(self):
        return " ".join(self.process.args)

    def done(self):
        """Whether the round that was begun has ended."""
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def measure(self, meanwhile=None):
        """What it says of a round, during which `meanwhile` is called again and again."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        while meanwhile and not self.done():
            meanwhile()
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"memif_generator: {self.process.stderr.read().strip()}")
        return json.loads(line)

    def quiet(self):
        """A round in which nothing changes; on its core something else runs as changes would."""
        with contextlib.ExitStack() as stack:
            if not self.alone:
                stack.callback(self.lab.stop, self._start("--busy-loop", 3600))
            return self.measure()

    def stop(self):
        self.lab.stop(self.process)


@contextlib.contextmanager
def forwarding(lab, tables, *options):
    """A weftd with the whole table and a generator with these options, which ends after it: see
    docs/performance.md."""
    folder = tempfile.mkdtemp(dir=lab.work)
    with contextlib.ExitStack() as stack:
        lasting = stack.enter_context(contextlib.ExitStack())
        config = table_config(folder, **{"route-files": f"[{tables.routes}]"})
        daemon = stack.enter_context(lab.daemon(config))
        generator = Generator(lab, folder, tables, *options)
        lasting.callback(generator.stop)
        yield daemon, generator


class Churn:
    """Changes every route, over and over."""

    def __init__(self, daemon, generator, tables):
        self.daemon = daemon
        self.generator = generator
        self.files = itertools.cycle((tables.others, tables.routes))
        self.rates = []  # of the changes that ended while there was traffic

    def __call__(self):
        done = self.daemon.json(f"ip route load {next(self.files)}")
        if not self.generator.done():
            self.rates.append(done["changed"] / done["seconds"])


def load_rows(lab, tables, report):
    """Loads, changes and removes the whole table without traffic, and weighs it."""
    seconds = {"add": [], "change": [], "remove": []}
    for _ in range(lab.rounds):
        folder = tempfile.mkdtemp(dir=lab.work)
        with lab.daemon(table_config(folder)) as daemon:
            empty = resident_mib(daemon.pid)
            for what, path in (
                ("add", tables.routes), ("change", tables.others), ("remove", tables.removals)
            ):
                done = daemon.json(f"ip route load {path}")
                seconds[what].append(done["seconds"])
                if what == "add":
                    added = resident_mib(daemon.pid) - empty
                    memory = daemon.json("show ip fib 16.0.0.0/8")["memory_bytes"] / (1 << 20)
    median = {what: statistics.median(values) for what, values in seconds.items()}
    report.add(f"load of {tables.count:,} routes from a file", median["add"], "s", limit="<= 1",
               rounds=seconds["add"])
    report.add("change of all of them", median["change"], "s", rounds=seconds["change"])
    report.add("removal of all of them", median["remove"], "s", rounds=seconds["remove"])
    report.add("memory that the table takes (show ip fib)", memory, "MiB", limit=f"<= {TABLE_MIB}")
    report.add("resident memory grows by", added, "MiB")


def churn_rows(lab, tables, report):
    """Changes every route again and again under traffic to all of them."""
    ratios = []
    with forwarding(lab, tables) as (daemon, generator):
        churn = Churn(daemon, generator, tables)
        misled = 0
        for _ in range(lab.rounds):
            quiet = generator.quiet()
            busy = generator.measure(churn)
            ratios.append(busy["median_mpps"] / quiet["median_mpps"])
            misled += quiet["bad"] + busy["bad"]
        full_rate = generator.command
    if not churn.rates:
        raise BenchError(f"no change of all routes ended within a round of {ROUND_SECONDS} s")
    with forwarding(lab, tables, "--rate", PACED_RATE) as (daemon, generator):
        paced = [generator.measure(Churn(daemon, generator, tables)) for _ in range(lab.rounds)]
        slow = generator.command
    report.add("throughput while routes change, of that while none does", statistics.median(ratios),
               "ratio", limit=">= 0.95", rounds=ratios, commands=[full_rate])
    report.add("routes changed while forwarding", statistics.median(churn.rates), "/s",
               limit=">= 500000", rounds=churn.rates)
    report.add("frames to a next hop that was never theirs, at full rate", misled, "frames",
               limit="<= 0")
    report.add(f"the same at {PACED_RATE:,} a second", sum(done["bad"] for done in paced), "frames",
               limit="<= 0", commands=[slow])
    report.add(f"frames lost meanwhile, at {PACED_RATE:,} a second",
               sum(done["lost"] for done in paced), "frames", limit="<= 0")
    if not generator.alone:
        report.note("two cores: the generator shares the main thread's, so changes take about twice "
                    "as long; in quiet rounds a busy loop stands for the main thread")


def start_rows(lab, tables, report):
    full = f"{SMALL_CONFIG}route-files: [{tables.one_hop}]\n"
    for what, config, limit in (("small configuration", SMALL_CONFIG, 300),
                                ("whole table", full, 2000)):
        values = [first_frame_ms(lab, config) for _ in range(lab.rounds)]
        report.add(f"{what}: exec to the first forwarded frame", statistics.median(values), "ms",
                   limit=f"<= {limit}", rounds=values)


def run(lab):
    report = Report()
    tables = Tables(lab)
    start_rows(lab, tables, report)
    report.add("idle weftd, both threads", idle_percent(lab), "% of a core", limit="<= 2")
    load_rows(lab, tables, report)
    churn_rows(lab, tables, report)
    report.note(f"the table: {tables.origin}")
    return report
