// SPDX-License-Identifier: Apache-2.0
// Every variant of the forwarding nodes gives the same packets the same verdicts, the same bytes
// and the same counts as the plain variant, on sound, malformed and random packets mixed over
// vectors of all sizes.
#include "control/show/statistics.hh"
#include "graph/node_run.hh"
#include "tests/nodes/node_tester.hh"

#include <random>
#include <rte_cycles.h>

namespace weft::test {

namespace {

using random_source = std::mt19937;

unsigned one_of(random_source& random, unsigned count)
{
    return static_cast<unsigned>(random() % count);
}

std::string any_destination(random_source& random)
{
    static const std::array some{
        "16.1.2.3",   "16.200.0.1", "17.0.0.9",  "17.5.5.5",  "18.0.0.1",  "10.0.0.1",
        "10.0.1.1",   "10.0.1.2",   "10.0.1.77", "10.0.0.2",  "224.0.0.5", "255.255.255.255",
        "10.0.1.255", "127.0.0.1",  "0.0.0.0",   "240.1.1.1", "99.9.9.9",  "192.0.2.1",
    };
    return some[one_of(random, some.size())];
}

std::string any_source(random_source& random)
{
    static const std::array some{"10.0.0.2",        "10.0.0.99", "8.8.8.8",    "10.0.0.1",
                                 "10.0.1.1",        "0.0.0.1",   "127.0.0.1",  "224.0.0.1",
                                 "223.255.255.255", "10.0.1.0",  "10.0.0.255", "10.0.2.255"};
    return some[one_of(random, 3) == 0 ? one_of(random, some.size()) : one_of(random, 3)];
}

// A packet that is wrong in one way, or in order.
packet_builder some_packet(random_source& random)
{
    packet_builder p;
    p.ethernet(mac_of(0, 1), mac_of(0, 2)).ip4(any_source(random), any_destination(random));
    p.udp(static_cast<uint16_t>(random()), static_cast<uint16_t>(random()));
    p.payload(one_of(random, 64)).ttl(static_cast<uint8_t>(2 + one_of(random, 200)));
    switch (one_of(random, 30)) {
    case 0:
        p.ethernet(mac_of(0, 7));
        break;
    case 1:
        p.ethernet(net::mac_address{{255, 255, 255, 255, 255, 255}});
        break;
    case 2:
        p.ether_type(static_cast<uint16_t>(random()));
        break;
    case 3:
        p.version(static_cast<uint8_t>(one_of(random, 16)));
        break;
    case 4:
        p.header_words(static_cast<uint8_t>(one_of(random, 16)));
        break;
    case 5:
        p.total_length(static_cast<uint16_t>(random() % 128));
        break;
    case 6:
        p.header_checksum(static_cast<uint16_t>(random()));
        break;
    case 7:
        p.ttl(static_cast<uint8_t>(one_of(random, 3)));
        break;
    case 8:
        p.options(4 * one_of(random, 11));
        break;
    case 9:
        p.frame_bytes(one_of(random, 60));
        break;
    case 10:
        p.frame_bytes(100 + one_of(random, 1400), 0xee);
        break;
    case 11:
        p.payload(900 + one_of(random, 400));
        break;
    case 12:
        p.payload(900 + one_of(random, 400)).dont_fragment();
        break;
    case 13:
        p.fragment(static_cast<uint16_t>(one_of(random, 100)), true);
        break;
    case 14:
        p.icmp_echo();
        break;
    case 15:
        p.arp(1, mac_of(0, 2), "10.0.0.2", net::mac_address{}, "10.0.0.1");
        break;
    case 16:
        p.tag(static_cast<uint16_t>(random()));
        break;
    case 17:
        p.tag(0x6000).ether_type(one_of(random, 2) == 0 ? 0x8100 : 0x0800);
        break;
    case 18:
    case 19:
        p.payload(one_of(random, 12)).frame_bytes(60, 0xee);
        break;
    case 20:
        p.protocol(6).fragment(static_cast<uint16_t>(one_of(random, 3)), one_of(random, 2) == 0);
        break;
    default:
        break;
    }
    return p;
}

byte_string some_bytes(random_source& random)
{
    byte_string bytes = some_packet(random).bytes();
    if (one_of(random, 6) == 0 && !bytes.empty())
        for (unsigned n = 1 + one_of(random, 4); n > 0; --n)
            bytes[one_of(random, static_cast<unsigned>(std::min<size_t>(bytes.size(), 48)))] ^=
                static_cast<uint8_t>(1u << one_of(random, 8));
    return bytes;
}

// What differs between two tallies, in words.
std::string difference(const std::map<std::string, uint64_t>& a,
                       const std::map<std::string, uint64_t>& b)
{
    std::string words;
    for (const auto* side : {&a, &b})
        for (const auto& [what, count] : *side) {
            const auto other = side == &a ? b.find(what) : a.find(what);
            const bool known = other != (side == &a ? b.end() : a.end());
            if (!known || (side == &a && other->second != count))
                words += fmt::format("{}: {} and {}; ", what, count, known ? other->second : 0);
        }
    return words;
}

struct outcome {
    std::vector<byte_string> sent; // interface first
    counts reasons;
    std::map<std::string, uint64_t> edges;
    std::map<std::string, uint64_t> messages;
};

struct circumstances {
    unsigned seed;
    bool only_good;
    bool many_addresses; // of the router's own, so that they are not compared one by one
    bool vlans = false;  // there are sub-interfaces, and frames with tags
    bool parts = false;  // in several buffers
};

void make_vlans(node_tester& t)
{
    for (const char* line :
         {"interface create vlan a.100 link a vlan 100 addresses 10.9.0.1/24",
          "interface create vlan b.7 link b vlan 7 protocol 802.1ad mtu 900 addresses 10.8.0.1/24",
          "interface create vlan b.7.8 link b.7 vlan 8 ip4 true",
          "interface create vlan a.200 link a vlan 200",
          "ip neighbor add a.100 10.9.0.2 02:00:00:00:00:92",
          "ip neighbor add b.7 10.8.0.2 02:00:00:00:00:82", "ip route add 18.0.0.0/8 via 10.9.0.2",
          "ip route add 16.200.0.0/16 via 10.8.0.2"})
        REQUIRE(t.command(line) == "");
}

// With tags that sub-interfaces have, and such as none has.
byte_string tagged(byte_string bytes, random_source& random)
{
    using tags = std::vector<uint8_t>;
    static const std::array<tags, 8> some{tags{},
                                          tags{0x81, 0, 0, 100},
                                          tags{0x88, 0xa8, 0xe0, 7},
                                          tags{0x88, 0xa8, 0, 7, 0x81, 0, 0, 8},
                                          tags{0x81, 0, 0, 200},
                                          tags{0x81, 0, 0x40, 0},
                                          tags{0x81, 0, 0, 99},
                                          tags{0x88, 0xa8, 0, 7, 0x81, 0, 0x20, 0}};
    const tags& chosen = some[one_of(random, some.size())];
    const size_t at = std::min<size_t>(bytes.size(), 12);
    bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), chosen.begin(), chosen.end());
    return bytes;
}

void make_routes(node_tester& t)
{
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    t.add_route("17.0.0.0/8", {"10.0.1.2", "10.0.0.2"});
    t.add_route("99.0.0.0/8", {"10.0.1.3"});
    REQUIRE(t.ip4().add_blackhole(prefix("192.0.2.0/24")));
    t.set_mtu("b", 1000);
}

std::map<std::string, uint64_t> messages; // that ip4-icmp-error was asked for

// In the place of ip4-icmp-error, whose limit depends on the time that passes.
void take_in(node_run& run, frame& in) noexcept
{
    for (packet* p : in.all())
        ++messages[fmt::format("type {} code {}", p->note().error_type, p->note().error_code)];
    run.free(in.packets.data(), in.count);
}

// Which packets come does not depend on the variant: only `random` decides.
outcome run(variant which, const circumstances& given)
{
    node_tester t;
    make_routes(t);
    if (given.many_addresses)
        for (unsigned i = 1; i <= ip4::own_addresses::few; ++i)
            REQUIRE(t.ip4().add_address(0, own_address(fmt::format("10.1.{}.1/24", i))));
    if (given.vlans)
        make_vlans(t);
    t.engine.registry().find("ip4-icmp-error")->variants = {{variant::plain, take_in}};
    messages.clear();
    t.use_variant(which);
    random_source random{given.seed};
    outcome found;
    [[maybe_unused]] const auto before = t.counted();
    for (unsigned vector = 0; vector < 60; ++vector) {
        // as much time passes between two vectors in each run, so that what is limited in rate is
        // so alike
        t.engine.main().set_replayed_time(rte_get_tsc_hz() * (1000 + vector));
        const unsigned size = vector < 40 ? 1 + vector : 1 + one_of(random, vector_size);
        for (unsigned i = 0; i < size; ++i) {
            const auto from = static_cast<interface_index>(one_of(random, 2));
            auto bytes = given.only_good ? packet_builder{}
                                               .ethernet(mac_of(from, 1), mac_of(from, 2))
                                               .ip4("10.0.9.9", any_destination(random))
                                               .udp()
                                               .bytes()
                                         : some_bytes(random);
            if (given.vlans)
                bytes = tagged(bytes, random);
            std::vector<size_t> parts;
            for (unsigned n = given.parts ? one_of(random, 4) : 0; n > 0; --n)
                parts.push_back(one_of(random, n == 1 ? 100 : 48));
            t.inject("ethernet-input", t.make_in_parts(bytes, parts, from));
        }
        t.run();
        t.advance(50ms);
    }
    for (const auto& p : t.take()) {
        byte_string line{static_cast<uint8_t>(p.interface)};
        line.insert(line.end(), p.bytes.begin(), p.bytes.end());
        found.sent.push_back(std::move(line));
    }
    found.reasons = t.counted();
    found.messages = messages;
    for (const auto& entry : t.engine.registry().all())
        for (size_t slot = 0; slot < entry.nexts.size(); ++slot)
            found.edges[fmt::format("{} {}", entry.name, slot)] =
                t.engine.module<statistics>().sent(entry.id, slot);
    return found;
}

} // namespace

TEST_CASE("variants: all give the same fates, bytes and counts with sub-interfaces and parts of "
          "packets too")
{
    const circumstances given{.seed = GENERATE(4u, 5u),
                              .only_good = GENERATE(false, true),
                              .many_addresses = false,
                              .vlans = true,
                              .parts = GENERATE(false, true)};
    const outcome plain = run(variant::plain, given);
    CHECK(plain.sent.size() > (given.parts ? 50 : 100));
    CHECK(plain.reasons.at("ethernet-input: unknown_vlan") > 20);
    CHECK(plain.reasons.at("ethernet-input: ip4_off") > 20);
    for (const variant which : {variant::baseline, variant::avx2, variant::avx512}) {
        if (!is_supported(which))
            continue;
        INFO(to_string(which) << ", seed " << given.seed);
        const outcome fast = run(which, given);
        CHECK(difference(plain.reasons, fast.reasons) == "");
        CHECK(difference(plain.messages, fast.messages) == "");
        CHECK(difference(plain.edges, fast.edges) == "");
        CHECK((fast.sent == plain.sent));
    }
}

TEST_CASE("variants: all give the same fates, bytes and counts")
{
    const circumstances given{.seed = GENERATE(1u, 2u, 3u),
                              .only_good = GENERATE(false, true),
                              .many_addresses = GENERATE(false, true)};
    const outcome plain = run(variant::plain, given);
    CHECK(plain.sent.size() > 100);
    CHECK(plain.reasons.size() > (given.only_good ? 3u : 16u));
    CHECK(plain.messages.size() > (given.only_good ? 1u : 3u));
    for (const variant which : {variant::baseline, variant::avx2, variant::avx512}) {
        if (!is_supported(which))
            continue;
        INFO(to_string(which) << ", seed " << given.seed);
        const outcome fast = run(which, given);
        CHECK(difference(plain.reasons, fast.reasons) == "");
        CHECK(difference(plain.messages, fast.messages) == "");
        CHECK(difference(plain.edges, fast.edges) == "");
        CHECK(fast.sent.size() == plain.sent.size());
        CHECK((fast.sent == plain.sent));
    }
}

TEST_CASE(
    "variants: each stands by a node that exists, and the best that the processor runs is active")
{
    node_tester t;
    REQUIRE_FALSE(registered_variants().empty());
    for (const auto* registered : registered_variants()) {
        INFO(registered->node);
        const auto* entry = t.engine.registry().find(registered->node);
        REQUIRE(entry != nullptr);
        CHECK(entry->variants.size() == 4);
        CHECK(entry->variants.back().which == variant::plain);
        const auto active = entry->variants[entry->active_variant].which;
        CHECK(is_supported(active));
        CHECK((active == variant::avx512 ||
               !is_supported(static_cast<variant>(static_cast<unsigned>(active) + 1))));
    }
}

TEST_CASE("variants: a command changes the one that runs")
{
    node_tester t;
    make_routes(t);
    CHECK(t.command("set node function ip4-input plain") == "");
    t.run(); // takes up the plan
    CHECK(t.engine.registry().find("ip4-input")->function() ==
          t.engine.registry().find("ip4-input")->descriptor->function);
    const auto shown = t.command("show node ip4-input");
    INFO(shown);
    CHECK(shown.find("plain            0 yes") != std::string::npos);
    CHECK(t.verdict_of(packet_builder{}.ethernet().ip4("10.0.0.2", "16.0.0.1").udp()) == "-> b");
    CHECK(t.command("set node function drop avx2") ==
          "error: node `drop' has no variant `avx2' (show node drop)");
    CHECK(t.command("set node function nowhere plain").starts_with("error: no node `nowhere'"));
}

} // namespace weft::test
