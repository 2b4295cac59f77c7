#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Memifs: two routers back to back, DPDK as a client that is killed under traffic, clients that break every rule."""

import os
import signal
import struct
import tempfile

import memif_client
import packets
import testbed
from memif_client import MemifClient, Refused

CLIENT_MAC = "02:00:00:00:0c:02"
ROUTER_MAC = "02:00:00:00:0c:01"
INSIDE = 4000  # a length that fits into the client's memory but not into a packet buffer


def memif(path, role, more=""):
    return f"net_memif0,role={role},socket={path},socket-abstract=no{more}"


def testpmd(namespace, memif_arguments, mode):
    """DPDK's own driver at the other end; the caller ends it."""
    words = ["-l", "{},{}".format(*testbed.cores()), "--no-pci", "--no-huge", "--no-shconf"]
    words += ["--no-telemetry", "-m", "256", "--file-prefix", f"weft-test-{os.getpid()}"]
    words += ["--vdev", f"net_memif0,{memif_arguments},socket-abstract=no"]
    words += ["--", "--nb-cores=1", f"--forward-mode={mode}", "--total-num-mbufs=4096"]
    words += ["--auto-start", "--stats-period=1"]
    return namespace.start("dpdk-testpmd", *words)


class BackToBack(testbed.Test):
    """client - (a) one (m: server) == (m: client) two (b) - server"""

    @classmethod
    def topology(cls):
        cls.folder = cls.cleanup.enter_context(tempfile.TemporaryDirectory())
        cls.path = os.path.join(cls.folder, "m.sock")
        cls.client, cls.server = cls.host("client"), cls.host("server")
        cls.one = cls.make("a", "10.0.0.1/24", "server", "10.0.9.1/24", "10.0.1.0/24", "10.0.9.2")
        cls.two = cls.make("b", "10.0.1.1/24", "client", "10.0.9.2/24", "10.0.0.0/24", "10.0.9.1")
        cls.plug(cls.one, "weft-a", cls.client, "10.0.0.2/24", "10.0.0.1", testbed.CLIENT_MAC)
        cls.plug(cls.two, "weft-b", cls.server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC)
        assert testbed.eventually(cls.is_up), cls.one.log() + cls.two.log()

    def test_dpdk_as_the_server_answers_a_ping(self):
        """testpmd's icmpecho mode answers ARP and echo requests for any address."""
        peer = testpmd(self.one.namespace, f"role=server,id=3,socket={self.folder}/d.sock", "icmpecho")
        try:
            self.assertTrue(testbed.eventually(lambda: self.is_link_up(self.one, "d"), 20), self.one.log())
            output = self.client.run("ping", "-c", "4", "-i", "0.2", "-W", "2", "10.0.4.9").stdout
            self.assertIn(" 0% packet loss", output)
        finally:
            peer.kill()
            peer.wait()
        self.assertTrue(testbed.eventually(lambda: not self.is_link_up(self.one, "d"), 5))

    @classmethod
    def make(cls, tap, tap_address, role, address, to, via):
        ports = {
            tap: tap_address,
            "m": {
                # buffers shorter than a packet: what is long goes in parts, both ways
                "device": memif(cls.path, role, ",secret=same,bsize=512"),
                "addresses": [address],
                "queues": 2,
                "macaddress": f"02:00:00:00:09:0{1 if role == 'server' else 2}",
            },
        }
        if role == "server":
            ports["d"] = {
                "device": f"net_memif1,role=client,id=3,socket={cls.folder}/d.sock,socket-abstract=no,rsize=6",
                "addresses": ["10.0.4.1/24"],
            }
        return cls.router(testbed.config(ports, routes=[{"to": to, "via": via}]))

    @classmethod
    def is_up(cls):
        return all(cls.is_link_up(weft) for weft in (cls.one, cls.two))

    def ping(self, *words):
        return self.client.run("ping", "-i", "0.2", "-W", "2", *words, "10.0.1.2").stdout

    def test_ping_goes_through_both(self):
        for size in ("56", "1472"):
            output = self.ping("-c", "4", "-s", size)
            self.assertIn(" 0% packet loss", output)
            self.assertIn("ttl=62", output)
        self.assert_quiet(self.one)
        self.assert_quiet(self.two)

    def test_a_queue_that_waits_for_interrupts_is_woken(self):
        for weft in (self.one, self.two):
            weft.cli("set interface rx-mode m interrupt")
        try:
            output = self.ping("-c", "8")
            self.assertIn(" 0% packet loss", output)
            # who is not woken looks every 100 ms, on each of four ways
            quickest = float(output.rsplit("= ", 1)[1].split("/")[0])
            self.assertLess(quickest, 20, output)
        finally:
            for weft in (self.one, self.two):
                weft.cli("set interface rx-mode m adaptive")

    def test_show_hardware_has_its_rings_but_not_its_secret(self):
        text = self.one.cli("show hardware")
        for line in ("receive_rings +2", "transmit_rings +2", "connections +[1-9]"):
            self.assertRegex(text, line)
        self.assertIn("secret=...", text)
        self.assertNotIn("secret=same", text)

    def test_a_full_stream_crosses(self):
        server = self.server.start("iperf3", "-s", "-1")
        try:
            done = testbed.eventually(
                lambda: (lambda d: d.returncode == 0 and d)(
                    self.client.run("iperf3", "-c", "10.0.1.2", "-t", "2", check=False)
                ),
                5,
                0.2,
            )
            self.assertTrue(done)
        finally:
            server.kill()
            server.wait()
        self.assert_quiet(self.one)

    def test_the_other_end_may_die_and_come_back(self):
        for _ in range(3):
            self.two.process.send_signal(signal.SIGSTOP)  # frames pile up in the ring
            self.client.run("ping", "-f", "-c", "100", "-W", "1", "10.0.1.2", check=False)
            self.two.process.kill()
            self.two.process.wait()
            self.assertTrue(testbed.eventually(lambda: not self.is_link_up(self.one), 5))
            self.client.run("ping", "-c", "1", "-W", "1", "10.0.1.2", check=False)
            errors = self.one.errors()  # a dead link is no way out
            self.assertGreater(
                errors.get(("memif-tx-m", "no_peer"), 0) + errors.get(("ip4-lookup", "no_route"), 0), 0
            )
            self.two.start()
            self.plug(self.two, "weft-b", self.server, "10.0.1.2/24", "10.0.1.1", testbed.SERVER_MAC)
            self.assertTrue(testbed.eventually(self.is_up, 5), self.one.log())
            self.client.run("ping", "-c", "3", "-i", "0.2", "-W", "2", "10.0.1.2", check=False)
            self.assertIn(" 0% packet loss", self.ping("-c", "3"))

    @staticmethod
    def is_link_up(weft, name="m"):
        return any(
            row["link"] == "up"
            for row in weft.json("show interface")["interfaces"]
            if row["name"] == name
        )


class Clients(testbed.Test):
    """client on (m) and (n): what the test, or DPDK, makes of it; null interfaces take what is forwarded."""

    @classmethod
    def topology(cls):
        cls.folder = cls.cleanup.enter_context(tempfile.TemporaryDirectory())
        cls.path = os.path.join(cls.folder, "m.sock")
        cls.weft = cls.router(
            testbed.config(
                {
                    "m": {
                        "device": memif(cls.path, "server", ",secret=word"),
                        "addresses": ["10.0.2.1/24"],
                        "macaddress": ROUTER_MAC,
                    },
                    "n": {
                        "device": f"net_memif1,role=server,id=7,socket={cls.folder}/n.sock,socket-abstract=no",
                        "addresses": ["10.0.3.1/24"],
                        "macaddress": "02:00:00:00:0d:01",
                    },
                    "out": {"device": "null", "addresses": ["10.9.1.1/24"]},
                }
            )
        )
        cls.weft.cli("ip neighbor add out 10.9.1.2 02:00:00:00:09:02")
        cls.weft.cli(f"ip neighbor add m 10.0.2.2 {CLIENT_MAC}")

    def connected(self, **options):
        return MemifClient(self.path).connect(secret=b"word", **options)

    def echo(self, payload=b"x" * 40):
        return packets.ethernet(
            ROUTER_MAC,
            CLIENT_MAC,
            packets.ip4("10.0.2.2", "10.0.2.1", packets.icmp_echo(1, 1, payload), protocol=1),
        )

    @staticmethod
    def answer_to(client):
        """The next frame that is no ARP, by which the router may ask or announce at any time."""
        frame = client.take()
        while frame is not None and frame[12:14] == b"\x08\x06":
            frame = client.take()
        return frame

    def assert_works(self, client, payload=b"x" * 40):
        client.put(self.echo(payload))
        client.send()
        answer = self.answer_to(client)
        self.assertIsNotNone(answer, self.weft.cli("show errors") + self.weft.log())
        self.assertEqual(answer[-len(payload) :], payload)

    def assert_refused(self, words, **options):
        with MemifClient(self.path) as client:
            with self.assertRaises(Refused) as caught:
                client.connect(**{"secret": b"word", **options})
            self.assertIn(words, str(caught.exception))

    def test_a_client_that_breaks_the_protocol_is_told_why(self):
        with tempfile.TemporaryFile() as plain:
            for words, options in (
                ("version 0x100", {"version": 0x100}),
                ("no interface 5 here; expected 0", {"identity": 5}),
                ("mode 1; expected Ethernet", {"mode": 1}),
                ("wrong secret", {"secret": b"guess"}),
                ("F_SEAL_SHRINK", {"sealed": False}),
                ("in a file of 4096", {"file_bytes": 4096, "region_bytes": 1 << 20, "log2": 1}),
                ("at most 256 MiB in all (region-limit)", {"region_bytes": 1 << 33}),
                ("expected region 0", {"region": 1}),
                ("does not fit into region 3", {"ring_region": 3}),
                ("does not fit into region 0", {"ring_offset": 1 << 30}),
                ("does not fit into region 0", {"ring_offset": 4}),
                ("a ring of 2^15", {"log2": 15}),
                ("without an eventfd", {"bell": plain.fileno()}),
                ("cookie", {"cookie": 7}),
            ):
                with self.subTest(words):
                    self.assert_refused(words, **options)
        with self.connected() as good:
            self.assert_works(good)

    def test_messages_out_of_turn_are_refused(self):
        for kind, body, words in (
            (memif_client.CONNECT, b"", "before it introduced itself"),
            (memif_client.ADD_REGION, b"", "before it introduced itself"),
            (memif_client.ACK, b"", "unexpected message 1"),
            (999, b"", "unexpected message 999"),
        ):
            with self.subTest(kind), MemifClient(self.path) as client:
                client.hear(memif_client.HELLO)
                with self.assertRaises(Refused) as caught:
                    client.say(kind, body)
                self.assertIn(words, str(caught.exception))
        with MemifClient(self.path) as client:
            client.hear(memif_client.HELLO)
            client.socket.send(b"short")
            with self.assertRaises(Refused) as caught:
                client.hear(memif_client.ACK)
            self.assertIn("expected a message of 128 bytes, found 5", str(caught.exception))

    def test_files_that_nobody_asked_for_are_closed(self):
        def files():
            return len(os.listdir(f"/proc/{self.weft.process.pid}/fd"))

        before = files()
        with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as two:
            for _ in range(5):
                with MemifClient(self.path) as client:
                    client.hear(memif_client.HELLO)
                    init = struct.pack("<HIB24s32s", memif_client.VERSION, 0, 0, b"word", b"test")
                    client.say(memif_client.INIT, init)  # none are taken before, where the kernel can refuse them
                    with self.assertRaises(Refused):
                        client.say(999, file=(one.fileno(), two.fileno()))
        self.assertTrue(testbed.eventually(lambda: files() <= before), files() - before)

    def test_a_client_that_says_nothing_does_not_keep_others_out(self):
        with MemifClient(self.path) as silent:
            silent.hear(memif_client.HELLO)
            with self.connected() as good:
                self.assert_works(good)
            with self.assertRaises(Refused) as caught:
                silent.hear(memif_client.ACK)
            self.assertIn("sent nothing", str(caught.exception))

    def test_frames_of_all_lengths_come_back_whole(self):
        with self.connected() as client:
            for length in (1, 2, 15, 16, 17, 21, 22, 23, 31, 32, 33, 53, 54, 64, 100, 1000, 1472):
                self.assert_works(client, bytes(i % 251 for i in range(length)))

    def test_a_frame_in_parts_is_one_packet(self):
        with self.connected() as client:
            for cuts in ((1,), (14, 15), (100, 200, 300), (1000,)):
                payload = bytes(i % 249 for i in range(1200))
                whole = self.echo(payload)
                ends = [0, *cuts, len(whole)]
                for begin, end in zip(ends, ends[1:]):
                    last = end == len(whole)
                    client.put(whole[begin:end], flags=0 if last else memif_client.GOES_ON)
                client.send()
                self.assertEqual(self.answer_to(client)[-len(payload) :], payload)

    def test_descriptors_that_lie_are_counted(self):
        whole = self.echo()
        with self.connected() as client:
            for reason, descriptor in (
                ("bad_descriptor", {"region": 9}),
                ("bad_descriptor", {"offset": client.bytes - 10}),
                ("bad_descriptor", {"offset": 0xFFFFFFFF}),
                ("bad_descriptor", {"length": 0xFFFFFFFF}),
                ("bad_descriptor", {"length": 0}),
                ("too_long", {"length": INSIDE, "offset": 0}),
                ("broken_chain", {"flags": memif_client.GOES_ON}),
            ):
                with self.subTest(reason, **descriptor):
                    client.put(whole, **descriptor)
                    self.assert_counted("memif-input-m-0", reason, client.send)
                    self.assert_works(client)  # the next one is as good as ever
            # buffers that are none: what would be sent there is dropped
            for way in ({"region": 9}, {"offset": 0xFFFFFFFF}, {"length": 0}):
                with self.subTest("offered", **way):
                    client.describe(1, client.received, **way)
                    client.put(whole)
                    self.assert_counted("memif-tx-m", "bad_descriptor", client.send)
                    self.assertEqual(self.answer_to(client), b"")
                    self.assert_works(client)
        self.assert_quiet()

    def test_an_end_that_jumps_does_no_harm(self):
        with self.connected() as client:
            for i in range(client.size):
                client.describe(0, i, length=INSIDE, offset=0xFFFFFFF0)
            client.move(0, memif_client.HEAD, 60000)
            self.assertTrue(testbed.eventually(lambda: client.position(0, memif_client.TAIL) > 200))
        with self.connected() as good:
            self.assert_works(good)
        self.assert_quiet()

    def link(self):
        """As the router knows it: it looks once a second."""
        ports = self.weft.json("show interface")["interfaces"]
        return next(port["link"] for port in ports if port["name"] == "m")

    def test_a_full_ring_drops_what_it_cannot_take(self):
        self.assertTrue(testbed.eventually(lambda: self.link() == "down"))
        with self.connected() as client:
            # all that the router sends by itself: nobody asks for a static neighbour
            announced = client.take()
            self.assertEqual((announced[12:14], announced[28:32]), (b"\x08\x06", bytes((10, 0, 2, 1))))

            def flood():
                for _ in range(2 * client.size):
                    client.put(self.echo())
                    client.send()

            before = self.weft.errors().get(("memif-tx-m", "tx_full"), 0)
            flood()
            dropped = self.weft.errors().get(("memif-tx-m", "tx_full"), 0) - before
            self.assertEqual(dropped, client.size)
            for _ in range(client.size):
                self.assertIsNotNone(client.take())
            self.assert_works(client)

    def test_dpdk_is_killed_under_traffic(self):
        """DPDK's own driver as the client, sending as fast as it can."""
        start = self.weft.process
        for _ in range(4):
            before = self.weft.counters("n")["rx packets"]
            peer = testpmd(
                self.weft.namespace, f"role=client,id=7,socket={self.folder}/n.sock", "txonly"
            )
            try:
                self.assertTrue(
                    testbed.eventually(
                        lambda: self.weft.counters("n")["rx packets"] > before + 10_000, 20
                    ),
                    self.weft.log(),
                )
            finally:
                peer.kill()
                peer.wait()
        self.assertIs(self.weft.process, start)
        self.assertIsNone(self.weft.process.poll(), self.weft.log())
        self.assert_quiet()


if __name__ == "__main__":
    testbed.main()
