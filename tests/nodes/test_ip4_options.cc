// SPDX-License-Identifier: Apache-2.0
// ip4-options: what is filled in, what is refused, and which byte a parameter problem points at.
#include "nodes/ip4/ip4_settings.hh"
#include "tests/nodes/node_tester.hh"

#include <ctime>

using namespace weft;
using namespace weft::test;

namespace {

// The options of the one packet that left, whose header's checksum must be right.
byte_string options_out(node_tester& t)
{
    const auto out = t.take_one();
    const size_t bytes = out.ip4().header_bytes();
    REQUIRE(out.bytes.size() >= 14 + bytes);
    CHECK(reference_checksum({out.bytes.data() + 14, bytes}) == 0);
    return {out.bytes.begin() + 34, out.bytes.begin() + 14 + static_cast<long>(bytes)};
}

packet_builder with(const byte_string& options)
{
    return udp_packet().options(options);
}

// Which byte of the header the parameter problem that left points at; what was sent is quoted as it
// was.
unsigned pointer_of(node_tester& t, const packet_builder& p)
{
    CHECK(t.verdict_of(p) == "ip4-options: bad_option -> a");
    const auto out = t.take_one();
    CHECK(out.icmp().type == net::icmp4::parameter_problem);
    CHECK(out.icmp().code == 0);
    CHECK((out.icmp().id.host() & 0xff) == 0);
    CHECK(out.icmp().sequence.host() == 0);
    const auto sent = p.bytes();
    CHECK(std::equal(sent.begin() + 14, sent.end(), out.bytes.begin() + 42, out.bytes.end()));
    return out.icmp().id.host() >> 8;
}

// That a source route failed was told (RFC 1812 section 5.2.7.1), about the packet as it came.
void check_failed(node_tester& t, const packet_builder& p, std::string_view reason)
{
    CHECK(t.verdict_of(p) == fmt::format("ip4-options: {} -> a", reason));
    const auto out = t.take_one();
    CHECK(out.icmp().type == net::icmp4::unreachable);
    CHECK(out.icmp().code == net::icmp4::source_route_failed);
    const auto sent = p.bytes();
    CHECK(std::equal(sent.begin() + 14, sent.end(), out.bytes.begin() + 42, out.bytes.end()));
}

} // namespace

TEST_CASE("a record of the route gets the address that the packet leaves by", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(with({7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0})) == "-> b");
    CHECK(options_out(t) == byte_string{7, 11, 8, 10, 0, 1, 1, 0, 0, 0, 0, 1});
    CHECK(t.verdict_of(with({1, 7, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0})) == "-> b");
    CHECK(options_out(t) == byte_string{1, 7, 11, 12, 9, 9, 9, 9, 10, 0, 1, 1});
    const byte_string full{7, 7, 8, 9, 9, 9, 9, 0};
    CHECK(t.verdict_of(with(full)) == "-> b");
    CHECK(options_out(t) == full);
}

TEST_CASE("an interface without an address records another one of the router", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    REQUIRE(t.ip4().add_address(1, own_address("10.9.0.1/16")));
    t.run();
    CHECK(t.verdict_of(with({7, 7, 4, 0, 0, 0, 0}).ip4("10.0.0.2", "16.0.0.1")) == "-> b");
    CHECK(options_out(t) == byte_string{7, 7, 8, 10, 0, 1, 1, 1}); // of the next hop's network
}

TEST_CASE("a timestamp is milliseconds since midnight, with the address if the flag says so",
          "[nodes]")
{
    node_tester t;
    const auto time_at = [](const byte_string& o, size_t at) {
        return uint32_t{o[at]} << 24 | uint32_t{o[at + 1]} << 16 | uint32_t{o[at + 2]} << 8 |
               o[at + 3];
    };
    CHECK(t.verdict_of(with({68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0})) == "-> b");
    auto seen = options_out(t);
    const auto now = static_cast<uint64_t>(std::time(nullptr)) % 86'400 * 1000;
    CHECK((now + 86'400'000 - time_at(seen, 4) + 2000) % 86'400'000 < 4000);
    CHECK((byte_string{seen.begin(), seen.begin() + 4}) == byte_string{68, 12, 9, 0});
    CHECK(time_at(seen, 8) == 0);
    CHECK(t.verdict_of(with({68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0})) == "-> b");
    seen = options_out(t);
    CHECK((byte_string{seen.begin(), seen.begin() + 8}) == byte_string{68, 12, 13, 1, 10, 0, 1, 1});
    CHECK(time_at(seen, 8) != 0);
}

TEST_CASE("a timestamp that names an address is filled in by that router alone", "[nodes]")
{
    node_tester t;
    const byte_string other{68, 12, 5, 3, 10, 9, 9, 9, 0, 0, 0, 0};
    CHECK(t.verdict_of(with(other)) == "-> b");
    CHECK(options_out(t) == other);
    for (uint8_t own : {0, 1}) { // any of the router's
        CHECK(t.verdict_of(with({68, 12, 5, 3, 10, 0, own, 1, 0, 0, 0, 0})) == "-> b");
        CHECK(options_out(t)[2] == 13);
    }
    const byte_string full{68, 12, 13, 3, 10, 0, 0, 1, 0, 0, 0, 7};
    CHECK(t.verdict_of(with(full)) == "-> b");
    CHECK(options_out(t) == full);
}

TEST_CASE("who finds a timestamp full is counted there, up to fifteen", "[nodes]")
{
    node_tester t;
    for (uint8_t flag : {0, 1}) {
        const auto full = [&](uint8_t overflow) {
            return byte_string{
                68, 12, 13, static_cast<uint8_t>(overflow << 4 | flag), 0, 0, 0, 7, 0, 0, 0, 7};
        };
        CHECK(t.verdict_of(with(full(0))) == "-> b");
        CHECK(options_out(t) == full(1));
        CHECK(t.verdict_of(with(full(14))) == "-> b");
        CHECK(options_out(t) == full(15));
        CHECK(pointer_of(t, with(full(15))) == 23);
    }
}

TEST_CASE("options that a router does not know stay as they are", "[nodes]")
{
    node_tester t;
    for (const byte_string& o :
         {byte_string{148, 4, 0, 0}, byte_string{130, 4, 1, 2, 1, 1, 1, 0}, byte_string{0, 7, 1, 1},
          byte_string{1, 1, 1, 1}, byte_string{136, 4, 0, 1}}) {
        CHECK(t.verdict_of(with(o)) == "-> b");
        CHECK(options_out(t) == o);
    }
}

TEST_CASE("a parameter problem points at the byte that is wrong", "[nodes]")
{
    node_tester t;
    CHECK(pointer_of(t, with({1, 1, 1, 7})) == 23);   // no room for a length
    CHECK(pointer_of(t, with({148, 1, 1, 1})) == 21); // the shortest has two bytes
    CHECK(pointer_of(t, with({148, 0, 1, 1})) == 21);
    CHECK(pointer_of(t, with({1, 148, 4, 1})) == 22);        // beyond the header
    CHECK(pointer_of(t, with({7, 2, 1, 1})) == 21);          // no pointer
    CHECK(pointer_of(t, with({7, 7, 3, 0, 0, 0, 0})) == 22); // points at itself
    CHECK(pointer_of(t, with({7, 7, 5, 0, 0, 0, 0})) == 22); // room for a part of an address
    CHECK(pointer_of(t, with({7, 7, 4, 0, 0, 0, 0, 7, 7, 4, 0, 0, 0, 0})) == 27); // twice
    CHECK(pointer_of(t, with({68, 3, 5, 1})) == 21);
    CHECK(pointer_of(t, with({68, 8, 4, 0, 0, 0, 0, 0})) == 22);
    CHECK(pointer_of(t, with({68, 8, 6, 0, 0, 0, 0, 0})) == 22);
    CHECK(pointer_of(t, with({68, 8, 5, 1, 0, 0, 0, 0})) == 22); // for the time, not the address
    CHECK(pointer_of(t, with({68, 8, 5, 2, 0, 0, 0, 0})) == 23); // there is no such flag
    CHECK(pointer_of(t, with({131, 2, 1, 1})) == 21);
    CHECK(pointer_of(t, with({131, 3, 4, 131, 3, 4})) == 23); // a second source route
    CHECK(pointer_of(t, with({131, 3, 4, 137, 3, 4})) == 23);
}

TEST_CASE("nobody is told of malformed options in what nobody is told about", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(packet_builder{}.ip4().icmp(3, 1).options({7, 2, 1, 1})) ==
          "ip4-icmp-error: not_eligible, ip4-options: bad_option");
    CHECK(t.verdict_of(with({7, 7, 4, 0, 0, 0, 0}).ip4("10.0.0.2", "224.0.0.1")) ==
          "ip4-lookup: multicast");
    CHECK(t.verdict_of(with({7, 7, 4, 0, 0, 0, 0}).ip4("10.0.0.2", "99.0.0.1")) ==
          "ip4-lookup: no_route -> a");
    CHECK(t.verdict_of(with({7, 7, 4, 0, 0, 0, 0}).ttl(1)) == "ip4-input: ttl_expired -> a");
}

TEST_CASE("an answer to ping returns what recorded the way there, with the router in it", "[nodes]")
{
    node_tester t;
    const auto ping = [](const byte_string& o) {
        return packet_builder{}.ip4("10.0.0.2", "10.0.1.1").icmp_echo().options(o);
    };
    CHECK(t.verdict_of(ping({7, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0})) == "-> a");
    CHECK(options_out(t) == byte_string{7, 11, 12, 9, 9, 9, 9, 10, 0, 1, 1, 1});
    CHECK(t.verdict_of(ping({68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0})) == "-> a");
    const auto seen = options_out(t);
    CHECK((byte_string{seen.begin(), seen.begin() + 8}) == byte_string{68, 12, 13, 1, 10, 0, 1, 1});
}

TEST_CASE("what stands between ip4-input and ip4-lookup sees packets with options too", "[nodes]")
{
    node_tester t;
    auto& registry = t.engine.registry();
    REQUIRE(
        registry.update_next(registry.find("ip4-input")->id, 0, registry.find("null-node")->id));
    REQUIRE(t.engine.publish_plans());
    t.run();
    for (const byte_string& o :
         {byte_string{}, byte_string{148, 4, 0, 0}, byte_string{7, 7, 4, 0, 0, 0, 0}})
        CHECK(t.verdict_of(with(o)).starts_with("null-node: "));
}

TEST_CASE("source routes are refused unless they are switched on", "[nodes]")
{
    node_tester t;
    for (uint8_t type : {131, 137}) {
        check_failed(t, with({type, 7, 4, 10, 0, 1, 2}), "source_route_refused");
        check_failed(t, with({type, 7, 4, 10, 0, 1, 2}).ip4("10.0.0.2", "10.0.0.1"),
                     "source_route_refused");
        check_failed(t, with({type, 7, 8, 10, 0, 1, 2}).ip4("10.0.0.2", "10.0.0.1"),
                     "source_route_refused");
    }
}

TEST_CASE("a source route that is switched on leads on, and records the way", "[nodes]")
{
    node_tester t;
    t.engine.module<ip4::settings>().source_routes = true;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    for (uint8_t type : {131, 137}) {
        CHECK(t.verdict_of(
                  with({type, 11, 4, 10, 0, 1, 2, 16, 0, 0, 1}).ip4("10.0.0.2", "10.0.0.1")) ==
              "-> b");
        const auto out = t.take();
        REQUIRE(out.size() == 1);
        CHECK(net::from_wire(out[0].ip4().destination) == ip("10.0.1.2"));
        CHECK((byte_string{out[0].bytes.begin() + 34, out[0].bytes.begin() + 46}) ==
              byte_string{type, 11, 8, 10, 0, 1, 1, 16, 0, 0, 1, 1});
    }
    // through two addresses of the router's own at once; and one that leads by here, but is for
    // another router
    CHECK(t.verdict_of(with({131, 11, 4, 10, 0, 1, 1, 16, 0, 0, 1}).ip4("10.0.0.2", "10.0.0.1")) ==
          "-> b");
    CHECK(options_out(t) == byte_string{131, 11, 12, 10, 0, 1, 1, 10, 0, 1, 1, 1});
    CHECK(t.verdict_of(with({131, 7, 4, 16, 0, 0, 9}).ip4("10.0.0.2", "16.0.0.1")) == "-> b");
    CHECK(options_out(t) == byte_string{131, 7, 4, 16, 0, 0, 9, 1});
}

TEST_CASE("a source route that cannot be followed fails", "[nodes]")
{
    node_tester t;
    t.engine.module<ip4::settings>().source_routes = true;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    const auto to_router = [](const byte_string& o) { return with(o).ip4("10.0.0.2", "10.0.0.1"); };
    check_failed(t, to_router({131, 7, 4, 99, 0, 0, 1}), "source_route_failed"); // no route
    check_failed(t, to_router({137, 7, 4, 16, 0, 0, 1}),
                 "source_route_failed"); // not on a network of ours
    check_failed(t, with({137, 7, 4, 10, 0, 1, 2}).ip4("10.0.0.2", "16.0.0.1"),
                 "source_route_failed"); // not to us
    CHECK(t.verdict_of(to_router({131, 7, 4, 16, 0, 0, 1}).ttl(1)) ==
          "ip4-options: ttl_expired -> a");
    CHECK(t.take_one().icmp().type == net::icmp4::time_exceeded);
    CHECK(t.verdict_of(to_router({131, 7, 4, 127, 0, 0, 1})) == "ip4-lookup: martian_destination");
}

TEST_CASE("an answer goes back by the source route that the request came by", "[nodes]")
{
    node_tester t;
    t.engine.module<ip4::settings>().source_routes = true;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    const auto ping = [](const byte_string& o) {
        return packet_builder{}.ip4("10.0.0.2", "10.0.0.1").icmp_echo().options(o).ttl(1);
    };
    CHECK(t.verdict_of(ping({131, 15, 16, 16, 0, 0, 1, 16, 0, 0, 2, 16, 0, 0, 3})) == "-> b");
    const auto out = t.take();
    REQUIRE(out.size() == 1);
    CHECK(net::from_wire(out[0].ip4().source) == ip("10.0.0.1"));
    CHECK(net::from_wire(out[0].ip4().destination) == ip("16.0.0.3"));
    CHECK((byte_string{out[0].bytes.begin() + 34, out[0].bytes.begin() + 50}) ==
          byte_string{131, 15, 4, 16, 0, 0, 2, 16, 0, 0, 1, 10, 0, 0, 2, 1});
    CHECK(reference_checksum({out[0].bytes.data() + 14, out[0].ip4().header_bytes()}) == 0);
}
