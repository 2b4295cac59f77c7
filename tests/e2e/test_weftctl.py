#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weftctl's own words in a pseudo-terminal: filters of answers, watch, the history, completion."""

import itertools
import os
import signal
import subprocess
import tempfile
import threading

import terminal
import testbed

TABLE = "name link\nalpha up\nbeta down\ngamma up\n"


class Filters(terminal.Test):
    def setUp(self):
        self.open(TABLE)
        self.read_until(terminal.PROMPT)

    def answer(self, line):
        return self.press(line.encode() + b"\n")[1:-1]  # without the echo

    def test_include_exclude_begin_count(self):
        self.assertEqual(self.answer("show x | include up$"), ["alpha up", "gamma up"])
        self.assertEqual(self.answer("show x | exclude up$"), ["name link", "beta down"])
        self.assertEqual(self.answer("show x | begin beta"), ["beta down", "gamma up"])
        self.assertEqual(self.answer("show x | count"), ["4"])
        self.assertEqual(self.answer("show x | count a$|up$"), ["2"])
        self.assertEqual(self.answer("show x | inc up | e gamma"), ["alpha up"])
        self.assertEqual(self.daemon.asked, ["show x"] * 6)
        self.end()

    def test_a_bar_within_a_word_or_quotes_is_the_commands(self):
        self.answer('say "a | b" c|d')
        self.assertEqual(self.daemon.asked, ['say "a | b" c|d'])
        self.end()

    def test_what_is_no_filter(self):
        self.assertIn("expected include, exclude, begin or count", self.answer("show x | grep up")[0])
        self.assertIn("needs a regular expression", self.answer("show x | include")[0])
        self.assertIn("`(' is not a regular expression", self.answer("show x | include (")[0])
        self.assertEqual(self.daemon.asked, [])
        self.end()


class Watch(terminal.Test):
    def test_differences_are_reversed_until_ctrl_c(self):
        numbers = itertools.count(100)
        self.open(lambda _: f"packets {next(numbers)} same\n", "watch", "-n", "0.1", "show", "x", TERM="xterm")
        self.raw_until("packets 100 same")
        self.assertIn("packets 10\033[7m1\033[0m same", self.raw_until("packets 10\033[7m2"))
        self.client.send_signal(signal.SIGINT)
        self.assertEqual(self.client.wait(20), 0)
        self.assertEqual(set(self.daemon.asked), {"show x"})

    def test_no_color(self):
        numbers = itertools.count(100)
        self.open(lambda _: f"packets {next(numbers)}\n", "watch", "-n", "0.1", "show", "x", NO_COLOR="1")
        self.assertNotIn("\033[7m", self.raw_until("packets 104"))

    def test_within_a_session(self):
        self.open(TABLE)
        self.read_until(terminal.PROMPT)
        os.write(self.master, b"watch -n 0.1 show x | include beta\n")
        shown = self.raw_until("beta down")
        self.assertNotIn("alpha", shown)
        self.client.send_signal(signal.SIGINT)
        self.read_until(terminal.PROMPT)
        self.end()

    def test_a_file_has_one_answer_behind_the_other(self):
        daemon = terminal.Daemon(TABLE)
        self.addCleanup(daemon.close)
        words = [testbed.WEFTCTL, "-s", daemon.path, "watch", "-n", "0.1", "show x"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as client:
            lines = [client.stdout.readline().rstrip() for _ in range(14)]
            client.send_signal(signal.SIGINT)
        self.assertEqual([lines.count("alpha up"), "\033" in "".join(lines)], [2, False])


class History(terminal.Test):
    def test_two_sessions_lose_no_line_of_each_other_even_when_killed(self):
        with tempfile.TemporaryDirectory() as home:
            typed = []
            for _ in range(2):
                self.open(TABLE, HOME=home)
                self.read_until(terminal.PROMPT)
                typed.append((self.master, self.client))
            for number, session in itertools.product(range(5), range(2)):
                self.master, self.client = typed[session]
                self.press(f"show {session} {number}\n".encode())
            for _, client in typed:
                client.kill()
            with open(os.path.join(home, ".weft_history"), encoding="utf-8") as file:
                lines = file.read().splitlines()
            self.assertEqual(lines, [f"show {s} {n}" for n in range(5) for s in range(2)])

    def test_a_long_file_is_shortened_to_its_newer_half(self):
        with tempfile.TemporaryDirectory() as home:
            path = os.path.join(home, ".weft_history")
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(f"show {n:08}\n" for n in range(30000))
            self.open(TABLE, HOME=home)
            self.read_until(terminal.PROMPT)
            self.press(b"show last\n")
            self.end()
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
            self.assertEqual(lines[-3:-1], ["show 00029999", "show last"])
            self.assertTrue(all(line.startswith("show ") for line in lines[:-1]), lines[:2])
            self.assertLess(os.path.getsize(path), 200_000)


class Completion(terminal.Test):
    def test_for_shells(self):
        daemon = terminal.Daemon(TABLE)
        self.addCleanup(daemon.close)
        words = [testbed.WEFTCTL, "-s", daemon.path, "--complete", "show int"]
        subprocess.run(words, check=True, stdout=subprocess.PIPE)
        self.assertEqual(daemon.asked, ["@complete show int"])

    def test_bash(self):
        daemon = terminal.Daemon(TABLE, "interface\tone\ninit\tthe order\n<name>\ta name\n")
        self.addCleanup(daemon.close)
        script = os.path.join(testbed.ROOT, "cli/completion/weftctl.bash")
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(testbed.WEFTCTL, os.path.join(folder, "weftctl"))
            order = (
                f"PATH={folder}:$PATH; . {script}; COMP_WORDS=(weftctl -s {daemon.path} show in); COMP_CWORD=4; _weftctl;"
                ' echo "${COMPREPLY[@]}"; COMP_WORDS=(weftctl --js); COMP_CWORD=1; _weftctl; echo "${COMPREPLY[@]}"'
            )
            said = subprocess.run(["bash", "-c", order], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(said.splitlines(), ["interface init", "--json"])
        self.assertEqual(daemon.asked, ["@complete show in"])

    def test_behind_a_bar(self):
        self.open(TABLE)
        self.read_until(terminal.PROMPT)
        lines = self.press(b"show x | ?", "count  ")
        self.assertIn("include", "".join(lines))
        os.write(self.master, b"\x15show x | cou\t\n")
        self.raw_until("count \r\n4\r\n" + terminal.PROMPT)
        self.end()


if __name__ == "__main__":
    threading.excepthook = lambda *_: None  # a daemon's end that is cut off
    testbed.main()
