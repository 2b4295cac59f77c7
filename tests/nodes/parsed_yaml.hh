// SPDX-License-Identifier: Apache-2.0
// A configuration's tree from its text, for tests.
#pragma once

#include "daemon/yaml_file.hh"

#include <catch2/catch.hpp>
#include <string>

namespace weft::test {

inline config::value parsed(const std::string& text)
{
    config::problems found;
    const auto root = parse_yaml(text, "f", found);
    REQUIRE(root.has_value());
    REQUIRE(found.empty());
    return *root;
}

} // namespace weft::test
