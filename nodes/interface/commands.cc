// SPDX-License-Identifier: Apache-2.0
// show interface, show hardware, set interface state and mtu, clear interface.
#include "base/text_table.hh"
#include "control/command/command_parameters.hh"
#include "control/config/config.hh"
#include "graph/engine.hh"
#include "graph/process/process.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/rates.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

// By span: packets and bits a second, as whole numbers.
json rates_json(engine& engine, const interface& i)
{
    const auto& rates = engine.module<interface_rates>();
    const auto whole = [](double rate) { return static_cast<uint64_t>(rate + 0.5); };
    json all = json::array();
    for (size_t span = 0; span < interface_rates::spans.size(); ++span) {
        const auto r = rates.of(i.index, span);
        all.push_back({{"seconds", interface_rates::spans[span]},
                       {"rx_packets_per_second", whole(r.rx_packets)},
                       {"rx_bits_per_second", whole(r.rx_bits)},
                       {"tx_packets_per_second", whole(r.tx_packets)},
                       {"tx_bits_per_second", whole(r.tx_bits)}});
    }
    return all;
}

json macs_json(engine& engine, const interface& i)
{
    json all = json::array();
    for (const auto& mac : interfaces_of(engine).secondary_macs(i))
        all.push_back(net::to_string(mac));
    return all;
}

json interface_json(engine& engine, const interface& i)
{
    const auto counts = interfaces_of(engine).count(i.index);
    const auto losses = interfaces_of(engine).losses(i.index);
    const auto& hot = interfaces_of(engine).hot(i.index);
    return {{"name", i.name},
            {"index", i.index},
            {"state", hot.admin_up.load() ? "up" : "down"},
            {"kind", i.kind},
            {"description", i.description},
            {"admin", hot.admin_up.load() ? "up" : "down"},
            {"link", i.link.up ? "up" : "down"},
            {"speed_mbps", i.link.speed_mbps},
            {"device", to_string(i.driver->state())},
            {"mtu", hot.mtu.load()},
            {"macaddress", net::to_string(hot.mac)},
            {"secondary_macaddresses", macs_json(engine, i)},
            {"promiscuous", i.promiscuous},
            {"rates", rates_json(engine, i)},
            {"counters",
             {{"rx packets", counts.rx_packets},
              {"rx bytes", counts.rx_bytes},
              {"tx packets", counts.tx_packets},
              {"tx bytes", counts.tx_bytes},
              {"drops", counts.drops},
              {"tx full", counts.tx_full},
              {"rx missed", losses.rx_missed},
              {"rx errors", losses.rx_errors},
              {"rx no buffer", losses.rx_no_buffer},
              {"tx errors", losses.tx_errors}}}};
}

constexpr size_t at_once = 64; // interfaces, before others get their turn

result<json> show_interface(command_context& context)
{
    json list = json::array();
    if (context.arguments.has("interface")) {
        auto one = interface_of(context);
        if (!one)
            return pass(one);
        list.push_back(interface_json(context.engine, **one));
    } else {
        const auto& all = interfaces_of(context.engine).all();
        for (size_t n = 0; n < all.size(); ++n) { // which may change meanwhile
            list.push_back(interface_json(context.engine, *all[n]));
            if (n % at_once == at_once - 1 && context.self != nullptr)
                context.self->yield();
        }
    }
    return json{{"interfaces", std::move(list)}};
}

std::string speed_text(const json& i)
{
    const auto mbps = i["speed_mbps"].get<unsigned>();
    if (mbps == 0)
        return "-";
    return mbps % 1000 == 0 ? fmt::format("{}G", mbps / 1000) : fmt::format("{}M", mbps);
}

// Over 1, 10 and 60 s; nothing where nothing passed.
std::string rates_text(const json& i)
{
    std::string out;
    for (const char* what : {"rx_packets", "rx_bits", "tx_packets", "tx_bits"}) {
        std::string row;
        uint64_t sum = 0;
        for (const auto& span : i["rates"]) {
            const auto rate = span[fmt::format("{}_per_second", what)].get<uint64_t>();
            sum += rate;
            row += fmt::format(" {:>14}", rate);
        }
        std::string name{what};
        std::replace(name.begin(), name.end(), '_', ' ');
        if (sum > 0)
            out += fmt::format("\n  {:<14}{}", name + "/s", row);
    }
    return out.empty() ? out
                       : fmt::format("\n{}, a second over the last{:>9}{:>15}{:>15}{}",
                                     i["name"].get<std::string>(), "1 s", "10 s", "60 s", out);
}

std::string interface_text(const json& data)
{
    text_table table{{{"Name", 16, left},
                      {"Idx", 6, centre},
                      {"Admin", 8, centre},
                      {"Link", 6, centre},
                      {"Speed", 6, right},
                      {"MTU", 7, right},
                      {"  Counter", 16, left},
                      {"Count", 14, right}}};
    std::string rates;
    for (const auto& i : data["interfaces"]) {
        const std::string admin = i["device"] == "present" ? i["admin"] : i["device"];
        std::vector<std::string> begin{i["name"], to_string(i["index"]), admin,
                                       i["link"], speed_text(i),         to_string(i["mtu"])};
        for (const auto& [name, count] : i["counters"].items()) {
            if (count == 0)
                continue;
            begin.push_back("  " + name);
            begin.push_back(to_string(count));
            table.row(std::exchange(begin, {"", "", "", "", "", ""}));
        }
        if (!begin.front().empty())
            table.row(begin);
        if (const auto text = i["description"].get<std::string>(); !text.empty())
            table.row({"  " + text});
        rates += rates_text(i);
    }
    return table.str() + rates;
}

const command_registration show{"show interface [<interface:interface>]",
                                "State, link, speed, MTU, counters and rates of interfaces",
                                show_interface, interface_text};

const argument_type_registration names{
    {.name = "interface", .help = "an interface", .names = [](engine& engine) {
         std::vector<std::string> list;
         for (const auto& i : interfaces_of(engine).all())
             list.push_back(i->name);
         return list;
     }}};

json hardware_json(engine& engine, const interface& i)
{
    const hardware_status h = i.driver->hardware();
    json queues = json::array();
    for (const auto& q : h.rx_queues)
        queues.push_back({{"direction", "rx"},
                          {"queue", q.queue},
                          {"thread", engine.thread(q.thread).name()},
                          {"mode", q.mode}});
    for (const auto& q : h.tx_queues)
        queues.push_back({{"direction", "tx"},
                          {"queue", q.queue},
                          {"thread", engine.thread(q.thread).name()},
                          {"mode", q.mode}});
    json counters = json::object();
    for (const auto& c : h.counters)
        counters[c.name] = c.value;
    return {{"name", i.name},
            {"index", i.index},
            {"link", h.link.up ? "up" : "down"},
            {"speed_mbps", h.link.speed_mbps},
            {"full_duplex", h.link.full_duplex},
            {"state", to_string(i.driver->state())},
            {"device", h.device},
            {"driver", h.driver},
            {"socket", h.socket},
            {"macaddress", net::to_string(interfaces_of(engine).hot(i.index).mac)},
            {"secondary_macaddresses", macs_json(engine, i)},
            {"promiscuous", i.promiscuous},
            {"rx_descriptors", h.rx_descriptors},
            {"tx_descriptors", h.tx_descriptors},
            {"queues", queues},
            {"counters", counters}};
}

result<json> show_hardware(command_context& context)
{
    json list = json::array();
    for (const auto& i : interfaces_of(context.engine).all())
        list.push_back(hardware_json(context.engine, *i));
    return json{{"hardware", list}};
}

std::string hardware_text(const json& data)
{
    std::string out = fmt::format("{:<32}{:^5}{:^6}  {}", "Name", "Idx", "Link", "Hardware");
    for (const auto& h : data["hardware"]) {
        const auto speed = h["speed_mbps"].get<unsigned>();
        const auto state = h["state"].get<std::string>();
        out += fmt::format("\n{:<32}{:^5}{:^6}  {}{}", h["name"].get<std::string>(),
                           h["index"].get<unsigned>(), h["link"].get<std::string>(),
                           h["device"].get<std::string>(), state == "present" ? "" : ", " + state);
        out += fmt::format(
            "\n  Link speed: {}\n  Driver {}, socket {}, MAC {}, descriptors rx {} tx {}",
            speed == 0 ? "unknown" : fmt::format("{} Mbps", speed), h["driver"].get<std::string>(),
            h["socket"].get<int>(), h["macaddress"].get<std::string>(),
            h["rx_descriptors"].get<unsigned>(), h["tx_descriptors"].get<unsigned>());
        for (const auto& mac : h["secondary_macaddresses"])
            out += fmt::format("\n  Secondary MAC {}", mac.get<std::string>());
        if (h["promiscuous"])
            out += "\n  Promiscuous: frames to other stations come in";
        for (const auto& q : h["queues"])
            out += fmt::format("\n  {} queue {} thread {} ({})", q["direction"].get<std::string>(),
                               q["queue"].get<unsigned>(), q["thread"].get<std::string>(),
                               q["mode"].get<std::string>());
        for (const auto& [name, value] : h["counters"].items())
            out += fmt::format("\n    {:<40} {:>16}", name, value.get<uint64_t>());
    }
    return out;
}

const command_registration hardware{
    "show hardware", "Devices: link, driver, queues and their threads, driver counters",
    show_hardware, hardware_text};

result<json> set_state(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    const bool up = context.arguments.text("state") == "up";
    if (up == interfaces_of(context.engine).hot((*i)->index).admin_up.load())
        return json("");
    if (auto done = interfaces_of(context.engine).set_admin(**i, up); !done)
        return pass(done);
    return json("");
}

const command_registration state{"set interface state <interface:interface> <state:up|down>",
                                 "Brings an interface up or down", set_state};

result<json> set_mtu(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    const uint64_t mtu = context.arguments.number("mtu");
    if (mtu < 68 || mtu > 9216)
        return fail(errc::invalid_argument, "mtu: {} is not between 68 and 9216", mtu);
    if (auto done = interfaces_of(context.engine).set_mtu(**i, static_cast<uint16_t>(mtu)); !done)
        return pass(done);
    return json("");
}

const command_registration mtu{
    "set interface mtu <interface:interface> <mtu:number>",
    "Sets the MTU: the largest IP packet, in bytes, that an interface sends", set_mtu};

result<json> set_description(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    const auto text = context.arguments.text("text");
    if (text.size() > max_description)
        return fail(errc::invalid_argument, "text: it has {} bytes, more than {}", text.size(),
                    max_description);
    (*i)->description = text;
    return json("");
}

const command_registration description{
    "set interface description <interface:interface> <text:rest>",
    "Sets the description of an interface", set_description};

result<json> clear_counters(command_context& context)
{
    interfaces_of(context.engine).clear_counters();
    return json("");
}

const command_registration clear{"clear interface", "Clears the counters of all interfaces",
                                 clear_counters};

} // namespace

} // namespace weft
