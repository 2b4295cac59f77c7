// SPDX-License-Identifier: Apache-2.0
// The section `dscp-counter`, show dscp, clear dscp, set dscp-counter.
#include "dscp_counter.hh"

#include "base/text_table.hh"
#include "control/command/command.hh"
#include "control/config/config.hh"
#include "graph/feature_arc.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dscp_counter {

namespace {

using namespace weft;
using json = nlohmann::ordered_json;
using enum text_table::align;

result<void> switch_all(engine& engine, bool on)
{
    for (const auto& i : interfaces_of(engine).all())
        if (auto done = engine.module<feature_arcs>().set("dscp-counter", i->index, on); !done)
            return done;
    return {};
}

bool is_on(engine& engine)
{
    const auto& all = interfaces_of(engine).all();
    return std::any_of(all.begin(), all.end(), [&](const auto& i) {
        return engine.module<feature_arcs>().is_on("dscp-counter", i->index);
    });
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
    if (own->find("interfaces") == nullptr)
        return switch_all(engine, true);
    for (const auto& name : own->list<std::string>("interfaces"))
        if (auto done = engine.module<feature_arcs>().set(
                "dscp-counter", interfaces_of(engine).find(name)->index, true);
            !done)
            return done;
    return {};
}

const config::registration section{{
    .name = "dscp-counter",
    .keys = {{"dscp-counter", config::mapping(), "Counts IPv4 packets by DSCP."},
             {"dscp-counter.enabled", config::boolean(),
              "Whether counting starts at startup (default true)."},
             {"dscp-counter.interfaces", config::list_of(config::text("an interface name")),
              "Only count packets that arrive on this interface (default: all)."}},
    .check = check,
    .apply = apply,
    .also_reads = {"interfaces"},
    .after = {"interfaces"},
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

const command_registration clear_dscp{"clear dscp", "Clears the DSCP counters", clear};

result<json> set(command_context& context)
{
    if (auto done = switch_all(context.engine, context.arguments.text("state") == "on"); !done)
        return pass(done);
    return json("");
}

const command_registration set_dscp{"set dscp-counter <state:on|off>",
                                    "Turns counting on or off for all interfaces", set};

} // namespace

} // namespace dscp_counter
