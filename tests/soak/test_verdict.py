#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each fault that a soak is for makes it fail, and none else does."""

import dataclasses
import os
import tempfile
import unittest
import xml.etree.ElementTree

import plot
import verdict

GOOD = verdict.Totals(1000, 1000, 0, 50, 50, 16, 16, 16, 300, 90, [])


def samples(count=40, **slopes):
    """Samples that stay alike but for what grows by so much from each to the next."""
    first = verdict.Sample(0.0, 100 << 20, 30, 256, 10.0, 20.0, 0, 0)
    made = []
    for n in range(count):
        grown = {key: getattr(first, key) + by * n for key, by in slopes.items()}
        made.append(dataclasses.replace(first, **{"seconds": 2.0 * n, "received": 100 * n, "sent": 100 * n, **grown}))
    return made


class Verdict(unittest.TestCase):
    def fault(self, taken=None, **totals):
        found = verdict.faults(taken or samples(), dataclasses.replace(GOOD, **totals))
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_nothing_is_wrong_with_what_stays_as_it_is(self):
        self.assertEqual(verdict.faults(samples(), GOOD), [])
        self.assertIn("soak: passed: 1000 packets", verdict.line(samples(), GOOD))

    def test_loss(self):
        self.assertEqual(self.fault(sent=999), "1 of 1000 packets were lost")
        self.assertEqual(self.fault(pings_answered=49), "49 of 50 pings were answered")
        self.assertEqual(self.fault(memif_answers=15), "15 of 16 frames came back by memif")

    def test_growth(self):
        self.assertIn("memory has grown by", self.fault(samples(resident=1 << 20)))
        self.assertIn("more descriptors are open", self.fault(samples(descriptors=1)))
        self.assertIn("3 packets are in flight", self.fault(in_flight=3))
        self.assertEqual(verdict.faults(samples(resident=100 << 10), GOOD), [])

    def test_what_is_made_once_at_the_start_is_no_growth(self):
        taken = samples()
        for early in taken[:9]:
            early.resident -= 50 << 20
        self.assertEqual(verdict.faults(taken, GOOD), [])

    def test_a_pause_beyond_a_vector(self):
        self.assertIn("paused for 88 us", self.fault(samples(pause=2.0)))
        self.assertEqual(verdict.faults(samples(pause=2.0, vector=2.0), GOOD), [])

    def test_a_router_that_did_nothing_has_not_passed(self):
        self.assertIn("no packets", self.fault(received=0, sent=0))
        self.assertIn("0 of 0 pings", self.fault(pings_sent=0, pings_answered=0))
        self.assertIn("0 of 0 frames", self.fault(memif_frames=0, memif_answers=0))
        self.assertIn("only 3 samples", self.fault(samples(3)))
        self.assertIn("soak: FAILED: `x' exited", verdict.line(samples(), dataclasses.replace(GOOD, failures=["`x' exited"])))


class Plot(unittest.TestCase):
    def test_a_panel_for_each_thing_that_is_watched(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "new", "soak.svg")
            plot.write(path, samples(), "soak: passed")
            root = xml.etree.ElementTree.parse(path).getroot()
        lines = root.findall("{http://www.w3.org/2000/svg}polyline")
        self.assertEqual([len(each.get("points").split()) for each in lines], [40, 40, 40, 40, 39])


if __name__ == "__main__":
    unittest.main()
