# SPDX-License-Identifier: Apache-2.0
"""weftctl in a pseudo-terminal, with a daemon that a test plays."""

import fcntl
import os
import pty
import select
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
PROMPT = "weft# "


class Daemon:
    """Answers every command with a text, or with what a function makes of it, as a daemon's control socket does."""

    def __init__(self, answer, completions=""):
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "sock")
        self.asked = []
        self._answer = answer if callable(answer) else lambda _: answer
        self._completions = completions
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        for line in client.makefile():
            self.asked.append(line.rstrip("\n"))
            text = self._completions if line.startswith("@complete") else self._answer(self.asked[-1])
            data = text.encode()
            client.sendall(b"ok %d\n" % len(data) + data)

    def close(self):
        self._listener.close()
        self.directory.cleanup()


class Test(unittest.TestCase):
    """One terminal with one weftctl."""

    def open(self, answer, *words, **environment):
        """Starts weftctl against a daemon that answers so."""
        self.daemon = Daemon(answer)
        self.addCleanup(self.daemon.close)
        self.master, slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.client = subprocess.Popen(
            [testbed.WEFTCTL, "-s", self.daemon.path, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"TERM": "dumb", "PATH": "/nonexistent", **environment},  # no less
        )
        os.close(slave)
        self.addCleanup(self.client.wait)
        self.addCleanup(self.client.kill)

    def raw_until(self, sign):
        """What the terminal shows up to `sign`."""
        text = b""
        deadline = time.monotonic() + 20
        while sign not in text.decode(errors="replace"):
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.master], [], [], left)[0]:
                self.fail(f"no {sign!r} in {text!r}")
            text += os.read(self.master, 65536)
        return text.decode().split(sign)[0]

    def read_until(self, sign):
        """The same as lines."""
        return self.raw_until(sign).replace("\r", "").replace("\033[K", "").split("\n")

    def press(self, keys, sign=PROMPT):
        os.write(self.master, keys)
        return self.read_until(sign)

    def end(self):
        os.write(self.master, b"quit\n")
        self.assertEqual(self.client.wait(20), 0)
        self.assertEqual(termios.tcgetattr(self.master), self.before, "the terminal is not as it was")
