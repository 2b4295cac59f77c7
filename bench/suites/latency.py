# SPDX-License-Identifier: Apache-2.0
"""How long weft keeps a frame at half of its highest rate, beside the machine's own delays."""

import contextlib
import json
import statistics
import subprocess

import devices
from lab import Report

DESCRIPTION = "microseconds from generator to generator at half of weft's highest rate"
LIMIT = 50  # microseconds, at the 99.9th percentile
SHARES = ("p50_us", "p99_us", "p99.9_us", "max_us")


def busy_loop(lab, seconds):
    """The delays of a loop that does nothing else on the worker core, while another one keeps the
    generator's core as busy as the generator does."""
    words = [lab.program("memif_generator"), "--busy-loop", seconds, "--core"]
    beside = lab.start(words + [lab.main_core], stdout=subprocess.PIPE)
    alone = lab.start(words + [lab.worker_core], stdout=subprocess.PIPE)
    beside.communicate()
    return json.loads(alone.communicate()[0])


def measure(lab):
    """[busy loop's result], [weft's highest rate], {device: [result of its timed turn]}, by rounds.
    All devices are given half of the rate that weft just reached."""
    seconds = 0.5 if lab.quick else 1
    own, tops, timed = [], [], {}
    with contextlib.ExitStack() as stack:
        weft = stack.enter_context(devices.weft(lab, rx_mode="polling"))
        peers = [stack.enter_context(start(lab)) for start in (devices.testpmd, devices.l3fwd)]
        for device in (weft, *peers):
            device.attach("--seconds", seconds, "--warm-up", 0.3, "--ring", 12, "--latency")
        for _ in range(lab.rounds):
            own.append(busy_loop(lab, seconds))
            # The generator reads each frame then too, which is part of the load: who writes a frame
            # where another core just read one waits for the line.
            tops.append(weft.turn(rate=1e9))
            for device in (weft, *peers):
                rate = round(tops[-1]["median_mpps"] / 2 * 1e6)
                timed.setdefault(device.name, []).append(device.turn(rate=rate))
    return own, tops, timed


def run(lab):
    report = Report()
    own, tops, timed = measure(lab)
    frames = {
        name: [one["latency"]["outside_gaps"] for one in turns] for name, turns in timed.items()
    }
    loop = [one["delay_half_load_p99.9_us"] for one in own]
    # Without the cores there is nothing to hold weft to: not even who needs no time of its own, and
    # who looks at no frame, would keep the limit.
    given = [
        of_weft["p99.9_us"]
        for of_weft, of_testpmd, of_loop in zip(frames["weft"], frames["testpmd-io"], loop)
        if max(of_testpmd["p99.9_us"], of_loop) < LIMIT
    ]
    if given:
        report.add("weft, p99.9, in the rounds in which the machine gave the cores",
                   statistics.median(given), "us", limit=f"<= {LIMIT}", rounds=given)
    report.note(
        f"in {len(given)} of {lab.rounds} rounds the machine gave the cores: testpmd, and the busy "
        f"loop as a forwarder, kept {LIMIT} us at the 99.9th percentile" +
        ("" if given else "; nothing is judged")
    )
    for name, results in frames.items():
        for key in SHARES:
            values = [one[key] for one in results]
            report.add(f"{name}, {key.removesuffix('_us')}", statistics.median(values), "us",
                       rounds=values, commands=[timed[name][0]["command"]])
    for name, values in (
        ("a busy loop on weft's core, p99.9 of all moments",
         [one["delay_p99.9_us"] for one in own]),
        ("that loop as a forwarder at half load that needs no time of its own, p99.9", loop),
    ):
        report.add(name, statistics.median(values), "us", rounds=values)
    for name, turns in (("weft's highest rate", tops), ("the timed rate", timed["weft"])):
        rates = [one["median_mpps"] for one in turns]
        report.add(name, statistics.median(rates), "Mpps", rounds=rates)
    report.note(
        "rx-mode polling: where the generator does not run for a millisecond, an adaptive queue "
        "takes it for the end of the traffic and sleeps"
    )
    turns = timed["weft"]
    apart = sum(one["latency"]["within_gaps"]["samples"] for one in turns)
    total = apart + sum(one["samples"] for one in frames["weft"])
    longest = max(one["gaps"]["longest_us"] for one in turns)
    report.note(
        f"{apart:,} of weft's {total:,} frames were in flight while the generator itself did not "
        f"run for more than 10 us (up to {longest:,.0f} us) and are excluded"
    )
    lost = sum(one["lost"] for one in turns)
    report.note(f"{lost:,} of weft's frames lost; wait {max(one['wait'] for one in turns):.1f} %, "
                f"steal {max(one['steal'] for one in turns):.1f} % in the worst round")
    idle = min(one["ring_full_percent"] for one in tops)
    report.note(f"at the highest rate the generator found weft's ring full in {idle:.0f} % or more "
                "of its turns: near 0 it would be what limits")
    return report
