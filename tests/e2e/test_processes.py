#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon's own life as its CLI shows it: processes, timers and init functions."""

import unittest

import testbed


class Processes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.weft = testbed.Weft(testbed.config({"a": "10.0.0.1/24"}))
        cls.addClassCleanup(cls.weft.close)

    def row(self, name):
        rows = self.weft.json("show processes")["processes"]
        return next(row for row in rows if row["name"] == name)

    def refused(self, command):
        done = self.weft.try_cli(*command.split())
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stdout + (done.stderr or "")

    def test_what_each_waits_for(self):
        self.assertEqual(self.row("cli-listener")["waits_for"].split()[0], "file")
        watch = self.row("link-watch")
        self.assertEqual(watch["state"], "time wait")
        self.assertLessEqual(watch["time_left_s"], 1)
        self.assertLess(watch["stack_used"], watch["stack_size"])

    def test_stop_start_and_restart(self):
        before = self.row("link-watch")
        self.weft.cli("process restart link-watch")
        self.assertEqual(self.row("link-watch")["starts"], before["starts"] + 1)
        self.assertEqual(self.row("link-watch")["id"], before["id"])
        self.weft.cli("process stop link-watch")
        self.assertEqual(self.row("link-watch")["waits_for"], "stopped by command")
        self.weft.cli("process start link-watch")
        self.assertEqual(self.row("link-watch")["starts"], before["starts"] + 2)

    def test_what_must_not_stop(self):
        self.assertIn("restart neighbours", self.refused("process stop neighbours"))
        self.assertIn("separately from what it serves", self.refused("process stop cli-listener"))
        self.assertIn("cannot be restarted", self.refused("process restart cli-listener"))
        self.weft.cli("process restart neighbours")

    def test_an_answer_after_every_thread_has_changed(self):
        for variant in ("plain", "baseline"):
            self.weft.cli(f"set node function ip4-input {variant}")

    def test_timers_run(self):
        first = self.weft.json("show timers")
        self.assertGreaterEqual(first["running"], 2)
        self.assertTrue(
            testbed.eventually(
                lambda: self.weft.json("show timers")["expired"] > first["expired"], within=3
            )
        )

    def test_every_phase_has_its_functions(self):
        phases = {
            phase["phase"]: [f["name"] for f in phase["functions"]]
            for phase in self.weft.json("show init-function")["phases"]
        }
        self.assertEqual(
            list(phases), ["early", "start", "worker-start", "main-loop-enter", "exit"]
        )
        self.assertTrue(all(phases.values()), phases)
        workers = phases["worker-start"]
        self.assertLess(workers.index("thread-core"), workers.index("packet-cache"))
        self.assertIn(
            "after `thread-core'", self.weft.cli("show init-function verbose")
        )


if __name__ == "__main__":
    testbed.main()
