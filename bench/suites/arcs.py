# SPDX-License-Identifier: Apache-2.0
"""What a feature arc costs beside the feature's own work: the sample plugin dscp-counter on ip4-unicast, switched on and
off in turn."""

import os
import statistics
import subprocess

from lab import ROOT, BenchError
from null_bed import FORWARDING, ONE_ROUTE, UDP, Bed
from report import Report

DESCRIPTION = "clocks per packet that an arc with one feature on adds beside the feature's own"

FEATURE, ARC = "dscp-counter", "ip4-unicast-features"
PLUGIN = "lib/x86_64-linux-gnu/weft/plugins/dscp-counter.so"


def built_plugin(lab):
    """Installs the build and builds the plugin against it, as its README says."""
    prefix, build = os.path.join(lab.work, "usr"), os.path.join(lab.work, "plugin")
    for words in (
        ["cmake", "--install", os.path.dirname(lab.program("weftd")), "--prefix", prefix],
        ["cmake", "-G", "Ninja", "-S", os.path.join(ROOT, "plugins", FEATURE), "-B", build,
         f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_INSTALL_PREFIX={prefix}", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
        ["cmake", "--build", build],
        ["cmake", "--install", build],
    ):
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"{' '.join(words)}: {done.stdout[-2000:]}")
    return os.path.join(prefix, PLUGIN)


def run(lab):
    report = Report()
    path = built_plugin(lab)
    config = ONE_ROUTE + f"plugins: {{path: {os.path.dirname(path)}}}\n"
    with lab.daemon(config) as daemon:
        bed = Bed(daemon)
        bed.stream("s", f"{UDP} destination 20.0.0.1-20.0.3.255")
        added, own, arc = [], [], []
        for _ in range(lab.rounds):
            costs = {}
            for state in ("off", "on"):
                daemon.cli(f"set interface feature in {FEATURE} {state}")
                costs[state] = bed.turn("s", 0.1)
            off = sum(costs["off"][name][1] for name in FORWARDING)
            on = sum(costs["on"][name][1] for name in FORWARDING)
            own.append(costs["on"][FEATURE][1])
            arc.append(costs["on"][ARC][1])
            added.append(on + arc[-1] - off)
        bed.commands.append(f"set interface feature in {FEATURE} on and off in turn")
    report.add("one feature on: the arc, beside the feature's own work, median", statistics.median(added),
               "clocks/packet", limit="<= 2", rounds=added, commands=bed.commands)
    report.add(f"one feature on: {ARC}, best", min(arc), "clocks/packet", rounds=arc)
    report.add(f"one feature on: {FEATURE}, best", min(own), "clocks/packet", rounds=own)
    return report
