#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A router under full load while everything about it is changed: see scripts/soak."""

import argparse
import os
import re
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import packets
import plot
import testbed
import verdict
from memif_client import MemifClient

SAMPLES = 200  # over the whole time, but not more than one a second
RECONNECTS_A_MINUTE = 16
PING_INTERVAL = 0.2  # seconds
ROUTES = 1000
MEMIF_CLIENT_MAC, MEMIF_ROUTER_MAC = "02:00:00:00:0c:02", "02:00:00:00:0c:01"
GRAPH_CHANGES = (
    "node clone ip4-rewrite hop",
    "node add next ip4-lookup hop",
    "node update next ip4-lookup slot {rewrite} hop",
    "set node function ip4-input plain",
    "set node function ip4-lookup plain",
    "set interface rx-placement spare queue 0 worker 0",
    "set interface rx-placement spare queue 0 worker 1",
    "set interface rx-mode spare interrupt",
    "set interface rx-mode spare adaptive",
    "set node function ip4-input baseline",
    "set node function ip4-lookup baseline",
    "node update next ip4-lookup slot {rewrite} ip4-rewrite",
    "node shrink ip4-lookup {slots}",
    "node delete hop",
)
INTERFACE_CHANGES = (
    "set interface mtu spare 1400",
    "set interface ip address spare 10.8.1.1/24",
    "ip neighbor add spare 10.8.1.9 02:00:00:00:08:09",
    "ip route add 20.1.0.0/16 via 10.8.1.9",
    "set interface state spare down",
    "set interface state spare up",
    "ip route del 20.1.0.0/16",
    "ip neighbor del spare 10.8.1.9",
    "set interface ip address del spare 10.8.1.1/24",
    "set interface mtu spare 1500",
    "set interface handoff spare workers 1",
    "set interface handoff spare off",
    "trace add ip4-input 20",
    "clear trace",
)
ROUTE_CHANGES = tuple(f"ip route add 21.{n}.0.0/16 via 10.9.1.2" for n in range(16)) + tuple(
    f"ip route del 21.{n}.0.0/16" for n in range(16)
)


class Soak:
    """client - (a) weft (b) - server; (in), (out): null interfaces that a stream crosses; (m): a memif; (spare): a TAP port
    that is changed."""

    def __init__(self, cleanup):
        self.failures, self.lock, self.over = [], threading.Lock(), threading.Event()
        self.connections = self.memif_frames = self.memif_answers = self.changes = self.shows = 0
        folder = cleanup.enter_context(tempfile.TemporaryDirectory())
        self.memif_path = os.path.join(folder, "m.sock")
        self.route_files = [self.write_routes(folder, name, form) for name, form in (
            ("add", "22.{}.{}.0/24 via 10.9.1.2\n"), ("del", "del 22.{}.{}.0/24\n"))]
        self.client, self.server = testbed.Namespace("client"), testbed.Namespace("server")
        cleanup.callback(self.client.delete)
        cleanup.callback(self.server.delete)
        ports = {
            "a": "10.0.0.1/24",
            "b": "10.0.1.1/24",
            "spare": "10.8.0.1/24",
            **testbed.NULL_INTERFACES,
            "m": {"device": f"net_memif0,role=server,socket={self.memif_path},socket-abstract=no",
                  "addresses": ["10.0.3.1/24"], "macaddress": MEMIF_ROUTER_MAC},
        }
        self.weft = testbed.Weft(testbed.config(ports))
        cleanup.callback(self.weft.close)
        for device, host, address, gateway, mac in (
            ("weft-a", self.client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC),
            ("weft-b", self.server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC),
        ):
            cleanup.callback(self.weft.plug(device, host, address, gateway, mac).close)
        self.weft.cli("ip neighbor add out 10.9.1.2 02:00:00:00:09:02")
        self.weft.cli("ip neighbor add m 10.0.3.2 " + MEMIF_CLIENT_MAC)
        self.weft.cli("packet-generator new s interface in worker 1 source 10.9.0.2-10.9.0.40 destination 10.9.1.2")
        self.show_commands = self.find_shows()
        self.client.run("ping", "-c", "3", "-i", "0.2", "-W", "2", "10.0.1.2", check=False)  # all learn each other

    @staticmethod
    def write_routes(folder, name, form):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.writelines(form.format(n // 256, n % 256) for n in range(ROUTES))
        return path

    def find_shows(self):
        """Every show command that can be given without a parameter."""
        found = []
        for command in self.weft.json("help show"):
            syntax = re.sub(r" \[.*\]", "", command["syntax"])
            if "<" not in syntax:
                found.append(syntax)
        assert len(found) > 10, found
        return found

    # -- what goes on at the same time, each on a thread of its own

    def failed(self, sentence):
        with self.lock:
            if len(self.failures) < 10:
                self.failures.append(sentence)

    def repeat(self, step, every=0.0):
        try:
            while not self.over.is_set():
                step()
                self.over.wait(every)
        except Exception as problem:  # a thread that ends unseen would be a soak that passes
            self.failed(f"{type(problem).__name__}: {problem}")

    def batch(self, lines):
        done = self.weft.try_cli(stdin=None, input="\n".join(lines), timeout=60)
        if done.returncode != 0:
            self.failed(f"a change failed: {done.stderr.strip() or done.stdout.strip()}")
        self.changes += len(lines)

    def change(self):
        nexts = self.weft.json("show node ip4-lookup")["nodes"][0]["nexts"]
        rewrite = next(n["slot"] for n in nexts if n["node"] == "ip4-rewrite")
        self.batch([line.format(rewrite=rewrite, slots=len(nexts)) for line in GRAPH_CHANGES])
        self.batch(INTERFACE_CHANGES)
        self.batch(ROUTE_CHANGES)
        self.batch([f"ip route load {path}" for path in self.route_files])

    def show(self):
        for command in self.show_commands:
            if self.over.is_set():
                return
            for view in ([], ["-j"]):
                done = self.weft.try_cli(*view, *command.split())
                if done.returncode != 0:
                    self.failed(f"`{command}' exited with {done.returncode}: {done.stderr.strip()}")
                self.shows += 1

    def reconnect(self):
        """A client comes, has its frames sent on to the server's host and one answered, and goes."""
        with MemifClient(self.memif_path) as peer:
            peer.connect()
            self.connections += 1
            echo = packets.ip4("10.0.3.2", "10.0.3.1", packets.icmp_echo(7, self.connections & 0xFFFF), protocol=1)
            peer.put(packets.ethernet(MEMIF_ROUTER_MAC, MEMIF_CLIENT_MAC, echo))
            peer.send()
            self.memif_frames += 1
            frame = peer.take(5.0)
            while frame is not None and frame[12:14] != b"\x08\x00":  # the router's ARP
                frame = peer.take(5.0)
            self.memif_answers += frame is not None

    # -- the whole

    def sample(self, started):
        pid = self.weft.process.pid
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        worker = self.weft.json("show workers")["workers"][1]
        clocks = max(row["max_node_clocks"] for thread in self.weft.json("show runtime max")["threads"]
                     for row in thread["nodes"])
        return verdict.Sample(
            time.monotonic() - started, resident, len(os.listdir(f"/proc/{pid}/fd")), self.weft.in_flight(),
            worker["longest_pause_us"], clocks / megahertz(), self.weft.counters("in")["rx packets"],
            self.weft.counters("out")["tx packets"])

    def run(self, seconds):
        """Samples and totals."""
        announced = self.weft.counters("out")["tx packets"]  # by the router itself
        self.weft.cli("packet-generator enable s")
        started = time.monotonic()
        ping = self.client.start("ping", "-q", "-i", str(PING_INTERVAL), "-W", "2", "-c", str(int(seconds / PING_INTERVAL)),
                                 "10.0.1.2", stdout=testbed.subprocess.PIPE, text=True)
        jobs = [threading.Thread(target=self.repeat, args=each) for each in (
            (self.change, 0.0), (self.show, 0.1), (self.reconnect, 60 / RECONNECTS_A_MINUTE))]
        for job in jobs:
            job.start()
        samples = []
        while time.monotonic() - started < seconds and self.weft.process.poll() is None:
            samples.append(self.sample(started))
            time.sleep(max(1.0, seconds / SAMPLES))
        pings = re.search(r"(\d+) packets transmitted, (\d+) received", ping.communicate(timeout=60)[0])
        self.over.set()
        for job in jobs:
            job.join()
        self.weft.cli("packet-generator disable s")
        testbed.eventually(lambda: self.weft.in_flight() == 0, 5)
        return samples, verdict.Totals(
            self.weft.counters("in")["rx packets"], self.weft.counters("out")["tx packets"] - announced,
            self.weft.in_flight(), int(pings[1]), int(pings[2]), self.memif_frames, self.memif_answers,
            self.connections, self.changes, self.shows, self.failures)


def megahertz():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return next(float(line.split(":")[1]) for line in file if line.startswith("cpu MHz"))


def main():
    words = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    words.add_argument("--minutes", type=float, default=10.0, metavar="N")
    words.add_argument("--plot", default="soak.svg", metavar="FILE", help="where to write the plot")
    chosen = words.parse_args()
    if chosen.minutes < 0.5:
        words.error("--minutes: at least 0.5")
    if testbed.missing():
        sys.exit(testbed.missing())
    with testbed.contextlib.ExitStack() as cleanup:
        soak = Soak(cleanup)
        samples, totals = soak.run(chosen.minutes * 60)
        errors = soak.weft.cli("show errors")
        totals.failures += soak.weft.stop()
    line = verdict.line(samples, totals)
    plot.write(chosen.plot, samples, line)
    failed = bool(verdict.faults(samples, totals))
    print(f"{errors}\n" if failed else "", f"plot: {chosen.plot}\n{line}", sep="")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
