// SPDX-License-Identifier: Apache-2.0
// The configuration section `interfaces`: opens ports and joins them to the graph.
#include "base/name.hh"
#include "control/config/config.hh"
#include "control/config/worker_patterns.hh"
#include "drivers/dpdk/buffers.hh"
#include "drivers/dpdk/device_arguments.hh"
#include "drivers/dpdk/port.hh"
#include "drivers/memif/memif.hh"
#include "graph/engine.hh"
#include "graph/init.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/link.hh"
#include "nodes/interface/worker_handoff.hh"

#include <algorithm>
#include <map>
#include <rte_mbuf.h>
#include <set>
#include <spdlog/spdlog.h>

namespace weft::drivers {

namespace {

constexpr uint16_t min_mtu = 68; // RFC 791
constexpr duration link_interval = 100ms;

// Every receive ring is filled with buffers before the first packet comes, and as many must be left
// to be under way.
void check_buffers(const pool_shape& buffers, const config::value& interfaces,
                   config::problems& problems)
{
    uint64_t queues = 0;
    for (const auto& [name, key_at, settings] : interfaces.entries())
        if (settings.find("device")->text() != null_device)
            queues += settings.get<uint32_t>("queues", 1);
    const uint64_t least = 2 * queues * port_options{}.rx_descriptors;
    if (buffers.count < least)
        problems.add(interfaces, "{} receive queues need {} buffers at least, buffers.count is {}",
                     queues, least, buffers.count);
}

// The node that polls a receive queue.
std::string input_of(const std::string& device, const std::string& interface, uint16_t queue)
{
    return memif::is_memif(device) ? memif::input_name(interface, queue)
                                   : input_name(interface, queue);
}

// Each queue needs a worker that may poll it.
void check_patterns(const config::value& root, const config::value& interfaces,
                    config::problems& problems)
{
    const auto workers = patterns_of_workers(root);
    if (workers.empty())
        return;
    for (const auto& [name, key_at, settings] : interfaces.entries()) {
        if (settings.find("device")->text() == null_device)
            continue;
        for (uint16_t q = 0; q < settings.get<uint16_t>("queues", 1); ++q) {
            const std::string node = input_of(settings.find("device")->text(), name, q);
            if (std::any_of(workers.begin(), workers.end(),
                            [&](const auto& w) { return w.take(node); }))
                continue;
            problems.add(
                key_at, settings.path(),
                fmt::format("no worker's patterns take its node `{}' (cpu.workers[].nodes)", node));
            break; // the others are alike
        }
    }
}

// What one interface takes, another one cannot have.
void check_owners(const config::value& interfaces, config::problems& problems)
{
    std::map<std::string, std::string> owners;
    for (const auto& [name, key_at, settings] : interfaces.entries()) {
        const auto& device = *settings.find("device");
        if (device.text() == null_device)
            continue;
        auto wanted = resources_of(device.text());
        const std::string driver = device_name(device.text());
        wanted.insert(wanted.begin(), {"device/" + driver, "device " + driver});
        for (const auto& what : wanted) {
            const auto [owner, fresh] = owners.emplace(what.name, name);
            if (fresh || owner->second == name)
                continue;
            problems.add(device, "{} is interface {}'s already", what.words, owner->second);
            break; // the others say the same
        }
    }
}

// Packets are handed to workers that exist, each once.
void check_handoff(const config::value& root, const config::value& settings,
                   config::problems& problems)
{
    const auto* handoff = settings.find("handoff");
    if (handoff == nullptr)
        return;
    const auto* cpu = root.find("cpu");
    const auto* workers = cpu == nullptr ? nullptr : cpu->find("workers");
    const size_t count = workers == nullptr ? 1 : workers->items().size();
    std::set<uint32_t> seen;
    for (const uint32_t worker : settings.list<uint32_t>("handoff"))
        if (worker > count)
            problems.add(*handoff, "no worker {}; there are {} (cpu.workers)", worker, count);
        else if (!seen.insert(worker).second)
            problems.add(*handoff, "worker {} is listed twice", worker);
}

void check(const config::value& root, config::problems& problems)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return;
    const pool_shape buffers{root};
    if (interfaces->entries().size() > max_interfaces)
        problems.add(*interfaces, "{} interfaces, more than {}", interfaces->entries().size(),
                     max_interfaces);
    check_buffers(buffers, *interfaces, problems);
    check_patterns(root, *interfaces, problems);
    check_owners(*interfaces, problems);
    for (const auto& [name, key_at, settings] : interfaces->entries()) {
        if (!good_name(name, max_name))
            problems.add(key_at, settings.path(),
                         fmt::format("`{}' is no name of an interface (1 to {} letters, digits, "
                                     "`-', `_' and `.')",
                                     name, max_name));
        const auto* device = settings.find("device");
        if (const auto fault =
                fault_of_arguments(device->text(), settings.get<uint16_t>("queues", 1));
            !fault.empty())
            problems.add(*device, "{}", fault);
        check_handoff(root, settings, problems);
        const auto* mtu = settings.find("mtu");
        if (mtu != nullptr && mtu->as<uint32_t>() + ethernet_overhead > buffers.size)
            problems.add(*mtu,
                         "{} with {} bytes of Ethernet does not fit into a buffer of {} bytes "
                         "(buffers.size)",
                         mtu->text(), ethernet_overhead, buffers.size);
    }
}

port_options options_of(const config::value& settings)
{
    port_options options;
    options.device = settings.find("device")->text();
    if (settings.find("macaddress") != nullptr)
        options.mac = settings.find("macaddress")->as<net::mac_address>();
    options.mtu = settings.get<uint16_t>("mtu", options.mtu);
    options.queues = settings.get<uint16_t>("queues", options.queues);
    return options;
}

// Opens nothing yet.
result<std::unique_ptr<device>> make_device(engine& engine, const std::string& name,
                                            const port_options& options)
{
    if (options.device == null_device)
        return make_null_device(options.mac);
    if (const auto& others = engine.module<stand_in_devices>(); others.wanted) {
        const auto own = others.macs.find(name);
        return make_null_device(options.mac || own == others.macs.end() ? options.mac
                                                                        : own->second);
    }
    if (memif::is_memif(options.device))
        return memif::memif_device::open(options.device, options.queues, options.mac, engine);
    return std::make_unique<port>(options, engine, engine.pools().front());
}

result<void> open_one(engine& engine, const std::string& name, const config::value& settings)
{
    const port_options options = options_of(settings);
    auto made = make_device(engine, name, options);
    if (!made)
        return fail(made.error().code, "interfaces.{}: {}", name, made.error().message);
    device& driver = **made;
    if (auto opened = driver.plug(engine); !opened) {
        if (!settings.get("optional", false))
            return fail(opened.error().code, "interfaces.{}: {}", name, opened.error().message);
        spdlog::warn(
            "interface {}: it starts without its device, which is tried again every {} s: {}", name,
            replug_seconds, opened.error().message);
    }
    auto added = interfaces_of(engine).add(name, std::move(*made));
    if (!added)
        return pass(added);
    const interface_index index = (*added)->index;
    auto& hot = interfaces_of(engine).hot(index);
    hot.mac = driver.mac(index);
    hot.mtu.store(options.mtu);
    if (auto done = driver.join(engine, name, index); !done)
        return done;
    const auto mode = *node_state_of(
        settings.get<std::string>("rx-mode", "adaptive")); // the schema has no others
    for (const auto& q : driver.rx_queues())
        engine.registry().at(q.input).state = mode;
    const auto workers = settings.list<uint32_t>("handoff");
    const std::vector<unsigned> threads{workers.begin(), workers.end()};
    auto& handoff = engine.module<handoff_table>();
    if (auto done = handoff.check(threads); !done)
        return fail(done.error().code, "interfaces.{}.handoff: {}", name, done.error().message);
    if (!threads.empty())
        handoff.begin(interfaces_of(engine).at(index), threads);
    return {};
}

result<void> apply(const config::value& root, engine& engine)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return {};
    for (const auto& [name, key_at, settings] : interfaces->entries())
        if (auto done = open_one(engine, name, settings); !done)
            return done;
    return {};
}

const config::registration registration{{
    .name = "interfaces",
    .stage = config::stage::ports,
    .keys = {{"interfaces", config::mapping(), "The router's ports, by name."},
             {"interfaces.*.device",
              config::text("a PCI address, a virtual device's devargs or `null'"),
              "PCI address (0000:01:00.0), devargs of a virtual device (net_tap0,iface=weft-a; "
              "net_memif0,...: docs/memif.md), or `null': receives nothing and counts and frees "
              "what it sends, to try a "
              "configuration before the cables are in.",
              true},
             {"interfaces.*.macaddress", config::mac_address(),
              "MAC address (default: the device's own)."},
             {"interfaces.*.mtu", config::number(min_mtu, 9216),
              "Largest IP packet in bytes (default 1500)."},
             {"interfaces.*.rx-mode", config::one_of({"polling", "interrupt", "adaptive"}),
              "When its receive queues are polled: always, on interrupts, or as traffic asks for "
              "(default adaptive)."},
             {"interfaces.*.handoff",
              config::one_or_list_of(config::number(1, handoff_workers::most - 1)),
              "Workers, from 1 on, over which its packets are spread by their flows (default: they "
              "stay where they are received)."},
             {"interfaces.*.optional", config::boolean(),
              "Whether the router starts without it where its device cannot be opened; that is "
              "then tried every 5 s, and its "
              "link is down until it succeeds (default false)."},
             {"interfaces.*.queues", config::number(1, 64),
              "Receive queues, spread over the workers that take their nodes (default 1)."}},
    .check = check,
    .apply = apply,
    .also_reads = {"buffers", "cpu"},
}};

result<void> bring_up(engine& engine)
{
    for (const auto& i : interfaces_of(engine).all())
        if (auto done = interfaces_of(engine).set_admin(*i, true); !done)
            return fail(done.error().code, "interfaces.{}: {}", i->name, done.error().message);
    for (const auto& i : interfaces_of(engine).all())
        for (const auto& q : i->driver->rx_queues())
            if (!q.has_interrupt && i->driver->state() == device_state::present &&
                engine.registry().at(q.input).state == node_state::interrupt)
                return fail(errc::unsupported,
                            "interfaces.{}.rx-mode: its device has no receive interrupts; "
                            "expected polling or adaptive",
                            i->name);
    return {};
}

const init_registration up{"interfaces-up", init_phase::start, bring_up};

// Tells observers when a link comes or goes; drivers differ too much in their interrupts for that.
// Each is asked on its own turn, since some have to ask their device.
void watch_links(process& self)
{
    auto& interfaces = interfaces_of(self.engine());
    while (true) {
        self.sleep_for(link_interval);
        for (size_t n = 0; n < interfaces.all().size(); ++n) {
            interface& i = *interfaces.all()[n];
            if (look_at_link(interfaces, i))
                spdlog::info("interface {}: link {}", i.name, i.link.up ? "up" : "down");
            self.yield();
        }
    }
}

const process_registration link_watch{"link-watch", watch_links};

} // namespace

void hand_to_owner(node_run& run, frame& in, graph_thread& owner, uint16_t reason) noexcept
{
    uint32_t handed = 0;
    while (handed < in.count && run.hand_over(*in.packets[handed], owner))
        ++handed;
    if (handed < in.count)
        run.drop_rest(in.packets.data() + handed, in.count - handed, reason);
}

std::vector<unsigned> sending_threads(engine& engine, const std::string& tx_node)
{
    auto order = engine.polling_threads_for(tx_node).value_or(std::vector<unsigned>{});
    if (std::find(order.begin(), order.end(), 0u) == order.end())
        order.push_back(0);
    return order;
}

result<void> check_mtu(uint16_t mtu, uint16_t room)
{
    if (mtu + ethernet_overhead > room)
        return fail(errc::invalid_argument,
                    "an MTU of {} with {} bytes of Ethernet does not fit into a "
                    "buffer of {} bytes (buffers.size)",
                    mtu, ethernet_overhead, room);
    return {};
}

result<void> join_output(engine& engine, std::string_view of, const std::string& name,
                         interface_index index, void* argument)
{
    auto& registry = engine.registry();
    auto tx = registry.clone(of, fmt::format("{}-{}", of, name), argument);
    if (!tx)
        return pass(tx);
    const auto* output = registry.find("interface-output");
    if (output == nullptr)
        return fail(errc::not_found, "the graph has no node `interface-output'");
    const std::string owner = fmt::format("interface {}", name);
    registry.at(*tx).owner = owner;
    auto slot = registry.add_next(output->id, *tx, {}, owner);
    if (!slot)
        return pass(slot);
    interfaces_of(engine).hot(index).output_slot.store(*slot);
    return {};
}

} // namespace weft::drivers
