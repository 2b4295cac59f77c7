// SPDX-License-Identifier: Apache-2.0
// Runs the unit tests over an EAL without hugepages, so that tests may use real mbufs.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include <rte_eal.h>

#include <string>
#include <vector>

namespace {

bool start_eal()
{
    std::vector<std::string> words{"weft_tests", "--no-huge",     "--no-shconf", "--no-pci", "-m",
                                   "128",        "--no-telemetry", "--log-level=3", "-l",      "0"};
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0;
}

} // namespace

int main(int count, char** arguments)
{
    if (!start_eal())
        return 2;
    const int failures = Catch::Session().run(count, arguments);
    rte_eal_cleanup();
    return failures > 0 ? 1 : 0;
}
