#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""SIGTERM ends the daemon in time and in order, whatever a log, a client or a file does meanwhile."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import stuck_files
import testbed

FULL_SIZE = 500_000  # routes: a second of work and more for a build with sanitizers


def config(**more):
    return testbed.config({"a": {"device": "null", "addresses": ["10.0.0.1/24"]}}, **more)


class StopStuck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        files = tempfile.TemporaryDirectory()
        cls.addClassCleanup(files.cleanup)
        cls.full_table = os.path.join(files.name, "full")
        with open(cls.full_table, "w", encoding="ascii") as file:
            for n in range(FULL_SIZE):
                file.write(f"{16 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24 blackhole\n")

    def router(self, configuration=None, **options):
        weft = testbed.Weft(configuration or config(), **options)
        self.addCleanup(weft.close)
        return weft

    def connect(self, weft):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(client.close)
        client.settimeout(10)
        client.connect(weft.socket)
        return client

    def test_a_log_that_nobody_reads(self):
        weft = self.router()
        self.assertEqual(weft.stop(), [])
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        weft.process = weft.namespace.start(
            testbed.WEFTD, "-c", weft.config, stdout=writer, stderr=writer, stdin=subprocess.DEVNULL
        )
        os.close(writer)
        weft.wait_ready()
        for _ in range(300):  # each is a line of the log
            weft.process.send_signal(signal.SIGHUP)
            time.sleep(0.002)
        started = time.monotonic()
        self.assertIn("SIGHUP", weft.cli("show log"))
        self.assertLess(time.monotonic() - started, 1)
        weft.process.terminate()
        self.assertEqual(weft.process.wait(testbed.STOP_WITHIN), 0)

    def test_clients_that_do_not_read_and_clients_that_say_nothing(self):
        weft = self.router()
        busy = self.connect(weft)
        busy.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                busy.send(b"show log\n" * 64)
        idle = [self.connect(weft) for _ in range(127)]
        self.assertTrue(testbed.eventually(lambda: weft.try_cli("show version").returncode == 0))
        self.assertEqual(weft.stop(), [])
        self.assertEqual(len(idle), 127)

    def test_a_load_of_a_whole_table(self):
        weft = self.router()
        load = ("ip", "route", "load", self.full_table)
        loader = threading.Thread(target=weft.try_cli, args=load)
        loader.start()

        def routes():
            rows = weft.json("show ip fib summary")["lengths"]
            return sum(row["count"] for row in rows if row["length"] == 24)

        self.assertTrue(testbed.eventually(lambda: routes() > 10, 20))
        self.assertLess(routes(), FULL_SIZE, "the load is over already")
        self.assertEqual(weft.stop(), [])
        loader.join()

    def test_special_files_are_refused_at_once(self):
        weft = self.router()
        pipe = os.path.join(weft.directory, "pipe")
        os.mkfifo(pipe)
        generator = "packet-generator new s interface a source 10.0.0.2"
        for path in (pipe, "/dev/zero", "/proc/kmsg", "/tmp"):
            for command in (
                f"ip route load {path}",
                f"packet-generator new s interface a pcap {path}",
                f"{generator} destinations {path}",
                f"capture dispatch on {path}",
            ):
                started = time.monotonic()
                done = weft.try_cli(*command.split())
                self.assertEqual(done.returncode, 1, command)
                self.assertIn(path, done.stderr)
                self.assertLess(time.monotonic() - started, 2, command)
        for words in (("-c", pipe, "--check"), ("-c", weft.config, "--replay", pipe)):
            done = weft.namespace.run(testbed.WEFTD, *words, check=False, timeout=10)
            self.assertIn("expected a regular file, found a pipe", done.stdout)
        self.assertEqual(weft.stop(), [])

    def test_a_file_system_that_hangs(self):
        mounted = stuck_files.mount()
        if mounted is None:
            self.skipTest("no FUSE here")
        self.addCleanup(mounted.close)
        weft = self.router()
        asking = threading.Thread(
            target=weft.try_cli, args=(f"capture dispatch on {mounted.path}/c.pcapng".split())
        )
        asking.start()
        self.assertTrue(mounted.hangs.wait(10))
        time.sleep(0.5)
        weft.process.terminate()
        self.assertEqual(weft.process.wait(2 * testbed.STOP_WITHIN), 70, weft.log())
        self.assertIn("not stopped 1700 ms after the signal, while forwarding", weft.log())
        asking.join()

    def test_while_it_starts(self):
        weft = self.router()
        self.assertEqual(weft.stop(), [])
        for start in (
            {"startup": [f"ip route load {self.full_table}"]},
            {"route-files": [self.full_table]},
        ):
            with open(weft.config, "w", encoding="utf-8") as file:
                text = testbed.json.dumps(config(**start))
                file.write(text.replace("@SOCKET@", weft.socket))
            weft.start(wait=False)
            if "startup" in start:  # the socket is there before the commands run
                self.assertTrue(testbed.eventually(lambda: os.path.exists(weft.socket), 20))
            else:
                time.sleep(1)
            weft.process.terminate()
            status = weft.process.wait(testbed.STOP_WITHIN)
            # before it watches for signals it ends by them
            self.assertIn(status, (0,) if "startup" in start else (0, -signal.SIGTERM), weft.log())
            self.assertFalse(os.path.exists(weft.socket))


if __name__ == "__main__":
    testbed.main()
