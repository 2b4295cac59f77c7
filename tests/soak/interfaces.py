#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Creates and deletes interfaces of five kinds thousands of times while packets run, and says what that left behind:
  interfaces.py [--cycles N]
A cycle makes a TAP, a memif, a null interface, a VLAN and a loopback with an address each, and deletes them again. The VLAN
lies on a port that gets its frames all the while; another pair of ports forwards pings, of which none may be lost.
WEFTD and WEFTCTL name the programs."""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import packets
import testbed

AT_ONCE = 25  # cycles in one call of weftctl
WARM = 2  # such calls before the first look
GROWTH_KB = 16384  # of resident memory that is no leak: what was freed is not all given back
INTERVAL = 0.01  # seconds between two pings

CYCLE = """\
interface create dpdk t device net_tap9,iface=weft-t addresses 10.8.0.1/24
interface create memif x device net_memif9,role=server,socket={folder}/x.sock,socket-abstract=no addresses 10.8.1.1/24
interface create null n addresses 10.8.2.1/24
interface create vlan a.9 link a vlan 9 addresses 10.8.3.1/24
interface create loopback l addresses 10.8.4.1/32
ip neighbor add a.9 10.8.3.2 02:00:00:00:08:02
ip route add 10.8.128.0/17 via 10.8.3.2
interface delete t
interface delete x
interface delete n
interface delete a.9
interface delete l
ip route del 10.8.128.0/17
"""


class Frames(threading.Thread):
    """Frames of VLAN 9 to a host behind it, without an end."""

    def __init__(self, tap, router):
        super().__init__()
        frame = packets.ethernet(
            router, testbed.CLIENT_MAC, packets.ip4("10.8.3.9", "10.8.128.9", packets.udp(1, 2, b"x" * 20))
        )
        self.frame = frame[:12] + bytes.fromhex("81000009") + frame[12:]
        self.tap, self.over, self.sent = tap, threading.Event(), 0
        self.start()

    def run(self):
        while not self.over.wait(0.002):
            self.tap.send([self.frame] * 4)
            self.sent += 4


def state_of(weft):
    """Kilobytes resident, open files, interfaces, nodes and the highest number of an interface."""
    with open(f"/proc/{weft.process.pid}/status", encoding="ascii") as file:
        resident = int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
    interfaces = weft.json("show interface")["interfaces"]
    nodes = {node["name"] for thread in weft.json("show runtime")["threads"] for node in thread["nodes"]}
    return {
        "resident_kb": resident,
        "files": len(os.listdir(f"/proc/{weft.process.pid}/fd")),
        "interfaces": len(interfaces),
        "nodes": len(nodes),
        "highest_number": max(i["index"] for i in interfaces),
    }


def run(cycles):
    with contextlib.ExitStack() as cleanup:
        folder = cleanup.enter_context(tempfile.TemporaryDirectory())
        client, server = testbed.Namespace("client"), testbed.Namespace("server")
        cleanup.callback(client.delete)
        cleanup.callback(server.delete)
        weft = testbed.Weft(testbed.config({"a": "10.0.0.1/24", "b": "10.0.1.1/24", "c": "10.0.2.1/24"}))
        cleanup.callback(weft.close)
        tap = weft.plug("weft-a", client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC)
        weft.plug("weft-b", server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC)
        weft.plug("weft-c", server, "10.0.2.2/24", None, "02:00:00:00:0c:02")
        client.run("ping", "-c", "3", "-i", "0.2", "10.0.1.2")
        script = os.path.join(folder, "cycle")
        with open(script, "w", encoding="utf-8") as file:
            file.write(CYCLE.format(folder=folder) * AT_ONCE)
        frames = Frames(tap, weft.macs["a"])
        cleanup.callback(frames.over.set)
        for _ in range(WARM):
            weft.try_cli("-f", script, timeout=600)
        before = state_of(weft)
        pings = client.start("ping", "-q", "-i", str(INTERVAL), "10.0.1.2", stdout=subprocess.PIPE, text=True)
        begun = time.monotonic()
        for _ in range(-(-cycles // AT_ONCE)):
            done = weft.try_cli("-f", script, timeout=600)
            if done.returncode:
                return [f"a command failed: {done.stderr}"]
        took = time.monotonic() - begun
        pings.send_signal(signal.SIGINT)
        said = pings.communicate(timeout=20)[0]
        frames.over.set()
        frames.join()
        time.sleep(1)
        after = state_of(weft)
        print(f"{cycles} cycles of 5 interfaces in {took:.0f} s; {frames.sent} frames of the VLAN meanwhile")
        print(f"before {before}\nafter  {after}\npings: {said.strip().splitlines()[-2] if said else '?'}")
        wrong = [f"{key} grew" for key in ("interfaces", "nodes") if after[key] > before[key]]
        if after["files"] > before["files"] + 1:  # a connection that is just being closed
            wrong.append("files grew")
        if after["resident_kb"] > before["resident_kb"] + GROWTH_KB:
            wrong.append("memory grew")
        if " 0% packet loss" not in said:
            wrong.append("pings were lost")
        return wrong + weft.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=2000, help="2000 are 10,000 interfaces")
    wrong = run(parser.parse_args().cycles)
    print("; ".join(wrong) if wrong else "nothing is left behind")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
