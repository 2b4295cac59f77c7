// SPDX-License-Identifier: Apache-2.0
// ip route load.
#include "graph/command_parameters.hh"
#include "graph/process.hh"
#include "graph/quote.hh"
#include "nodes/ip4/route_load.hh"

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

namespace weft::ip4 {

namespace {

using json = nlohmann::ordered_json;

result<json> route_load(command_context& context)
{
    const std::string path{context.arguments.text("path")};
    if (!path.starts_with('/'))
        return fail(errc::invalid_argument, "{} is not an absolute path; the daemon does not know "
                    "your working directory", quote(path));
    const uint64_t rate = context.arguments.has("rate") ? context.arguments.number("rate") : 0;
    if (context.arguments.has("rate") && rate == 0)
        return fail(errc::invalid_argument, "rate: 0 changes a second would never end");
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    std::optional<clock::time_point> first; // change
    const auto done = load_routes(context.host.room<tables>(), path, [&](size_t applied) {
        if (context.self == nullptr)
            return;
        if (applied > 0 && !first)
            first = clock::now();
        const std::chrono::duration<double> due{rate == 0 ? 0.0
                                                          : static_cast<double>(applied) /
                                                                static_cast<double>(rate)};
        if (const auto early = due - (clock::now() - first.value_or(start)); early.count() > 0)
            context.self->sleep_for(std::chrono::duration_cast<duration>(early));
        else
            context.self->yield();
    });
    if (!done)
        return pass(done);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    return json{{"routes", done->added + done->changed + done->removed + done->unchanged},
                {"added", done->added},
                {"changed", done->changed},
                {"removed", done->removed},
                {"unchanged", done->unchanged},
                {"seconds", spent.count()}};
}

std::string load_text(const json& data)
{
    const auto count = [&](const char* what) { return data[what].get<size_t>(); };
    const auto seconds = data["seconds"].get<double>();
    return fmt::format("{} routes: {} added, {} changed, {} removed, {} unchanged in {:.2f} s ({:.2f} M/s)",
                       count("routes"), count("added"), count("changed"), count("removed"),
                       count("unchanged"), seconds,
                       static_cast<double>(count("routes")) / seconds / 1e6);
}

const command_registration load{"ip route load <path:word> [rate <rate:number>]",
                                "Adds, changes and removes static routes as a file says, at most so "
                                "many a second", route_load,
                                load_text};

} // namespace

} // namespace weft::ip4
