// SPDX-License-Identifier: Apache-2.0
// Runs the unit tests over an EAL of their own.
#define CATCH_CONFIG_RUNNER
#include "tests/eal.hh"

#include <catch2/catch.hpp>

int main(int count, char** arguments)
{
    if (!weft::test::start_eal())
        return 2;
    const int failures = Catch::Session().run(count, arguments);
    rte_eal_cleanup();
    return failures > 0 ? 1 : 0;
}
