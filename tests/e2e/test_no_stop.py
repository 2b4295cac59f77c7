#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Thousands of changes of the graph while a worker is kept at full load: no packet is lost, nothing grows, and no change
holds the worker up for more than 50 microseconds and the time of one vector. Beside it: for how long the worker would
have stood still if it had waited for every change."""

import os
import time

import testbed

CYCLE = (
    "node clone ip4-rewrite hop",
    "node add next ip4-lookup hop",
    "node update next ip4-lookup slot 0 hop",
    "set node function ip4-input plain",
    "set interface rx-placement queues queue 0 worker 0",
    "set interface rx-placement queues queue 0 worker 1",
    "set node function ip4-input baseline",
    "node update next ip4-lookup slot 0 ip4-rewrite",
    "node shrink ip4-lookup 4",
    "node delete hop",
)
PAUSE_LIMIT = 50  # microseconds
TICKS = os.sysconf("SC_CLK_TCK")


def megahertz():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return next(float(line.split(":")[1]) for line in file if line.startswith("cpu MHz"))


class NoStop(testbed.NullInterfaces):
    more_interfaces = {"queues": {"addresses": ["10.0.0.1/24"], "queues": 2}}

    @classmethod
    def topology(cls):
        super().topology()
        cls.new_stream("worker 1")

    def main_seconds(self):
        """Processor time of the main thread, which makes all changes."""
        with open(f"/proc/{self.weft.process.pid}/task/{self.weft.process.pid}/stat", encoding="ascii") as file:
            return sum(int(word) for word in file.read().rsplit(")", 1)[1].split()[11:13]) / TICKS

    def worker(self):
        return self.weft.json("show workers")["workers"][1]

    def resident(self):
        with open(f"/proc/{self.weft.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096

    def change(self, cycles):
        done = self.weft.try_cli(stdin=None, input="\n".join(CYCLE * cycles), timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_ten_thousand_changes_under_full_load(self):
        cycles = int(os.environ.get("WEFT_CHANGES", "10000")) // len(CYCLE)
        nodes = self.weft.cli("show node")
        announced = self.weft.counters("out")["tx packets"]  # by the router itself
        started = time.monotonic()
        self.weft.cli("packet-generator enable s")
        self.change(10)  # what is allocated once
        memory = self.resident()
        made, spent, begin = self.worker()["plan_changes"], self.main_seconds(), time.monotonic()
        self.change(cycles)
        spent, took = self.main_seconds() - spent, time.monotonic() - begin
        worker = self.worker()
        plans = worker["plan_changes"] - made
        vector = max(
            row["max_node_clocks"]
            for thread in self.weft.json("show runtime max")["threads"]
            for row in thread["nodes"]
        )
        self.weft.cli("packet-generator disable s")
        self.assert_quiet()
        came = self.weft.counters("in")["rx packets"]
        went = self.weft.counters("out")["tx packets"] - announced
        rate = came / (time.monotonic() - started)
        print(
            f"{cycles * len(CYCLE)} changes, {plans} plans in {took:.1f} s; {came} packets in, "
            f"{went} out; longest pause {worker['longest_pause_us']:.1f} us ({worker['longest_pause_cause']}); "
            f"costliest call of a node {vector} clocks; stopped for each change, the worker would have stood still for "
            f"{spent:.2f} s and lost {round(rate * spent)} packets",
        )
        self.assertGreater(came, 100_000)
        self.assertEqual(came, went, self.weft.cli("show errors"))
        self.assertGreaterEqual(plans, cycles * len(CYCLE) * 0.9)
        self.assertEqual(self.weft.cli("show node"), nodes)
        # what takes the core away from the worker makes its costliest call long, too
        self.assertLess(worker["longest_pause_us"], PAUSE_LIMIT + vector / megahertz())
        if "WEFT_CHANGES" not in os.environ:  # sanitizers keep what was freed
            self.assertLess(self.resident() - memory, 8 << 20)


if __name__ == "__main__":
    testbed.main()
