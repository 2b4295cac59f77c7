# SPDX-License-Identifier: Apache-2.0
"""A core that is kept free of what else runs on the machine, as an operator's isolated core is."""

import contextlib
import glob
import os


def _tasks():
    """Every thread with the cores that it may run on."""
    for path in glob.glob("/proc/[0-9]*/task/[0-9]*"):
        task = int(os.path.basename(path))
        with contextlib.suppress(OSError):  # it has ended
            yield task, os.sched_getaffinity(task)


def _set(task, cores):
    with contextlib.suppress(OSError):  # it has ended, or is the kernel's own for this core
        os.sched_setaffinity(task, cores)


@contextlib.contextmanager
def kept_free(core):
    """Moves all threads off a core, those of the kernel that may run elsewhere as well, and this
    one; at the end they may run there again. What is pinned to the core alone stays."""
    before = dict(_tasks())
    moved = {task: cores for task, cores in before.items() if core in cores and len(cores) > 1}
    for task, cores in moved.items():
        _set(task, cores - {core})
    try:
        yield
    finally:
        for task, cores in moved.items():
            _set(task, cores)
        # what those have started meanwhile
        widened = {frozenset(cores - {core}): cores for cores in moved.values()}
        for task, cores in _tasks():
            if task not in before and frozenset(cores) in widened:
                _set(task, widened[frozenset(cores)])
