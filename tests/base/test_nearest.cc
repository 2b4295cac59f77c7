// SPDX-License-Identifier: Apache-2.0
// The word that a mistyped one may have been meant for.
#include "base/nearest.hh"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace weft;
using word_list = std::vector<std::string>;

TEST_CASE("the nearest word is one that may have been meant", "[base][nearest]")
{
    const word_list words{"addresses", "device", "macaddress", "mtu", "queues", "neighbors"};
    CHECK(nearest("mut", words) == "mtu");
    CHECK(nearest("MTU", words) == "mtu");
    CHECK(nearest("mtus", words) == "mtu");
    CHECK(nearest("devise", words) == "device");
    CHECK(nearest("address", words) == "addresses");
    CHECK(nearest("addr", words) == "addresses");
    CHECK(nearest("neighbours", words) == "neighbors");
    CHECK(nearest("vlan", words) == "");
    CHECK(nearest("x", words) == "");
    CHECK(nearest("", words) == "");
    CHECK(nearest("mtu", {}) == "");
    CHECK(nearest(std::string(100000, 'm'), words) == "");
}
