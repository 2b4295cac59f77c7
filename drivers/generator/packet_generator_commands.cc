// SPDX-License-Identifier: Apache-2.0
// packet-generator new, enable, disable, delete, show; show packet-generator.
#include "base/name.hh"
#include "base/text_table.hh"
#include "control/command/command_parameters.hh"
#include "drivers/generator/packet_generator.hh"
#include "graph/engine.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <rte_mbuf.h>

namespace weft::drivers {

namespace {

constexpr size_t max_stream_name = 31;

using json = nlohmann::ordered_json;
using enum text_table::align;

constexpr uint32_t min_frame = 60;   // IEEE 802.3, without the checksum
constexpr uint32_t max_frame = 9018; // a jumbo frame of 9000 bytes with a VLAN tag

packet_generator& generator_of(command_context& context)
{
    return context.engine.module<packet_generator>();
}

uint32_t buffer_room(engine& engine)
{
    return rte_pktmbuf_data_room_size(engine.pools().front()) - uint32_t{RTE_PKTMBUF_HEADROOM};
}

// "A" or "A-B", each read by `read`.
template <class Read>
result<value_range> parse_range(std::string_view name, std::string_view text, Read&& read)
{
    const size_t dash = text.find('-');
    const auto first = read(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : read(text.substr(dash + 1));
    for (const auto* end : {&first, &last})
        if (!*end)
            return fail(errc::invalid_argument, "{}: {}", name, end->error().message);
    if (*last < *first)
        return fail(errc::invalid_argument, "{}: {} ends before it begins", name, text);
    return value_range{*first, *last};
}

result<void> take_addresses(const command_arguments& args, std::string_view name, value_range& into)
{
    const auto range =
        parse_range(name, args.text(name), [](std::string_view text) -> result<uint32_t> {
            const auto address = net::parse<net::ip4_address>(text);
            if (!address)
                return pass(address);
            return address->value;
        });
    if (!range)
        return pass(range);
    into = *range;
    return {};
}

// Leaves `into` as it is where the parameter was not given.
result<void> take_numbers(const command_arguments& args, std::string_view name, uint32_t lowest,
                          uint32_t highest, value_range& into)
{
    if (!args.has(name))
        return {};
    const auto range =
        parse_range(name, args.text(name), [&](std::string_view text) -> result<uint32_t> {
            uint32_t number = 0;
            const auto* end = text.data() + text.size();
            const auto [stop, code] = std::from_chars(text.data(), end, number);
            if (code != std::errc{} || stop != end || number < lowest || number > highest)
                return fail(errc::invalid_argument, "`{}' is not a number from {} to {}", text,
                            lowest, highest);
            return number;
        });
    if (!range)
        return pass(range);
    into = *range;
    return {};
}

result<void> take_destination(command_context& context, packet_specification& what)
{
    const auto& args = context.arguments;
    if (args.has("destination") == args.has("destinations"))
        return fail(errc::invalid_argument, "expected either destination or destinations, found {}",
                    args.has("destination") ? "both" : "neither");
    if (args.has("destination"))
        return take_addresses(args, "destination", what.destination);
    auto read = read_destinations(std::string{args.text("destinations")}, context.self);
    if (!read)
        return pass(read);
    what.destinations = std::move(*read);
    return {};
}

result<std::unique_ptr<packet_source>> specified(command_context& context, const interface& from)
{
    const auto& args = context.arguments;
    packet_specification what;
    what.to = interfaces_of(context.engine).hot(from.index).mac;
    if (args.has("mac"))
        what.to = net::parse<net::mac_address>(args.text("mac")).value();
    if (!args.has("source"))
        return fail(errc::invalid_argument, "expected a source or a pcap file, found neither");
    const auto protocol = args.text("protocol");
    if (protocol == "tcp")
        what.protocol = net::ip_protocol::tcp;
    else if (protocol == "icmp")
        what.protocol = net::ip_protocol::icmp;
    for (const auto* port : {"source-port", "destination-port"})
        if (protocol == "icmp" && args.has(port))
            return fail(errc::invalid_argument, "{}: ICMP has no ports", port);
    const auto ttl = number_within(args, "ttl", 0, 255, what.ttl);
    if (!ttl)
        return pass(ttl);
    what.ttl = static_cast<uint8_t>(*ttl);
    what.random = args.has("random");
    const uint32_t largest = std::min(max_frame, buffer_room(context.engine));
    for (const auto& taken :
         {take_addresses(args, "source", what.source),
          take_numbers(args, "source-port", 0, 65535, what.source_port),
          take_numbers(args, "destination-port", 0, 65535, what.destination_port),
          take_numbers(args, "size", min_frame, largest, what.size),
          take_destination(context, what)})
        if (!taken)
            return pass(taken);
    return make_specified(std::move(what));
}

result<std::unique_ptr<packet_source>> captured(command_context& context, bool from_ethernet)
{
    const auto& args = context.arguments;
    for (const auto* word : {"source", "destination", "destinations", "source-port",
                             "destination-port", "size", "protocol", "ttl", "mac", "random"})
        if (args.has(word))
            return fail(errc::invalid_argument, "pcap and {} are mutually exclusive", word);
    // the nodes behind ethernet-input are given packets whose Ethernet header has been seen
    const uint32_t least = from_ethernet ? 0 : sizeof(net::ethernet_header);
    auto read = read_capture(std::string{args.text("pcap")}, least, buffer_room(context.engine),
                             context.self);
    if (!read)
        return pass(read);
    return make_captured(std::move(*read));
}

// The node that takes frames from outside, or one of those that it may pass them to: they check
// what they get.
result<node_id> entry_of(command_context& context)
{
    const auto& registry = context.engine.registry();
    const auto* ethernet = registry.find("ethernet-input");
    if (!context.arguments.has("node"))
        return ethernet->id;
    const auto* node = registry.find(context.arguments.text("node"));
    std::string allowed = ethernet->name;
    for (const node_id next : ethernet->nexts) {
        allowed += ", " + registry.at(next).name;
        if (node->id == next)
            return next;
    }
    if (node != ethernet)
        return fail(errc::invalid_argument, "node: {} does not validate its packets, expected {}",
                    node->name, allowed);
    return ethernet->id;
}

// The worker that was asked for, or that polls the interface, or the first.
result<unsigned> thread_of(command_context& context, const interface& from)
{
    const auto threads = context.engine.polling_threads();
    if (!context.arguments.has("worker")) {
        const auto queues = from.driver->hardware().rx_queues;
        return queues.empty() ? threads.front() : queues.front().thread;
    }
    const uint64_t asked = context.arguments.number("worker");
    if (std::find(threads.begin(), threads.end(), asked) == threads.end())
        return fail(errc::not_found, "worker: {} is not between {} and {}", asked, threads.front(),
                    threads.back());
    return static_cast<unsigned>(asked);
}

result<stream_options> options_of(command_context& context, const interface& from)
{
    const auto& args = context.arguments;
    const auto rate = number_within(args, "rate", 1, token_bucket::max_rate, 0);
    const auto limit = number_within(args, "limit", 1, UINT64_MAX, 0);
    const auto thread = thread_of(context, from);
    const auto node = entry_of(context);
    for (const auto* number : {&rate, &limit})
        if (!*number)
            return pass(*number);
    if (!thread)
        return pass(thread);
    if (!node)
        return pass(node);
    return stream_options{from.index, *thread, *rate, *limit, *node};
}

result<json> create(command_context& context)
{
    const auto& args = context.arguments;
    const std::string name{args.text("name")};
    if (!good_name(name, max_stream_name))
        return fail(errc::invalid_argument,
                    "`{}' is not a valid stream name (1 to {} letters, digits, `-', `_' and `.')",
                    name, max_stream_name);
    const interface& from = *interfaces_of(context.engine).find(args.text("interface"));
    const auto options = options_of(context, from);
    if (!options)
        return pass(options);
    const bool from_ethernet =
        options->node == context.engine.registry().find("ethernet-input")->id;
    auto packets = args.has("pcap") ? captured(context, from_ethernet) : specified(context, from);
    if (!packets)
        return pass(packets);
    if (auto added = generator_of(context).add(name, *options, std::move(*packets)); !added)
        return pass(added);
    return json("");
}

// The streams that a command is about: one or all.
std::vector<std::string> chosen(command_context& context)
{
    if (context.arguments.has("stream"))
        return {std::string{context.arguments.text("stream")}};
    return generator_of(context).names();
}

result<json> set_enabled(command_context& context)
{
    for (const auto& name : chosen(context))
        if (auto done =
                generator_of(context).enable(name, context.arguments.text("state") == "enable");
            !done)
            return pass(done);
    return json("");
}

result<json> remove(command_context& context)
{
    if (auto done = generator_of(context).remove(std::string{context.arguments.text("stream")});
        !done)
        return pass(done);
    return json("");
}

result<json> show(command_context& context)
{
    json list = json::array();
    for (const auto& name : chosen(context)) {
        const auto s = generator_of(context).status(name);
        if (!s)
            return pass(s);
        list.push_back({{"name", s->name},
                        {"state", s->state},
                        {"interface", interfaces_of(context.engine).at(s->options.interface).name},
                        {"node", context.engine.registry().at(s->options.node).name},
                        {"worker", s->options.thread},
                        {"rate", s->options.rate},
                        {"measured", s->measured},
                        {"limit", s->options.limit},
                        {"packets", s->made},
                        {"not_made", s->not_made}});
    }
    return json{{"streams", list}};
}

std::string show_text(const json& data)
{
    if (data["streams"].empty())
        return "No streams";
    text_table table{{{"Name", 16, left},
                      {"State", 9, left},
                      {"Interface", 16, left},
                      {"Worker", 6, right},
                      {"Rate", 12, right},
                      {"Measured", 12, right},
                      {"Limit", 12, right},
                      {"Packets", 14, right},
                      {"Not made", 10, right}}};
    const auto or_none = [](const json& number) {
        return number == 0 ? std::string{"-"} : to_string(number);
    };
    for (const auto& s : data["streams"])
        table.row({s["name"], s["state"], s["interface"], to_string(s["worker"]),
                   or_none(s["rate"]), fmt::format("{:.0f}", s["measured"].get<double>()),
                   or_none(s["limit"]), to_string(s["packets"]), to_string(s["not_made"])});
    return table.str();
}

const command_registration new_command{
    "packet-generator new <name:word> interface <interface:interface> [worker <worker:number>] "
    "[rate <rate:number>] [limit <limit:number>] [node <node:node>] [pcap <pcap:word>] "
    "[source <source:word>] [destination <destination:word>] [destinations <destinations:word>] "
    "[source-port <source-port:word>] [destination-port <destination-port:word>] [size "
    "<size:word>] "
    "[protocol <protocol:udp|tcp|icmp>] [ttl <ttl:number>] [mac <mac:mac>] [random]",
    "Creates a stream of packets that appear to arrive on an interface", create};
const command_registration state_command{
    "packet-generator <state:enable|disable> [<stream:stream>]",
    "Starts (from the first packet) or stops one stream or all of them", set_enabled};
const command_registration delete_command{"packet-generator delete <stream:stream>",
                                          "Deletes a stream", remove};
const command_registration show_command{"show packet-generator [<stream:stream>]",
                                        "Streams with their state, rates and packets", show,
                                        show_text};
const command_registration show_beside_others{"packet-generator show [<stream:stream>]",
                                              "Same as show packet-generator", show, show_text};

const argument_type_registration names{
    {.name = "stream", .help = "a stream of the packet generator", .names = [](engine& engine) {
         return engine.module<packet_generator>().names();
     }}};

} // namespace

} // namespace weft::drivers
