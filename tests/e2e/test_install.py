#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""cmake --install: what lands where, a configuration that stays, a unit that systemd accepts, plugins."""

import os
import shutil
import subprocess
import tempfile
import unittest

import package
import testbed


class Install(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="weft-install-")
        self.addCleanup(shutil.rmtree, self.root)

    def install(self, prefix):
        return package.install(self.root, prefix)

    def at(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def read(self, path):
        with open(self.at(path), encoding="utf-8") as file:
            return file.read()

    def check(self, path):
        """What the installed daemon finds wrong with an installed file; empty if nothing."""
        done = subprocess.run(
            [self.at("/usr/sbin/weftd"), "-c", self.at(path), "--check"],
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, testbed.WRONG_CONFIGURATION if done.stderr else 0, done.stdout + done.stderr)
        return done.stderr

    def test_files_of_a_distribution(self):
        self.install("/usr")
        for program in ("/usr/sbin/weftd", "/usr/bin/weftctl"):
            self.assertTrue(os.access(self.at(program), os.X_OK), program)
        self.assertIn(
            "ExecStart=/usr/sbin/weftd ", self.read("/usr/lib/systemd/system/weft.service")
        )
        self.assertEqual(self.check("/etc/weft/weft.yaml"), "")
        self.assertTrue(os.path.exists(self.at("/usr/share/doc/weft/deploy.md")))

    def test_a_plugin_is_built_against_what_is_installed(self):
        prefix = self.install("/usr")
        for file in ("include/weft/graph/node.hh", "include/weft/base/net/headers.hh"):
            self.assertTrue(os.path.exists(os.path.join(prefix, file)), file)
        self.assertFalse(os.path.exists(os.path.join(prefix, "include/weft/daemon")))
        with open(self.at("/etc/weft/counted.yaml"), "w", encoding="utf-8") as file:
            file.write("dscp-counter: {enabled: true}\n")
        self.assertIn("dscp-counter: unknown key", self.check("/etc/weft/counted.yaml"))
        package.add_plugins("plugins/dscp-counter", prefix, os.path.join(self.root, "build"))
        self.assertTrue(os.path.exists(os.path.join(prefix, package.PLUGINS, "dscp-counter.so")))
        self.assertEqual(self.check("/etc/weft/counted.yaml"), "")

    def test_a_prefix_of_its_own(self):
        self.install("/usr/local")
        self.assertIn(
            "ExecStart=/usr/local/sbin/weftd -c /etc/weft/weft.yaml",
            self.read("/usr/local/lib/systemd/system/weft.service"),
        )
        self.assertTrue(os.path.exists(self.at("/etc/weft/weft.yaml")))

    def test_a_configuration_that_is_there_stays(self):
        self.install("/usr")
        with open(self.at("/etc/weft/weft.yaml"), "w", encoding="utf-8") as file:
            file.write("# mine\n")
        self.install("/usr")
        self.assertEqual(self.read("/etc/weft/weft.yaml"), "# mine\n")

    def test_systemd_accepts_the_unit(self):
        self.install("/usr")
        unit = os.path.join(self.root, "weft.service")
        text = self.read("/usr/lib/systemd/system/weft.service")
        for line in (
            "Type=notify",
            "Restart=on-failure",
            "StartLimitIntervalSec=0",
            f"RestartPreventExitStatus=2 {testbed.WRONG_CONFIGURATION}",
            "RuntimeDirectory=weft",
        ):
            self.assertIn(line + "\n", text)
        with open(unit, "w", encoding="utf-8") as file:  # where the program is
            file.write(text.replace("ExecStart=/", f"ExecStart={self.root}/"))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", unit],
            text=True,
            timeout=60,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("weft.service", done.stdout)

    def test_man_pages_read_well(self):
        self.install("/usr")
        for page in ("man8/weftd.8", "man1/weftctl.1", "man5/weft.yaml.5"):
            with self.subTest(page=page):
                path = self.at(f"/usr/share/man/{page}")
                done = subprocess.run(
                    ["groff", "-man", "-Tutf8", "-wall", "-P-cbou", path], capture_output=True, text=True, check=True
                )
                self.assertEqual(done.stderr, "")
                self.assertIn("NAME", done.stdout)
        self.assertIn("interfaces.*.mtu", done.stdout)
        self.assertTrue(os.path.exists(self.at("/usr/share/bash-completion/completions/weftctl")))


if __name__ == "__main__":
    testbed.main()
