#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds every #include to its folder: include_rules.py ROOT prints what breaks the rules."""

import os
import re
import sys

# Which folders a folder may include, besides itself and what is in it. The longest name that fits counts.
MAY_INCLUDE = {
    "base": (),
    "graph": ("base",),
    "graph/process": ("base",),
    "control": ("base", "graph"),
    "observe": ("base", "graph", "control", "nodes/interface"),
    "nodes": ("base", "graph", "control"),
    "drivers": ("base", "graph", "control", "nodes/interface"),
    "cli": (),
    "daemon": ("base", "graph", "control", "observe", "nodes", "drivers"),
    "tests": ("base", "graph", "control", "observe", "nodes", "drivers", "daemon", "cli", "bench"),
    "bench": ("base", "graph", "control", "observe", "nodes", "drivers", "daemon", "cli", "tests"),
    "fuzz": ("base", "graph", "control", "observe", "nodes", "drivers", "daemon", "tests"),
}
TOPS = tuple(folder for folder in MAY_INCLUDE if "/" not in folder)
# Nodes' folders that all others build on, and which of each other they may include themselves: every
# header of theirs is public.
FOUNDATIONS = {"interface": (), "fib": ("interface",)}
# Libraries by the start of their headers' names; what is not listed is the standard library or the
# system, which all may use.
LIBRARIES = {
    "dpdk": r"rte_",
    "ethdev": r"rte_(ethdev|eal|dev|bus_)",
    "pcap": r"pcap/",
    "boost": r"boost/",
    "spdlog": r"spdlog/",
    "yaml": r"yaml-cpp/",
    "readline": r"readline/",
    "systemd": r"systemd/",
    "catch2": r"catch2/",
    "json": r"nlohmann/",
    "fmt": r"fmt/",
    "expected": r"tl/",
}
COMMON = {"fmt", "json", "expected"}
MAY_USE = {
    "base": COMMON | {"dpdk"},
    "graph": COMMON | {"dpdk", "boost", "spdlog"},
    "graph/process": COMMON | {"dpdk", "boost", "spdlog"},
    "control": COMMON | {"dpdk", "spdlog"},
    "observe": COMMON | {"dpdk", "spdlog"},
    "nodes": COMMON | {"dpdk", "spdlog"},
    "drivers": COMMON | {"dpdk", "ethdev", "pcap", "spdlog"},
    "cli": {"fmt", "readline"},
    "daemon": COMMON | {"dpdk", "ethdev", "spdlog", "yaml", "systemd"},
    "tests": set(LIBRARIES) - {"yaml", "readline"},
    "bench": set(LIBRARIES) - {"yaml", "readline"},
    "fuzz": set(LIBRARIES) - {"yaml", "readline"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def sources(root):
    for top in TOPS:
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith((".cc", ".hh", ".inc")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def is_in(path, folder):
    return path.startswith(folder + "/")


def folder_of(path):
    """The folder whose rules hold for a file; None if it is in none of them."""
    return max((folder for folder in MAY_INCLUDE if is_in(path, folder)), key=len, default=None)


def includes(root, source):
    """Pairs of line number, quote and name."""
    with open(os.path.join(root, source), encoding="utf-8") as file:
        text = file.read()
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start(2)) + 1, match.group(1), match.group(2)


def protocol(path):
    """`ip4` of nodes/ip4/...; None for other paths."""
    parts = path.split("/")
    return parts[1] if parts[0] == "nodes" and len(parts) > 2 else None


def libraries(name):
    return {library for library, start in LIBRARIES.items() if re.match(start, name)}


def folder_problem(root, source, quote, name):
    """What one include breaks of its folder's rules; None if nothing."""
    folder = folder_of(source)
    if quote == "<":
        alien = libraries(name) - MAY_USE[folder]
        return f"{folder}/ may not use <{name}>" if alien else None
    if folder_of(name) is None or not os.path.exists(os.path.join(root, name)):
        return f'"{name}" is no path from the top of the tree'
    if not any(is_in(name, other) for other in (folder, *MAY_INCLUDE[folder])):
        return f'{folder}/ may not include "{name}"'
    return None


def cycle(edges):
    """One cycle among the protocols, as a list; empty if there is none."""

    def walk(at, path):
        if at in path:
            return path[path.index(at) :] + [at]
        for following in sorted(edges.get(at, ())):
            found = walk(following, path + [at])
            if found:
                return found
        return []

    return next((found for found in (walk(start, []) for start in sorted(edges)) if found), [])


def problems(root):
    """Every breach of the rules, as sentences."""
    found = []
    edges, public = {}, {}
    for source in sources(root):
        for line, quote, name in includes(root, source):
            problem = folder_problem(root, source, quote, name)
            if problem:
                found.append(f"{source}:{line}: {problem}")
                continue
            mine, other = protocol(source), protocol(name)
            if mine in FOUNDATIONS and other and other not in (mine, *FOUNDATIONS[mine]):
                found.append(f'{source}:{line}: nodes/{mine}/ may not include "{name}"')
                continue
            if quote == '"' and mine and other and mine != other and other not in FOUNDATIONS:
                edges.setdefault(mine, set()).add(other)
                public.setdefault(other, {}).setdefault(name, f"{source}:{line}")
    for other, headers in sorted(public.items()):
        if len(headers) > 1:
            found.append(
                f"nodes/{other}/ has one public header, but others include "
                + " and ".join(f"{name} ({where})" for name, where in sorted(headers.items()))
            )
    circle = cycle(edges)
    if circle:
        found.append("protocols include each other in a circle: " + " -> ".join(circle))
    return found


if __name__ == "__main__":
    breaches = problems(sys.argv[1])
    print("\n".join(breaches) or "Every include keeps to its folder's rules.")
    sys.exit(1 if breaches else 0)
