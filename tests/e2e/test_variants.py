#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The variants of a node's function: listed, chosen by the processor, changed under traffic without a lost packet."""

import testbed

NODES = ("ethernet-input", "ip4-input", "ip4-lookup", "ip4-rewrite", "interface-output")
VARIANTS = ("plain", "baseline", "avx2", "avx512")


class Variants(testbed.NullInterfaces):
    def variants(self, node):
        return {variant["name"]: variant for variant in self.weft.json(f"show node {node}")["nodes"][0]["variants"]}

    def test_the_best_supported_form_runs(self):
        for node in NODES:
            variants = self.variants(node)
            self.assertEqual(set(variants), set(VARIANTS), node)
            best = max((f for f in variants.values() if f["supported"]), key=lambda f: f["priority"])
            self.assertTrue(best["active"], variants)
            self.assertEqual(sum(f["active"] for f in variants.values()), 1, variants)

    def test_changing_the_form_under_traffic_loses_nothing(self):
        supported = [name for name, variant in self.variants("ip4-input").items() if variant["supported"]]
        self.weft.cli("clear interface")
        self.new_stream()
        self.weft.cli("packet-generator enable s")
        for _ in range(4):
            for node in NODES:
                for variant in reversed(supported):  # the best last
                    self.weft.cli(f"set node function {node} {variant}")
                    self.assertTrue(self.variants(node)[variant]["active"])
        self.assert_none_lost()
        self.weft.cli("packet-generator delete s")

    def test_what_cannot_be_changed_is_said(self):
        refused = self.weft.try_cli(*"set node function drop avx2".split())
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("node `drop' has no variant `avx2'", refused.stderr)


if __name__ == "__main__":
    testbed.main()
