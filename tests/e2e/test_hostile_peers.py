#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Peers that mean harm: files that sleep in close(), bells that block or never stop. Nobody waits for them."""

import contextlib
import os
import signal
import socket
import struct
import tempfile
import threading
import time

import memif_client
import packets
import testbed
from fuse_file import StuckFile
from memif_client import MemifClient, Refused

CLIENT_MAC = "02:00:00:00:0c:02"
ROUTER_MAC = "02:00:00:00:0c:01"
HOUR = 3600


class HostilePeers(testbed.Test):
    """Two memif servers; the test is at the other end of both."""

    @classmethod
    def topology(cls):
        cls.folder = cls.cleanup.enter_context(tempfile.TemporaryDirectory())
        cls.paths = [os.path.join(cls.folder, name) for name in ("m.sock", "n.sock")]
        cls.weft = cls.router(
            testbed.config(
                {
                    name: {
                        "device": f"net_memif{i},role=server,id=0,socket={path}{more}",
                        "addresses": [f"10.0.{i}.1/24"],
                        "macaddress": ROUTER_MAC,
                    }
                    for i, (name, path, more) in enumerate(
                        (("m", cls.paths[0], ""), ("n", cls.paths[1], ",socket-mode=600"))
                    )
                }
            )
        )
        cls.weft.cli(f"ip neighbor add m 10.0.0.2 {CLIENT_MAC}")

    def setUp(self):
        self.open = contextlib.ExitStack()
        self.addCleanup(self.open.close)

    def send_lingering_socket(self, to, message):
        """With a TCP connection that can send no more and is to linger for an hour, whose last holder is `to` then."""
        listener = self.open.enter_context(socket.create_server(("127.0.0.1", 0)))
        sender = socket.create_connection(listener.getsockname())
        self.open.enter_context(listener.accept()[0])
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, HOUR))
        sender.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.send(bytes(65536))
        self.weft.process.send_signal(signal.SIGSTOP)  # who closes it last waits: not the test
        try:
            socket.send_fds(to, [message], [sender.fileno()])
        except OSError:  # it is not taken
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            sender.close()
            self.weft.process.send_signal(signal.SIGCONT)

    def connected(self, which=0):
        return self.open.enter_context(MemifClient(self.paths[which])).connect()

    def introduced(self, which):
        """A client from which the router takes files."""
        client = self.open.enter_context(MemifClient(self.paths[which]))
        client.hear(memif_client.HELLO)
        client.say(memif_client.INIT, struct.pack("<HIB24s32s", memif_client.VERSION, 0, 0, b"", b"test"))
        return client

    def assert_answers(self):
        """The main thread, and at once."""
        self.assertEqual(self.weft.try_cli("show", "version", timeout=5).returncode, 0)

    @staticmethod
    def echo():
        payload = packets.icmp_echo(1, 1, b"x" * 40)
        return packets.ethernet(ROUTER_MAC, CLIENT_MAC, packets.ip4("10.0.0.2", "10.0.0.1", payload, protocol=1))

    def send_lingering(self, which, count):
        """As a region, which is looked at, and behind it, where nobody reads them any more."""
        client = self.introduced(which)
        body = struct.pack("<HHQ", memif_client.ADD_REGION, 0, 65536).ljust(128, b"\0")
        for _ in range(count):
            self.send_lingering_socket(client.socket, body)
        return client

    def send_stuck(self, which):
        """As a region, a file whose program answers nothing any more."""
        if not os.path.exists("/dev/fuse"):
            return
        folder = self.open.enter_context(tempfile.TemporaryDirectory())
        stuck = self.open.enter_context(StuckFile(folder))
        client = self.introduced(which)
        body = struct.pack("<HHQ", memif_client.ADD_REGION, 0, 10).ljust(128, b"\0")
        socket.send_fds(client.socket, [body], [stuck])
        with self.assertRaises(Refused) as caught:
            client.hear(memif_client.ACK)
        self.assertIn("not shared memory", str(caught.exception))

    def send_lingering_to_the_cli(self):
        cli = self.open.enter_context(socket.socket(socket.AF_UNIX))
        cli.connect(self.weft.socket)
        for _ in range(2):
            self.send_lingering_socket(cli, b"show version\n")

    def block_bell(self, client):
        """The bell that the router rings, full and without O_NONBLOCK; the router takes its client to sleep."""
        os.set_blocking(client.bells[1], True)
        os.eventfd_write(client.bells[1], (1 << 64) - 2)
        struct.pack_into("<H", client.memory, client.ring_bytes + 4, 0)

    def test_files_that_linger_hold_nobody_up(self):
        self.send_lingering_to_the_cli()
        client = self.send_lingering(0, 3)
        with self.assertRaises(Refused) as caught:
            client.hear(memif_client.ACK)
        self.assertIn("not shared memory", str(caught.exception))
        self.assert_answers()
        self.connected()
        files = f"/proc/{self.weft.process.pid}/fd"

        def sockets():
            return sum("socket:" in os.readlink(os.path.join(files, f)) for f in os.listdir(files))

        self.assertTrue(testbed.eventually(lambda: sockets() <= 5), "they are not closed")

    def test_a_bell_that_blocks_holds_no_worker_up(self):
        client = self.connected()
        self.block_bell(client)
        for _ in range(3):
            client.put(self.echo())
            client.send()  # sees that the router goes on
        self.assertTrue(testbed.eventually(lambda: client.position(1, memif_client.TAIL) >= 3))
        self.assert_answers()

    def ring_for_nothing(self, client):
        stop = threading.Event()

        def ring():
            while not stop.is_set():
                os.eventfd_write(client.bells[0], 1)
                time.sleep(0.0002)

        thread = threading.Thread(target=ring)
        thread.start()
        self.open.callback(thread.join)
        self.open.callback(stop.set)

    def test_a_user_who_is_not_let_in_is_told_so(self):
        os.chmod(self.folder, 0o755)
        os.chmod(self.paths[1], 0o666)  # the file would let him in
        os.seteuid(65534)
        try:
            with MemifClient(self.paths[1]) as client, self.assertRaises(Refused) as caught:
                client.hear(memif_client.HELLO)
        finally:
            os.seteuid(0)
            os.chmod(self.paths[1], 0o600)
        self.assertIn("user 65534 (group 0) is not allowed by owner 0, group 0, mode 0600", str(caught.exception))

    def test_a_socket_has_the_mode_that_was_asked_for(self):
        self.assertEqual([os.stat(path).st_mode & 0o777 for path in self.paths], [0o660, 0o600])

    def test_terminated_while_all_of_that_goes_on(self):
        client = self.connected(0)
        self.block_bell(client)
        client.put(self.echo())
        client.send()
        self.ring_for_nothing(client)
        self.send_lingering(1, 3)
        self.send_stuck(1)
        self.send_lingering_to_the_cli()
        waiting = self.open.enter_context(MemifClient(self.paths[0]))  # not accepted yet
        self.send_lingering_socket(waiting.socket, b"x")
        self.assertEqual(self.weft.stop(), [])  # within two seconds
        self.weft.start()
        self.weft.process.send_signal(signal.SIGKILL)
        self.weft.process.wait()
        self.weft.start()  # in place of the sockets that are left over
        self.weft.cli(f"ip neighbor add m 10.0.0.2 {CLIENT_MAC}")
        self.connected(0)


if __name__ == "__main__":
    testbed.main()
