#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon's life: ends cleanly under traffic, starts after a crash, idles when nothing comes."""

import os
import signal
import threading
import time

import packets
import testbed


class Stop(testbed.TwoHosts):
    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):  # a daemon for each test, because each ends it
        super().setUpClass()
        self.addCleanup(self.cleanup.close)
        self.learn()

    def end_under_traffic(self, with_signal):
        frame = packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", "10.0.1.2", packets.udp(7000, 7001)),
        )
        silent = packets.ethernet(
            testbed.ROUTER_A_MAC,
            testbed.CLIENT_MAC,
            packets.ip4("10.0.0.2", "10.0.1.99", packets.udp(7000, 7001)),
        )  # some packets wait for a neighbour
        stop = threading.Event()

        def send():
            while not stop.is_set():
                try:
                    self.tap_a.send([frame] * 31 + [silent])
                except OSError:
                    return  # the TAP port has gone with the daemon

        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(0.5)
        wrong = self.weft.stop(with_signal)
        stop.set()
        sender.join()
        self.assertEqual(wrong, [])
        links = self.client.run("ip", "link").stdout
        self.assertNotIn("weft-a", links, "the port is still open")

    def test_terminated_under_traffic(self):
        self.end_under_traffic(signal.SIGTERM)

    def test_interrupted_under_traffic(self):
        self.end_under_traffic(signal.SIGINT)

    def test_starts_again_where_a_killed_one_left_its_socket(self):
        self.weft.process.kill()
        self.weft.process.wait()
        self.assertTrue(os.path.exists(self.weft.socket))
        self.weft.start()
        self.assertEqual(self.weft.stop(), [])

    def second(self, config):
        return self.weft.namespace.run(testbed.WEFTD, "-c", config, check=False, timeout=20)

    def copy_of_config(self, socket):
        """The same router with a socket of its own."""
        path = os.path.join(self.weft.directory, "copy.yaml")
        with open(self.weft.config, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(self.weft.socket, socket))
        return path

    def test_a_second_daemon_touches_nothing_of_the_first(self):
        for tap in ("weft-a", "weft-b"):  # with their kernel sides where the second would find them
            home = self.client if tap == "weft-a" else self.server
            home.run("ip", "link", "set", tap, "netns", self.weft.namespace.name)
        inside = self.weft.namespace
        inside.run("ip", "address", "add", "10.0.0.2/24", "dev", "weft-a")
        inside.run("ip", "link", "set", "weft-a", "up")
        inside.run("ip", "link", "set", "weft-b", "up")
        for port in ("a", "b"):  # the router looks for links ten times a second
            self.assertTrue(testbed.eventually(lambda: self.weft.has_link(port)))
        inside.run("ping", "-c", "1", "-W", "2", "10.0.0.1")
        before = inside.run("ip", "-o", "link").stdout
        other_socket = os.path.join(self.weft.directory, "other.sock")
        for config, why in (
            (self.weft.config, f"another daemon (process {self.weft.process.pid}) holds {self.weft.socket}"),
            (
                self.copy_of_config(other_socket),
                f"interfaces.a: TAP `weft-a' is in use by another daemon (process {self.weft.process.pid})",
            ),
        ):
            second = self.second(config)
            self.assertEqual(second.returncode, 1, second.stdout)
            self.assertIn(why, second.stdout)
            self.assertEqual(inside.run("ip", "-o", "link").stdout, before)
            inside.run("ping", "-c", "1", "-W", "2", "10.0.0.1")
        self.assertTrue(self.weft.cli("show version"))
        self.assertFalse(os.path.exists(other_socket + ".lock"))

    def test_an_idle_router_leaves_its_core_alone(self):
        time.sleep(1)

        def used():
            with open(f"/proc/{self.weft.process.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        before = used()
        time.sleep(3)
        self.assertLess(used() - before, 0.9, "seconds of processor time in three idle seconds")


if __name__ == "__main__":
    testbed.main()
