// SPDX-License-Identifier: Apache-2.0
// Takes input nodes out of the running graph, waits until what they brought in has left it, and
// puts them back.
#include "graph/thread/input_control.hh"

#include "graph/engine.hh"

#include <algorithm>

namespace weft {

namespace {

constexpr duration patience = 5s;

bool is_posted(const node_descriptor& descriptor)
{
    return descriptor.state == node_state::interrupt && descriptor.wait == nullptr;
}

} // namespace

// One change at a time; what a change has put aside comes back with its end, also if its process is
// stopped.
class input_control::turn {
public:
    turn(input_control& control, const std::vector<node_id>& inputs) : control_{control}
    {
        control_.changing_ = true;
        for (node_id id : inputs)
            before_.push_back({id, control_.engine_.registry().at(id).state});
    }
    ~turn()
    {
        give_back();
        control_.changing_ = false;
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    void put_aside()
    {
        for (const auto& was : before_)
            control_.engine_.registry().at(was.id).state = node_state::disabled;
    }
    void give_back()
    {
        for (const auto& was : before_)
            control_.engine_.registry().at(was.id).state = was.state;
    }

private:
    struct input {
        node_id id;
        node_state state;
    };

    input_control& control_;
    std::vector<input> before_;
};

result<void> input_control::take_turn(process* self)
{
    if (!engine_.run_until(self, patience, [&] { return !changing_; }))
        return fail(errc::timeout, "another change of inputs is in progress");
    return {};
}

result<void> input_control::set_state(std::vector<node_id> inputs, node_state state, process* self)
{
    if (auto done = take_turn(self); !done)
        return done;
    const auto set = [&](node_registry& registry) -> result<void> {
        for (node_id id : inputs) {
            node_entry& entry = registry.at(id);
            if (entry.descriptor->type != node_type::input)
                return fail(errc::invalid_argument, "node `{}' is not an input node", entry.name);
            if (state == node_state::disabled && is_posted(*entry.descriptor))
                return fail(errc::invalid_argument,
                            "node `{}' runs when another thread posts it, and that thread would "
                            "wait for ever if it were disabled",
                            entry.name);
            entry.state = state;
        }
        return {};
    };
    return engine_.change_graph(set, "state of inputs set");
}

result<void> input_control::move(std::vector<node_id> inputs, unsigned thread, process* self)
{
    std::erase_if(inputs, [&](node_id id) { return engine_.registry().at(id).thread == thread; });
    if (inputs.empty())
        return {};
    return change(inputs, self, [&] {
        for (node_id id : inputs)
            engine_.registry().at(id).thread = thread;
    });
}

result<void> input_control::change(std::vector<node_id> inputs, process* self,
                                   const std::function<void()>& make)
{
    if (auto done = take_turn(self); !done)
        return done;
    turn mine{*this, inputs};
    const auto publish = [&](std::string_view why, auto&& edit) {
        return engine_.change_graph(
            [&](node_registry&) -> result<void> {
                edit();
                return {};
            },
            why);
    };
    const auto give_back = [&] { mine.give_back(); };
    if (auto done = publish("inputs at rest to be moved", [&] { mine.put_aside(); }); !done)
        return done;
    const bool settled = settle(self);
    const auto moved = publish("inputs moved", [&] {
        if (settled)
            make();
        give_back();
    });
    if (!moved) { // the new thread's plan is not valid with them
        if (auto back = publish("inputs moved back", give_back); !back)
            return back;
        return moved;
    }
    if (!settled)
        return fail(errc::timeout, "a thread did not finish its loop within {} s",
                    std::chrono::duration_cast<std::chrono::seconds>(patience).count());
    return {};
}

// Every thread has taken up its plan, so it has finished a loop without the inputs; then what was
// handed over is taken and its loop finished, as often as a packet may be handed on: to the worker
// of its flow, to the owner of a transmit queue, and one more.
bool input_control::settle(process* self)
{
    constexpr int max_hand_overs = 3;
    const unsigned count = engine_.thread_count();
    const auto all = [&](auto&& done) {
        return engine_.run_until(self, patience, [&] {
            for (unsigned thread = 0; thread < count; ++thread)
                if (!done(thread))
                    return false;
            return true;
        });
    };
    std::vector<uint64_t> versions;
    for (unsigned thread = 0; thread < count; ++thread)
        versions.push_back(engine_.thread(thread).published_version());
    if (!all([&](unsigned t) { return engine_.thread(t).has_adopted(versions[t]); }))
        return false;
    for (int round = 0; round < max_hand_overs; ++round) {
        std::vector<std::vector<size_t>> handed; // by taker, then giver
        for (unsigned thread = 0; thread < count; ++thread)
            handed.push_back(engine_.thread(thread).handed_in());
        if (std::all_of(handed.begin(), handed.end(), [](const auto& of) {
                return std::all_of(of.begin(), of.end(), [](size_t n) { return n == 0; });
            }))
            return true; // nobody ever handed anything over
        if (!all([&](unsigned t) { return engine_.thread(t).has_taken(handed[t]); }))
            return false;
        std::vector<uint64_t> loops;
        for (unsigned thread = 0; thread < count; ++thread) {
            loops.push_back(engine_.thread(thread).loops());
            engine_.thread(thread).wake();
        }
        if (!all([&](unsigned t) { return engine_.thread(t).loops() > loops[t]; }))
            return false;
    }
    return true;
}

} // namespace weft
