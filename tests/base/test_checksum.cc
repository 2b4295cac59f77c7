// SPDX-License-Identifier: Apache-2.0
// The Internet checksum: examples of the RFCs, odd lengths, and increments against the whole.
#include "base/net/checksum.hh"

#include "tests/nodes/packet_builder.hh"

#include <catch2/catch.hpp>
#include <random>

using namespace weft;
using namespace weft::test;
using net::be16;

TEST_CASE("the example of RFC 1071", "[nodes]")
{
    const byte_string data{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    CHECK(net::checksum_of(data.data(), data.size()).host() == 0x220d); // ~0xddf2
}

TEST_CASE("the example of RFC 1624", "[nodes]")
{
    // section 4: equation 3 gives zero where the older one gives 0xffff
    CHECK(net::checksum_adjust(be16{0xdd2f}, be16{0x5555}, be16{0x3285}).host() == 0x0000);
}

TEST_CASE("the checksum of nothing and of zeros is 0xffff", "[nodes]")
{
    const byte_string zeros(40, 0);
    CHECK(net::checksum_of(zeros.data(), 0).host() == 0xffff);
    CHECK(net::checksum_of(zeros.data(), 40).host() == 0xffff);
    CHECK_FALSE(net::checksum_ok(zeros.data(), 40));
}

TEST_CASE("any length at any address sums as word by word", "[nodes]")
{
    std::mt19937 random{1};
    byte_string data(2100);
    for (auto& byte : data)
        byte = static_cast<uint8_t>(random());
    for (size_t at = 0; at < 5; ++at)
        for (size_t length = 0; length < 2048; length += length < 70 ? 1 : 61)
            REQUIRE(net::checksum_of(data.data() + at, length).host() ==
                    reference_checksum({data.data() + at, length}));
}

TEST_CASE("the largest sum folds", "[nodes]")
{
    const byte_string ones(65536, 0xff);
    for (size_t length : {1, 2, 3, 65533, 65534, 65535, 65536})
        CHECK(net::checksum_of(ones.data(), length).host() ==
              reference_checksum({ones.data(), length}));
    CHECK(net::fold(0xffff'ffff) == 0xffff);
    CHECK(net::fold(0) == 0);
    CHECK(net::fold(0x1'0000) == 1);
    CHECK(net::fold(0x1'ffff) == 1);
}

TEST_CASE("a sum goes on from another", "[nodes]")
{
    const byte_string data{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const uint32_t first = net::sum_of(data.data(), 4);
    CHECK(net::fold(net::sum_of(data.data() + 4, 7, first)) ==
          net::fold(net::sum_of(data.data(), 11)));
}

TEST_CASE("data with its checksum is intact until a bit changes", "[nodes]")
{
    byte_string data = packet_builder{}.ip4().bytes();
    unsigned char* header = data.data() + 14;
    REQUIRE(net::checksum_ok(header, 20));
    for (unsigned bit = 0; bit < 160; ++bit) {
        header[bit / 8] = static_cast<uint8_t>(header[bit / 8] ^ (1u << bit % 8));
        CHECK_FALSE(net::checksum_ok(header, 20));
        header[bit / 8] = static_cast<uint8_t>(header[bit / 8] ^ (1u << bit % 8));
    }
}

TEST_CASE("a changed word adjusts the checksum to what the whole gives", "[nodes]")
{
    std::mt19937 random{2};
    for (unsigned round = 0; round < 100'000; ++round) {
        byte_string data(20);
        for (auto& byte : data)
            byte = static_cast<uint8_t>(random());
        data[19] |= 1; // something is never zero, as RFC 1624 asks
        const be16 before{static_cast<uint16_t>(data[4] << 8 | data[5])};
        const auto after = static_cast<uint16_t>(round % 5 == 0 ? 0 : random());
        const be16 old = net::checksum_of(data.data(), 20);
        data[4] = static_cast<uint8_t>(after >> 8);
        data[5] = static_cast<uint8_t>(after);
        REQUIRE(net::checksum_adjust(old, before, be16{after}) ==
                net::checksum_of(data.data(), 20));
    }
}
