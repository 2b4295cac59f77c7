# SPDX-License-Identifier: Apache-2.0
"""What the forwarding graph costs, without any driver: streams of the packet generator between
null interfaces."""

import os
import statistics

from null_bed import (
    FORWARDING,
    HOPS,
    INTERFACES,
    MIX_FRAMES,
    MIX_ODD,
    ONE_ROUTE,
    ROUND_SECONDS,
    TWO_ROUTES,
    UDP,
    Bed,
    write_mix,
    write_routes,
)
from report import Report

DESCRIPTION = "clocks per packet of each node between null interfaces, and two workers against one"


def forwarding_costs(rounds):
    return [sum(nodes[name][1] for name in FORWARDING) for nodes in rounds]


def whole_costs(rounds, stream):
    """Clocks of all nodes but the generator, for each packet that it made."""
    generator = f"packet-generator-{stream}"
    return [
        sum(vectors * clocks for name, (vectors, clocks) in nodes.items() if name != generator)
        / nodes[generator][0]
        for nodes in rounds
    ]


def report_nodes(report, case, rounds, commands, limit):
    costs = forwarding_costs(rounds)
    report.add(
        f"{case}: ethernet-input to interface-output, best",
        min(costs),
        "clocks/packet",
        limit=limit,
        rounds=costs,
        commands=commands,
    )
    for name in FORWARDING:
        each = [nodes[name][1] for nodes in rounds]
        report.add(f"{case}: {name}, best", min(each), "clocks/packet", rounds=each)


def one_route(lab, report):
    with lab.daemon(ONE_ROUTE) as daemon:
        bed = Bed(daemon)
        bed.stream("s", f"{UDP} destination 20.0.0.1-20.0.3.255")
        (rounds,) = bed.rounds(lab, "s")
        report_nodes(report, "one route", rounds, bed.commands, "<= 45")


def full_table(lab, report):
    prefixes, origin = lab.prefix_table()
    routes = os.path.join(lab.work, "routes.txt")
    with open(prefixes, encoding="ascii") as source:
        write_routes((line.split()[0] for line in source), routes)
    with lab.daemon(INTERFACES + f"route-files: [{routes}]\n") as daemon:
        bed = Bed(daemon)
        bed.stream("s", f"{UDP} destinations {routes}")
        (rounds,) = bed.rounds(lab, "s")
        report_nodes(report, "full table", rounds, bed.commands, "<= 80")
    report.note(f"full table: {origin}; {HOPS} next hops; destinations random in random prefixes")


def mixed(lab, report):
    path = os.path.join(lab.work, "mix.pcap")
    write_mix(path)
    with lab.daemon(TWO_ROUTES) as daemon:
        bed = Bed(daemon)
        bed.stream("mix", f"pcap {path}")
        bed.stream("uniform", f"{UDP} destination 20.0.0.1-20.0.3.255")
        daemon.cli("clear errors")
        mix, uniform = bed.rounds(lab, "mix", "uniform")
        reasons = {row["reason"] for row in daemon.json("show errors")["errors"]}
    costs, plain = whole_costs(mix, "mix"), whole_costs(uniform, "uniform")
    ratios = [mine / other for mine, other in zip(costs, plain)]
    report.add(
        "mixed traffic against uniform, median of the rounds",
        statistics.median(ratios),
        "ratio",
        limit="<= 1.5",
        rounds=ratios,
        commands=bed.commands,
    )
    for case, values in (("mixed", costs), ("uniform", plain)):
        report.add(
            f"{case} traffic: whole graph behind the generator, best",
            min(values),
            "clocks/packet",
            rounds=values,
        )
    report.note(
        f"mixed traffic: {MIX_ODD} of {MIX_FRAMES} frames are dropped, ARP or for the router, the "
        f"others leave by two interfaces at random; reasons counted: {', '.join(sorted(reasons))}"
    )


def two_workers(lab, report):
    cores = f"cpu: {{main: {lab.main_core}, workers: [{lab.worker_core}, {lab.main_core}]}}\n"
    with lab.daemon(ONE_ROUTE + cores) as daemon:
        bed = Bed(daemon)
        for worker in (1, 2):
            bed.stream(f"s{worker}", f"worker {worker} {UDP} destination 20.0.0.1-20.0.3.255")

        def rate(*streams):
            for name in streams:
                bed.daemon.cli(f"packet-generator enable {name}")
            threads = bed.threads(ROUND_SECONDS)
            bed.daemon.cli("packet-generator disable")
            return sum(thread["out"] for thread in threads) / 1e6

        ones, twos = [], []
        for _ in range(lab.rounds):
            ones.append(rate("s1"))
            twos.append(rate("s1", "s2"))
    report.add("one worker, best", max(ones), "Mpackets/s", rounds=ones, commands=bed.commands)
    report.add("two workers, best", max(twos), "Mpackets/s", rounds=twos)
    ratios = [two / one for two, one in zip(twos, ones)]
    report.add(
        "two workers against one, median of the rounds",
        statistics.median(ratios),
        "ratio",
        limit=">= 1.9",
        rounds=ratios,
    )
    report.note("two workers: the second one shares its core with the main thread, which rests")


def run(lab):
    report = Report()
    one_route(lab, report)
    full_table(lab, report)
    mixed(lab, report)
    two_workers(lab, report)
    return report
