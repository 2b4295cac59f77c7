#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The include rules catch each kind of breach."""

import os
import tempfile
import unittest

import include_rules


class IncludeRules(unittest.TestCase):
    def problems(self, **files):
        """`files` maps paths, written with __ for / and a last _ for the dot, to their text."""
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = os.path.join(
                    root, name.replace("__", "/").replace("_hh", ".hh").replace("_cc", ".cc")
                )
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            return include_rules.problems(root)

    def assert_breach(self, words, **files):
        found = self.problems(**files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def test_a_right_tree(self):
        self.assertEqual(
            self.problems(
                graph__a_hh="#include <vector>\n#include <rte_mbuf.h>\n",
                nodes__ip4__ip4_hh='#include "graph/a.hh"\n',
                nodes__arp__arp_cc='#include "nodes/ip4/ip4.hh"\n#include "graph/a.hh"\n',
                daemon__main_cc='#include "nodes/ip4/ip4.hh"\n#include <yaml-cpp/yaml.h>\n',
            ),
            [],
        )

    def test_the_engine_includes_nothing_above_it(self):
        self.assert_breach(
            "graph/ may not include", graph__a_cc='#include "nodes/ip4/x.hh"\n', nodes__ip4__x_hh=""
        )

    def test_the_longest_folder_counts(self):
        self.assert_breach(
            "graph/process/ may not include",
            graph__process__a_hh='#include "graph/b.hh"\n',
            graph__b_hh="",
        )

    def test_drivers_include_no_nodes(self):
        self.assert_breach(
            "drivers/a.cc:2:", drivers__a_cc='\n#include "nodes/ip4/x.hh"\n', nodes__ip4__x_hh=""
        )

    def test_sole_users_of_libraries(self):
        self.assert_breach("yaml-cpp", graph__a_cc="#include <yaml-cpp/yaml.h>\n")
        self.assert_breach("readline", daemon__a_cc="#include <readline/readline.h>\n")
        self.assert_breach("rte_ethdev", nodes__ip4__a_cc="#include <rte_ethdev.h>\n")

    def test_the_client_knows_nothing_of_the_daemon(self):
        self.assert_breach(
            "cli/ may not include", cli__a_cc='#include "base/result.hh"\n', base__result_hh=""
        )

    def test_foundations_include_no_protocol(self):
        self.assert_breach(
            'nodes/fib/ may not include "nodes/ip4/ip4.hh"',
            nodes__fib__a_cc='#include "nodes/ip4/ip4.hh"\n#include "nodes/interface/i.hh"\n',
            nodes__ip4__ip4_hh="",
            nodes__interface__i_hh="",
        )

    def test_one_public_header(self):
        self.assert_breach(
            "one public header",
            nodes__ip4__x_hh="",
            nodes__ip4__y_hh="",
            nodes__arp__a_cc='#include "nodes/ip4/x.hh"\n#include "nodes/ip4/y.hh"\n',
        )

    def test_no_circle(self):
        self.assert_breach(
            "arp -> ip4 -> arp",
            nodes__ip4__x_hh='#include "nodes/arp/y.hh"\n',
            nodes__arp__y_hh='#include "nodes/ip4/x.hh"\n',
        )

    def test_paths_start_at_the_top(self):
        self.assert_breach("no path from the top", graph__a_hh="", graph__b_cc='#include "a.hh"\n')


if __name__ == "__main__":
    unittest.main()
