// SPDX-License-Identifier: Apache-2.0
// Addresses: the exact text forms are read and printed, everything else is refused with words.
#include "base/net/address.hh"
#include "base/quote.hh"

#include <catch2/catch.hpp>

using namespace weft;
using namespace weft::net;

namespace {

template <class T>
std::string fault(std::string_view text)
{
    const auto parsed = parse<T>(text);
    return parsed ? "accepted as " + to_string(*parsed) : parsed.error().message;
}

template <class T>
void check_round_trip(std::initializer_list<const char*> texts)
{
    for (const char* text : texts) {
        const auto parsed = parse<T>(text);
        INFO(text);
        REQUIRE(parsed.has_value());
        CHECK(to_string(*parsed) == text);
    }
}

} // namespace

TEST_CASE("addresses print as they are read", "[graph][address]")
{
    check_round_trip<ip4_address>({"0.0.0.0", "10.0.0.1", "255.255.255.255", "1.20.100.9"});
    check_round_trip<ip4_prefix>({"0.0.0.0/0", "10.0.0.0/24", "10.0.0.1/32", "128.0.0.0/1"});
    check_round_trip<ip4_interface_address>({"10.0.0.1/24", "10.0.0.1/32", "10.0.0.1/0"});
    check_round_trip<mac_address>({"02:00:00:00:0a:01", "ff:ff:ff:ff:ff:ff"});
}

TEST_CASE("addresses have the value of their text", "[graph][address]")
{
    CHECK(parse<ip4_address>("10.1.2.3")->value == 0x0a010203);
    CHECK(*parse<ip4_prefix>("16.0.0.0/8") == ip4_prefix{{0x10000000}, 8});
    CHECK(parse<ip4_interface_address>("10.0.0.9/29")->network() == ip4_prefix{{0x0a000008}, 29});
    CHECK(*parse<mac_address>("0A:1b:2C:3d:4E:5f") ==
          mac_address{{0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f}});
}

TEST_CASE("an IPv4 address is refused unless it is a plain dotted quad", "[graph][address]")
{
    for (const char* text : {"",           "10",         "10.0.0",      "10.0.0.",
                             ".10.0.0",    "10.0.0.1.2", "10.0.0.1.",   "010.0.0.1",
                             "10.00.0.1",  "256.0.0.1",  "10.0.0.1000", "1 0.0.0.1",
                             " 10.0.0.1",  "10.0.0.1 ",  "10.0.0.-1",   "+1.0.0.1",
                             "0x0a.0.0.1", "10..0.1",    "10.0.0.1/24", "a.b.c.d",
                             "::1"}) {
        INFO(text);
        CHECK_FALSE(parse<ip4_address>(text).has_value());
    }
    CHECK(fault<ip4_address>("010.0.0.1") ==
          "`010.0.0.1' is not an IPv4 address; expected the form 10.0.0.1");
}

TEST_CASE("a prefix needs a length from 0 to 32", "[graph][address]")
{
    CHECK(fault<ip4_prefix>("10.0.0.0") ==
          "`10.0.0.0' has no prefix length; expected the form 10.0.0.0/24");
    CHECK(fault<ip4_prefix>("10.0.0.0/33") ==
          "`10.0.0.0/33' has the prefix length `33'; expected a number from 0 to 32");
    CHECK(fault<ip4_prefix>("10.0.0/24") ==
          "`10.0.0/24' is not an IPv4 network; expected the form 10.0.0.0/24");
    CHECK(fault<ip4_interface_address>("10.0.0.1") ==
          "`10.0.0.1' has no prefix length; expected the form 10.0.0.1/24");
    for (const char* text : {"10.0.0.0/", "10.0.0.0/024", "10.0.0.0/00", "10.0.0.0/ 8",
                             "10.0.0.0/8/8", "10.0.0.0/-1", "/8", "10.0.0.0/4294967304"}) {
        INFO(text);
        CHECK_FALSE(parse<ip4_prefix>(text).has_value());
        CHECK_FALSE(parse<ip4_interface_address>(text).has_value());
    }
}

TEST_CASE("a prefix with host bits proposes its network", "[graph][address]")
{
    CHECK(fault<ip4_prefix>("10.0.0.1/24") ==
          "`10.0.0.1/24' has bits set beyond its prefix length; expected the network 10.0.0.0/24");
    CHECK(fault<ip4_prefix>("0.0.0.1/0") ==
          "`0.0.0.1/0' has bits set beyond its prefix length; expected the network 0.0.0.0/0");
    CHECK(parse<ip4_interface_address>("10.0.0.1/24").has_value());
}

TEST_CASE("a network's ends are no host's, unless it has two addresses or one", "[graph][address]")
{
    const auto is = [](const char* network, const char* a) {
        const auto p = *parse<ip4_prefix>(network);
        const auto address = *parse<ip4_address>(a);
        return std::pair{p.is_end(address), p.has_host(address)};
    };
    using answer = std::pair<bool, bool>;
    CHECK(is("10.0.0.0/24", "10.0.0.0") == answer{true, false});
    CHECK(is("10.0.0.0/24", "10.0.0.255") == answer{true, false});
    CHECK(is("10.0.0.0/24", "10.0.0.1") == answer{false, true});
    CHECK(is("10.0.0.0/24", "10.0.0.254") == answer{false, true});
    CHECK(is("10.0.0.0/24", "10.0.1.1") == answer{false, false});
    CHECK(is("10.0.0.4/30", "10.0.0.7") == answer{true, false});
    CHECK(is("10.0.0.4/31", "10.0.0.4") == answer{false, true});
    CHECK(is("10.0.0.4/31", "10.0.0.5") == answer{false, true});
    CHECK(is("10.0.0.4/31", "10.0.0.6") == answer{false, false});
    CHECK(is("10.0.0.4/32", "10.0.0.4") == answer{false, true});
    CHECK(is("0.0.0.0/0", "0.0.0.0") == answer{true, false});
    CHECK(is("0.0.0.0/0", "255.255.255.255") == answer{true, false});
}

TEST_CASE("a MAC address is refused unless it is six pairs and colons", "[graph][address]")
{
    for (const char* text : {"", "02:00:00:00:0a", "02:00:00:00:0a:0", "02:00:00:00:0a:01:",
                             "02-00-00-00-0a-01", "0200.0000.0a01", "2:0:0:0:a:1:0:0:0:0",
                             "02:00:00:00:0a:0g", " 2:00:00:00:0a:01", "02:00:00:00:0a:01:02"}) {
        INFO(text);
        CHECK_FALSE(parse<mac_address>(text).has_value());
    }
    CHECK(fault<mac_address>("02:00") ==
          "`02:00' is not a MAC address; expected the form 02:00:00:00:0a:01");
}

TEST_CASE("an IPv6 address prints as RFC 5952 has it, whatever form it was read in",
          "[graph][address]")
{
    check_round_trip<ip6_address>({"::", "::1", "1::", "2001:db8::1", "fe80::1:2:3:4",
                                   "2001:db8:0:1:1:1:1:1", "1:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8",
                                   "::ffff:192.0.2.1"});
    const auto canonical = [](std::string_view text) {
        const auto parsed = parse<ip6_address>(text);
        return parsed ? to_string(*parsed) : parsed.error().message;
    };
    CHECK(canonical("2001:DB8:0000:0:0:0:0:0001") == "2001:db8::1");
    CHECK(canonical("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");         // the longest run
    CHECK(canonical("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");   // the first of two
    CHECK(canonical("2001:db8::1:1:1:1:1") == "2001:db8:0:1:1:1:1:1"); // one group is no run
    CHECK(canonical("64:ff9b::192.0.2.33") == "64:ff9b::c000:221");
    CHECK(canonical("1:2:3:4:5:6:7::") == "1:2:3:4:5:6:7:0");
}

TEST_CASE("an IPv6 address is refused unless its groups are eight", "[graph][address]")
{
    for (const char* text : {"",
                             ":",
                             ":::",
                             "1",
                             "1:2:3:4:5:6:7",
                             "1:2:3:4:5:6:7:8:9",
                             "1:2:3:4:5:6:7:8::",
                             "::1::",
                             "1::2::3",
                             "12345::",
                             "g::",
                             "1:",
                             ":1",
                             "1:2:3:4:5:6:7:",
                             "::1.2.3",
                             "::1.2.3.4:5",
                             "1.2.3.4::",
                             "1:2:3:4:5:6:7:1.2.3.4",
                             "1.2.3.4",
                             "fe80::1%eth0",
                             " ::1",
                             "::1 ",
                             "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"}) {
        INFO(text);
        CHECK_FALSE(parse<ip6_address>(text).has_value());
    }
    CHECK(fault<ip6_address>("x") == "`x' is not an IPv6 address; expected the form 2001:db8::1");
}

TEST_CASE("an address of either family knows which, and is compared with any other",
          "[graph][address]")
{
    check_round_trip<ip_address>({"10.0.0.1", "0.0.0.0", "::", "::1", "2001:db8::1"});
    const ip_address four = *parse<ip_address>("10.0.0.1");
    const ip_address six = *parse<ip_address>("::10.0.0.1"); // not the same
    CHECK((four.is_ip4() && four.ip4() == ip4_address{0x0a00'0001}));
    CHECK((six.of() == family::ip6 && six != four));
    CHECK((ip_address{}.is_none() && ip_address::none(family::ip6).is_none()));
    CHECK(ip_address{} != ip_address::none(family::ip6));
    CHECK(ip_address{ip4_address{1}} < four);
    CHECK(std::hash<ip_address>{}(four) != std::hash<ip_address>{}(six));
    CHECK(fault<ip_address>("::ffff:10.0.0.1") ==
          "`::ffff:10.0.0.1' is an IPv4 address; expected the form 10.0.0.1");
    CHECK(ip6_address::from_wire(six.ip6().wire()) == six.ip6());
    CHECK(parse<ip6_address>("fe80::1")->is_link_local());
    CHECK(parse<ip6_address>("ff02::1")->is_multicast());
}

TEST_CASE("quoted text is clipped and has no control characters", "[graph][quoted]")
{
    CHECK(quote("a\nb\x7f") == "`a?b?'");
    CHECK(quote(std::string(60, 'x')) == "`" + std::string(60, 'x') + "'");
    CHECK(quote(std::string(61, 'x')) == "`" + std::string(60, 'x') + "...'");
    CHECK(quote(std::string(59, 'x') + "\u00fcber") == "`" + std::string(59, 'x') + "...'");
}
