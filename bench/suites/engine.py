# SPDX-License-Identifier: Apache-2.0
"""What the forwarding graph costs, without any driver: streams of the packet generator between
null interfaces."""

import contextlib
import os
import statistics
import time

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

TWO_WORKERS = 1.9  # times what one forwards
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


def rate(beds_and_streams):
    """Million packets a second that the workers of several daemons forward together."""
    for bed, name in beds_and_streams:
        bed.daemon.cli(f"packet-generator enable {name}")
    beds = {id(bed): bed for bed, _ in beds_and_streams}.values()
    for bed in beds:
        bed.daemon.cli("clear runtime")
    time.sleep(2 * ROUND_SECONDS)
    threads = [thread for bed in beds for thread in bed.daemon.json("show runtime")["threads"]]
    for bed in beds:
        bed.daemon.cli("packet-generator disable")
    return sum(thread["out"] for thread in threads) / 1e6


def two_workers(lab, report):
    """Beside them two daemons of one worker each, which share nothing but the machine: what two
    cores do here at best."""

    def cpu(*workers):
        return f"cpu: {{main: {lab.main_core}, workers: {list(workers)}}}\n"

    traffic = f"{UDP} destination 20.0.0.1-20.0.3.255"
    with contextlib.ExitStack() as stack:
        both, first, second = (
            Bed(stack.enter_context(lab.daemon(ONE_ROUTE + cores)))
            for cores in (
                cpu(lab.worker_core, lab.main_core),
                cpu(lab.worker_core),
                cpu(lab.main_core),
            )
        )
        for worker in (1, 2):
            both.stream(f"s{worker}", f"worker {worker} {traffic}")
        for bed in (first, second):
            bed.stream("s", traffic)
        turns = {
            "one worker": [(both, "s1")],
            "two workers": [(both, "s1"), (both, "s2")],
            "two daemons of one worker": [(first, "s"), (second, "s")],
        }
        rates = {what: [] for what in turns}
        for number in range(lab.rounds):
            for what in turns if number % 2 == 0 else reversed(turns):
                rates[what].append(rate(turns[what]))
    for what, values in rates.items():
        report.add(f"{what}, best", max(values), "Mpackets/s", rounds=values,
                   commands=both.commands)
    ones, twos, apart = rates.values()
    machine = [two / one for two, one in zip(apart, ones)]
    judged = statistics.median(machine) >= TWO_WORKERS
    for what, ratios, limit in (
        ("two workers against one", [two / one for two, one in zip(twos, ones)],
         f">= {TWO_WORKERS}" if judged else None),
        ("two daemons, which share nothing, against one worker", machine, None),
        ("two workers against two daemons", [two / other for two, other in zip(twos, apart)],
         ">= 0.95"),
    ):
        report.add(f"{what}, median of the rounds", statistics.median(ratios), "ratio",
                   limit=limit, rounds=ratios)
    if not judged:
        report.note(
            f"two workers: two programs that share nothing do not forward {TWO_WORKERS} times what "
            "one does on this machine: not judged"
        )
    report.note("two workers: the second one shares its core with the main threads, which rest")


def run(lab):
    report = Report()
    one_route(lab, report)
    full_table(lab, report)
    mixed(lab, report)
    two_workers(lab, report)
    return report
