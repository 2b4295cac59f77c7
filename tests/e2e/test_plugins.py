#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Plugins built out of the tree against an installed weft: the sample counts by DSCP, bad ones are refused by name."""

import json
import os
import shutil
import subprocess
import tempfile

import package
import packets
import testbed

# What is said of each plugin that is refused.
REFUSED = {
    "crashing": "it crashed: SIG",
    "dangling": "it cannot be opened: No such file or directory",
    "leaving": "it ended the process with status 7",
    "lldp-two": "two nodes handle EtherType 0x88cc: `lldp-one-input' (",
    "misnamed": "its name is `somebody-else', expected `misnamed' as in the file name",
    "missing-symbol": "undefined symbol: ",
    "no-note": "it is not a weft plugin",
    "not-elf": "it is not an ELF shared object",
    "other-abi": "it was built for a different weft: `weft ",
    "stray-key": "its configuration key elsewhere.colour does not begin with `stray-key.'",
    "throwing": "it threw an exception: no licence for flux",
    "twice-a-command": "two commands have the same syntax: `show version' (",
    "twice-a-node": "two nodes are called `ip4-input': ",
}


class Plugins(testbed.TwoHosts):
    """client 10.0.0.2 - (a) weft (b) - server 10.0.1.2, with plugins in the directory that is the default."""

    more = {
        "dscp-counter": {"interfaces": ["a"]},
        "throwing": {"flux": ["of any", {"kind": 1}]},
        "plugins": {"gone": {"enabled": False}, "idle": {"enabled": False}},
        "idle": {"colour": "red"},
    }

    @classmethod
    def topology(cls):
        cls.root = tempfile.mkdtemp(prefix="weft-plugins-")
        cls.cleanup.callback(shutil.rmtree, cls.root)
        prefix = package.install(cls.root)
        for source in ("plugins/dscp-counter", "plugins/dscp-marker", "tests/e2e/plugins"):
            build = os.path.join(cls.root, os.path.basename(source))
            package.add_plugins(source, prefix, build)
        cls.directory = os.path.join(prefix, package.PLUGINS)
        cls.add_bad_files()
        weftd, testbed.WEFTD = testbed.WEFTD, os.path.join(prefix, "sbin/weftd")
        try:
            super().topology()
        finally:
            testbed.WEFTD = weftd

    @classmethod
    def add_bad_files(cls):
        def at(name):
            return os.path.join(cls.directory, name)

        with open(at("not-elf.so"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" * 20)
        os.symlink("/nonexistent/dangling.so", at("dangling.so"))
        shutil.copy(os.path.realpath("/lib/x86_64-linux-gnu/libm.so.6"), at("no-note.so"))
        shutil.copy(at("bystander.so"), at("idle.so"))

    def plugins(self):
        return {plugin["name"]: plugin for plugin in self.weft.json("show plugins")["plugins"]}

    def counts(self, own=range(48)):
        """Without what the hosts answer: their ICMP errors have precedence 6 (RFC 1812, section 4.3.2.5)."""
        shown = self.weft.json("show dscp")["dscp"]
        return {row["dscp"]: row["packets"] for row in shown if row["dscp"] in own}

    def log(self):
        with open(self.weft.log_path, encoding="utf-8") as file:
            return file.read()

    def send(self, tap, source_mac, router_mac, source, destination, dscp, count):
        packet = bytearray(packets.ip4(source, destination, packets.udp(1000, 2000)))
        packet[1] = dscp << 2 | 1  # with a bit of ECN, which is not DSCP's
        packet[10:12] = b"\0\0"
        packet[10:12] = packets.checksum(bytes(packet[:20])).to_bytes(2, "big")
        tap.send([packets.ethernet(router_mac, source_mac, bytes(packet))] * count)

    def send_both_ways(self, dscp, count):
        a, b = self.weft.macs["a"], self.weft.macs["b"]
        self.send(self.tap_a, testbed.CLIENT_MAC, a, "10.0.0.2", "10.0.1.2", dscp, count)
        self.send(self.tap_b, testbed.SERVER_MAC, b, "10.0.1.2", "10.0.0.2", dscp, count)

    def test_the_sample_counts_what_came_in_on_its_interfaces(self):
        self.learn()
        self.weft.cli("clear dscp")
        self.assertEqual(self.counts(), {})
        for dscp, count in ((0, 2), (10, 3), (46, 5)):
            self.send_both_ways(dscp, count)
        self.assertTrue(
            testbed.eventually(lambda: self.counts() == {0: 2, 10: 3, 46: 5}), self.weft.cli("show dscp")
        )
        self.assertRegex(self.weft.cli("show dscp"), r"(?m)^ +46 EF +5$")
        next_nodes = self.weft.json("show node ip4-input")["nodes"][0]["nexts"]
        self.assertEqual(next_nodes[0]["node"], "ip4-unicast-features")
        self.assertEqual(self.weft.cli("show interface a features").strip(), "ip4-unicast: dscp-counter")

    def test_the_sample_leaves_the_way_and_comes_back(self):
        self.learn()
        self.weft.cli("set dscp-counter off")
        self.weft.cli("clear dscp")
        self.tap_b.drain()
        self.send_both_ways(8, 4)
        self.assertTrue(self.tap_b.receive(lambda frame: frame.source_port == 1000, count=4))
        self.assertEqual(self.counts(), {})
        self.weft.cli("set dscp-counter on")
        self.send_both_ways(8, 4)
        self.assertTrue(testbed.eventually(lambda: self.counts() == {8: 8}), self.counts())  # of both

    def test_two_plugins_stand_on_one_arc(self):
        self.learn()
        self.weft.cli("set interface feature a dscp-marker on")
        self.assertEqual(self.weft.cli("show interface a features").strip(), "ip4-unicast: dscp-marker -> dscp-counter")
        self.weft.cli("clear dscp")
        self.tap_b.drain()
        self.send(self.tap_a, testbed.CLIENT_MAC, self.weft.macs["a"], "10.0.0.2", "10.0.1.2", 10, 4)
        came = self.tap_b.receive(lambda frame: frame.source_port == 1000, count=4)
        self.assertEqual({frame.data[15] for frame in came}, {46 << 2 | 1})  # ECN stays
        self.assertEqual({packets.checksum(frame.data[14:34]) for frame in came}, {0})
        self.assertTrue(testbed.eventually(lambda: self.counts() == {46: 4}), self.counts())
        self.weft.cli("set interface feature a dscp-marker off")
        self.assertIn("dscp-marker                  off", self.weft.cli("show features"))

    def test_features_stand_in_the_order_that_they_ask_for(self):
        def order(weft):
            arcs = {arc["arc"]: arc["features"] for arc in weft.json("show features")["arcs"]}
            return [feature["name"] for feature in arcs["ip4-unicast"]]

        self.assertEqual(order(self.weft), ["dscp-marker", "dscp-counter"])
        source = os.path.join(self.root, "behind")
        shutil.copytree(os.path.join(testbed.ROOT, "plugins/dscp-marker"), source)
        with open(os.path.join(source, "dscp_marker.cc"), "r+", encoding="utf-8") as file:
            text = file.read()
            self.assertIn('"ip4-unicast", {}, {"dscp-counter"}', text)
            file.seek(0)
            file.truncate()
            file.write(text.replace('"ip4-unicast", {}, {"dscp-counter"}', '"ip4-unicast", {"dscp-counter"}'))
        build = os.path.join(source, "build")
        package.run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.root}/usr")
        package.run("cmake", "--build", build)
        shutil.copy(os.path.join(self.directory, "dscp-counter.so"), build)
        with open(self.weft.config, encoding="utf-8") as file:
            config = json.load(file)
        config["plugins"] = {"path": build}
        config["interfaces"] = {"n": {"device": "null", "features": ["dscp-marker", "dscp-counter"]}}
        for key in ("throwing", "idle", "dscp-counter"):
            del config[key]
        config["cli"]["socket"] = "@SOCKET@"
        weft = testbed.Weft(config)
        self.addCleanup(weft.close)
        self.assertEqual(order(weft), ["dscp-counter", "dscp-marker"])
        self.assertEqual(weft.cli("show interface n features").strip(), "ip4-unicast: dscp-counter -> dscp-marker")

    def test_what_is_loaded_is_listed(self):
        listed = self.plugins()
        self.assertEqual(
            {name for name, plugin in listed.items() if plugin["state"] == "loaded"},
            {"dscp-counter", "dscp-marker", "bystander", "lldp-one", "ospf"},
        )
        sample = listed["dscp-counter"]
        self.assertEqual(sample["version"], "1.0.0")
        self.assertEqual(sample["description"], "Counts IPv4 packets by DSCP")
        self.assertEqual(sample["file"], os.path.join(self.directory, "dscp-counter.so"))
        self.assertRegex(self.weft.cli("show plugins"), r"(?m)^dscp-counter +1.0.0 +loaded +Counts IPv4")

    def test_a_plugin_has_processes_and_init_functions(self):
        log = self.log()
        self.assertEqual(log.count("bystander: the graph is about to run"), 1, log)
        self.assertIn("bystander: standing by", log)
        names = [process["name"] for process in self.weft.json("show processes")["processes"]]
        self.assertIn("bystander", names)

    def test_each_bad_one_is_refused_by_name_and_the_daemon_goes_on(self):
        listed = self.plugins()
        self.assertEqual({name for name in listed if listed[name]["state"] == "refused"}, set(REFUSED))
        log = self.log()
        for name, why in REFUSED.items():
            with self.subTest(plugin=name):
                self.assertIn(why, listed[name]["reason"])
                self.assertRegex(log, rf"(?m) error plugin {name} \(.*/{name}\.so\) is refused: ")

    def test_plugins_take_ethertypes_and_ip_protocols(self):
        def heard():
            errors = self.weft.json("show errors")["errors"]
            return {row["node"]: row["count"] for row in errors if row["reason"] == "heard"}

        self.weft.cli("clear errors")
        mac = self.weft.macs["a"]
        ospf = packets.ip4("10.0.0.2", "10.0.0.1", b"\0" * 24, protocol=89)
        frames = [packets.ethernet(mac, testbed.CLIENT_MAC, b"\0" * 50, kind) for kind in (0x88CC, 0x88B5)]
        self.tap_a.send(frames + [packets.ethernet(mac, testbed.CLIENT_MAC, ospf)])
        self.assertTrue(testbed.eventually(lambda: heard() == {"lldp-one-input": 1, "ospf-input": 2}), heard())
        self.assertRegex(
            self.weft.cli("show ethertypes"), r"(?m)^0x88cc +LLDP +lldp-one-input +listens.cc:\d+ in lldp-one.so$"
        )
        self.assertRegex(self.weft.cli("show ip local"), r"(?m)^ +89 +OSPF +ospf-input +listens.cc:\d+ in ospf.so$")

    def test_two_that_take_one_ethertype_are_named(self):
        both = self.check(
            f"plugins: {{path: {self.directory}, default: disabled, "
            "lldp-one: {enabled: true}, ospf: {enabled: true}, lldp-two: {enabled: true}}\n"
        )
        self.assertEqual(both.returncode, testbed.WRONG_CONFIGURATION)
        self.assertRegex(
            both.stdout,
            r"plugins.lldp-two.enabled: the plugin is refused: two nodes handle EtherType 0x88cc: "
            r"`lldp-one-input' \(.*listens.cc:\d+ in lldp-one.so\) and "
            r"`lldp-two-input' \(.*listens.cc:\d+ in lldp-two.so\)",
        )
        one = self.check(
            f"plugins: {{path: {self.directory}, default: disabled, "
            "ospf: {enabled: true}, lldp-two: {enabled: true}}\n"
        )
        self.assertEqual(one.returncode, 0, one.stdout)

    def test_what_is_disabled_is_not_loaded(self):
        listed = self.plugins()
        for name in ("idle", "gone"):
            self.assertEqual(listed[name]["state"], "disabled")
            self.assertEqual(listed[name]["reason"], "it is disabled in the configuration")

    def check(self, text):
        path = os.path.join(self.root, "check.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return subprocess.run(
            [testbed.WEFTD, "-c", path, "--check"],
            text=True,
            timeout=60,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def test_the_keys_of_a_plugin_are_checked_as_any(self):
        only = "".join(f", {name}: {{enabled: false}}" for name in REFUSED)
        plugins = f"plugins: {{path: {self.directory}{only}}}\n"
        fine = self.check(plugins + "dscp-counter: {enabled: true}\n")
        self.assertEqual(fine.returncode, 0, fine.stdout)
        wrong = self.check(plugins + "dscp-counter: {enable: true, interfaces: [z]}\n")
        self.assertEqual(wrong.returncode, testbed.WRONG_CONFIGURATION)
        self.assertIn("check.yaml:2:16: dscp-counter.enable: unknown key; did you mean `enabled'?", wrong.stdout)
        unknown = self.check("dscp-counter: {enabled: true}\n")
        self.assertIn("check.yaml:1:1: dscp-counter: unknown key", unknown.stdout)
        asked = self.check(f"plugins: {{path: {self.directory}, other-abi: {{enabled: true}}}}\n")
        self.assertEqual(asked.returncode, testbed.WRONG_CONFIGURATION)
        self.assertIn("plugins.other-abi.enabled: the plugin is refused: it was built for a different weft", asked.stdout)
        nowhere = self.check("plugins: {path: /nonexistent}\ndscp-counter: {enabled: true}\n")
        self.assertIn("plugins.path: `/nonexistent' is not a directory", nowhere.stdout)


if __name__ == "__main__":
    testbed.main()
