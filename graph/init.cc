// SPDX-License-Identifier: Apache-2.0
// Orders and runs init functions.
#include "graph/init.hh"

#include "graph/order.hh"

#include <algorithm>

namespace weft {

namespace {

std::vector<const init_registration*>& init_registrations()
{
    static std::vector<const init_registration*> list;
    return list;
}

// Calls what `call` makes of each step until one fails; all of them if `all`.
template <class Steps, class Call>
result<void> run_steps(const Steps& steps, bool all, Call&& call)
{
    result<void> outcome;
    for (const init_step& step : steps) {
        auto done = call(*step.what);
        if (!done && outcome)
            outcome = fail(done.error().code, "{}: {}", step.what->name, done.error().message);
        if (!outcome && !all)
            break;
    }
    return outcome;
}

} // namespace

std::string_view to_string(init_phase phase) noexcept
{
    switch (phase) {
    case init_phase::early:
        return "early";
    case init_phase::start:
        return "start";
    case init_phase::worker_start:
        return "worker-start";
    case init_phase::main_loop_enter:
        return "main-loop-enter";
    case init_phase::exit:
        return "exit";
    }
    return "unknown";
}

init_registration::init_registration(std::string_view name_, init_phase phase_,
                                     function_type function_, std::vector<std::string_view> after_,
                                     std::vector<std::string_view> before_,
                                     std::source_location where_)
    : name{name_},
      phase{phase_},
      function{function_},
      after{std::move(after_)},
      before{std::move(before_)},
      where{where_}
{
    init_registrations().push_back(this);
}

init_registration::init_registration(std::string_view name_, worker_function_type on_worker_,
                                     std::vector<std::string_view> after_,
                                     std::vector<std::string_view> before_,
                                     std::source_location where_)
    : name{name_},
      phase{init_phase::worker_start},
      on_worker{on_worker_},
      after{std::move(after_)},
      before{std::move(before_)},
      where{where_}
{
    init_registrations().push_back(this);
}

init_registration::~init_registration()
{
    std::erase(init_registrations(), this);
}

result<std::vector<init_step>> init_order(init_phase phase)
{
    std::vector<const init_registration*> chosen;
    for (const auto* f : init_registrations())
        if (f->phase == phase)
            chosen.push_back(f);
    return init_order(std::move(chosen));
}

result<std::vector<init_step>> init_order(std::vector<const init_registration*> functions)
{
    std::vector<order_item> items;
    for (const auto* f : functions)
        items.push_back({f->name, f->after, f->before, f->where});
    const auto order = order_of("init functions", items);
    if (!order)
        return pass(order);
    std::vector<init_step> steps;
    for (const auto& step : *order)
        steps.push_back({functions[step.item],
                         step.waited_for ? functions[*step.waited_for] : nullptr,
                         step.asked_by_other});
    return steps;
}

result<void> check_init_order()
{
    for (const auto phase : init_phases)
        if (const auto order = init_order(phase); !order)
            return fail(order.error().code, "phase {}: {}", to_string(phase),
                        order.error().message);
    return {};
}

result<void> run_init(init_phase phase, engine& engine)
{
    auto order = init_order(phase);
    if (!order)
        return pass(order);
    const bool last = phase == init_phase::exit;
    if (last)
        std::reverse(order->begin(), order->end());
    return run_steps(*order, last, [&](const auto& f) { return f.function(engine); });
}

result<void> run_init(std::span<const init_step> order, graph_thread& self)
{
    return run_steps(order, false, [&](const auto& f) { return f.on_worker(self); });
}

} // namespace weft
