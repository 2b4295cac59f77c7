#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""check_variants.py OBJECT...: no object compiled for a level of its own may hold a function that others share.

An inline function that the compiler left as one of its own is a weak symbol, of which the linker keeps any one; if it
kept the one compiled for AVX-512, the whole program would need AVX-512.
"""

import subprocess
import sys


def shared_functions(path):
    lines = subprocess.run(
        ["nm", "-C", "--defined-only", path], check=True, text=True, stdout=subprocess.PIPE
    ).stdout.splitlines()
    return [line.split(" ", 2)[2] for line in lines if line.split(" ", 2)[1] in "WTu"]


def main():
    objects = sys.argv[1:]
    if not objects:
        sys.exit("no objects to check")
    faults = [f"{path}: {name}" for path in objects for name in shared_functions(path)]
    if faults:
        sys.exit("functions that other objects share:\n  " + "\n  ".join(faults))
    print(f"{len(objects)} objects hold no function that others share")


main()
