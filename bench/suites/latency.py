# SPDX-License-Identifier: Apache-2.0
"""How long weft keeps a frame at half of its highest rate, beside the machine's own delays."""

import json
import statistics
import subprocess

import devices
from lab import Report

DESCRIPTION = "microseconds from generator to generator at half of weft's highest rate"
LIMIT = 50  # microseconds, at the 99.9th percentile


def busy_loop(lab, seconds):
    """The delays of a loop that does nothing else on the worker core, while another one keeps the
    generator's core as busy as the generator does."""
    words = [lab.program("memif_generator"), "--busy-loop", seconds, "--core"]
    beside = lab.start(words + [lab.main_core], stdout=subprocess.PIPE)
    alone = lab.start(words + [lab.worker_core], stdout=subprocess.PIPE)
    beside.communicate()
    return json.loads(alone.communicate()[0])


def run(lab):
    report = Report()
    seconds = 0.5 if lab.quick else 2
    with devices.weft(lab) as weft:
        weft.attach("--seconds", 1, "--warm-up", 0.3)
        tops = [weft.turn() for _ in range(3 if lab.quick else 10)]
    rate = statistics.median(one["median_mpps"] for one in tops) / 2 * 1e6
    timed, own = [], []
    with devices.weft(lab, rx_mode="polling") as weft:
        paced = ["--latency", "--rate", round(rate)]
        weft.attach("--seconds", seconds, "--warm-up", 0.3, "--ring", 12, *paced)
        for _ in range(lab.rounds):
            own.append(busy_loop(lab, seconds))
            timed.append(weft.turn())
    frames = [one["latency"]["outside_gaps"] for one in timed]
    machine = [one["delay_half_load_p99.9_us"] for one in own]
    # without the cores there is nothing to hold weft to: not even a forwarder that needs no time
    # of its own would keep the limit
    judged = statistics.median(machine) < LIMIT
    for key, limit in (("p50", None), ("p99", None), ("p99.9", LIMIT), ("max", None)):
        values = [one[f"{key}_us"] for one in frames]
        report.add(
            f"weft, {key}",
            statistics.median(values),
            "us",
            limit=f"<= {limit}" if limit and judged else None,
            rounds=values,
            commands=[timed[0]["command"]],
        )
    report.add(
        "a busy loop on weft's core, p99.9 of all moments",
        statistics.median(one["delay_p99.9_us"] for one in own),
        "us",
        rounds=[one["delay_p99.9_us"] for one in own],
    )
    report.add(
        "that loop as a forwarder at half load that needs no time of its own, p99.9",
        statistics.median(machine),
        "us",
        rounds=machine,
    )
    report.note(
        "rx-mode polling: where the generator does not run for a millisecond, an adaptive queue "
        "takes it for the end of the traffic and is looked at every 900 us"
    )
    rates = [one["median_mpps"] for one in tops]
    report.add("weft's highest rate", statistics.median(rates), "Mpps", rounds=rates,
               commands=[tops[0]["command"]])
    if not judged:
        report.note(
            f"the machine alone delays frames by more than {LIMIT} us at the 99.9th percentile, "
            "whatever forwards them: not judged"
        )
    apart = sum(one["latency"]["within_gaps"]["samples"] for one in timed)
    total = apart + sum(one["samples"] for one in frames)
    longest = max(one["gaps"]["longest_us"] for one in timed)
    report.note(
        f"{rate / 1e6:.3g} Mpps; {apart:,} of {total:,} frames were under way while the generator "
        f"itself did not run for more than 10 us (up to {longest:,.0f} us) and are left out"
    )
    lost = sum(one["lost"] for one in timed)
    report.note(f"{lost:,} frames lost; wait {max(one['wait'] for one in timed):.1f} %, steal "
                f"{max(one['steal'] for one in timed):.1f} % in the worst round")
    return report
