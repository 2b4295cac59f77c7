# SPDX-License-Identifier: Apache-2.0
"""A core that is kept free of what else runs on the machine, as an operator's isolated core is."""

import contextlib
import glob
import os
import signal


def _tasks():
    """Every thread with the cores that it may run on."""
    for path in glob.glob("/proc/[0-9]*/task/[0-9]*"):
        task = int(os.path.basename(path))
        with contextlib.suppress(OSError):  # it has ended
            yield task, os.sched_getaffinity(task)


def _set(task, cores):
    with contextlib.suppress(OSError):  # it has ended, or is the kernel's own for this core
        os.sched_setaffinity(task, cores)


def _give_back(core, before, moved):
    for task, cores in moved.items():
        _set(task, cores)
    # what those have started meanwhile
    widened = {frozenset(cores - {core}): cores for cores in moved.values()}
    for task, cores in _tasks():
        if task not in before and frozenset(cores) in widened:
            _set(task, widened[frozenset(cores)])


def _keeper(held, until, give_back):
    """A process that gives back when the pipe's other end is closed, at the latest with its owner."""
    child = os.fork()
    if child != 0:
        return child
    try:
        os.setsid()  # a Ctrl-C is for the benchmark
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.close(held)
        os.read(until, 1)
        give_back()
    finally:
        os._exit(0)  # whatever happens: what follows is the benchmark's


@contextlib.contextmanager
def kept_free(core):
    """Moves all threads off a core, those of the kernel that may run elsewhere as well, and this
    one; at the end they may run there again. What is pinned to the core alone stays. A process of
    its own gives the core back, so that it is given back when this one is killed, too."""
    before = dict(_tasks())
    moved = {task: cores for task, cores in before.items() if core in cores and len(cores) > 1}
    until, held = os.pipe()
    keeper = _keeper(held, until, lambda: _give_back(core, before, moved))
    os.close(until)
    for task, cores in moved.items():
        _set(task, cores - {core})
    try:
        yield
    finally:
        os.close(held)
        os.waitpid(keeper, 0)
