# SPDX-License-Identifier: Apache-2.0
"""What an idle router costs, and how soon it forwards the first packet after a rest."""

import contextlib
import os
import select
import socket
import statistics
import subprocess
import time

import devices
from lab import BenchError, Report
from null_bed import ethernet, ip4, mac_bytes

DESCRIPTION = "the CPU use of an idle router, and the latency of its first packet"
CPU_LIMIT = 2  # per cent of a core, all threads together
FIRST_LIMIT = 1000  # microseconds
TICKS = os.sysconf("SC_CLK_TCK")
MACS = ("02:00:00:00:01:01", "02:00:00:00:01:02")
PEER_MAC = "02:00:00:00:0b:02"
TAPS = ("weft-idle0", "weft-idle1")
TAP_CONFIG = "interfaces:\n" + "".join(
    f'  i{n}: {{device: "net_tap{n},iface={tap}", macaddress: "{MACS[n]}", '
    f"addresses: [10.0.{n}.1/24]}}\n"
    for n, tap in enumerate(TAPS)
) + f'neighbors: [{{interface: i1, address: 10.0.1.2, macaddress: "{PEER_MAC}"}}]\n'


def share(pid, seconds):
    """Per cent of a core that a process takes."""

    def ticks():
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return sum(int(word) for word in file.read().rsplit(")", 1)[1].split()[11:13])

    before, begin = ticks(), time.monotonic()
    time.sleep(seconds)
    return 100 * (ticks() - before) / TICKS / (time.monotonic() - begin)


def turn_seconds(lab):
    return 1 if lab.quick else 5


def idle_shares(lab, pid):
    time.sleep(0.5)  # what the start has left to do
    return [share(pid, turn_seconds(lab)) for _ in range(min(lab.rounds, 5))]


@contextlib.contextmanager
def packet_socket(interface):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as opened:
        opened.bind((interface, 0))
        yield opened


def first_packets(lab):
    """Microseconds from one TAP to the other for packets that come alone."""
    udp = b"\x04\x00\x00\x09\x00\x1a\x00\x00" + bytes(18)
    frame = ethernet(ip4("10.0.1.2", udp, source="10.0.0.2"), to=MACS[0])
    taken = []
    with packet_socket(TAPS[0]) as out, packet_socket(TAPS[1]) as back:
        for _ in range(20 if lab.quick else 200):
            time.sleep(0.05)
            begin = time.monotonic_ns()
            out.send(frame)
            while True:
                if not select.select([back], [], [], 1)[0]:
                    raise BenchError("a packet over two TAPs did not arrive within 1 s")
                data, address = back.recvfrom(2048)
                if address[2] != socket.PACKET_OUTGOING and data[:6] == mac_bytes(PEER_MAC):
                    break
            taken.append((time.monotonic_ns() - begin) / 1000)
    return taken


def add_first(report, name, values, commands=()):
    values = sorted(values)
    report.add(f"first packet, {name}, median", statistics.median(values), "us",
               limit=f"<= {FIRST_LIMIT}", rounds=values, commands=list(commands))
    report.add(f"first packet, {name}, p99", values[int(len(values) * 0.99) - 1], "us")


def run(lab):
    report = Report()
    with lab.daemon(TAP_CONFIG) as daemon:
        for tap in TAPS:
            subprocess.run(["sysctl", "-qw", f"net.ipv6.conf.{tap}.disable_ipv6=1"], check=False)
            subprocess.run(["ip", "link", "set", tap, "up"], check=True)
        shares = idle_shares(lab, daemon.pid)
        report.add("idle, two TAPs (interrupts)", statistics.median(shares), "% of a core",
                   limit=f"<= {CPU_LIMIT}", rounds=shares)
        add_first(report, "TAP to TAP after 50 ms", first_packets(lab))
    with devices.weft(lab) as weft:
        weft.resume()
        shares = idle_shares(lab, weft.process.pid)
    report.add("idle, two memifs (interrupts)", statistics.median(shares), "% of a core",
               limit=f"<= {CPU_LIMIT}", rounds=shares)
    return report
