// SPDX-License-Identifier: Apache-2.0
// An EAL without hugepages and devices, so that test programs may use real mbufs.
#pragma once

#include <rte_eal.h>

#include <string>
#include <vector>

namespace weft::test {

[[nodiscard]] inline bool start_eal()
{
    std::vector<std::string> words{"weft_tests", "--no-huge", "--no-shconf",    "--no-pci",
                                   "-m",         "128",       "--no-telemetry", "--log-level=3",
                                   "-l",         "0"};
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0;
}

} // namespace weft::test
