# SPDX-License-Identifier: Apache-2.0
"""Draws a soak's samples as SVG: one panel under the other, over one time axis."""

import os
from xml.sax.saxutils import escape

import verdict

WIDTH, PANEL, LEFT, GAP = 900, 110, 90, 38  # pixels


def _panel(top, title, times, values, end):
    """The elements of one panel; its scale begins at 0."""
    highest = max(values, default=0) or 1
    right = WIDTH - 20

    def place(time, value):
        return f"{LEFT + (right - LEFT) * time / end:.1f},{top + PANEL * (1 - value / highest):.1f}"

    points = " ".join(place(time, value) for time, value in zip(times, values))
    return [
        f'<text x="{LEFT}" y="{top - 6}" font-weight="bold">{escape(title)}</text>',
        f'<rect x="{LEFT}" y="{top}" width="{right - LEFT}" height="{PANEL}" fill="none" stroke="#bbb"/>',
        f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{highest:.4g}</text>',
        f'<text x="{LEFT - 6}" y="{top + PANEL}" text-anchor="end">0</text>',
        f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="1.5"/>',
    ]


def write(path, samples, line):
    """The file of what `samples` hold, headed by the verdict's line. Makes its folder."""
    times = [s.seconds for s in samples]
    end = max(times, default=0) or 1
    panels = [
        ("Resident memory, MiB", times, [s.resident / 2**20 for s in samples]),
        ("Open descriptors", times, [s.descriptors for s in samples]),
        ("Packets in flight", times, [s.in_flight for s in samples]),
        ("Longest pause of a worker so far, us", times, [s.pause for s in samples]),
        ("Received from the generator, million packets a second", times[1:], [r / 1e6 for r in verdict.rates(samples)]),
    ]
    height = 40 + len(panels) * (PANEL + GAP) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="18">{escape(line)}</text>',
    ]
    for number, (title, when, values) in enumerate(panels):
        parts += _panel(60 + number * (PANEL + GAP), title, when, values, end)
    parts += [f'<text x="{WIDTH - 20}" y="{height - 4}" text-anchor="end">{end:.0f} s</text>', "</svg>"]
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")
