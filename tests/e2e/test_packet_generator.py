#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The packet generator and null interfaces: what a stream says arrives and is counted."""

import os
import re
import struct
import tempfile
import time

import packets
import testbed

NULL_MAC = "02:00:00:00:05:01"
SOURCE_MAC = "02:00:00:00:fe:01"


def pcap(frames):
    """A capture file of these frames."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return head + b"".join(struct.pack("<IIII", 1, 0, len(f), len(f)) + f for f in frames)


class PacketGenerator(testbed.Test):
    """(in) and (out) are null, (b) is a TAP to the server 10.0.1.2."""

    @classmethod
    def topology(cls):
        cls.server = cls.host("server")
        cls.weft = cls.router(
            testbed.config(
                {
                    "in": {"device": "null", "addresses": ["10.9.0.1/24"], "macaddress": NULL_MAC},
                    "b": "10.0.1.1/24",
                    "out": {"device": "null", "addresses": ["10.9.1.1/24"]},
                }
            )
        )
        cls.tap_b = cls.plug(
            cls.weft, "weft-b", cls.server, "10.0.1.2/24", mac=testbed.SERVER_MAC
        )
        cls.weft.cli(f"ip neighbor add b 10.0.1.2 {testbed.SERVER_MAC}")
        cls.weft.cli("ip neighbor add out 10.9.1.2 02:00:00:00:09:02")
        cls.weft.cli(f"ip neighbor add in 10.9.0.2 {SOURCE_MAC}")
        cls.folder = cls.cleanup.enter_context(tempfile.TemporaryDirectory())

    def setUp(self):
        self.weft.cli("clear interface")

    def tearDown(self):
        for stream in self.streams():
            self.weft.cli(f"packet-generator delete {stream}")
        self.assert_quiet()

    def streams(self):
        return {s["name"]: s for s in self.weft.json("show packet-generator")["streams"]}

    def start(self, name, words):
        self.weft.cli(f"packet-generator new {name} interface in {words}")
        self.weft.cli(f"packet-generator enable {name}")

    def run_to_end(self, name, words):
        self.start(name, words)
        self.assertTrue(
            testbed.eventually(lambda: self.streams()[name]["state"] == "done"), self.streams()
        )
        self.assert_quiet()

    def save(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_a_limit_arrives_exactly_at_a_null_interface(self):
        self.run_to_end("s", "source 10.9.0.2-10.9.0.40 destination 10.9.1.2 limit 1000")
        count = self.weft.counters("in")
        self.assertEqual((count["rx packets"], count["rx bytes"]), (1000, 60000))
        count = self.weft.counters("out")
        self.assertEqual((count["tx packets"], count["tx bytes"]), (1000, 60000))
        self.assertEqual(self.streams()["s"]["packets"], 1000)

    def test_a_limit_arrives_exactly_at_a_tap(self):
        self.tap_b.drain()
        self.run_to_end(
            "s",
            "source 10.9.0.2 destination 10.0.1.2 source-port 1-100 destination-port 7000 "
            "limit 1000 rate 5000",
        )
        # not by the counter of b, which has weft's answers to the server's ARP as well
        got = self.tap_b.receive(lambda f: f.destination_port == 7000, count=1001, within=5, lull=1)
        self.assertEqual([f.source_port for f in got], list(range(1, 101)) * 10)

    def test_what_a_capture_holds_is_dropped_with_its_reasons(self):
        def frame(**fields):
            inner = packets.ip4("10.9.0.2", "10.9.1.2", packets.udp(9, 9, b"x" * 20), **fields)
            return packets.ethernet(NULL_MAC, SOURCE_MAC, inner)

        path = self.save(
            "mix.pcap",
            pcap(
                [
                    frame(),
                    frame(checksum_error=1),
                    frame(version=5),
                    frame(ttl=0),
                    packets.ethernet("02:00:00:00:77:77", SOURCE_MAC, b"x" * 50),
                    packets.ethernet(NULL_MAC, SOURCE_MAC, b"x" * 50, 0x88B5),
                    b"short",
                ]
            ),
        )
        before = self.weft.errors()
        self.run_to_end("s", f"pcap {path} limit 700")
        after = self.weft.errors()
        dropped = {key: count - before.get(key, 0) for key, count in after.items()}
        for key in (
            ("ip4-input", "bad_checksum"),
            ("ip4-input", "bad_version"),
            ("ip4-input", "ttl_expired"),
            ("ethernet-input", "not_for_us"),
            ("ethernet-input", "unknown_ethertype"),
            ("ethernet-input", "too_short"),
        ):
            self.assertEqual(dropped.get(key), 100, f"{key} in {dropped}")
        self.assertEqual(self.weft.counters("out")["tx packets"], 100)

    def test_a_capture_cut_off_is_refused(self):
        path = self.save("cut.pcap", pcap([b"x" * 60])[:-1])
        done = self.weft.try_cli("packet-generator", "new", "s", "interface", "in", "pcap", path)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, "cut.pcap: truncated")

    def test_a_rate_is_kept(self):
        def rate(seconds):
            before = self.streams()["s"]["packets"]
            began = time.monotonic()
            time.sleep(seconds)
            packets_now = self.streams()["s"]["packets"]
            return (packets_now - before) / (time.monotonic() - began)

        self.start("s", "source 10.9.0.2 destination 10.9.1.2 rate 10000")
        self.assertTrue(
            testbed.eventually(lambda: abs(rate(0.5) / 10000 - 1) < 0.05, within=10),
            self.streams(),
        )
        self.assertAlmostEqual(self.streams()["s"]["measured"], 10000, delta=2000)

    def test_streams_start_stop_and_go_under_traffic(self):
        words = "source 10.9.0.2 destination 10.9.1.2"
        for _ in range(10):
            self.start("s", words)
            self.start("t", words + " size 60-1500 random rate 100000")

            def moving():
                return all(s["packets"] > 0 for s in self.streams().values())

            self.assertTrue(testbed.eventually(moving), self.streams())
            self.weft.cli("packet-generator disable s")
            self.weft.cli("packet-generator delete t")
            self.weft.cli("packet-generator enable s")
            self.assertTrue(testbed.eventually(moving), self.streams())
            self.weft.cli("packet-generator delete s")
            self.assert_quiet()
        now = self.weft.counters("in")["rx packets"]
        self.assertEqual(self.weft.counters("out")["tx packets"], now)

    def test_its_packets_are_traced(self):
        self.weft.cli(
            "packet-generator new s interface in source 10.9.0.2 destination 10.9.1.2 limit 3"
        )
        self.weft.cli("trace add packet-generator-s 2")
        self.weft.cli("packet-generator enable s")
        trace = testbed.eventually(
            lambda: (self.weft.json("show trace")["packets"] or [None] * 3)[1], within=3
        )
        self.weft.cli("clear trace")
        self.assertEqual(
            [r["node"] for r in trace["records"]],
            ["packet-generator-s", "ethernet-input", "ip4-input", "ip4-lookup", "ip4-rewrite"]
            + ["interface-output", "null-tx"],
        )

    def test_the_documented_example_runs(self):
        with open(
            os.path.join(testbed.ROOT, "docs/packet-generator.md"), encoding="utf-8"
        ) as file:
            lines = re.findall(r"^weft# (.*)$", file.read(), re.MULTILINE)
        self.assertGreater(len(lines), 4, "commands after `weft# '")
        for line in lines:
            self.weft.cli(line)
        self.assertTrue(
            testbed.eventually(lambda: self.weft.counters("out")["tx packets"] == 1000),
            self.weft.counters("out"),
        )


if __name__ == "__main__":
    testbed.main()
