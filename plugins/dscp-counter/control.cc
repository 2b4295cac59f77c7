// SPDX-License-Identifier: Apache-2.0
// The section `dscp-counter`, show dscp, clear dscp, set dscp-counter.
#include "dscp_counter.hh"

#include "base/text_table.hh"
#include "control/command/command.hh"
#include "control/config/config.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dscp_counter {

namespace {

using namespace weft;
using json = nlohmann::ordered_json;
using enum text_table::align;

// Puts the node on the packets' way, or takes it off: ip4-input's slot for ip4-lookup leads to the
// one or the other. Takes effect with the next plan.
result<void> lead_through(node_registry& nodes, bool on)
{
    const node_id counter = nodes.find("dscp-counter")->id;
    const node_id lookup = nodes.find("ip4-lookup")->id;
    const node_entry& input = *nodes.find("ip4-input");
    const auto slot = std::find(input.nexts.begin(), input.nexts.end(), on ? lookup : counter);
    if (slot == input.nexts.end())
        return {}; // it is as it is to be
    return nodes.update_next(input.id, static_cast<size_t>(slot - input.nexts.begin()),
                             on ? counter : lookup);
}

bool is_on(const engine& engine)
{
    const auto& nexts = engine.registry().find("ip4-input")->nexts;
    return std::find(nexts.begin(), nexts.end(), engine.registry().find("dscp-counter")->id) !=
           nexts.end();
}

void check(const config::value& root, config::problems& problems)
{
    const auto* own = root.find("dscp-counter");
    const auto* names = own == nullptr ? nullptr : own->find("interfaces");
    const auto* interfaces = root.find("interfaces");
    if (names == nullptr)
        return;
    for (const auto& name : names->items())
        if (interfaces == nullptr || interfaces->find(name.text()) == nullptr)
            problems.add(name, "no interface `{}' is configured", name.text());
}

result<void> apply(const config::value& root, engine& engine)
{
    const auto* own = root.find("dscp-counter");
    if (own == nullptr || !own->get("enabled", true))
        return {};
    if (own->find("interfaces") != nullptr) {
        auto& counted = engine.module<counts>().counted();
        counted.fill(false);
        for (const auto& name : own->list<std::string>("interfaces"))
            counted[interfaces_of(engine).find(name)->index] = true;
    }
    return lead_through(engine.registry(),
                        true); // the first plan is made when all sections are applied
}

const config::registration section{{
    .name = "dscp-counter",
    .stage = config::stage::last,
    .keys = {{"dscp-counter", config::mapping(), "Counts IPv4 packets by DSCP."},
             {"dscp-counter.enabled", config::boolean(),
              "Whether it does from the start (default true)."},
             {"dscp-counter.interfaces", config::list_of(config::text("an interface's name")),
              "Only packets that come in here (default: all)."}},
    .check = check,
    .apply = apply,
    .also_reads = {"interfaces"},
}};

// RFC 2474 (CS), RFC 2597 (AF), RFC 3246 (EF), RFC 5865 (VA), RFC 8622 (LE).
std::string name_of(size_t dscp)
{
    switch (dscp) {
    case 1:
        return "LE";
    case 44:
        return "VA";
    case 46:
        return "EF";
    default:
        break;
    }
    if (dscp % 8 == 0)
        return fmt::format("CS{}", dscp / 8);
    if (dscp % 2 == 0 && dscp < 40 && dscp / 8 > 0)
        return fmt::format("AF{}{}", dscp / 8, dscp % 8 / 2);
    return "";
}

result<json> show(command_context& context)
{
    json rows = json::array();
    for (size_t dscp = 0; dscp < dscp_count; ++dscp)
        if (const uint64_t packets = context.engine.module<counts>().sum(dscp); packets != 0)
            rows.push_back({{"dscp", dscp}, {"name", name_of(dscp)}, {"packets", packets}});
    return json{{"enabled", is_on(context.engine)}, {"dscp", rows}};
}

std::string text(const json& data)
{
    text_table table{{{"DSCP", 4, right}, {"Name", 6, left}, {"Packets", 16, right}}};
    for (const auto& row : data["dscp"])
        table.row({to_string(row["dscp"]), row["name"], to_string(row["packets"])});
    return table.str() +
           (data["enabled"].get<bool>() ? "" : "\nCounting is off (set dscp-counter on).");
}

const command_registration show_dscp{"show dscp", "IPv4 packets by DSCP", show, text};

result<json> clear(command_context& context)
{
    context.engine.module<counts>().clear();
    return json("");
}

const command_registration clear_dscp{"clear dscp", "Counts packets by DSCP from zero", clear};

result<json> set(command_context& context)
{
    const bool on = context.arguments.text("state") == "on";
    const auto lead = [on](node_registry& nodes) { return lead_through(nodes, on); };
    if (auto done =
            context.engine.change_graph(lead, on ? "set dscp-counter on" : "set dscp-counter off");
        !done)
        return pass(done);
    return json("");
}

const command_registration set_dscp{"set dscp-counter <state:on|off>",
                                    "Puts the counter on the packets' way, or takes it off", set};

} // namespace

} // namespace dscp_counter
