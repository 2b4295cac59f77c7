// SPDX-License-Identifier: Apache-2.0
// Streams: rates, limits, their commands and what those refuse.
#include "drivers/generator/packet_generator.hh"
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::drivers;
using namespace weft::test;

namespace {

constexpr std::string_view a_to_b = "interface a source 10.0.0.5-10.0.0.7 destination 10.0.1.2";

nlohmann::ordered_json stream_of(node_tester& t, std::string_view name)
{
    return t.command_json(fmt::format("show packet-generator {}", name))["streams"][0];
}

// Three loops: the plan with the stream is taken up, its packets are made, and it may end.
void run_enabled(node_tester& t, std::string_view name)
{
    REQUIRE(t.command(fmt::format("packet-generator enable {}", name)).empty());
    for (int i = 0; i < 3; ++i)
        t.run();
}

} // namespace

TEST_CASE("a stream ends after its limit, and begins anew when it is enabled again", "[drivers]")
{
    node_tester t;
    CHECK(t.command(fmt::format("packet-generator new s {} limit 4", a_to_b)).empty());
    t.run();
    CHECK(t.take().empty());
    for (int lap = 1; lap <= 2; ++lap) {
        run_enabled(t, "s");
        const auto sent = t.take();
        REQUIRE(sent.size() == 4);
        for (const auto& [at, from] : {std::pair{0, "10.0.0.5"}, {1, "10.0.0.6"}, {3, "10.0.0.5"}})
            CHECK(sent[at].ip4().source == ip(from).wire());
        CHECK(stream_of(t, "s")["state"] == "done");
        CHECK(stream_of(t, "s")["packets"] == 4);
        const auto counted = interfaces_of(t.engine).count(t.port("a").index);
        CHECK(counted.rx_packets == 4u * lap);
        CHECK(counted.rx_bytes == 240u * lap);
    }
}

TEST_CASE("an input takes no more packets at once than it is to", "[drivers]")
{
    node_tester t{{.vector_size = 8}};
    CHECK(t.command(fmt::format("packet-generator new s {}", a_to_b)).empty());
    t.run();
    REQUIRE(t.command("packet-generator enable s").empty());
    for (int loop = 0; loop < 3; ++loop) {
        t.run();
        CHECK(t.take().size() == 8);
    }
    CHECK(t.command("packet-generator disable").empty());
    t.run();
}

TEST_CASE("a stream without a limit fills vectors until it is disabled", "[drivers]")
{
    node_tester t;
    CHECK(t.command(fmt::format("packet-generator new s {}", a_to_b)).empty());
    run_enabled(t, "s");
    const auto sent = t.take().size();
    CHECK(sent >= 2 * vector_size);
    CHECK(sent % vector_size == 0);
    CHECK(stream_of(t, "s")["state"] == "enabled");
    CHECK(t.command("packet-generator disable").empty());
    t.run();
    CHECK(t.take().empty());
    CHECK(stream_of(t, "s")["state"] == "disabled");
    CHECK(stream_of(t, "s")["packets"] == sent);
}

TEST_CASE("a name may be given again to another stream", "[drivers]")
{
    node_tester t;
    CHECK(t.command(fmt::format("packet-generator new s {}", a_to_b)).empty());
    run_enabled(t, "s");
    const auto nodes = t.engine.registry().count();
    CHECK(t.command("packet-generator delete s").empty());
    CHECK(t.command("show packet-generator") == "No streams");
    CHECK(t.command("packet-generator show") == "No streams");
    t.run();
    CHECK(t.engine.rcu().pending() == 0);
    CHECK(t.take().size() % vector_size == 0);
    CHECK(t.command("packet-generator new s interface b source 10.0.1.7 destination 10.0.0.2 "
                    "limit 3")
              .empty());
    t.run();
    CHECK(t.take().empty()); // not enabled, though the other was
    run_enabled(t, "s");
    const auto sent = t.take();
    REQUIRE(sent.size() == 3);
    CHECK(sent[0].interface == t.port("a").index);
    CHECK(t.engine.registry().count() == nodes);
}

TEST_CASE("packets may enter behind ethernet-input", "[drivers]")
{
    node_tester t;
    CHECK(t.command(fmt::format("packet-generator new s {} limit 2 node ip4-input "
                                "mac 02:00:00:00:77:77",
                                a_to_b))
              .empty());
    run_enabled(t, "s");
    CHECK(t.take().size() == 2);
    CHECK(t.went("packet-generator-s", "ip4-input") == 2);
}

TEST_CASE("packets for which there is no buffer are counted", "[drivers]")
{
    node_tester t;
    std::vector<packet*> taken;
    while (packet* p = t.engine.make_packet())
        taken.push_back(p);
    CHECK(t.command(fmt::format("packet-generator new s {} limit 5", a_to_b)).empty());
    run_enabled(t, "s");
    CHECK(stream_of(t, "s")["packets"] == 0);
    CHECK(stream_of(t, "s")["not_made"] >= 5);
    for (packet* p : taken)
        rte_pktmbuf_free(p->mbuf());
    t.run();
    CHECK(t.take().size() == 5);
}

TEST_CASE("streams that cannot be are refused with a reason", "[drivers]")
{
    node_tester t;
    const std::vector<std::pair<std::string, std::string>> refused{
        {"s interface a source 10.0.0.1",
         "expected either destination or destinations, found neither"},
        {"s interface a destination 10.0.0.1", "expected a source or a pcap file, found neither"},
        {"s interface a source 10.0.0.9-10.0.0.1 destination 10.0.0.1",
         "source: 10.0.0.9-10.0.0.1 ends before it begins"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 size 59",
         "size: `59' is not a number from 60 to 2048"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 size 60-9000",
         "size: `9000' is not a number from 60 to 2048"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 source-port 65536",
         "source-port: `65536' is not a number from 0 to 65535"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 protocol icmp source-port 1",
         "source-port: ICMP has no ports"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 rate 0",
         "rate: 0 is not between 1 and 1000000000"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 limit 0",
         "limit: 0 is not between 1 and 18446744073709551615"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 worker 1",
         "worker: 1 is not between 0 and 0"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 ttl 256",
         "ttl: 256 is not between 0 and 255"},
        {"s interface a source 10.0.0.9 destination 10.0.0.1 node drop",
         "node: drop does not validate its packets, expected ethernet-input, ip4-input, arp-input"},
        {"s interface a pcap /x size 60", "pcap and size are mutually exclusive"},
        {"s/ interface a pcap /x",
         "`s/' is not a valid stream name (1 to 31 letters, digits, `-', `_' and `.')"},
        {"s interface c pcap /x", "no interface `c', expected a or b"},
    };
    for (const auto& [line, message] : refused)
        CHECK(t.command("packet-generator new " + line) == "error: " + message);
    CHECK(t.command("packet-generator enable s") == "error: no stream `s' (there is none)");
    CHECK(t.command(fmt::format("packet-generator new s {}", a_to_b)).empty());
    CHECK(t.command(fmt::format("packet-generator new s {}", a_to_b)) ==
          "error: a stream `s' already exists");
}

TEST_CASE("a stream that is done but not retired yet can be enabled again", "[drivers]")
{
    node_tester t;
    REQUIRE(t.engine.loop().find("packet-generator") == 0); // who would retire it
    CHECK(t.command(fmt::format("packet-generator new s {} limit 4", a_to_b)).empty());
    for (int lap = 1; lap <= 3; ++lap) {
        run_enabled(t, "s");
        CHECK(t.take().size() == 4);
        CHECK(stream_of(t, "s")["state"] == "done");
    }
}

TEST_CASE("there is a bound to the memory of all streams", "[drivers]")
{
    struct large final : packet_source {
        explicit large(size_t held) : bytes{held} {}
        void restart() noexcept override {}
        uint64_t fill(std::span<packet*>) noexcept override { return 0; }
        [[nodiscard]] size_t memory() const noexcept override { return bytes; }
        const size_t bytes;
    };
    node_tester t;
    auto& generator = t.engine.module<packet_generator>();
    const stream_options options{0, 0, 0, 0, t.engine.registry().find("ethernet-input")->id};
    CHECK(generator.add("a", options, std::make_unique<large>(max_stream_memory - 100)));
    CHECK(generator.add("b", options, std::make_unique<large>(100)));
    CHECK(generator.add("c", options, std::make_unique<large>(1)).error().message ==
          "all streams would take 536870913 bytes of memory, the limit is 536870912");
}

TEST_CASE("there is a bound to the streams", "[drivers]")
{
    node_tester t;
    for (size_t i = 0; i < max_streams; ++i)
        REQUIRE(t.command(fmt::format("packet-generator new s{} {}", i, a_to_b)).empty());
    CHECK(t.command(fmt::format("packet-generator new more {}", a_to_b)) ==
          "error: 64 streams exist, which is the maximum");
    CHECK(t.command("packet-generator delete s7").empty());
    CHECK(t.command(fmt::format("packet-generator new more {}", a_to_b)).empty());
}
