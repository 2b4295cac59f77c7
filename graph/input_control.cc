// SPDX-License-Identifier: Apache-2.0
// Takes input nodes out of the running graph, waits until what they brought in has left it, and puts them back.
#include "graph/input_control.hh"

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

// One change at a time; what a change has put aside comes back with its end, also if its process is stopped.
class input_control::turn {
public:
    turn(input_control& control, const std::vector<node_id>& inputs) : control_{control}
    {
        control_.changing_ = true;
        for (node_id id : inputs)
            before_.push_back({id, std::exchange(entry(id).state, node_state::disabled), entry(id).thread});
    }
    ~turn()
    {
        give_back();
        control_.changing_ = false;
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    void give_back()
    {
        for (const auto& was : before_)
            entry(was.id).state = was.state;
    }
    void undo()
    {
        give_back();
        for (const auto& was : before_)
            entry(was.id).thread = was.thread;
    }

private:
    struct input {
        node_id id;
        node_state state;
        std::optional<unsigned> thread;
    };
    node_entry& entry(node_id id) { return control_.host_.registry().at(id); }

    input_control& control_;
    std::vector<input> before_;
};

result<void> input_control::take_turn(process* self)
{
    if (!host_.run_until(self, patience, [&] { return !changing_; }))
        return fail(errc::timeout, "another change of inputs is under way");
    return {};
}

result<void> input_control::set_state(std::vector<node_id> inputs, node_state state, process* self)
{
    if (auto done = take_turn(self); !done)
        return done;
    for (node_id id : inputs) {
        const node_entry& entry = host_.registry().at(id);
        if (entry.descriptor->type != node_type::input)
            return fail(errc::invalid_argument, "node `{}' is no input node", entry.name);
        if (state == node_state::disabled && is_posted(*entry.descriptor))
            return fail(errc::invalid_argument, "node `{}' is called when another thread posts it, which would wait "
                        "for ever if it were disabled", entry.name);
    }
    std::vector<node_state> before;
    for (node_id id : inputs)
        before.push_back(std::exchange(host_.registry().at(id).state, state));
    auto done = host_.publish_plans("state of inputs set");
    for (size_t i = 0; !done && i < inputs.size(); ++i)
        host_.registry().at(inputs[i]).state = before[i];
    return done;
}

result<void> input_control::move(std::vector<node_id> inputs, unsigned thread, process* self)
{
    std::erase_if(inputs, [&](node_id id) { return host_.registry().at(id).thread == thread; });
    if (inputs.empty())
        return {};
    return change(inputs, self, [&] {
        for (node_id id : inputs)
            host_.registry().at(id).thread = thread;
    });
}

result<void> input_control::change(std::vector<node_id> inputs, process* self,
                                   const std::function<void()>& make)
{
    if (auto done = take_turn(self); !done)
        return done;
    turn mine{*this, inputs};
    if (auto done = host_.publish_plans("inputs at rest to be moved"); !done)
        return done;
    const bool settled = settle(self);
    if (settled)
        make();
    mine.give_back();
    if (auto done = host_.publish_plans("inputs moved"); !done) {
        mine.undo(); // the new thread's plan is not valid with them
        if (auto back = host_.publish_plans("inputs moved back"); !back)
            return back;
        return done;
    }
    if (!settled)
        return fail(errc::timeout, "a thread did not finish its loop within {} s",
                    std::chrono::duration_cast<std::chrono::seconds>(patience).count());
    return {};
}

// Every thread has taken up its plan, so it has finished a loop without the inputs; then what was handed over is
// taken and its loop finished, as often as a packet may be handed on: to the worker of its flow, to the owner of a
// transmit queue, and one more.
bool input_control::settle(process* self)
{
    constexpr int most_hand_overs = 3;
    const unsigned count = host_.thread_count();
    const auto all = [&](auto&& done) {
        return host_.run_until(self, patience, [&] {
            for (unsigned thread = 0; thread < count; ++thread)
                if (!done(thread))
                    return false;
            return true;
        });
    };
    std::vector<uint64_t> versions;
    for (unsigned thread = 0; thread < count; ++thread)
        versions.push_back(host_.thread(thread).published_version());
    if (!all([&](unsigned t) { return host_.thread(t).has_adopted(versions[t]); }))
        return false;
    for (int round = 0; round < most_hand_overs; ++round) {
        std::vector<std::vector<size_t>> handed; // by taker, then giver
        for (unsigned thread = 0; thread < count; ++thread)
            handed.push_back(host_.thread(thread).handed_in());
        if (std::all_of(handed.begin(), handed.end(), [](const auto& of) {
                return std::all_of(of.begin(), of.end(), [](size_t n) { return n == 0; });
            }))
            return true; // nobody ever handed anything over
        if (!all([&](unsigned t) { return host_.thread(t).has_taken(handed[t]); }))
            return false;
        std::vector<uint64_t> loops;
        for (unsigned thread = 0; thread < count; ++thread) {
            loops.push_back(host_.thread(thread).loops());
            host_.thread(thread).wake();
        }
        if (!all([&](unsigned t) { return host_.thread(t).loops() > loops[t]; }))
            return false;
    }
    return true;
}

} // namespace weft
