#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A crash says where: the worker, the node, the packet and the stack, and ends the daemon by its signal."""

import ctypes
import os
import re
import signal
import unittest

import testbed

_libc = ctypes.CDLL(None, use_errno=True)
TGKILL = 234  # the number of the system call on x86-64


class Crash(unittest.TestCase):
    def daemon(self):
        weft = testbed.Weft(
            testbed.config(
                testbed.NULL_INTERFACES,
                neighbors=[
                    {"interface": "out", "address": "10.9.1.2", "macaddress": "02:00:00:00:09:02"}
                ],
            )
        )
        self.addCleanup(weft.close)
        return weft

    def crash(self, weft, thread, number):
        """Sends a signal to one thread, as the kernel does for a fault of its own; what the daemon said at its end."""
        for task in os.listdir(f"/proc/{weft.process.pid}/task"):
            with open(f"/proc/{weft.process.pid}/task/{task}/comm", encoding="ascii") as file:
                if file.read().strip() == thread:
                    break
        else:
            self.fail(f"no thread {thread}")
        # nsenter has become the daemon, so that the process is its own
        self.assertEqual(_libc.syscall(TGKILL, weft.process.pid, int(task), int(number)), 0)
        self.assertEqual(weft.process.wait(20), -number, weft.log())
        return weft.log()

    def test_a_worker_under_load(self):
        for _ in range(25):  # the signal may come while packets are made, or between nodes: most of the time, with ASan
            weft = self.daemon()
            weft.cli("packet-generator new s interface in source 10.9.0.2 destination 10.9.1.2")
            weft.cli("packet-generator enable s")
            testbed.eventually(lambda w=weft: w.counters("out")["tx packets"] > 1000)
            report = self.crash(weft, "worker-1", signal.SIGSEGV)
            self.assertRegex(report, r"weftd \S+: SIGSEGV sent by process \d+, instruction at 0x")
            self.assertRegex(report, r"(?m)^thread 1 worker-1, tid \d+$")
            self.assertRegex(report, r"(?m)^  #0 0x[0-9a-f]+ ")
            self.assertIn("_ZN4weft12graph_thread3run", report)
            self.assertIn("\nend of the report\n", report)
            weft.close()
            if re.search(r"(?m)^first packet: \d+ bytes", report):
                break
        self.assertRegex(report, r"(?m)^node \S+, vector of \d+ packets$")
        self.assertRegex(report, r"(?m)^first packet: 60 bytes, interface \d+, network header at \d+$")
        self.assertRegex(report, r"(?m)^  ipv4 10.9.0.2 -> 10.9.1.2 protocol 17 ttl 6[34] ")
        self.assertRegex(report, r"(?m)^  0000: ([0-9a-f]{2} ?){16}$")

    def test_the_main_thread_at_rest(self):
        weft = self.daemon()

        def sleeps():  # what the CLI's last client left behind is done with then
            with open(f"/proc/{weft.process.pid}/stat", encoding="ascii") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "S"

        self.assertTrue(testbed.eventually(sleeps, every=0.001))
        report = self.crash(weft, "weftd", signal.SIGABRT)
        self.assertRegex(report, r"weftd \S+: SIGABRT sent by process ")
        self.assertRegex(report, r"(?m)^thread 0 main, tid \d+\nno node ran$")


if __name__ == "__main__":
    testbed.main()
