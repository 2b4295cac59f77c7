// SPDX-License-Identifier: Apache-2.0
// The configuration section `interfaces`: what all kinds of interfaces have in common.
#include "control/config/config.hh"
#include "base/name.hh"
#include "control/config/worker_patterns.hh"
#include "graph/engine.hh"
#include "graph/init.hh"
#include "nodes/interface/kind.hh"
#include "nodes/interface/lifecycle.hh"
#include "nodes/interface/link.hh"
#include "nodes/interface/worker_handoff.hh"

#include <algorithm>
#include <set>
#include <spdlog/spdlog.h>

namespace weft {

namespace {

constexpr uint16_t min_mtu = 68; // RFC 791
constexpr duration link_interval = 100ms;

config::type description()
{
    return {.allowed = fmt::format("a text of up to {} bytes", max_description),
            .check = [](const config::value& v, config::problems& problems) {
                if (v.what() != config::value::kind::scalar)
                    problems.add(v, "expected a text");
                else if (v.text().size() > max_description)
                    problems.add(v, "it has {} bytes, more than {}", v.text().size(),
                                 max_description);
            }};
}

// Each queue needs a worker that may poll it.
void check_patterns(const config::value& root, const interface_kind& kind, const std::string& name,
                    const config::value& settings, config::position at, config::problems& problems)
{
    const auto workers = patterns_of_workers(root);
    if (workers.empty() || kind.input_name == nullptr)
        return;
    for (uint16_t q = 0; q < settings.get<uint16_t>("queues", 1); ++q) {
        const std::string node = kind.input_name(name, q);
        if (std::any_of(workers.begin(), workers.end(),
                        [&](const auto& w) { return w.take(node); }))
            continue;
        problems.add(
            at, settings.path(),
            fmt::format("no worker's patterns include its node `{}' (cpu.workers[].nodes)", node));
        break; // the others are alike
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

// The interface's own beside its first, each once.
void check_secondary_macs(const config::value& settings, config::problems& problems)
{
    const auto* list = settings.find("secondary-macaddresses");
    if (list == nullptr)
        return;
    if (list->items().size() > max_secondary_macs)
        problems.add(*list, "{} addresses, more than {}", list->items().size(), max_secondary_macs);
    std::set<net::mac_address> seen;
    if (const auto* first = settings.find("macaddress"))
        seen.insert(first->as<net::mac_address>());
    for (const auto& item : list->items()) {
        if (!seen.insert(item.as<net::mac_address>()).second)
            problems.add(item, "{} is given twice", item.text());
    }
}

void check(const config::value& root, config::problems& problems)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return;
    if (interfaces->entries().size() > max_interfaces)
        problems.add(*interfaces, "{} interfaces, more than the maximum of {}",
                     interfaces->entries().size(), max_interfaces);
    const auto kinds = interface_kinds::registered();
    if (!kinds)
        return problems.add(*interfaces, "{}", kinds.error().message);
    for (const auto& [name, key_at, settings] : interfaces->entries()) {
        if (const auto fault = fault_of_interface_name(name); !fault.empty())
            problems.add(key_at, settings.path(), fault);
        const auto kind = kinds->of(settings);
        if (!kind) {
            const auto* key = settings.find("kind");
            problems.add(key == nullptr ? settings : *key, "{}", kind.error().message);
            continue;
        }
        kinds->check_keys(**kind, settings, problems);
        if ((*kind)->check != nullptr)
            (*kind)->check(name, settings, problems);
        check_patterns(root, **kind, name, settings, key_at, problems);
        check_handoff(root, settings, problems);
        check_secondary_macs(settings, problems);
    }
}

result<void> open_one(engine& engine, const config::value::entry& what)
{
    auto& lifecycle = engine.module<interface_lifecycle>();
    auto made = lifecycle.create(what.key, what.value);
    if (!made)
        return pass(made);
    if (what.value.get<std::string>("state", "up") == "down")
        lifecycle.keep_down(**made);
    return {};
}

// What lies on another interface comes after it.
result<void> apply(const config::value& root, engine& engine)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return {};
    std::vector<const config::value::entry*> left;
    for (const auto& entry : interfaces->entries())
        left.push_back(&entry);
    while (!left.empty()) {
        std::vector<const config::value::entry*> later;
        for (const auto* entry : left) {
            const auto* link = entry->value.find("link");
            const bool early = link != nullptr &&
                               interfaces_of(engine).find(link->text()) == nullptr &&
                               interfaces->find(link->text()) != nullptr;
            if (early && left.size() > 1)
                later.push_back(entry);
            else if (auto done = open_one(engine, *entry); !done)
                return done;
        }
        if (later.size() == left.size())
            return fail(errc::invalid_argument, "interfaces.{}: it is its own parent",
                        later.front()->key);
        left = std::move(later);
    }
    return {};
}

const config::registration registration{{
    .name = "interfaces",
    .keys = {{"interfaces", config::mapping(), "The router's interfaces, by name."},
             {"interfaces.*.kind", config::text("a kind of interface"),
              "Kind of interface: dpdk, loopback, memif, null or vlan (default: follows from "
              "`device` or `vlan`)."},
             {"interfaces.*.device",
              config::text("a PCI address, the devargs of a virtual device, or `null'"),
              "PCI address (0000:01:00.0), devargs of a virtual device (net_tap0,iface=weft-a; "
              "net_memif0,...: docs/memif.md), or `null', which receives nothing and counts and "
              "discards what it is given to send, for trying out a configuration without cables."},
             {"interfaces.*.description", description(), "Description, free text."},
             {"interfaces.*.state", config::one_of({"up", "down"}),
              "Administrative state at startup (default up)."},
             {"interfaces.*.macaddress", config::mac_address(),
              "MAC address (default: that of the device)."},
             {"interfaces.*.secondary-macaddresses", config::list_of(config::mac_address()),
              "Further MAC addresses that the interface receives frames for (VRRP). A device that "
              "cannot filter by so many lets in every frame."},
             {"interfaces.*.promiscuous", config::boolean(),
              "Whether the device lets in frames for other stations, which captures and features "
              "then see; they are not routed (default false)."},
             {"interfaces.*.mtu", config::number(min_mtu, 9216),
              "Largest IP packet in bytes (default 1500)."},
             {"interfaces.*.rx-mode", config::one_of({"polling", "interrupt", "adaptive"}),
              "How receive queues are served: by polling, by interrupts, or adaptively, with "
              "polling only under load (default adaptive)."},
             {"interfaces.*.handoff",
              config::one_or_list_of(config::number(1, drivers::handoff_workers::most - 1)),
              "Workers, numbered from 1, over which packets are spread by flow (default: packets "
              "stay on the worker that receives them)."},
             {"interfaces.*.optional", config::boolean(),
              "Whether the router starts even if the device cannot be opened. It then retries "
              "every 5 s, and the link is down until it succeeds (default false)."},
             {"interfaces.*.queues", config::number(1, 64),
              "Number of receive queues, which are spread over the workers that run their nodes "
              "(default 1)."}},
    .check = check,
    .apply = apply,
    .also_reads = {"cpu"},
    .after = {"buffers"},
}};

result<void> bring_up(engine& engine)
{
    return engine.module<interface_lifecycle>().start();
}

const init_registration up{"interfaces-up", init_phase::start, bring_up};

// Tells observers when a link comes or goes; drivers differ too much in their interrupts for that.
// Each is asked on its own turn, since some have to ask their device.
void watch_links(process& self)
{
    auto& interfaces = interfaces_of(self.engine());
    while (true) {
        self.sleep_for(link_interval);
        self.engine().module<interface_lifecycle>().reclaim();
        for (size_t n = 0; n < interfaces.all().size(); ++n) { // which may change meanwhile
            interface& i = *interfaces.all()[n];
            if (i.driver == nullptr || !i.driver->has_carrier())
                continue;
            if (look_at_link(interfaces, i))
                spdlog::info("interface {}: link {}", i.name, i.link.up ? "up" : "down");
            self.yield();
        }
    }
}

const process_registration link_watch{"link-watch", watch_links};

} // namespace

std::string fault_of_interface_name(std::string_view name)
{
    if (good_name(name, max_interface_name) && name != "." && name != "..")
        return {};
    return fmt::format("`{}' is not a valid interface name (1 to {} letters, digits, `-', `_' and "
                       "`.', as for a Linux device)",
                       name, max_interface_name);
}

} // namespace weft
