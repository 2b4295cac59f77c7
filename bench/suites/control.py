# SPDX-License-Identifier: Apache-2.0
"""The control path: a whole Internet table from a file, changes while forwarding, start, idling."""

import contextlib
import functools
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

DESCRIPTION = "loading and changing an Internet table, time to the first packet, idle load"
TABLE_MIB = 200  # of memory, with a whole table
NEXT_HOPS = 16
ROUND_SECONDS = 1.5
CHURN_RATE = 600_000  # changes a second, a fifth more than the limit asks for
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
        raise BenchError("weftd forwarded no frame between its TAP ports within 20 s")
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


def table_config(devices, **more):
    """weft between the devices, with next hops of a MAC address each on b."""
    a, b = devices
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


def memif_devices(folder):
    """Of the sockets a.sock and b.sock."""
    device = "net_memif{},role=server,id=0,socket={}/{}.sock,socket-abstract=no,mac={}"
    return [device.format(i, folder, side, MACS[i]) for i, side in enumerate("ab")]


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
    every frame's next hop. On two cores it shares the main thread's, so it judges no speed."""

    def __init__(self, lab, folder, tables, *options):
        self.lab = lab
        core = lab.cores[2] if len(lab.cores) > 2 else lab.main_core
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = lab.start(
            [lab.program("memif_generator"), "--repeat", "--core", core,
             "--prefixes", tables.prefixes, "--count", 1_000_000,
             "--seconds", ROUND_SECONDS, "--warm-up", 0.3, "--check-next-hops", tables.allowed,
             *options, f"{folder}/a.sock", f"{folder}/b.sock"],
            **pipes,
        )

    def measure(self, meanwhile):
        """What it says of a round, during which `meanwhile` is called again and again."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        while not select.select([self.process.stdout], [], [], 0)[0]:
            meanwhile()
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"memif_generator: {self.process.stderr.read().strip()}")
        return json.loads(line)

    def stop(self):
        self.lab.stop(self.process)


class Churn:
    """Changes every route, over and over, at CHURN_RATE."""

    def __init__(self, daemon, tables):
        self.daemon = daemon
        self.files = itertools.cycle((tables.others, tables.routes))
        self.rates = []

    def __call__(self):
        done = self.daemon.json(f"ip route load {next(self.files)} rate {CHURN_RATE}")
        self.rates.append(done["changed"] / done["seconds"])


def load_rows(lab, tables, report):
    """Loads, changes and removes the whole table without traffic, and weighs it."""
    seconds = {"add": [], "change": [], "remove": []}
    for _ in range(lab.rounds):
        with lab.daemon(table_config(["null", "null"])) as daemon:
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


def worker_mpps(daemon, meanwhile):
    """What the worker sends, while `meanwhile` is called again and again for a round."""
    daemon.cli("clear runtime")
    end = time.monotonic() + ROUND_SECONDS
    while time.monotonic() < end:
        meanwhile()
    threads = daemon.json("show runtime")["threads"]
    return next(thread["out"] for thread in threads if thread["name"] == "worker-1") / 1e6


def churn_rows(lab, tables, report):
    """Changes every route again and again while the worker forwards all that it can to all of them;
    packets are made in weft, so that main thread and worker have a core each."""
    config = table_config(["null", "null"], **{"route-files": f"[{tables.routes}]"})
    stream = f"packet-generator new s interface a source 10.0.0.2 destinations {tables.prefixes}"
    quiet, busy, beside = [], [], []
    with lab.daemon(config) as daemon:
        churn = Churn(daemon, tables)
        daemon.cli(stream)
        daemon.cli("packet-generator enable s")
        worker_mpps(daemon, lambda: time.sleep(0.05))  # warms up
        rest = functools.partial(time.sleep, 0.05)
        for _ in range(lab.rounds):
            quiet.append(worker_mpps(daemon, rest))
            busy.append(worker_mpps(daemon, churn))
            loop = lab.start([lab.program("memif_generator"), "--busy-loop", ROUND_SECONDS + 1,
                              "--core", lab.main_core], stdout=subprocess.DEVNULL)
            beside.append(worker_mpps(daemon, rest))
            lab.stop(loop)
    ratios = [b / q for b, q in zip(busy, quiet)]
    report.add("the machine's own share: throughput beside a busy loop on the main thread's core",
               statistics.median(b / q for b, q in zip(beside, quiet)), "ratio")
    report.add("throughput while routes change, of that while none does", statistics.median(ratios),
               "ratio", limit=">= 0.95", rounds=ratios, commands=[stream])
    report.add("throughput while none does", statistics.median(quiet), "Mpps", rounds=quiet)
    report.add("routes changed while forwarding", statistics.median(churn.rates), "/s",
               limit=">= 500000", rounds=churn.rates)


def loss_rows(lab, tables, report):
    """Checks every frame's next hop while every route changes, as many frames as the generator can
    send, and then so few that none may be lost."""
    for rate, options in (("full rate", ()), (f"{PACED_RATE:,} a second", ("--rate", PACED_RATE))):
        folder = tempfile.mkdtemp(dir=lab.work)
        config = table_config(memif_devices(folder), **{"route-files": f"[{tables.routes}]"})
        with contextlib.ExitStack() as stack:  # weftd ends first: see docs/performance.md
            lasting = stack.enter_context(contextlib.ExitStack())
            daemon = stack.enter_context(lab.daemon(config))
            generator = Generator(lab, folder, tables, *options)
            lasting.callback(generator.stop)
            churn = Churn(daemon, tables)
            rounds = [generator.measure(churn) for _ in range(lab.rounds)]
        report.add(f"frames to a next hop that was never theirs, at {rate}",
                   sum(done["bad"] for done in rounds), "frames", limit="<= 0",
                   commands=[" ".join(generator.process.args)])
    report.add(f"frames lost, at {rate}", sum(done["lost"] for done in rounds), "frames",
               limit="<= 0")


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
    loss_rows(lab, tables, report)
    report.note(f"the table: {tables.origin}")
    return report
