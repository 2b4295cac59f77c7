#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weftctl's own pager in a pseudo-terminal: the screen's rows, its keys, and the terminal afterwards."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

import testbed

ROWS, COLUMNS = 24, 80
MORE = "-- more --"


class Daemon:
    """Answers every command with the same text, as a daemon's control socket does."""

    def __init__(self, text):
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "sock")
        self._answer = f"ok {len(text.encode())}\n{text}".encode()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        client = self._listener.accept()[0]
        for line in client.makefile():
            client.sendall(b"ok 0\n" if line.startswith("@complete") else self._answer)

    def close(self):
        self._listener.close()
        self.directory.cleanup()


class Pager(unittest.TestCase):
    def start(self, lines):
        daemon = Daemon("".join(f"{line}\n" for line in lines))
        self.addCleanup(daemon.close)
        self.master, slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.client = subprocess.Popen(
            [testbed.WEFTCTL, "-s", daemon.path],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"TERM": "dumb", "PATH": "/nonexistent"},  # no less
        )
        os.close(slave)
        self.addCleanup(self.client.wait)
        self.addCleanup(self.client.kill)
        self.read_until("weft# ")

    def read_until(self, sign):
        """What the terminal shows up to `sign`, as lines."""
        text = b""
        deadline = time.monotonic() + 20
        while sign not in text.decode(errors="replace"):
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.master], [], [], left)[0]:
                self.fail(f"no {sign!r} in {text!r}")
            text += os.read(self.master, 65536)
        return text.decode().split(sign)[0].replace("\r", "").replace("\033[K", "").split("\n")

    def press(self, keys, sign):
        os.write(self.master, keys)
        return self.read_until(sign)

    def end(self):
        os.write(self.master, b"quit\n")
        self.assertEqual(self.client.wait(20), 0)
        self.assertEqual(termios.tcgetattr(self.master), self.before, "the terminal is not as it was")

    @staticmethod
    def rows(lines):
        return sum(1 + (max(len(line), 1) - 1) // COLUMNS for line in lines)

    def test_a_page_has_the_rows_of_the_screen(self):
        self.start([f"line {n}" for n in range(1, 61)])
        page = self.press(b"show\n", MORE)[1:-1]  # the command's echo, and the prompt's own row
        self.assertEqual(page, [f"line {n}" for n in range(1, ROWS)])
        page = self.press(b" ", MORE)[:-1]
        self.assertEqual(self.strip(page), [f"line {n}" for n in range(ROWS, 2 * ROWS - 1)])
        self.assertEqual(self.strip(self.press(b"\n", MORE)[:-1]), [f"line {2 * ROWS - 1}"])
        self.press(b"q", "weft# ")
        self.end()

    @staticmethod
    def strip(page):
        """Without what is left of the prompt in front of the first line."""
        return [line.split(")")[-1] for line in page]

    def test_lines_that_wrap_take_more_rows(self):
        self.start(["x" * (COLUMNS * 2 + 1) if n % 5 == 0 else "x" * COLUMNS for n in range(60)])
        page = self.press(b"show\n", MORE)[1:-1]
        self.assertLessEqual(self.rows(page), ROWS - 1)
        self.assertGreater(self.rows(page), ROWS - 4)
        self.press(b"q", "weft# ")
        self.end()

    def test_what_fits_is_not_paged(self):
        self.start([f"line {n}" for n in range(1, ROWS)])
        self.assertNotIn(MORE, "\n".join(self.press(b"show\n", "weft# ")))
        self.end()

    def test_an_interrupt_restores_the_terminal(self):
        self.start([f"line {n}" for n in range(60)])
        self.press(b"show\n", MORE)
        os.kill(self.client.pid, signal.SIGINT)
        self.read_until("weft# ")
        self.end()


if __name__ == "__main__":
    testbed.main()
