# SPDX-License-Identifier: Apache-2.0
"""What a soak has watched, and what of it is a fault."""

import dataclasses
import statistics

MEMORY_GROWTH = 8 << 20  # bytes that a router may have more at the end than after its first quarter
DESCRIPTOR_GROWTH = 3  # a session that is just being served
PAUSE_BOUND = 50.0  # us, and the time of one vector


@dataclasses.dataclass
class Sample:
    seconds: float
    resident: int  # bytes
    descriptors: int
    in_flight: int  # packets
    pause: float  # us, the longest until then
    vector: float  # us, the costliest call of a node until then
    received: int  # packets, of the generator's
    sent: int


@dataclasses.dataclass
class Totals:
    """What is known once the traffic has stopped."""

    received: int
    sent: int
    in_flight: int
    pings_sent: int
    pings_answered: int
    memif_frames: int
    memif_answers: int
    connections: int
    changes: int
    shows: int
    failures: list  # sentences of those that made changes or asked


def rates(samples):
    """Packets a second between each sample and the one before it."""
    return [
        (later.received - former.received) / (later.seconds - former.seconds)
        for former, later in zip(samples, samples[1:])
    ]


def _growth(samples, of):
    """How much the median of the last quarter is above that of the second; the first is for what is made once."""
    quarter = len(samples) // 4
    if quarter == 0:
        return 0
    middle = statistics.median(of(s) for s in samples[quarter : 2 * quarter])
    return statistics.median(of(s) for s in samples[-quarter:]) - middle


def faults(samples, totals):
    """Sentences; none if all is well."""
    found = list(totals.failures)
    if len(samples) < 8:
        found.append(f"only {len(samples)} samples were taken")
    if totals.received != totals.sent:
        found.append(f"{totals.received - totals.sent} of {totals.received} packets were lost")
    if totals.received == 0:
        found.append("the generator made no packets")
    if totals.in_flight != 0:
        found.append(f"{totals.in_flight} packets are in flight after the traffic has stopped")
    if totals.pings_sent == 0 or totals.pings_answered < totals.pings_sent:
        found.append(f"{totals.pings_answered} of {totals.pings_sent} pings were answered")
    if totals.memif_frames == 0 or totals.memif_answers < totals.memif_frames:
        found.append(f"{totals.memif_answers} of {totals.memif_frames} frames came back by memif")
    grown = _growth(samples, lambda s: s.resident)
    if grown > MEMORY_GROWTH:
        found.append(f"memory has grown by {grown / 2**20:.1f} MiB")
    grown = _growth(samples, lambda s: s.descriptors)
    if grown > DESCRIPTOR_GROWTH:
        found.append(f"{grown:.0f} more descriptors are open")
    if samples and samples[-1].pause > PAUSE_BOUND + samples[-1].vector:
        found.append(
            f"a worker paused for {samples[-1].pause:.0f} us; {PAUSE_BOUND:.0f} and a vector's "
            f"{samples[-1].vector:.0f} are allowed"
        )
    return found


def line(samples, totals):
    """How it went, in one line."""
    wrong = faults(samples, totals)
    memory = samples[-1].resident / 2**20 if samples else 0
    pace = statistics.mean(rates(samples)) / 1e6 if len(samples) > 1 else 0
    told = (
        f"{totals.received} packets ({pace:.2f} million a second), {totals.pings_sent} pings, "
        f"{totals.connections} memif connections, {totals.changes} changes, {totals.shows} shows; "
        f"{memory:.0f} MiB, longest pause {samples[-1].pause if samples else 0:.0f} us"
    )
    return f"soak: FAILED: {'; '.join(wrong)} ({told})" if wrong else f"soak: passed: {told}"
