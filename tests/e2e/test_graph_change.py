#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The graph changes by hand while it forwards: clones, edges and streams come and go, and no packet is lost."""

import testbed


class GraphChange(testbed.NullInterfaces):
    def setUp(self):
        self.weft.cli("clear interface")
        self.weft.cli("clear errors")
        self.new_stream()
        self.weft.cli("packet-generator enable s")

    def tearDown(self):
        self.weft.cli("packet-generator delete s")
        self.assert_quiet()

    def node(self, name):
        return self.weft.json(f"show node {name}")["nodes"][0]

    def slot(self, name, to):
        return next(n["slot"] for n in self.node(name)["nexts"] if n["node"] == to)

    def wait_for_packets(self, node):
        self.assertTrue(testbed.eventually(lambda: self.weft.node_vectors(node) > 0), node)

    def test_clones_and_edges_come_and_go_without_loss(self):
        slot = self.slot("ip4-lookup", "ip4-rewrite")
        numbers = set()
        for turn in range(8):
            hop = f"hop-{turn}"
            self.weft.cli(f"node clone ip4-rewrite {hop}")
            self.weft.cli(f"node update next ip4-lookup slot {slot} {hop}")
            self.wait_for_packets(hop)
            self.assertEqual(self.weft.cli(f"node add next ip4-lookup {hop} slot 7").strip(), "slot 7")
            self.weft.cli("node shrink ip4-lookup 4")
            numbers.add(self.node(hop)["index"])
            self.weft.cli(f"node update next ip4-lookup slot {slot} ip4-rewrite")
            self.weft.cli(f"node delete {hop}")
        self.assertLess(len(numbers), 6, "numbers of removed nodes are used again")
        self.assert_none_lost()

    def test_streams_leave_nothing_behind(self):
        before = self.weft.cli("show node")
        for turn in range(8):
            self.weft.cli(f"packet-generator new t{turn} interface in source 10.9.0.3 destination 10.9.1.2")
            self.weft.cli(f"packet-generator enable t{turn}")
            self.wait_for_packets(f"packet-generator-t{turn}")
            self.weft.cli(f"packet-generator delete t{turn}")
        self.assertEqual(self.weft.cli("show node"), before)
        self.assert_none_lost()

    def test_siblings_share_what_is_added(self):
        siblings = {n["node"] for n in self.node("device-input")["siblings"]}
        self.assertEqual(
            siblings, {"dpdk-input", "memif-input", "packet-generator", "packet-generator-s"}
        )
        count = len(self.node("device-input")["nexts"])
        self.weft.cli("node add next packet-generator-s drop")
        for name in siblings:
            self.assertEqual(self.node(name)["nexts"][count]["node"], "drop", name)
        self.weft.cli(f"node shrink dpdk-input {count}")
        self.assertEqual(len(self.node("packet-generator-s")["nexts"]), count)
        self.assert_none_lost()

    def test_an_empty_slot_has_a_reason(self):
        slot = self.slot("ip4-lookup", "ip4-rewrite")
        self.weft.cli(f"node update next ip4-lookup slot {slot} null-node")
        key = "null-node", "empty_slot"
        self.assertTrue(testbed.eventually(lambda: self.weft.errors().get(key, 0) > 0))
        self.weft.cli(f"node update next ip4-lookup slot {slot} ip4-rewrite")
        self.weft.cli("packet-generator disable s")
        self.assert_quiet()
        came, went = self.weft.counters("in")["rx packets"], self.weft.counters("out")["tx packets"]
        self.assertEqual(came, went + self.weft.errors()[key])

    def test_what_cannot_be_is_told_and_changes_nothing(self):
        before = self.weft.cli("show graph")
        for command, reason in (
            ("node delete null-tx", "node `null-tx' belongs to all interfaces"),
            ("node delete packet-generator-s", "belongs to stream s"),
            ("node delete ip4-lookup", "node `ip4-lookup' is not a clone"),
            ("node clone dpdk-tx mine", "`dpdk-tx' is cloned for each interface"),
            ("node shrink interface-output 0", "slot 0 of `interface-output' belongs to null-tx"),
            ("node shrink ip4-lookup 2", "node `ip4-lookup' itself uses its first 4 next slots"),
            ("node update next ip4-lookup slot 9 drop", "node `ip4-lookup' has 4 next slots"),
            ("node add next ip4-lookup drop slot 0", "slot 0 of `ip4-lookup' already leads to `ip4-rewrite'"),
            ("node add next ip4-lookup ip4-lookup", "`ip4-lookup' has an edge to itself"),
        ):
            refused = self.weft.try_cli(*command.split())
            self.assertEqual(refused.returncode, 1, command)
            self.assertIn(reason, refused.stderr)
        self.assertEqual(self.weft.cli("show graph"), before)
        self.assert_none_lost()


if __name__ == "__main__":
    testbed.main()
