# SPDX-License-Identifier: Apache-2.0
"""The timing wheel alone, beside DPDK's rte_timer: runs timers_bench."""

import re
import subprocess

from lab import BenchError, Report

DESCRIPTION = "the timing wheel compared with rte_timer: start, move, stop and expiry of a million timers"
ROW = re.compile(r"  (\S+) +([\d.]+) +([\d.]+) +([\d.]+)")
EXPIRIES = re.compile(r"expiries of (\S+): (\d+) early, (\d+) more than a tick late")
SIZES = (1_000, 1_000_000)


def measure(lab, report, count, rounds):
    process = lab.start(
        [lab.program("timers_bench"), count, rounds], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    what, seen = "", 0
    for line in process.stdout:
        line = line.rstrip()
        lab.say(line)
        if (row := ROW.fullmatch(line)) and row[1] == "weft":
            report.add(f"{count:,} timers, {what}: weft, best", float(row[2]), "clocks",
                       median=float(row[3]), commands=[" ".join(process.args)])
        elif row:
            seen += 1
            # a wheel sorts when timers expire, a skip list when they are started; with few timers
            # most of the polls find nothing
            judged = what in ("start", "move", "stop") or (what != "expire" and count >= 1_000_000)
            limit = ">= 1" if judged else None
            report.add(f"{count:,} timers, {what}: {row[1]} / weft", float(row[4]), "ratio",
                       limit=limit)
        elif match := EXPIRIES.fullmatch(line):
            limit = "<= 0" if match[1] == "weft" else None
            for fault, number in (("early", match[2]), ("more than a tick late", match[3])):
                report.add(f"{count:,} timers, {fault}: {match[1]}", int(number), "timers",
                           limit=limit)
        elif not line.startswith(("=", " ")):
            what = line
    if process.wait() != 0 or seen == 0:
        raise BenchError(f"timers_bench exited with {process.returncode}; its output is above")


def run(lab):
    report = Report()
    for count in SIZES:
        measure(lab, report, count, 3 if lab.quick else min(lab.rounds, 7))
    report.note("delays: 10 to 600 s for start, move and stop; expiries spread over a second, polled "
                "every 100 us, the clocks of all polls divided by the timers; the ratio is of medians")
    return report
