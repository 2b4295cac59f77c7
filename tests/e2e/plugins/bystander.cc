// SPDX-License-Identifier: Apache-2.0
// A plugin with a process and an init function.
#include "graph/init.hh"
#include "graph/plugin.hh"
#include "graph/process/process.hh"

#include <spdlog/spdlog.h>

WEFT_PLUGIN("bystander", "0.3", "Has a process and an init function");

namespace {

weft::result<void> look(weft::engine&)
{
    spdlog::info("bystander: the graph is about to run");
    return {};
}

void stand_by(weft::process& self)
{
    while (true) {
        spdlog::info("bystander: standing by");
        self.sleep_for(std::chrono::hours{1});
    }
}

const weft::init_registration init{"bystander", weft::init_phase::start, look};
const weft::process_registration process{"bystander", stand_by};

} // namespace
