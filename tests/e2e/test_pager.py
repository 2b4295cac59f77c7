#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weftctl's own pager in a pseudo-terminal: the screen's rows, its keys, and the terminal afterwards."""

import os
import signal

import terminal
import testbed

MORE = "-- more --"


class Pager(terminal.Test):
    def start(self, lines):
        self.open("".join(f"{line}\n" for line in lines))
        self.read_until(terminal.PROMPT)

    @staticmethod
    def rows(lines):
        return sum(1 + (max(len(line), 1) - 1) // terminal.COLUMNS for line in lines)

    def test_a_page_has_the_rows_of_the_screen(self):
        self.start([f"line {n}" for n in range(1, 61)])
        page = self.press(b"show\n", MORE)[1:-1]  # the command's echo, and the prompt's own row
        self.assertEqual(page, [f"line {n}" for n in range(1, terminal.ROWS)])
        page = self.press(b" ", MORE)[:-1]
        self.assertEqual(self.strip(page), [f"line {n}" for n in range(terminal.ROWS, 2 * terminal.ROWS - 1)])
        self.assertEqual(self.strip(self.press(b"\n", MORE)[:-1]), [f"line {2 * terminal.ROWS - 1}"])
        self.press(b"q")
        self.end()

    @staticmethod
    def strip(page):
        """Without what is left of the prompt in front of the first line."""
        return [line.split(")")[-1] for line in page]

    def test_lines_that_wrap_take_more_rows(self):
        self.start(["x" * (terminal.COLUMNS * 2 + 1) if n % 5 == 0 else "x" * terminal.COLUMNS for n in range(60)])
        page = self.press(b"show\n", MORE)[1:-1]
        self.assertLessEqual(self.rows(page), terminal.ROWS - 1)
        self.assertGreater(self.rows(page), terminal.ROWS - 4)
        self.press(b"q")
        self.end()

    def test_what_fits_is_not_paged(self):
        self.start([f"line {n}" for n in range(1, terminal.ROWS)])
        self.assertNotIn(MORE, "\n".join(self.press(b"show\n")))
        self.end()

    def test_an_interrupt_restores_the_terminal(self):
        self.start([f"line {n}" for n in range(60)])
        self.press(b"show\n", MORE)
        os.kill(self.client.pid, signal.SIGINT)
        self.read_until(terminal.PROMPT)
        self.end()


if __name__ == "__main__":
    testbed.main()
