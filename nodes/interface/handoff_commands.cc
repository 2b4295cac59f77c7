// SPDX-License-Identifier: Apache-2.0
// set interface handoff, show interface handoff.
#include "base/text_table.hh"
#include "control/command/command_parameters.hh"
#include "control/show/statistics.hh"
#include "graph/engine.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/worker_handoff.hh"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace weft::drivers {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

std::optional<unsigned> number_in(std::string_view text)
{
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return {};
    return value;
}

// "1,3-4"; each once, in order.
result<std::vector<unsigned>> parse_workers(std::string_view text, unsigned thread_count)
{
    const auto wrong = [&] {
        return fail(errc::invalid_argument,
                    "workers: `{}' is not a list of workers such as 1,2 or 1-3", text);
    };
    std::vector<unsigned> list;
    for (std::string_view rest = text;;) {
        const std::string_view part = rest.substr(0, rest.find(','));
        const auto first = number_in(part.substr(0, part.find('-')));
        const auto last =
            part.find('-') == part.npos ? first : number_in(part.substr(part.find('-') + 1));
        if (!first || !last || *first > *last)
            return wrong();
        if (*first == 0 || *last >= thread_count)
            return fail(errc::not_found, "workers: no worker {}; {}", *first == 0 ? 0 : *last,
                        thread_count == 1 ? "there are none"
                                          : fmt::format("workers are 1 to {}", thread_count - 1));
        for (unsigned n = *first; n <= *last; ++n)
            list.push_back(n);
        if (rest.find(',') == rest.npos)
            break;
        rest.remove_prefix(rest.find(',') + 1);
    }
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    if (list.size() > handoff_workers::most)
        return fail(errc::exhausted, "workers: {} workers, at most {} are possible", list.size(),
                    handoff_workers::most);
    return list;
}

result<json> set(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    std::vector<unsigned> threads;
    if (context.arguments.has("workers")) {
        auto list = parse_workers(context.arguments.text("workers"), context.engine.thread_count());
        if (!list)
            return pass(list);
        threads = *list;
    }
    auto done = context.engine.module<handoff_table>().set(**i, threads, context.self);
    if (!done)
        return pass(done);
    return json("");
}

const command_registration on_command{
    "set interface handoff <interface:interface> workers <workers:word>",
    "Spreads the packets of an interface over workers (1,2 or 1-3) by flow", set};
const command_registration off_command{
    "set interface handoff <interface:interface> off",
    "Keeps the packets of an interface on the worker that receives them", set};

result<json> show(command_context& context)
{
    engine& engine = context.engine;
    const auto& table = engine.module<handoff_table>();
    json list = json::array();
    for (const auto& i : interfaces_of(engine).all())
        if (const auto threads = table.workers(i->index); !threads.empty()) {
            json names = json::array();
            for (unsigned thread : threads)
                names.push_back(engine.thread(thread).name());
            list.push_back({{"name", i->name}, {"workers", names}});
        }
    const auto* node = engine.registry().find("worker-handoff");
    uint64_t packets = 0, congested = 0;
    for (unsigned thread = 0; thread < engine.thread_count(); ++thread)
        if (const auto* store = engine.thread(thread).store_of(node->id)) {
            packets += store->counters.vectors.get();
            congested += store->reasons[0].get();
        }
    const uint64_t stayed = engine.module<statistics>().sent(node->id, 0);
    return json{{"interfaces", list},
                {"packets", packets},
                {"handed_over", packets - std::min(packets, stayed + congested)},
                {"congestion", congested}};
}

std::string show_text(const json& data)
{
    text_table table{{{"Name", 32, left}, {"Workers", 32, left, left}}};
    for (const auto& i : data["interfaces"]) {
        std::string names;
        for (const auto& name : i["workers"])
            names += (names.empty() ? "" : ", ") + name.get<std::string>();
        table.row({i["name"], names});
    }
    return table.str() + fmt::format("\n{} packets, {} handed over, {} dropped for congestion",
                                     data["packets"].get<uint64_t>(),
                                     data["handed_over"].get<uint64_t>(),
                                     data["congestion"].get<uint64_t>());
}

const command_registration show_command{
    "show interface handoff", "Interfaces whose packets are spread over workers, with counters",
    show, show_text};

} // namespace

} // namespace weft::drivers
