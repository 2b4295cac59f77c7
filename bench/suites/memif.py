# SPDX-License-Identifier: Apache-2.0
"""Forwarding over memif on one core: weft beside DPDK's testpmd, l3fwd and l3fwd-graph."""

import contextlib
import functools
import statistics

import devices
from lab import BenchError, Report

DESCRIPTION = "packets per second on one core, compared with testpmd, l3fwd and l3fwd-graph"
ROUNDS_OF_A_START = 5  # where a program's memory lies differs from start to start
FAR_NS = 100  # cores that share a cache are nearer


def compare(lab, contenders):
    """contenders: (start, generator options). Each takes its turn in every round, in alternating
    order. Returns {device's name: [result of each round]}, each with "lines_ns": how far the two
    cores were from each other before the round and after it."""
    seconds = ["--seconds", 0.4, "--warm-up", 0.1] if lab.quick else []
    seconds = seconds or ["--seconds", 1, "--warm-up", 0.3]
    results = {}
    done = 0
    while done < lab.rounds:
        with contextlib.ExitStack() as stack:
            running = []
            for start, options in contenders:
                running.append(stack.enter_context(start(lab)))
                running[-1].attach(*seconds, *options)
            line_ns = lab.line_trip_ns()
            for _ in range(min(ROUNDS_OF_A_START, lab.rounds - done)):
                turns = {
                    device.name: device.turn()
                    for device in (running if done % 2 == 0 else reversed(running))
                }
                before, line_ns = line_ns, lab.line_trip_ns()
                for name, turn in turns.items():
                    results.setdefault(name, []).append({**turn, "lines_ns": [before, line_ns]})
                done += 1
    return results


class Comparison:
    """Fills the report with cases, and keeps what says whether they can be trusted."""

    def __init__(self, lab):
        self.lab = lab
        self.report = Report()
        self.results = []

    def case(self, title, contenders, limits):
        """limits: {(device's name, another's): limit of the ratio of the two, or None}."""
        self.lab.say(f"{title} ...")
        try:
            results = compare(self.lab, contenders)
        except BenchError as error:
            self.report.fail(f"{title}: {error}")
            return
        rates = {name: [one["median_mpps"] for one in rounds] for name, rounds in results.items()}
        all_ratios = {
            f"{one} / {other}": [a / b for a, b in zip(rates[one], rates[other])]
            for one, other in limits
        }
        for (what, ratios), limit in zip(all_ratios.items(), limits.values()):
            self.report.add(
                f"{title}: {what}",
                statistics.median(ratios),
                "ratio",
                limit=limit,
                rounds=ratios,
            )
        for name, values in rates.items():
            command = results[name][0]["command"]
            self.report.add(
                f"{title}: {name}",
                statistics.median(values),
                "Mpps",
                rounds=values,
                commands=[command],
            )
        self.results += [one for rounds in results.values() for one in rounds]
        lines_ns = [one["lines_ns"] for one in next(iter(results.values()))]
        self.note_distances(title, lines_ns, all_ratios)

    def note_distances(self, title, lines_ns, all_ratios):
        """A virtual machine's cores move: the ratios of the rounds in which the two were near each
        other, and of those in which they were far."""
        parts = []
        for distance, is_so in (("near", lambda ns: ns < FAR_NS), ("far", lambda ns: ns >= FAR_NS)):
            those = [i for i, pair in enumerate(lines_ns) if all(map(is_so, pair))]
            if not those:
                continue
            line = statistics.median(sum((lines_ns[i] for i in those), []))
            ratios = (
                f"{what} {statistics.median(ratios[i] for i in those):.3f}"
                for what, ratios in all_ratios.items()
            )
            parts.append(f"{distance} ({len(those)} rounds, {line:.0f} ns): {', '.join(ratios)}")
        if parts:
            self.report.note(f"{title}, cores {'; '.join(parts)}")

    def finish(self):
        bad = sum(one["bad"] for one in self.results)
        checked = sum(one["checked"] for one in self.results)
        self.report.add(
            f"frames that came back wrong, of {checked:,} checked", bad, "frames", limit="<= 0"
        )
        if not self.results:
            return self.report
        for what, text in (
            ("wait", "the device was ready to run and did not"),
            ("steal", "the hypervisor gave the worker core to others"),
        ):
            values = [one[what] for one in self.results]
            self.report.note(
                f"{what}: {text} {statistics.median(values):.1f} % of the time in the median turn, "
                f"{max(values):.1f} % in the worst"
            )
        idle = min(one["ring_full_percent"] for one in self.results)
        self.report.note(
            f"the generator found the device's ring full in {idle:.0f} % or more of its turns: "
            "near 0 it would be what limits"
        )
        return self.report


def write_routes(lab, prefixes):
    """A routes file for weft over all of the next hops, from a file of prefixes."""
    path = f"{lab.work}/routes"
    with open(prefixes, encoding="ascii") as lines, open(path, "w", encoding="ascii") as file:
        for i, line in enumerate(lines):
            file.write(f"{line.strip()} via 10.0.1.{2 + i % devices.NEXT_HOPS}\n")
    return path


def run(lab):
    comparison = Comparison(lab)
    weft, testpmd, l3fwd = devices.weft, devices.testpmd, devices.l3fwd
    one_route = ["--to", devices.L3FWD_GRAPH_ADDRESS]
    cases = {"one route, 60 bytes": []}
    cases |= {f"{size} bytes": ["--size", size] for size in (64, 128, 512, 1500)}
    cases["both ways"] = ["--both-ways", "--back-to", devices.L3FWD_GRAPH_BACK]
    for title, options in cases.items():
        comparison.case(
            title,
            [(start, one_route + options) for start in (weft, testpmd, l3fwd, devices.l3fwd_graph)],
            {
                ("weft", "l3fwd"): ">= 1.0",
                ("weft", "l3fwd-graph"): ">= 1.6",
                ("weft", "testpmd-io"): None,
                ("testpmd-io", "l3fwd-graph"): None,  # how far any forwarder can be ahead
            },
        )
    many = ["--count", 1_000_000]
    comparison.case(
        "a million destinations",
        [(weft, many), (l3fwd, many)],
        {("weft", "l3fwd"): ">= 1.0"},
    )
    prefixes, origin = lab.prefix_table()
    full = functools.partial(weft, routes_file=write_routes(lab, prefixes), name="weft-full-table")
    comparison.case(
        "random destinations in an Internet table",
        [(full, ["--prefixes", prefixes, "--count", 1_000_000]), (weft, one_route)],
        {("weft-full-table", "weft"): ">= 0.75"},
    )
    comparison.report.note(f"the Internet table: {origin}")
    return comparison.finish()
