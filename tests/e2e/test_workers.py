#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two workers and four queues on two cores: everything is forwarded and counted once."""

import packets
import testbed

FLOWS, PACKETS = 64, 40


class Workers(testbed.Test):
    @classmethod
    def topology(cls):
        main_core, other = testbed.cores()
        ports = {
            name: {"addresses": [address], "queues": 4}
            for name, address in (("a", "10.0.0.1/24"), ("b", "10.0.1.1/24"))
        }
        cls.client, cls.server = cls.host("client"), cls.host("server")
        cls.weft = cls.router(
            testbed.config(ports, cpu={"main": main_core, "workers": [other, main_core]})
        )
        cls.tap_a = cls.plug(
            cls.weft, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC
        )
        cls.tap_b = cls.plug(
            cls.weft, "weft-b", cls.server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC
        )

    def setUp(self):
        super().setUp()
        # packets that wait for a neighbour are few, and may be overtaken once it is known
        self.client.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "10.0.1.2")

    def send(self, flows):
        self.tap_a.send(
            [
                packets.ethernet(
                    testbed.ROUTER_A_MAC,
                    testbed.CLIENT_MAC,
                    packets.ip4(
                        "10.0.0.2", "10.0.1.2", packets.udp(1024 + flow, 5000, b"%d" % number)
                    ),
                )
                for number in range(PACKETS)
                for flow in range(flows)
            ],
            burst=32,
            pause=0.004,
        )
        return self.tap_b.receive(
            lambda f: f.destination_port == 5000, count=flows * PACKETS, within=8
        )

    def test_counters_are_what_the_peer_sent(self):
        before = (
            self.weft.counters("a"),
            self.weft.counters("b"),
            self.weft.node_vectors("dpdk-input-a-"),
        )
        got = self.send(FLOWS)
        self.assertEqual(len(got), FLOWS * PACKETS, "packets lost or doubled")
        self.assert_quiet()
        after = (
            self.weft.counters("a"),
            self.weft.counters("b"),
            self.weft.node_vectors("dpdk-input-a-"),
        )
        # Each side may have sent a few ARP packets of its own meanwhile.
        for now, then in (
            (after[0]["rx packets"], before[0]["rx packets"]),
            (after[1]["tx packets"], before[1]["tx packets"]),
            (after[2], before[2]),
        ):
            self.assertIn(now - then, range(FLOWS * PACKETS, FLOWS * PACKETS + 8))

    def test_every_queue_has_its_node_and_some_traffic(self):
        self.send(FLOWS)
        for queue in range(4):
            self.assertGreater(self.weft.node_vectors(f"dpdk-input-a-{queue}"), 0, f"queue {queue}")

    def test_a_flow_stays_in_order(self):
        got = [int(f.payload) for f in self.send(1)]
        self.assertEqual(got, list(range(PACKETS)))

    def test_two_workers_are_shown(self):
        threads = self.weft.json("show runtime")["threads"]
        self.assertEqual([thread["index"] for thread in threads], [0, 1, 2])

    def test_clear_starts_all_counters_again(self):
        self.send(FLOWS)
        for what in ("runtime", "errors", "interface"):
            self.weft.cli(f"clear {what}")
        self.assertLess(self.weft.node_vectors("dpdk-input-"), 16)
        self.assertLess(self.weft.counters("a")["rx packets"], 16)
        self.assertEqual(sum(self.weft.errors().values()), 0)


class Patterns(testbed.TwoHosts):
    """Each port has a worker of its own, since the other one's patterns leave it out."""

    main_core, other = testbed.cores()
    more = {
        "cpu": {
            "main": main_core,
            "workers": [
                {"core": other, "nodes": ["!dpdk-input-a-*"]},
                {"core": main_core, "nodes": ["*", "!dpdk-input-b-*"]},
            ],
        }
    }

    def vectors(self, node):
        """Packets of a node by thread."""
        threads = self.weft.json(f"show runtime cluster {node} workers worker-*")
        self.assertEqual(threads["threads"], ["worker-1", "worker-2"])
        return {
            thread["index"]: row["vectors"]
            for thread in self.weft.json("show runtime")["threads"]
            for row in thread["nodes"]
            if row["name"] == node
        }

    def test_plans_have_what_the_patterns_say(self):
        plans = [
            [node["name"] for node in plan["nodes"]]
            for plan in self.weft.json("show plan")["plans"]
        ]
        self.assertEqual(
            [[f"dpdk-input-{port}-0" in plan for port in "ab"] for plan in plans],
            [[False, False], [False, True], [True, False]],
        )
        self.assertIn("!dpdk-input-a-*", self.weft.cli("show plan"))
        started = self.weft.json("show plan worker 2")["plans"][0]["nodes"]
        self.assertEqual(
            [node["started"] for node in started if node["name"].startswith("dpdk-input")], [True]
        )

    def test_each_port_is_polled_by_its_worker(self):
        self.learn()
        self.client.run("ping", "-c", "20", "-i", "0.01", "-W", "2", "10.0.1.2")
        both = self.weft.json("show runtime cluster dpdk-input-*")["nodes"]
        self.assertEqual([row["threads"] for row in both], [1, 1])
        self.assertGreaterEqual(min(row["objects"] for row in both), 20)
        self.assertGreater(min(row["objects_per_second"] for row in both), 0)
        self.assertEqual(list(self.vectors("dpdk-input-a-0")), [2])
        self.assertEqual(list(self.vectors("dpdk-input-b-0")), [1])

    def test_the_longest_pause_has_its_cause(self):
        for variant in ("plain", "baseline"):
            self.weft.cli(f"set node function ip4-lookup {variant}")
        workers = self.weft.json("show workers")["workers"]
        for worker in workers:
            self.assertIn(
                worker["longest_pause_cause"],
                ("start", "set node function ip4-lookup plain", "set node function ip4-lookup baseline"),
            )


if __name__ == "__main__":
    testbed.main()
