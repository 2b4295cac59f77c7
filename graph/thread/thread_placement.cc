// SPDX-License-Identifier: Apache-2.0
// What every thread does for itself before it runs the graph: its name, its core, its cache of
// packet buffers.
#include "graph/engine.hh"
#include "graph/init.hh"

#include <cstring>
#include <pthread.h>
#include <rte_lcore.h>
#include <sched.h>
#include <spdlog/spdlog.h>

namespace weft {

namespace {

// A thread on another core is slower, not wrong: so it is a warning.
void pin(const graph_thread& self)
{
    if (!self.engine().options().pin)
        return;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(self.core(), &cores);
    if (const int error = pthread_setaffinity_np(pthread_self(), sizeof cores, &cores); error != 0)
        spdlog::warn("thread {} could not be bound to core {}: {}", self.name(), self.core(),
                     std::strerror(error));
}

const init_registration main_core{"main-core", init_phase::start,
                                  [](engine& engine) -> result<void> {
                                      pin(engine.main());
                                      return {};
                                  }};

const init_registration name{"thread-name", [](graph_thread& self) -> result<void> {
                                 pthread_setname_np(pthread_self(), self.name().c_str());
                                 return {};
                             }};

const init_registration core{"thread-core", [](graph_thread& self) -> result<void> {
                                 pin(self);
                                 return {};
                             }};

// An lcore id of DPDK's, which has the memory of the cores that the thread is bound to by then.
const init_registration cache{
    "packet-cache",
    [](graph_thread& self) -> result<void> {
        if (rte_thread_register() != 0)
            spdlog::warn("{} has no lcore ID: it uses the buffer pool without a cache",
                         self.name());
        return {};
    },
    {"thread-core"}};

} // namespace

} // namespace weft
