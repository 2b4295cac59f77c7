// SPDX-License-Identifier: Apache-2.0
// What the tests' helpers (tests/nodes/node_tester.hh) ask of Catch, for programs that run without it: a check that does
// not hold ends the program.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace weft::fuzz {

[[noreturn]] inline void does_not_hold(const char* what, const char* file, int line) noexcept
{
    std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    std::abort();
}

} // namespace weft::fuzz

#define REQUIRE(...)                                                                                                     \
    (static_cast<bool>(__VA_ARGS__) ? void() : weft::fuzz::does_not_hold(#__VA_ARGS__, __FILE__, __LINE__))
#define CHECK(...) REQUIRE(__VA_ARGS__)
#define REQUIRE_FALSE(...) REQUIRE(!(__VA_ARGS__))
#define FAIL(...) weft::fuzz::does_not_hold(#__VA_ARGS__, __FILE__, __LINE__)
#define INFO(...) void()
