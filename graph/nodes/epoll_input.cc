// SPDX-License-Identifier: Apache-2.0
// epoll-input: looks at the main thread's files while it is too busy with queues of its own to
// sleep in epoll.
#include "graph/engine.hh"
#include "graph/node_run.hh"

#include <spdlog/spdlog.h>

namespace weft::drivers {

namespace {

uint32_t epoll_input(node_run& run) noexcept
{
    engine& engine = run.thread().engine();
    if (!engine.is_busy())
        return 0;
    try {
        engine.loop().wait(0ns);
    } catch (const std::system_error& error) { // as where it sleeps: there is no going on
        spdlog::critical("{}", error.what());
        engine.request_stop();
    }
    return 0;
}

// The engine gives it to the main thread.
const node_registration registration{{
    .name = "epoll-input",
    .type = node_type::pre_input,
    .poll = epoll_input,
    .every = 32,
}};

} // namespace

} // namespace weft::drivers
