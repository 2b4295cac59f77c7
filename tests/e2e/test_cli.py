#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weftctl and the control socket: exit statuses, views, batches, many and hostile clients."""

import os
import select
import socket
import stat
import subprocess
import tempfile
import time

import testbed

SHOWS = (
    "version",
    "runtime",
    "runtime max",
    "runtime summary",
    "node",
    "node ip4-lookup",
    "errors",
    "interface",
    "interface a",
    "hardware",
    "ip fib",
    "ip fib 10.0.0.0/24",
    "ip fib summary",
    "ip neighbors",
    "graph",
    "graph dot",
    "graph live",
    "capture",
    "workers",
    "processes",
    "buffers",
    "log",
    "trace",
)


class Cli(testbed.TwoHosts):
    def test_each_show_has_a_text_and_a_json_view(self):
        for what in SHOWS:
            with self.subTest(show=what):
                self.assertTrue(self.weft.cli(f"show {what}").strip())
                self.weft.json(f"show {what}")  # raises if it is not JSON

    def test_the_startup_configuration_can_be_loaded_again(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            file.write(self.weft.cli("show config startup"))
            file.flush()
            checked = subprocess.run(
                [testbed.WEFTD, "--check", "-c", file.name], capture_output=True, text=True, check=False
            )
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        a = self.weft.json("show config startup interfaces.a")["config"]
        self.assertEqual(a["addresses"], ["10.0.0.1/24"])
        self.assertEqual(self.weft.cli("show config startup interfaces.a.addresses[0]").strip(), "10.0.0.1/24")
        self.assertIn("did you mean `interfaces'", self.weft.try_cli("show", "config", "startup", "interface.a").stderr)

    def test_exit_status_of_a_failed_command(self):
        for command in (
            "frobnicate",
            "show",
            "show frobnicate",
            "ip route add 10.0.0.300/8 via 10.0.0.2",
            "set interface state nowhere up",
            "set interface state a sideways",
        ):
            with self.subTest(command=command):
                done = self.weft.try_cli(*command.split())
                self.assertEqual(done.returncode, 1)
                self.assertTrue(done.stderr.strip(), "no message on standard error")

    def test_exit_status_without_a_daemon(self):
        done = subprocess.run(
            [testbed.WEFTCTL, "-s", "/nonexistent.sock", "show", "version"],
            text=True,
            capture_output=True,
            timeout=10,
            check=False,
        )
        self.assertEqual(done.returncode, 3)
        self.assertIn("/nonexistent.sock", done.stderr)

    def test_unique_prefixes_are_words_and_others_list_candidates(self):
        self.assertEqual(self.weft.cli("sh ver"), self.weft.cli("show version"))
        done = self.weft.try_cli("show", "i")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("interface", done.stderr)
        self.assertIn("ip", done.stderr)

    def test_batch_stops_at_its_first_error_and_names_the_line(self):
        lines = (
            "ip route add 10.81.0.0/16 via 10.0.1.2\n\nip route add 10.82.0.0/16 via nowhere\n"
            "ip route add 10.83.0.0/16 via 10.0.1.2\n"
        )
        path = os.path.join(self.weft.directory, "batch")
        with open(path, "w", encoding="utf-8") as file:
            file.write(lines)
        for words, given in ((("-f", path), {}), ((), {"input": lines, "stdin": None})):
            done = self.weft.try_cli(*words, **given)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(":3: ", done.stderr)
            fib = self.weft.cli("show ip fib")
            self.assertIn("10.81.0.0/16", fib)
            self.assertNotIn("10.83.0.0/16", fib)
            self.weft.cli("ip route del 10.81.0.0/16")

    def test_socket_is_for_owner_and_group(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.weft.socket).st_mode), 0o660)

    def test_sixty_four_sessions_at_once(self):
        sessions = [
            subprocess.Popen(
                [testbed.WEFTCTL, "-s", self.weft.socket],
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for _ in range(64)
        ]
        for session in sessions:
            session.stdin.write("show version\n")
            session.stdin.flush()
        for session in sessions:  # all have been answered before the first one ends
            self.assertTrue(select.select([session.stdout], [], [], 20)[0], "no answer")
        for session in sessions:
            self.assertIn("weft", session.communicate(timeout=20)[0])
            self.assertEqual(session.returncode, 0)

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(client.close)
        client.settimeout(10)
        client.connect(self.weft.socket)
        return client

    def ask(self, client, request):
        """The answer's verdict, `ok` or `error`, and its text."""
        client.sendall(request)
        return self.answer(client)

    def answer(self, client):
        with client.makefile("rb") as answer:
            verdict, length = answer.readline().split()
            return verdict.decode(), answer.read(int(length)).decode()

    def test_garbage_gets_an_error_and_the_session_goes_on(self):
        client = self.connect()
        noise = os.urandom(500).replace(b"\n", b"")
        for garbage in (noise, b"\0", b"\xff" * 64, b"show \x1b[31mversion", b"show versio\0n"):
            with self.subTest(garbage=garbage):
                self.assertEqual(self.ask(client, garbage + b"\n")[0], "error")
        self.assertEqual(self.ask(client, b"show version\n")[0], "ok")

    def test_a_line_is_bounded(self):
        client = self.connect()
        verdict, text = self.ask(client, b"x" * 300000 + b"\n")
        self.assertEqual(verdict, "error")
        self.assertIn("4096", text)
        self.assertEqual(self.ask(client, b"show version\n")[0], "ok")

    def test_half_a_line_and_gone(self):
        for _ in range(100):
            client = self.connect()
            client.sendall(b"show runt")
            client.close()
        self.weft.cli("show version")

    def test_a_client_that_stops_reading_is_cut_off(self):
        client = self.connect()
        client.setblocking(False)
        end = time.monotonic() + 30
        cut = False
        while not cut and time.monotonic() < end:
            try:
                client.send(b"show runtime\n" * 64)
            except BlockingIOError:
                time.sleep(0.2)
            except (BrokenPipeError, ConnectionResetError):
                cut = True
            started = time.monotonic()
            self.weft.cli("show version")
            self.assertLess(time.monotonic() - started, 3, "another client is slowed")
        self.assertTrue(cut, "still connected after 30 s")

    def test_sessions_of_others_leave_room_for_root(self):
        os.chmod(self.weft.directory, 0o755)
        os.chmod(self.weft.socket, 0o666)
        os.seteuid(65534)
        try:
            clients = [self.connect() for _ in range(130)]
        finally:
            os.seteuid(0)
            os.chmod(self.weft.socket, 0o660)
        self.assertEqual(self.ask(clients[-1], b"show version\n")[0], "ok")
        verdict, text = self.answer(clients[0])
        self.assertEqual(verdict, "error")
        self.assertIn("session closed to make room for a new one: user 65534 has 64 of 128", text)
        started = time.monotonic()
        mine = [self.connect() for _ in range(64)]
        for client in mine:
            self.assertEqual(self.ask(client, b"show version\n")[0], "ok")
        self.assertLess(time.monotonic() - started, 5)

    def test_forwarding_goes_on_while_the_socket_is_flooded(self):
        flood = [
            subprocess.Popen(
                [testbed.WEFTCTL, "-s", self.weft.socket],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(4)
        ]
        for session in flood:
            session.stdin.write(b"show runtime\n" * 200)
            session.stdin.close()
        output = self.client.run("ping", "-c", "20", "-i", "0.1", "-W", "2", "10.0.1.2").stdout
        self.assertIn(" 0% packet loss", output)
        for session in flood:
            self.assertEqual(session.wait(30), 0)


if __name__ == "__main__":
    testbed.main()
