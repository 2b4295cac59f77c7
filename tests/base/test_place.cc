// SPDX-License-Identifier: Apache-2.0
// Places of registrations.
#include "base/place.hh"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace weft;

TEST_CASE("a place is the file and the line, in short without folders", "[base]")
{
    const auto here = std::source_location::current();
    CHECK(place_of(here) == fmt::format("{}:{}", __FILE__, here.line()));
    CHECK(short_place_of(here) == fmt::format("test_place.cc:{}", here.line()));
}
