#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Configuration: the samples are right; a wrong file is told all its errors, starts nothing."""

import glob
import os
import subprocess
import tempfile
import unittest

import testbed

WRONG = """\
cpu: {main: 0, workers: [4095]}
memory: {hugepages: perhaps, size: 256M}
interfaces:
  a: {device: "net_tap0,iface=weft-a", mtu: 20, addresses: [10.0.0.1/24]}
  b: {device: "net_tap1,iface=weft-b", adresses: [10.0.1.1/24]}
  c: {device: "net_tap2,iface=weft-c", addresses: [10.0.0.300/24]}
routes:
  - {to: 16.0.0.0/8, via: 10.0.0.2}
  - {to: 16.0.0.1/8, via: 10.0.0.2}
frobnicate: 1
"""
# What each error of WRONG must name: its place and its key, and where one is near, the valid key.
EXPECTED = (
    (":1:", "cpu.workers[0]", "4095"),
    (":2:", "memory.hugepages", "perhaps"),
    (":4:", "interfaces.a.mtu", "20"),
    (":5:", "interfaces.b.adresses", "addresses"),
    (":6:", "interfaces.c.addresses", "10.0.0.300"),
    (":9:", "routes[1].to", "16.0.0.0/8"),
    (":10:", "frobnicate", ""),
)


class Config(unittest.TestCase):
    def check(self, path, *options):
        return subprocess.run(
            [testbed.WEFTD, "-c", path, *options],
            text=True,
            timeout=20,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def file(self, text):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "router.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def assert_wrong(self, text, *words):
        done = self.check(self.file(text), "--check")
        self.assertEqual(done.returncode, testbed.WRONG_CONFIGURATION, done.stdout)
        for word in words:
            self.assertIn(word, done.stdout)

    def test_patterns_of_workers(self):
        text = """\
cpu:
  main: 0
  workers:
    - {core: 0, nodes: ["dpdk-input-b-*", "ip4*", "a["]}
    - {core: 0, node: [x]}
    - {nodes: x}
"""
        self.assert_wrong(
            text,
            ":4:51: cpu.workers[0].nodes[2]: `a[': a `[' is not closed",
            ":5:17: cpu.workers[1].node: unknown key; did you mean `nodes'?",
            "cpu.workers[2].core: missing; expected a number",
            "cpu.workers[2].nodes: expected a list, found `x'",
        )
        text = """\
cpu: {main: 0, workers: [{core: 0, nodes: ["!dpdk-input-a-0", "*"]}, {core: 0, nodes: [ip4-*]}]}
interfaces:
  a: {device: "net_tap0,iface=weft-a"}
"""
        self.assert_wrong(
            text,
            ":3:3: interfaces.a: no worker's patterns include its node `dpdk-input-a-0' "
            "(cpu.workers[].nodes)",
        )
        text = """\
cpu: {main: 0, workers: [{core: 0, nodes: ["!ip4-lookup"]}]}
memory: {size: 256M}
cli: {socket: /tmp/weft-never.sock}
"""
        done = self.check(self.file(text))
        self.assertEqual(done.returncode, testbed.WRONG_CONFIGURATION, done.stdout)
        self.assertIn("the graph of thread worker-1 is not valid", done.stdout)
        self.assertIn(
            "an edge leads from node `ip4-input' to `ip4-lookup', which the patterns "
            "`!ip4-lookup' leave out",
            done.stdout,
        )

    def test_samples_are_right(self):
        samples = sorted(glob.glob(os.path.join(testbed.ROOT, "conf/*.yaml")))
        self.assertGreaterEqual(len(samples), 3)
        for sample in samples:
            with self.subTest(sample=os.path.basename(sample)):
                done = self.check(sample, "--check")
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_all_errors_at_once_with_their_places(self):
        done = self.check(self.file(WRONG), "--check")
        self.assertEqual(done.returncode, testbed.WRONG_CONFIGURATION)
        lines = done.stdout.splitlines()
        for words in EXPECTED:
            self.assertTrue(
                [
                    line
                    for line in lines
                    if "router.yaml" in line and all(word in line for word in words)
                ],
                f"{words} in:\n{done.stdout}",
            )

    def test_nothing_is_started(self):
        host = testbed.Namespace("wrong")
        self.addCleanup(host.delete)
        path = self.file(WRONG + f"cli: {{socket: {tempfile.gettempdir()}/weft-never.sock}}\n")
        done = host.run(testbed.WEFTD, "-c", path, check=False)
        self.assertEqual(done.returncode, testbed.WRONG_CONFIGURATION, done.stdout)
        self.assertIn("interfaces.a.mtu", done.stdout)
        self.assertNotIn("weft-", host.run("ip", "link").stdout)
        self.assertFalse(os.path.exists(f"{tempfile.gettempdir()}/weft-never.sock"))

    def test_check_opens_no_port(self):
        host = testbed.Namespace("check")
        self.addCleanup(host.delete)
        monitor = host.start("ip", "monitor", "link", stdout=subprocess.PIPE)
        done = host.run(
            testbed.WEFTD, "-c", os.path.join(testbed.ROOT, "conf/demo.yaml"), "--check"
        )
        self.assertEqual(done.returncode, 0)
        monitor.terminate()
        self.assertEqual(monitor.communicate()[0], b"")

    def test_networks_that_overlap(self):
        self.assert_wrong(
            "interfaces:\n"
            "  a: {device: net_null0, addresses: [10.0.0.1/16]}\n"
            "  b: {device: net_null1, addresses: [10.0.1.1/24]}\n",
            "router.yaml:3:",
            "interfaces.b.addresses",
            "10.0.1.1/24",
        )

    def test_a_key_given_twice(self):
        self.assert_wrong("log: {level: info}\nlog: {level: debug}\n", "router.yaml:2:", "log")

    def test_a_file_that_is_no_yaml(self):
        self.assert_wrong("interfaces: {a: [\n", "router.yaml:")

    def test_a_file_that_is_not_there(self):
        done = self.check("/nonexistent/router.yaml", "--check")
        self.assertEqual(done.returncode, testbed.WRONG_CONFIGURATION)
        self.assertIn("/nonexistent/router.yaml", done.stdout)

    def test_a_plugin_that_is_asked_for_and_not_there(self):
        self.assert_wrong(
            "plugins: {path: /tmp, nosuch: {enabled: true}}\n",
            "router.yaml:1:41: plugins.nosuch.enabled: the plugin is refused: it is listed in the "
            "configuration, but the file does not exist",
        )

    def test_a_device_that_cannot_be_opened_ends_the_daemon(self):
        path = self.file(
            "interfaces:\n  a: {device: net_nonsense0, addresses: [10.0.0.1/24]}\n"
            f"cli: {{socket: {tempfile.gettempdir()}/weft-never.sock}}\n"
            "memory: {hugepages: false, size: 256M}\n"
        )
        done = self.check(path)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("net_nonsense0", done.stdout)


if __name__ == "__main__":
    testbed.main()
