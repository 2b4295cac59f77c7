#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The forms of a node's function: listed, chosen by the processor, changed under traffic without a lost packet."""

import testbed

NODES = ("ethernet-input", "ip4-input", "ip4-lookup", "ip4-rewrite", "interface-output")
FORMS = ("plain", "baseline", "avx2", "avx512")


class Forms(testbed.NullInterfaces):
    def forms(self, node):
        return {form["name"]: form for form in self.weft.json(f"show node {node}")["nodes"][0]["forms"]}

    def test_the_best_supported_form_runs(self):
        for node in NODES:
            forms = self.forms(node)
            self.assertEqual(set(forms), set(FORMS), node)
            best = max((f for f in forms.values() if f["supported"]), key=lambda f: f["priority"])
            self.assertTrue(best["active"], forms)
            self.assertEqual(sum(f["active"] for f in forms.values()), 1, forms)

    def test_changing_the_form_under_traffic_loses_nothing(self):
        supported = [name for name, form in self.forms("ip4-input").items() if form["supported"]]
        self.weft.cli("clear interface")
        self.new_stream()
        self.weft.cli("packet-generator enable s")
        for _ in range(4):
            for node in NODES:
                for form in reversed(supported):  # the best last
                    self.weft.cli(f"set node function {node} {form}")
                    self.assertTrue(self.forms(node)[form]["active"])
        self.assert_none_lost()
        self.weft.cli("packet-generator delete s")

    def test_what_cannot_be_changed_is_said(self):
        refused = self.weft.try_cli(*"set node function drop avx2".split())
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("node `drop' has no form `avx2'", refused.stderr)


if __name__ == "__main__":
    testbed.main()
