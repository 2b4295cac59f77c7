# SPDX-License-Identifier: Apache-2.0
"""What the forwarding graph executes: instructions per packet of each node, counted by callgrind.
Unlike clocks they do not depend on what else the machine does, and are compared with a record."""

import itertools
import json
import os
import re
import tempfile
import time

from lab import ROOT, BenchError, Report, synthetic_prefixes
from null_bed import (
    FORWARDING,
    INTERFACES,
    ONE_ROUTE,
    TWO_ROUTES,
    UDP,
    Bed,
    write_mix,
    write_routes,
)

DESCRIPTION = "instructions per packet of each node between null interfaces, compared with a record"
MEASURES_TIME = False

RECORD = os.path.join(ROOT, "bench/instructions.json")
VECTORS, VECTOR_SIZE = 400, 256
MAY_GROW = 1.05
MAY_DIFFER = 0.005  # between two counts of the same
PREFIX_STEP = 450  # every so many of the synthetic table: about 2000
PATIENCE = 60  # seconds for what takes one without callgrind

MEMORY = "memory: {hugepages: false, size: 128M}\n"
CALL = re.compile(
    r"^cfn=weft::(?:\w+::|\(anonymous namespace\)::)*(\w+)\(.*\n(?:cob=.*\n|cf[il]=.*\n)*"
    r"calls=(\d+) .*\n\S+ (\d+)$",
    re.MULTILINE,
)


def executed(path):
    """{function: (calls, instructions)}: what callgrind counted from each function's call to its
    return, with all that it called. The lines of a function's calls name it (cfn=), how often, and,
    in the line after, the sum."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found = {}
    for name, calls, instructions in CALL.findall(text):
        before = found.get(name, (0, 0))
        found[name] = (before[0] + int(calls), before[1] + int(instructions))
    return found


def executed_by_worker(folder):
    """What executed() finds of the worker, which alone runs ethernet-input: callgrind writes a file
    for each thread."""
    for name in os.listdir(folder):
        found = executed(os.path.join(folder, name))
        if "ethernet_input" in found:
            return found
    raise BenchError("callgrind saw no call of ethernet-input on any thread")


def active_variant(daemon):
    (node,) = daemon.json("show node ip4-input")["nodes"]
    return next(variant["name"] for variant in node["variants"] if variant["active"])


def await_done(daemon):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        (stream,) = daemon.json("show packet-generator")["streams"]
        if stream["state"] == "done":
            return
        time.sleep(0.2)
    raise BenchError(f"a stream of {VECTORS} vectors is not done after {PATIENCE} seconds")


def worker_nodes(daemon):
    threads = daemon.json("show runtime")["threads"]
    (worker,) = (thread for thread in threads if thread["name"] == "worker-1")
    return {node["name"]: node for node in worker["nodes"]}


def count(lab, config, words):
    """(variant, {node: instructions per packet}, commands) of one daemon and one stream."""
    folder = tempfile.mkdtemp(dir=lab.work)
    under = ["valgrind", "--tool=callgrind", "--compress-strings=no", "--separate-threads=yes"]
    under.append(f"--callgrind-out-file={folder}/counts")
    with lab.daemon(MEMORY + config, under=under, ready_within=PATIENCE) as daemon:
        bed = Bed(daemon)
        bed.stream("s", f"{words} limit {VECTORS * VECTOR_SIZE}")
        bed.run("packet-generator enable s")
        await_done(daemon)
        variant, nodes = active_variant(daemon), worker_nodes(daemon)
    found = executed_by_worker(folder)
    figures = {}
    for name in FORWARDING:
        calls, instructions = found.get(name.replace("-", "_"), (0, 0))
        if calls != nodes[name]["calls"]:
            raise BenchError(
                f"callgrind saw {calls} calls of {name}, and `show runtime' {nodes[name]['calls']}"
            )
        figures[name] = instructions / nodes[name]["vectors"]
    return variant, figures, [" ".join(under + ["weftd"])] + bed.commands


def cases(lab):
    """(name, configuration, stream)."""
    yield "one route", ONE_ROUTE, f"{UDP} destination 20.0.0.1-20.0.3.255"
    routes = os.path.join(lab.work, "some-routes.txt")
    write_routes(itertools.islice(synthetic_prefixes(), 0, None, PREFIX_STEP), routes)
    yield "2000 routes", INTERFACES + f"route-files: [{routes}]\n", f"{UDP} destinations {routes}"
    mix = os.path.join(lab.work, "mix.pcap")
    write_mix(mix)
    yield "mixed traffic", TWO_ROUTES, f"pcap {mix}"


def read_record():
    try:
        with open(RECORD, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise BenchError(f"{error}; --record writes it") from error


def write_record(variant, found):
    rounded = {
        case: {node: round(value, 3) for node, value in figures.items()}
        for case, figures in found.items()
    }
    with open(RECORD, "w", encoding="utf-8") as file:
        json.dump({"variant": variant, "instructions_per_packet": rounded}, file, indent=1)
        file.write("\n")


def judge(report, case, figures, commands, recorded):
    """A row for the sum and for each node; recorded: {node: figure}, or None: no limits."""

    def row(what, values, bound):
        limit = None if bound is None else f"<= {bound * MAY_GROW:.3f}"
        report.add(
            f"{case}: {what}",
            max(values),
            "instructions/packet",
            limit=limit,
            rounds=values,
            commands=commands,
        )

    row("ethernet-input to interface-output", [sum(each.values()) for each in figures],
        recorded and sum(recorded.values()))
    for name in FORWARDING:
        row(name, [each[name] for each in figures], recorded and recorded[name])


def run(lab):
    report = Report()
    record = None if lab.record else read_record()
    found = {}
    for case, config, words in cases(lab):
        figures = []
        for _ in range(1 if lab.quick else 2):
            variant, each, commands = count(lab, config, words)
            figures.append(each)
        found[case] = figures[0]
        for name in FORWARDING:
            low, high = sorted((figures[0][name], figures[-1][name]))
            if high > low * (1 + MAY_DIFFER):
                report.fail(
                    f"{case}: {name} took {low:.3f} and {high:.3f} instructions/packet in two "
                    f"counts, which differ by more than {MAY_DIFFER:.1%}"
                )
        known = record and record["variant"] == variant
        recorded = record["instructions_per_packet"][case] if known else None
        judge(report, case, figures, commands, recorded)
    if not lab.quick:
        report.note(f"each case was counted twice; more than {MAY_DIFFER:.1%} apart is a failure")
    report.note(
        f"the nodes' variant is {variant}: valgrind has no AVX-512. A node's figure contains what it "
        "calls, for a packet that it is given; the sum is for one that passes all of them"
    )
    if record and record["variant"] != variant:
        report.note(f"not compared: the record is of the variant {record['variant']}")
    if lab.record and not report.failures:
        write_record(variant, found)
        report.note(f"recorded: {os.path.relpath(RECORD, lab.root)}")
    return report
