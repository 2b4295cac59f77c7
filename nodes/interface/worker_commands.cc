// SPDX-License-Identifier: Apache-2.0
// set workers: which of the workers poll receive queues; the others sleep.
#include "control/command/command_parameters.hh"
#include "graph/engine.hh"
#include "graph/thread/input_control.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/worker_handoff.hh"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

// "1,3", or "all".
result<std::vector<unsigned>> workers_of(const engine& engine, std::string_view text)
{
    const unsigned last = engine.thread_count() - 1;
    if (last == 0)
        return fail(errc::unsupported, "there are no workers (cpu.workers)");
    if (text == "all")
        return engine.polling_threads();
    std::vector<unsigned> chosen;
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(','));
        text.remove_prefix(std::min(word.size() + 1, text.size()));
        unsigned worker = 0;
        const auto [end, fault] = std::from_chars(word.begin(), word.end(), worker);
        if (fault != std::errc{} || end != word.end() || worker == 0 || worker > last)
            return fail(errc::invalid_argument,
                        "workers: `{}' is no worker; expected `all', or numbers from 1 to {} with "
                        "commas between",
                        word, last);
        if (std::find(chosen.begin(), chosen.end(), worker) == chosen.end())
            chosen.push_back(worker);
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

// An interface that hands packets to a worker keeps that awake.
result<void> check_handoff(engine& engine, const std::vector<unsigned>& chosen)
{
    for (const interface* i : interfaces_of(engine).all())
        for (const unsigned worker : engine.module<drivers::handoff_table>().workers(i->index))
            if (std::find(chosen.begin(), chosen.end(), worker) == chosen.end())
                return fail(errc::invalid_argument,
                            "workers: interface {} hands packets to worker {} (`set interface "
                            "handoff')",
                            i->name, worker);
    return {};
}

// Queues by the worker that each goes to: as at the start, one interface after the other.
result<std::map<unsigned, std::vector<node_id>>> places(engine& engine)
{
    std::map<unsigned, std::vector<node_id>> all;
    for (const interface* i : interfaces_of(engine).all())
        for (const auto& q : i->driver->rx_queues()) {
            const auto pollers = engine.polling_threads_for(engine.registry().at(q.input).name);
            if (!pollers)
                return pass(pollers);
            all[(*pollers)[(i->index + q.queue) % pollers->size()]].push_back(q.input);
        }
    return all;
}

result<void> choose(engine& engine, const std::vector<unsigned>& chosen, process* self)
{
    const auto before = engine.chosen_threads();
    engine.choose_threads(chosen);
    const auto all = places(engine);
    if (!all) {
        engine.choose_threads(before);
        return pass(all);
    }
    for (const auto& [worker, inputs] : *all)
        if (auto done = engine.module<input_control>().move(inputs, worker, self); !done)
            return done;
    return {};
}

result<json> set_workers(command_context& context)
{
    auto chosen = workers_of(context.engine, context.arguments.text("workers"));
    if (!chosen)
        return pass(chosen);
    auto done = check_handoff(context.engine, *chosen);
    if (done)
        done = choose(context.engine, *chosen, context.self);
    if (!done)
        return pass(done);
    return json("");
}

const command_registration set{
    "set workers <workers:word>",
    "Sets which workers poll receive queues (1,2 or all); the others sleep", set_workers};

} // namespace

} // namespace weft
