// SPDX-License-Identifier: Apache-2.0
// A directory that a test's files lie in and that goes with the test.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace weft {

class temporary_directory {
public:
    temporary_directory() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
    ~temporary_directory()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;

    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_ = "/tmp/weft-test-XXXXXX";
};

} // namespace weft
