#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The graph in docs/architecture.md is the one that runs with conf/demo.yaml."""

import os
import re
import unittest

import testbed


class Docs(unittest.TestCase):
    def test_the_documented_graph_is_the_running_one(self):
        with open(os.path.join(testbed.ROOT, "conf/demo.yaml"), encoding="utf-8") as file:
            text = re.sub(r"socket: *[^\s,}]+", "socket: @SOCKET@", file.read())
        self.assertIn("@SOCKET@", text)
        with open(os.path.join(testbed.ROOT, "docs/architecture.md"), encoding="utf-8") as file:
            documented = re.findall(r"^```dot\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(documented), 1, "blocks of dot in docs/architecture.md")
        weft = testbed.Weft(text)
        self.addCleanup(weft.close)
        self.maxDiff = None
        running = weft.cli("show graph dot")
        self.assertEqual(
            documented[0].split("\n"),
            running.rstrip("\n").split("\n") + [""],
            "copy the output of `show graph dot' to docs/architecture.md",
        )
        self.assertEqual(weft.stop(), [])


if __name__ == "__main__":
    testbed.main()
