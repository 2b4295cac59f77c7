// SPDX-License-Identifier: Apache-2.0
// `cpu.workers`.
#include "control/config/worker_patterns.hh"

namespace weft {

std::vector<node_patterns> patterns_of_workers(const config::value& root)
{
    std::vector<node_patterns> all;
    const auto* cpu = root.find("cpu");
    const auto* workers = cpu == nullptr ? nullptr : cpu->find("workers");
    if (workers == nullptr)
        return all;
    for (const auto& worker : workers->items())
        all.emplace_back(worker.list<std::string>("nodes"));
    return all;
}

} // namespace weft
