// SPDX-License-Identifier: Apache-2.0
// capture dispatch on and off, show capture.
#include "control/command/command_parameters.hh"
#include "observe/dispatch_capture.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

constexpr uint64_t usual_packets = 100'000;
constexpr uint64_t max_packets_each = 100'000'000;
constexpr uint32_t min_snap = 64;

// Where packets come into the graph, so that each is recorded once and its whole way can be
// replayed.
std::vector<node_id> first_nodes(const engine& engine)
{
    std::vector<node_id> found;
    for (const auto& entry : engine.registry().all())
        // the others lead round about to the first (worker-handoff), or were added for somebody
        if (entry.descriptor->type != node_type::internal &&
            engine.registry().named_slots(entry.id) > 0)
            found.push_back(entry.nexts.front());
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

result<std::vector<node_id>> chosen_nodes(command_context& context)
{
    std::vector<node_id> found;
    for (const auto& name : context.arguments.all("name")) {
        const auto entry = find_node(context.engine, name);
        if (!entry)
            return pass(entry);
        if ((*entry)->descriptor->type != node_type::internal)
            return fail(errc::invalid_argument,
                        "node `{}' receives no vectors; expected one of the nodes that it sends to",
                        name);
        found.push_back((*entry)->id);
    }
    return found.empty() ? first_nodes(context.engine) : found;
}

std::string_view to_string(dispatch_capture::state state)
{
    switch (state) {
    case dispatch_capture::state::on:
        return "on";
    case dispatch_capture::state::ending:
        return "ending";
    default:
        return "off";
    }
}

json capture_json(engine& engine)
{
    const auto& capture = engine.module<dispatch_capture>();
    const auto& asked = capture.request();
    return {{"state", to_string(capture.is())},
            {"file", asked.path},
            {"nodes", asked.names},
            {"max", asked.most},
            {"snap", asked.snap},
            {"packets", capture.packets()},
            {"vectors", capture.vectors()},
            {"bytes", capture.bytes()},
            {"missed", capture.missed()},
            {"failure", capture.failure()}};
}

std::string capture_text(const json& data)
{
    const auto file = data["file"].get<std::string>();
    if (file.empty())
        return "no vectors have been captured";
    std::string nodes;
    for (const auto& n : data["nodes"])
        nodes += " " + n.get<std::string>();
    std::string out = fmt::format(
        "capture {} {}, nodes{}\n{} packets (at most {}) in {} vectors, {} bytes of file\n"
        "{} packets missed because the file could not keep up",
        data["state"] == "off"  ? "ended:"
        : data["state"] == "on" ? "runs:"
                                : "is ending:",
        file, nodes, data["packets"].get<uint64_t>(), data["max"].get<uint64_t>(),
        data["vectors"].get<uint64_t>(), data["bytes"].get<uint64_t>(),
        data["missed"].get<uint64_t>());
    if (!data["failure"].get_ref<const std::string&>().empty())
        out += "\nended early: " + data["failure"].get<std::string>();
    return out;
}

// Lives as long as the capture: writes, and lets the others run in between. If it is stopped, so is
// the capture.
void write_capture(process& self)
{
    auto& capture = self.engine().module<dispatch_capture>();
    struct end_capture {
        dispatch_capture& what;
        ~end_capture() { what.end(); }
    } const at_end{capture};
    while (capture.is() != dispatch_capture::state::off) {
        if (capture.step())
            self.yield();
        else
            self.sleep_for(2ms);
    }
}

result<json> capture_on(command_context& context)
{
    const auto& args = context.arguments;
    capture_request wanted;
    wanted.path = args.text("file");
    if (!wanted.path.starts_with('/'))
        return fail(errc::invalid_argument, "file: `{}' is not an absolute path", wanted.path);
    const auto most = number_within(args, "max", 1, max_packets_each, usual_packets);
    if (!most)
        return pass(most);
    const auto snap = number_within(args, "snap", min_snap, whole_packets, whole_packets);
    if (!snap)
        return pass(snap);
    auto nodes = chosen_nodes(context);
    if (!nodes)
        return pass(nodes);
    wanted.most = *most;
    wanted.snap = static_cast<uint32_t>(*snap);
    wanted.nodes = std::move(*nodes);
    for (node_id id : wanted.nodes)
        wanted.names.push_back(context.engine.registry().at(id).name);
    auto& capture = context.engine.module<dispatch_capture>();
    auto buffers = dispatch_capture::make_buffers(context.engine, wanted, context.self);
    if (auto begun = capture.begin(std::move(wanted), std::move(buffers)); !begun)
        return pass(begun);
    if (auto writer = context.engine.loop().start("capture", write_capture); !writer) {
        capture.end();
        return pass(writer);
    }
    return json("");
}

// Answers when the file is complete.
result<json> capture_off(command_context& context)
{
    auto& capture = context.engine.module<dispatch_capture>();
    if (capture.is() == dispatch_capture::state::off)
        return fail(errc::not_found, "no capture is running");
    capture.end();
    while (context.self != nullptr && capture.is() != dispatch_capture::state::off)
        context.self->sleep_for(1ms);
    return capture_json(context.engine);
}

result<json> show_capture(command_context& context)
{
    return capture_json(context.engine);
}

const command_registration on{
    "capture dispatch on <file:word> [node <name:node>...] [max <max:number>] [snap <snap:number>]",
    "Writes the vectors that nodes receive (default: all input) to a pcapng file", capture_on};
const command_registration off{"capture dispatch off", "Ends the vector capture", capture_off,
                               capture_text};
const command_registration show{"show capture", "The current or most recent vector capture",
                                show_capture, capture_text};

} // namespace

} // namespace weft
