# SPDX-License-Identifier: Apache-2.0
"""Runs benchmark suites, prints a table for each, and writes its numbers and its plot.

Each module in bench/suites is a suite; scripts/bench builds what they need and calls this.
"""

import argparse
import importlib
import os
import signal
import sys

from lab import BenchError, Lab, measures_time

SUITES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "suites")


def find_suites():
    names = sorted(
        file[:-3] for file in os.listdir(SUITES) if file.endswith(".py") and file[0] != "_"
    )
    return {name: importlib.import_module(f"suites.{name}") for name in names}


def parse_arguments(suites):
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures weft and the programs that it is compared with.",
        epilog="suites:\n"
        + "\n".join(f"  {name:<10} {suite.DESCRIPTION}" for name, suite in suites.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="default: all of them")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of a measurement (20)")
    parser.add_argument("--quick", action="store_true", help="a few short rounds, to check that it works")
    parser.add_argument(
        "--record", action="store_true", help="rewrite bench/instructions.json (instructions)"
    )
    parser.add_argument(
        "--prefixes",
        metavar="FILE",
        default=os.environ.get("WEFT_BENCH_PREFIXES"),
        help="an Internet routing table, one prefix per line, also .gz ($WEFT_BENCH_PREFIXES); "
        "the default is a synthetic one of the same size",
    )
    asked = parser.parse_args()
    for name in asked.suites:
        if name not in suites:
            parser.error(f"no suite `{name}'; there are: {', '.join(suites)}")
    if asked.rounds < 1:
        parser.error(f"--rounds must be 1 or more, found {asked.rounds}")
    return asked


def main():
    suites = find_suites()
    asked = parse_arguments(suites)
    # ended from outside, it stops what it started and gives the hugepages back all the same
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kept = True
    chosen = asked.suites or list(suites)
    timed = any(measures_time(suites[name]) for name in chosen)
    with Lab(asked.rounds, asked.quick, asked.prefixes, asked.record, timed) as lab:
        for name in chosen:
            report = lab.measure(name, suites[name])
            kept = kept and report.kept()
    if not kept:
        print("Some measurements failed, or some limits are not kept.", file=sys.stderr)
    return 0 if kept else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"scripts/bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
