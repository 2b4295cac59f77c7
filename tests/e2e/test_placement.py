#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Receive queues change their modes and workers, and flows their workers, while packets run through."""

import threading

import packets
import testbed

FLOWS = 16


class Sender(threading.Thread):
    """Sends numbered packets of some flows until it is stopped."""

    def __init__(self, tap):
        super().__init__()
        self.tap, self.sent, self.over = tap, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            self.tap.send(
                [
                    packets.ethernet(
                        testbed.ROUTER_A_MAC,
                        testbed.CLIENT_MAC,
                        packets.ip4(
                            "10.0.0.2",
                            "10.0.1.2",
                            packets.udp(2000 + flow, 5000, b"%d" % self.sent),
                        ),
                    )
                    for flow in range(FLOWS)
                ],
                burst=FLOWS,
                pause=0.002,
            )
            self.sent += 1

    def stop(self):
        self.over.set()
        self.join()


class Placement(testbed.Test):
    @classmethod
    def topology(cls):
        main_core, other = testbed.cores()
        ports = {
            "a": {"addresses": ["10.0.0.1/24"], "queues": 4},
            "b": {"addresses": ["10.0.1.1/24"], "queues": 4, "rx-mode": "interrupt"},
            "c": {
                "device": "net_null0,no-rx=1",  # which has no interrupts
                "addresses": ["10.0.2.1/24"],
                "handoff": [2],
            },
            "none": {"device": "null", "addresses": ["10.0.3.1/24"]},
        }
        cls.client, cls.server = cls.host("client"), cls.host("server")
        config = testbed.config(
            ports,
            cpu={"main": main_core, "workers": [other, main_core]},
            buffers={"count": 24576, "size": 2048},
        )
        del config["interfaces"]["c"]["macaddress"]  # which its driver cannot set
        cls.weft = cls.router(config)
        cls.tap_a = cls.plug(
            cls.weft, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC
        )
        cls.tap_b = cls.plug(
            cls.weft, "weft-b", cls.server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC
        )
        cls.client.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "10.0.1.2")

    def queues(self):
        return {
            (q["interface"], q["queue"]): {**q, "thread": thread["index"]}
            for thread in self.weft.json("show interface rx-placement")["threads"]
            for q in thread["queues"]
        }

    def refuses(self, command, words):
        done = self.weft.try_cli(*command.split())
        self.assertEqual((done.returncode, done.stderr.strip()), (1, words))

    def under_traffic(self, commands):
        """Runs commands while flows run; none of their packets may be lost or overtaken."""
        self.tap_b.drain()
        before = self.weft.errors()
        sender = Sender(self.tap_a)
        try:
            for command in commands:
                self.weft.cli(command)
        finally:
            sender.stop()
        got = self.tap_b.receive(
            lambda f: f.destination_port == 5000, count=sender.sent * FLOWS, within=8, lull=1
        )
        for flow in range(FLOWS):
            numbers = [int(f.payload) for f in got if f.source_port == 2000 + flow]
            self.assertEqual(numbers, list(range(sender.sent)), f"flow {flow}")
        self.assert_quiet()
        self.assertEqual(self.weft.errors(), before)

    def test_queues_are_shown_with_their_threads_and_modes(self):
        queues = self.queues()
        self.assertEqual(len(queues), 9)
        self.assertEqual(
            {q["mode"] for (name, _), q in queues.items() if name == "b"}, {"interrupt"}
        )
        self.assertTrue(all(q["interrupts"] == (name != "c") for (name, _), q in queues.items()))
        text = self.weft.cli("show interface rx-placement")
        self.assertIn("Thread 1 (worker-1):\n  node dpdk-input-a-0:\n    a queue 0 (", text)

    def test_queues_move_under_traffic(self):
        self.under_traffic(
            f"set interface rx-placement a queue {queue} worker {worker}"
            for worker in (2, 1, 0, 2, 1)
            for queue in range(4)
        )
        self.assertEqual({self.queues()["a", queue]["thread"] for queue in range(4)}, {1})

    def test_modes_change_under_traffic(self):
        self.under_traffic(
            f"set interface rx-mode a {words}"
            for _ in range(3)
            for words in ("polling", "interrupt", "queue 1 adaptive", "queue 2 polling", "adaptive")
        )
        self.assertEqual({self.queues()["a", queue]["mode"] for queue in range(4)}, {"adaptive"})

    def test_flows_are_handed_over_under_traffic(self):
        self.under_traffic(
            f"set interface handoff a {words}"
            for _ in range(2)
            for words in ("workers 2", "workers 1,2", "off", "workers 1-2", "off")
        )
        shown = self.weft.json("show interface handoff")
        self.assertEqual(shown["interfaces"], [{"name": "c", "workers": ["worker-2"]}])
        self.assertGreater(shown["handed_over"], 0)
        self.assertEqual(shown["congestion"], 0)

    def test_workers_are_chosen_under_traffic(self):
        self.refuses(
            "set workers 1", "workers: interface c hands packets to worker 2 (`set interface handoff')"
        )
        self.refuses(
            "set workers 1,3",
            "workers: `3' is no worker; expected `all', or numbers from 1 to 2 with commas between",
        )
        self.addCleanup(self.weft.cli, "set interface handoff c workers 2")
        self.weft.cli("set interface handoff c off")
        self.under_traffic(f"set workers {words}" for words in ("1", "2", "1,2", "all", "2"))
        self.assertEqual({q["thread"] for q in self.queues().values()}, {2})
        self.assertTrue(testbed.eventually(self.rests), self.weft.cli("show workers"))
        self.weft.cli("set workers all")
        self.assertEqual({q["thread"] for q in self.queues().values()}, {1, 2})

    def rests(self):
        """Whether worker 1 polls nothing: then it wakes ten times a second."""

        def loops():
            return next(w["loops"] for w in self.weft.json("show workers")["workers"] if w["name"] == "worker-1")

        before = loops()
        self.client.run("sleep", "0.5")
        return loops() - before < 30

    def test_a_disabled_queue_keeps_what_comes(self):
        self.tap_b.drain()
        self.addCleanup(self.weft.cli, "set interface rx-mode a adaptive")
        self.weft.cli("set interface rx-mode a disabled")
        sender = self.client.start("ping", "-c", "1", "-W", "5", "10.0.1.2")
        self.assertEqual(self.tap_b.receive(lambda f: f.icmp_type == 8, within=0.3), [])
        self.weft.cli("set interface rx-mode a adaptive")
        self.assertEqual(len(self.tap_b.receive(lambda f: f.icmp_type == 8, within=3)), 1)
        self.assertEqual(sender.wait(5), 0)

    def test_idle_queues_wait(self):
        def waits():
            return all(q["waits"] for q in self.queues().values())

        self.assertTrue(testbed.eventually(waits), self.queues())
        loops = [w["loops"] for w in self.weft.json("show workers")["workers"]]
        self.client.run("sleep", "1")
        after = [w["loops"] for w in self.weft.json("show workers")["workers"]]
        # the one without an interrupt: 2000 sleeps in a second, two or three loops each
        self.assertLess(max(now - then for now, then in zip(after, loops)), 8000)

    def test_errors_say_what_was_expected(self):
        self.refuses(
            "set interface rx-mode c interrupt",
            "mode: the device of interface `c' has no receive interrupts; expected polling, adaptive"
            " or disabled",
        )
        self.refuses(
            "set interface rx-mode a queue 4 polling",
            "queue: interface `a' has no queue 4, its queues are 0 to 3",
        )
        self.refuses(
            "set interface rx-placement a worker 3",
            "worker: no thread 3; threads are 0 (main) to 2",
        )
        self.refuses(
            "set interface rx-mode none polling", "interface `none' has no receive queues"
        )
        self.refuses(
            "set node state dpdk-input-a-0 polling",
            "node `dpdk-input-a-0' polls a receive queue, whose mode is set by `set interface"
            " rx-mode'",
        )
        self.refuses("set node state ip4-input polling", "node `ip4-input' is not an input node")


if __name__ == "__main__":
    testbed.main()
