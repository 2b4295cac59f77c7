# SPDX-License-Identifier: Apache-2.0
"""What a suite found: a table to read, JSON to keep, and a plot of the rounds."""

import html
import json
import re
import statistics

COLUMNS = ("what", "value", "unit", "median", "rounds: min .. max", "limit", "kept")


def number(value):
    if value is None:
        return ""
    if isinstance(value, int) or abs(value) >= 10000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


class Report:
    """One suite's rows. A row's value is what counts; its rounds are what it was made from."""

    def __init__(self):
        self.suite = ""
        self.description = ""
        self.rows = []
        self.notes = []
        self.failures = []

    def add(self, what, value, unit, *, median=None, limit=None, rounds=(), commands=()):
        """limit is `<= NUMBER` or `>= NUMBER`; unit `ratio` puts a row at the table's head."""
        kept = None
        if limit is not None:
            operator, bound = re.fullmatch(r"([<>]=) ([0-9.]+)", limit).groups()
            kept = value <= float(bound) if operator == "<=" else value >= float(bound)
        rounds = list(rounds)
        if median is None and rounds:
            median = statistics.median(rounds)
        self.rows.append(
            {
                "what": what,
                "value": value,
                "unit": unit,
                "median": median,
                "limit": limit,
                "kept": kept,
                "rounds": rounds,
                "commands": list(commands),
            }
        )

    def note(self, text):
        self.notes.append(text)

    def fail(self, text):
        """Something could not be measured: the suite's outcome is a failure, whatever the rest."""
        self.failures.append(text)

    def kept(self):
        return not self.failures and all(row["kept"] is not False for row in self.rows)

    def table(self):
        """The rows as text, ratios first."""
        cells = [COLUMNS]
        for row in sorted(self.rows, key=lambda row: row["unit"] != "ratio"):
            rounds = row["rounds"]
            spread = f"{number(min(rounds))} .. {number(max(rounds))}" if rounds else ""
            kept = {None: "", True: "yes", False: "NO"}[row["kept"]]
            value, median = number(row["value"]), number(row["median"])
            cells.append(
                (row["what"], value, row["unit"], median, spread, row["limit"] or "", kept)
            )
        widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
        right = {1, 3, 4}
        lines = [
            "  ".join(
                cell.rjust(width) if i in right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths))
            ).rstrip()
            for line in cells
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def commands(self):
        return list(dict.fromkeys(line for row in self.rows for line in row["commands"]))

    def write(self, stem, about):
        """STEM.json, and STEM.svg if any row has rounds."""
        with open(stem + ".json", "w", encoding="utf-8") as file:
            content = {
                "suite": self.suite,
                "description": self.description,
                **about,
                "rows": self.rows,
                "notes": self.notes,
                "failures": self.failures,
            }
            json.dump(content, file, indent=1)
            file.write("\n")
        plotted = [row for row in self.rows if len(row["rounds"]) > 1]
        if plotted:
            with open(stem + ".svg", "w", encoding="utf-8") as file:
                file.write(plot(f"{self.suite}: {self.description}", plotted))


# A panel for each row: a dot for each round, a line at the median, a dashed one at the limit.
WIDTH, PANEL, LEFT, RIGHT, TOP = 900, 110, 330, 20, 40


def plot(title, rows):
    height = TOP + PANEL * len(rows) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="10" y="24" font-size="16">{html.escape(title)}</text>',
    ]
    for i, row in enumerate(rows):
        parts += panel(row, TOP + PANEL * i)
    return "\n".join(parts + ["</svg>\n"])


def panel(row, top):
    bound = float(row["limit"].split()[1]) if row["limit"] else None
    values = row["rounds"] + [row["median"]] + ([bound] if bound is not None else [])
    low, high = min(values), max(values)
    margin = (high - low) * 0.1 or abs(high) * 0.1 or 1
    low, high = low - margin, high + margin
    bottom = top + PANEL - 25

    def y(value):
        return round(bottom - (value - low) / (high - low) * (PANEL - 30), 1)

    def line(at, style):
        return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(at)}" y2="{y(at)}" {style}/>'

    step = (WIDTH - RIGHT - LEFT) / len(row["rounds"])
    limit = f", limit {row['limit']}" if row["limit"] else ""
    yield f'<text x="10" y="{top + 30}">{html.escape(row["what"])}</text>'
    yield (
        f'<text x="10" y="{top + 48}" fill="#555">{number(row["value"])} '
        f'{html.escape(row["unit"] + limit)}</text>'
    )
    yield (
        f'<rect x="{LEFT}" y="{bottom - PANEL + 30}" width="{WIDTH - RIGHT - LEFT}" '
        f'height="{PANEL - 30}" fill="#f4f6f8"/>'
    )
    for value in (max(row["rounds"]), min(row["rounds"])):
        yield f'<text x="{LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{number(value)}</text>'
    yield line(row["median"], 'stroke="#1f77b4"')
    if bound is not None:
        yield line(bound, 'stroke="#c0392b" stroke-dasharray="6 4"')
    for i, value in enumerate(row["rounds"]):
        x = round(LEFT + step * (i + 0.5), 1)
        yield f'<circle cx="{x}" cy="{y(value)}" r="3" fill="#1f77b4"/>'
