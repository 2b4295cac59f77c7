#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the pages say is what runs: the graph, the generated pages, the sample node."""

import os
import re
import subprocess
import unittest

import testbed


def read(path):
    with open(os.path.join(testbed.ROOT, path), encoding="utf-8") as file:
        return file.read()


class Docs(unittest.TestCase):
    maxDiff = None

    def test_the_generated_pages_are_what_the_code_says(self):
        for name in ("configuration", "commands"):
            page = subprocess.run(
                [testbed.WEFTD, "--page", name], text=True, capture_output=True, check=True
            ).stdout
            self.assertEqual(read(f"docs/{name}.md"), page, "run scripts/docs")

    def test_the_samples_are_the_ones_that_are_compiled(self):
        def quoted(language):
            blocks = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
            return blocks.findall(read("CONTRIBUTING.md"))

        plugin = "plugins/dscp-counter/"
        self.assertEqual(
            quoted("cpp"), [read("tests/nodes/ttl_guard.cc"), read(plugin + "dscp_counter.cc")]
        )
        self.assertEqual(quoted("cmake"), [read(plugin + "CMakeLists.txt")])

    def test_links_lead_somewhere(self):
        for page in ["README.md", "CONTRIBUTING.md"] + [
            f"docs/{name}" for name in os.listdir(os.path.join(testbed.ROOT, "docs"))
        ]:
            for link in re.findall(r"\]\(([^)#: ]+)\)", read(page)):
                target = os.path.join(testbed.ROOT, os.path.dirname(page), link)
                self.assertTrue(os.path.exists(target), f"{page}: {link}")

    def test_the_documented_graph_is_the_running_one(self):
        text = re.sub(r"socket: *[^\s,}]+", "socket: @SOCKET@", read("conf/demo.yaml"))
        self.assertIn("@SOCKET@", text)
        documented = re.findall(
            r"^```dot\n(.*?)^```", read("docs/architecture.md"), re.MULTILINE | re.DOTALL
        )
        self.assertEqual(len(documented), 1, "blocks of dot in docs/architecture.md")
        weft = testbed.Weft(text)
        self.addCleanup(weft.close)
        running = weft.cli("show graph dot")
        self.assertEqual(
            documented[0].split("\n"),
            running.rstrip("\n").split("\n") + [""],
            "copy the output of `show graph dot' to docs/architecture.md",
        )
        self.assertEqual(weft.stop(), [])


if __name__ == "__main__":
    testbed.main()
