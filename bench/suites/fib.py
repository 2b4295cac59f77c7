# SPDX-License-Identifier: Apache-2.0
"""The IPv4 forwarding table alone, beside DPDK's rte_fib and rte_lpm: runs prefix_table_bench."""

import re
import subprocess

from lab import BenchError, Report

DESCRIPTION = "longest-prefix match compared with rte_fib and rte_lpm: lookups, updates, memory"
ROW = re.compile(r"  (\S.{20,}?) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)")
CONCURRENT_ROW = re.compile(r"  (\S.{20,}?) +(\d+) +(\d+) +(\d+)")
LPM_ROUTES = 50_000  # loading more takes it minutes


def run(lab):
    report = Report()
    prefixes, origin = lab.prefix_table()
    words = [lab.program("prefix_table_bench"), prefixes, LPM_ROUTES]
    process = lab.start(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    size, title = "", ""
    seen = 0
    for line in process.stdout:
        lab.say(line.rstrip())
        row, concurrent = ROW.fullmatch(line.rstrip()), CONCURRENT_ROW.fullmatch(line.rstrip())
        if line.startswith("== "):
            size = line[3:].strip()
        elif row and row[1].strip() != "weft":
            seen += 1
            report.add(f"{size}, {title}: {row[1].strip()} / weft", float(row[5]), "ratio")
        elif row:
            *_, unit = title.split(", ")
            report.add(f"{size}, {title}: weft", float(row[3]), unit, commands=[" ".join(process.args)])
        elif concurrent:
            limit = "<= 0" if concurrent[1].strip() == "weft" else None
            report.add(f"wrong answers beside a writer: {concurrent[1].strip()}",
                       int(concurrent[4]), "answers", limit=limit)
        elif match := re.match(r"weft's table takes ([\d.]+) MiB", line):
            report.add(f"{size}: weft's table", float(match[1]), "MiB", limit="<= 200")
        elif match := re.match(r"answers that differ from weft's: (\d+)", line):
            report.add(f"{size}: answers of others that differ from weft's", int(match[1]), "answers",
                       limit="<= 0")
        elif not line.startswith(" "):
            title = line.split("(")[0].strip() or title
    if process.wait() != 0 or seen == 0:
        raise BenchError(f"prefix_table_bench exited with {process.returncode}; its output is above")
    report.note(f"the table: {origin}; the ratio is of medians, for times above 1 in weft's favour")
    return report
