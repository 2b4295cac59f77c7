#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starts a router with as many interfaces as there can be and says how long that and looking at them takes:
  many_interfaces.py [--interfaces N]
Half of them are VLANs, the others null interfaces; each has an address. WEFTD and WEFTCTL name the programs."""

import argparse
import contextlib
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import testbed

READY_WITHIN = 300.0  # seconds: to be measured, not to be judged


def address(number):
    return f"10.{64 + number // 4096}.{number // 16 % 256}.{number % 16 * 16 + 1}/28"


def interfaces_of(count):
    ports = {"a": "10.0.0.1/24", "b": "10.0.1.1/24"}
    trunks = [f"t{n}" for n in range(-(-count // 8000))]
    ports.update({name: {"device": "null"} for name in trunks})
    for number in range(count - len(ports)):
        if number % 2:
            ports[f"n{number}"] = {"device": "null", "addresses": [address(number)]}
        else:
            vlan = number // 2
            ports[f"v{number}"] = {"vlan": vlan % 4094 + 1, "link": trunks[vlan // 4094], "addresses": [address(number)]}
    return ports


def used(weft):
    """Seconds of processor time since the daemon began."""
    with open(f"/proc/{weft.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(weft, command, what=None):
    """Runs a command and says how long it took, and how much of the daemon's processor time."""
    begun, before = time.monotonic(), used(weft)
    result = weft.try_cli(*command.split(), timeout=READY_WITHIN).stdout
    print(f"{what or command}: {time.monotonic() - begun:.2f} s, {used(weft) - before:.2f} s of processor time", flush=True)
    return result


def resident(weft):
    with open(f"/proc/{weft.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) // 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interfaces", type=int, default=16384)
    count = parser.parse_args().interfaces
    testbed.READY_WITHIN = READY_WITHIN
    with contextlib.ExitStack() as cleanup:
        config = testbed.config(interfaces_of(count))
        for port in config["interfaces"].values():
            if port.get("device") == "null":
                del port["macaddress"]
        begun = time.monotonic()
        weft = testbed.Weft(config)
        cleanup.callback(weft.close)
        print(f"start to first answer: {time.monotonic() - begun:.2f} s, {used(weft):.2f} s of processor time")
        print(f"resident: {resident(weft)} MB")
        shown = json.loads(timed(weft, "-j show interface"))["interfaces"]
        text = timed(weft, "show interface")
        timed(weft, "show interface n1")
        timed(weft, "clear interface")
        timed(weft, "interface delete n1")
        timed(weft, f"interface create null n1 addresses {address(1)}", "interface create")
        timed(weft, "interface delete t0", "interface delete of a port with its VLANs")
        print(f"{len(shown)} interfaces, {len(text.splitlines())} lines; resident: {resident(weft)} MB")
        print(weft.cli("show processes"))
        client = testbed.Namespace("client")
        cleanup.callback(client.delete)
        weft.plug("weft-a", client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC)
        print(client.run("ping", "-c", "20", "-i", "0.05", "10.0.0.1").stdout.splitlines()[-2])
        wrong = weft.stop()
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
