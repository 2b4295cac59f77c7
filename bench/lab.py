# SPDX-License-Identifier: Apache-2.0
"""What benchmark suites share: the machine, the daemon, and how a result is reported."""

import contextlib
import fcntl
import gzip
import ipaddress
import json
import os
import platform
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import shield
from report import Report

__all__ = ["BenchError", "Lab", "Report", "Watch", "measures_time", "tail"]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# How many prefixes of each length a table of the Internet has (8 to 32).
LENGTHS = dict(
    zip(
        range(8, 33),
        (16, 13, 38, 103, 299, 581, 1203, 2100, 13490, 8235, 13798, 24870, 42611, 50750)
        + (108623, 96510, 537698, 20, 3, 11, 18, 17, 3, 3, 886),
    )
)


LOCK = os.path.join(tempfile.gettempdir(), "weft-bench.lock")
HUGEPAGES_FOLDER = "/sys/kernel/mm/hugepages/hugepages-2048kB"
HUGEPAGES = 1024  # 2 GiB, while a run lasts


class BenchError(Exception):
    """A sentence for the user: what was expected and what was found."""


def tail(file):
    """The last ten lines."""
    with open(file, encoding="utf-8", errors="replace") as lines:
        return "".join(lines.readlines()[-10:])


class Watch:
    """How a process fares from here on: what others kept from its busiest thread's core."""

    def __init__(self, pid, core):
        self.pid = pid
        self.core = core
        self.before = self._read()

    def _read(self):
        threads = {}
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(OSError):
                with open(f"/proc/{self.pid}/task/{thread}/schedstat", encoding="ascii") as file:
                    threads[thread] = [int(word) for word in file.read().split()[:2]]
        with open("/proc/stat", encoding="ascii") as file:
            line = next(line for line in file if line.startswith(f"cpu{self.core} "))
        ticks = [int(word) for word in line.split()[1:9]]
        return threads, ticks[7], sum(ticks)

    def shares(self):
        """{"wait", "steal"}: per cent of the time ready to run but not running, and of the time
        that the hypervisor gave to others."""
        threads, steal, total = self._read()
        runs = [
            [now - then for now, then in zip(threads[name], self.before[0].get(name, [0, 0]))]
            for name in threads
        ]
        run, wait = max(runs, default=[0, 0])
        return {
            "wait": 100 * wait / max(1, run + wait),
            "steal": 100 * (steal - self.before[1]) / max(1, total - self.before[2]),
        }


class Daemon:
    """A running weftd."""

    def __init__(self, lab, process, log, control, ready_seconds):
        self.lab = lab
        self.process = process
        self.pid = process.pid
        self.log = log
        self.control = control
        self.ready_seconds = ready_seconds

    def _ask(self, *words):
        done = subprocess.run(
            [self.lab.program("weftctl"), "-s", self.control, *words],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchError(f"weftctl {' '.join(words)}: {done.stderr.strip() or done.stdout}")
        return done.stdout

    def cli(self, command):
        """The answer to a command as text."""
        return self._ask(command)

    def json(self, command):
        """The answer to a command, parsed from its JSON view."""
        return json.loads(self._ask("-j", command))


class Lab:
    """The checkout, the machine, and a folder for one run's files (removed at its end)."""

    def __init__(self, rounds=20, quick=False, prefixes=None, record=False, timed=True):
        self.root = ROOT
        self.build = os.path.join(ROOT, "build/release")
        cache = os.environ.get("WEFT_BENCH_CACHE") or os.path.expanduser("~/.cache/weft-bench")
        self.cache = os.path.abspath(cache)
        os.makedirs(self.cache, exist_ok=True)
        self.cores = sorted(os.sched_getaffinity(0))
        self.main_core, self.worker_core = self.cores[0], self.cores[1 % len(self.cores)]
        self.rounds = min(rounds, 3) if quick else rounds
        self.quick = quick
        self.prefixes = prefixes
        self.record = record
        self._timed = timed  # then it wants hugepages, and a core kept free
        self.work = None
        self.hugepages = False  # whether all programs get them; else all run on small pages
        self._hugepages_before = 0
        self._daemons = 0
        self._lock = None
        self._shield = contextlib.ExitStack()

    def __enter__(self):
        self._lock = open(LOCK, "w", encoding="ascii")  # held while this runs
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.say("Another benchmark is running on this machine; waiting for it to finish.")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.work = tempfile.mkdtemp(prefix="weft-bench-")
        self._hugepages_before = _hugepages("nr")
        if self._timed:
            _set_hugepages(self._hugepages_before + max(0, HUGEPAGES - _hugepages("free")))
        self.hugepages = self._timed and _hugepages("free") >= HUGEPAGES
        if self._timed and len(self.cores) > 1:
            self._shield.enter_context(shield.kept_free(self.worker_core))
        return self

    def __exit__(self, *_):
        self._shield.close()
        if self._timed:
            _set_hugepages(self._hugepages_before)
        shutil.rmtree(self.work, ignore_errors=True)
        self._lock.close()

    def program(self, name):
        """A program of the release build."""
        path = os.path.join(self.build, name)
        if not os.access(path, os.X_OK):
            raise BenchError(f"{path} is not built; scripts/bench builds it")
        return path

    def say(self, text):
        print(text, flush=True)

    # -- the machine

    def machine(self):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
        with open("/proc/meminfo", encoding="ascii") as file:
            memory = int(file.readline().split()[1]) >> 20
        return {
            "cpu": names[0] if names else platform.machine(),
            "cores": len(self.cores),
            "memory_gib": memory,
            "hugepages": "used" if self.hugepages else "none",
            "kernel": platform.release(),
        }

    def versions(self):
        def first_line(*words):
            if shutil.which(words[0]) is None:  # a checkout may have come without git
                return "unknown"
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
            return done.stdout.strip() or "unknown"

        return {
            "weft": first_line("git", "describe", "--always", "--dirty", "--tags"),
            "dpdk": first_line("pkg-config", "--modversion", "libdpdk"),
        }

    def noise(self):
        """How evenly the worker core runs a busy loop: the spread of its speed, its gaps, and the
        shares of time that others took (per cent)."""
        seconds = 1 if self.quick else 5
        words = [self.program("memif_generator"), "--core", self.worker_core]
        busy = self.start(words + ["--busy-loop", seconds], stdout=subprocess.PIPE)
        watch = Watch(busy.pid, self.worker_core)
        time.sleep(seconds - 0.2)
        shares = watch.shares()
        return {**json.loads(busy.communicate()[0]), **shares}

    def line_trip_ns(self):
        """How long a cache line takes from the main thread's core to the worker's. Nothing else may
        be using the two. 0 where they are one."""
        if self.main_core == self.worker_core:
            return 0
        words = [self.program("memif_generator"), "--core", self.main_core]
        words += ["--line-trips", self.worker_core]
        return self.figures(words)["one_way_ns"]

    # -- programs

    def start(self, words, **options):
        """Starts a program on any core, in a session of its own with all the priority that there
        is, so that other work on the machine disturbs it little."""

        def take_priority():
            os.sched_setaffinity(0, self.cores)
            os.setsid()
            with contextlib.suppress(OSError):
                with open("/proc/self/autogroup", "w", encoding="ascii") as file:
                    file.write("-20")
            os.nice(-20)

        return subprocess.Popen(
            [str(word) for word in words], preexec_fn=take_priority, text=True, **options
        )

    def figures(self, words):
        """What a program prints as JSON until it ends by itself."""
        return json.loads(self.start(words, stdout=subprocess.PIPE).communicate()[0])

    def stop(self, process, within=10):
        """Ends a program that start() started, paused or not."""
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def daemon(self, config_text, *, under=(), ready_within=60):
        """A running weftd. The lab adds where its CLI socket is, and the sections cpu, memory and
        log where config_text has none. under: a program and its arguments that runs weftd."""
        self._daemons += 1
        stem = os.path.join(self.work, f"weft-{self._daemons}")
        config, control, notify, log = (stem + end for end in (".yaml", ".sock", ".ready", ".log"))
        top_keys = {line.split(":")[0] for line in config_text.splitlines()}
        sections = {
            "cpu": f"{{main: {self.main_core}, workers: [{self.worker_core}]}}",
            "memory": f"{{hugepages: {str(self.hugepages).lower()}, size: 512M}}",
            "log": "{level: info, target: stderr}",
            "cli": f"{{socket: {control}}}",
        }
        with open(config, "w", encoding="utf-8") as file:
            for key, value in sections.items():
                if key not in top_keys:
                    file.write(f"{key}: {value}\n")
            file.write(config_text)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, open(log, "w") as output:
            ready.bind(notify)
            ready.settimeout(0.2)
            started = time.monotonic()
            process = self.start(
                [*under, self.program("weftd"), "-c", config],
                env={**os.environ, "NOTIFY_SOCKET": notify},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                self._await_ready(process, ready, started + ready_within, log)
                yield Daemon(self, process, log, control, time.monotonic() - started)
            finally:
                self.stop(process)

    def _await_ready(self, process, ready, deadline, log):
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in ready.recv(4096):
                    return
            if process.poll() is not None:
                break
        raise BenchError(f"weftd is not ready; its log ends with:\n{tail(log)}")

    # -- routes

    def prefix_table(self):
        """(file, where it is from): IPv4 prefixes of a whole Internet table, one a line."""
        if self.prefixes:
            target = os.path.join(self.work, "prefixes.txt")
            opener = gzip.open if self.prefixes.endswith(".gz") else open
            try:
                with opener(self.prefixes, "rt", encoding="ascii") as source:
                    lines = [line for line in source if ":" not in line]
            except OSError as error:
                raise BenchError(f"--prefixes: {error}") from error
            with open(target, "w", encoding="ascii") as file:
                file.writelines(lines)
            return target, f"{len(lines):,} prefixes of {os.path.basename(self.prefixes)}"
        target = os.path.join(self.cache, "unicast-prefixes.txt")
        if not os.path.exists(target):
            with open(target + ".new", "w", encoding="ascii") as file:
                file.writelines(f"{prefix}\n" for prefix in synthetic_prefixes())
            os.rename(target + ".new", target)
        return target, f"{sum(LENGTHS.values()):,} synthetic prefixes with the Internet's lengths"

    # -- results

    def measure(self, name, suite):
        """Runs a suite; prints and writes what it reports."""
        self.say(f"\n== {name}: {suite.DESCRIPTION}")
        os.makedirs(os.path.join(ROOT, "build/bench"), exist_ok=True)
        started = time.time()
        about = {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "machine": self.machine(),
            "versions": self.versions(),
            "noise": self.noise() if measures_time(suite) else {},
        }
        try:
            report = suite.run(self)
        except BenchError as error:
            report = Report()
            report.fail(str(error))
        report.suite, report.description = name, suite.DESCRIPTION
        about["seconds"] = round(time.time() - started)
        about["commands"] = report.commands()
        stem = os.path.join(ROOT, "build/bench", name)
        report.write(stem, about)
        self.say("")
        for key in filter(about.get, ("machine", "versions", "noise")):
            values = ", ".join(f"{what} {_short(value)}" for what, value in about[key].items())
            self.say(f"{key}: {values}")
        for line in about["commands"]:
            self.say(f"command: {line}")
        self.say("\n" + report.table() + "\n")
        for note in report.notes:
            self.say(f"note: {note}")
        for failure in report.failures:
            self.say(f"FAILED: {failure}")
        written = [stem + end for end in (".json", ".svg") if os.path.exists(stem + end)]
        self.say(f"written: {', '.join(written)}")
        return report


def measures_time(suite):
    """Whether it does, and so wants hugepages and to know the noise; the others say
    MEASURES_TIME = False."""
    return getattr(suite, "MEASURES_TIME", True)


def _hugepages(which):
    with contextlib.suppress(OSError):
        with open(f"{HUGEPAGES_FOLDER}/{which}_hugepages", encoding="ascii") as file:
            return int(file.read())
    return 0


def _set_hugepages(count):
    """As many as the kernel finds memory for: no error if there are fewer."""
    with contextlib.suppress(OSError):
        with open(f"{HUGEPAGES_FOLDER}/nr_hugepages", "w", encoding="ascii") as file:
            file.write(str(count))


def _short(value):
    if isinstance(value, dict):
        return "(" + ", ".join(f"{what} {_short(part)}" for what, part in value.items()) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def synthetic_prefixes():
    """Unique prefixes in 1.0.0.0 to 223.255.255.255 without 127.0.0.0/8, the same ones each time."""
    rng = random.Random(1)
    for length, count in LENGTHS.items():
        shift = 32 - length
        eight = 1 << 24 >> shift  # so many make a network of 8 bits
        for network in sorted(rng.sample(range(eight, 223 * eight), count)):
            if network >= 127 * eight:
                network += eight
            yield f"{ipaddress.ip_address(network << shift)}/{length}"
