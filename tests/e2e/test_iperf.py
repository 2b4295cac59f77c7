#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""iperf3 through the router: TCP and UDP, in both directions."""

import json

import testbed


class Iperf(testbed.TwoHosts):
    def transfer(self, *options):
        server = self.server.start("iperf3", "-s", "-1")
        try:

            def run():
                done = self.client.run(
                    "iperf3", "-c", "10.0.1.2", "-t", "3", "-J", *options, check=False
                )
                return json.loads(done.stdout)

            report = run()
            if "Connection refused" in report.get("error", ""):  # the server is not up yet
                report = testbed.eventually(
                    lambda: (lambda r: "error" not in r and r)(run()), 3, 0.2
                )
            self.assertTrue(report and "error" not in report, report)
            return report["end"]
        finally:
            server.kill()
            server.wait()

    def assert_tcp(self, *options):
        end = self.transfer(*options)
        self.assertGreater(end["sum_received"]["bits_per_second"], 10e6)
        self.assert_quiet()

    def assert_udp(self, *options):
        end = self.transfer("-u", "-b", "20M", "-l", "1400", *options)["sum"]
        self.assertGreater(end["packets"], 3000)
        self.assertLess(end["lost_percent"], 1.0)
        self.assert_quiet()

    def test_tcp_to_the_server(self):
        self.assert_tcp()

    def test_tcp_from_the_server(self):
        self.assert_tcp("-R")

    def test_udp_to_the_server(self):
        self.assert_udp()

    def test_udp_from_the_server(self):
        self.assert_udp("-R")


if __name__ == "__main__":
    testbed.main()
