// SPDX-License-Identifier: Apache-2.0
// The kind of interface `vlan': a sub-interface of a port, or of another VLAN (QinQ), that has the
// frames of one tag (IEEE 802.1Q, 802.1ad).
#include "graph/engine.hh"
#include "nodes/ethernet/vlans.hh"
#include "nodes/interface/kind.hh"
#include "nodes/interface/link.hh"
#include "nodes/interface/link_header.hh"
#include "nodes/interface/port_nodes.hh"

#include <algorithm>
#include <map>

namespace weft::ethernet {

namespace {

constexpr uint16_t tag_bytes = sizeof(net::vlan_tag);
constexpr uint16_t default_mtu = 1500;

// What a second tag leaves of an MTU.
constexpr uint16_t left_of(uint16_t mtu) noexcept
{
    return static_cast<uint16_t>(mtu - std::min(mtu, tag_bytes));
}

class vlan_interface final : public interface_driver {
public:
    vlan_interface(engine& engine, interface_index parent, net::be16 protocol, uint16_t vlan,
                   std::optional<uint16_t> mtu)
        : engine_{engine}, parent_{parent}, protocol_{protocol}, vlan_{vlan}, wanted_mtu_{mtu}
    {}

    net::mac_address mac(interface_index) const override { return table().hot(parent_).mac; }
    bool is_in_graph(engine& engine) const override
    {
        return drivers::has_shared_output(engine, vlan_output_node.name);
    }
    result<void> join(engine& engine, const std::string&, interface_index index) override
    {
        if (auto done = drivers::join_shared_output(engine, vlan_output_node, index); !done)
            return done;
        index_ = index;
        auto& hot = table().hot(index);
        hot.parent.store(parent_);
        hot.tag.store(tag_word(protocol_, vlan_));
        hot.mtu.store(mtu());
        table().at(index).parent = parent_;
        engine.module<vlans>().add(parent_, protocol_, vlan_, index);
        return {};
    }
    void leave(engine& engine) override
    {
        if (index_ != no_interface)
            engine.module<vlans>().remove(parent_, protocol_, vlan_);
        index_ = no_interface;
    }
    result<void> set_admin(bool) override { return {}; }
    result<void> set_mtu(uint16_t to) override
    {
        if (to > most())
            return fail(errc::invalid_argument,
                        "an MTU of {} is above {}, the maximum that interface {} allows", to,
                        most(), table().at(parent_).name);
        wanted_mtu_ = to;
        return {};
    }
    result<void> add_mac(const net::mac_address&) override { return is_of_port(); }
    result<void> set_promiscuous(bool) override { return is_of_port(); }
    link_status link() const override
    {
        link_status status = table().at(parent_).link;
        status.up = is_up(table(), parent_);
        return status;
    }
    bool has_carrier() const override { return false; } // it is told of its parent's
    bool has_own_mac() const override { return false; }
    void follow_parent(engine&) override
    {
        auto& hot = table().hot(index_);
        if (const uint16_t now = mtu(); now != hot.mtu.load()) {
            hot.mtu.store(now, std::memory_order_release);
            table().notify(table().at(index_));
        }
    }
    hardware_status hardware() const override
    {
        hardware_status status;
        status.device = fmt::format("VLAN {} of {}{}", vlan_, table().at(parent_).name,
                                    protocol_ == net::ether_type::vlan ? "" : " (802.1ad)");
        status.driver = "vlan";
        status.link = link();
        return status;
    }

private:
    interface_table& table() const { return interfaces_of(engine_); }
    result<void> is_of_port() const
    {
        return fail(errc::unsupported, "interface {} receives what interface {} does",
                    table().at(index_).name, table().at(parent_).name);
    }
    // A port carries one tag beside its MTU; a second one takes its bytes from the packet.
    uint16_t most() const
    {
        const uint16_t above = table().hot(parent_).mtu.load();
        const bool on_vlan = table().hot(parent_).tag.load() != 0;
        return on_vlan ? left_of(above) : above;
    }
    uint16_t mtu() const { return std::min(wanted_mtu_.value_or(most()), most()); }

    engine& engine_;
    const interface_index parent_;
    const net::be16 protocol_;
    const uint16_t vlan_;
    std::optional<uint16_t> wanted_mtu_;
    interface_index index_ = no_interface;
};

net::be16 protocol_of(const config::value& settings)
{
    return settings.get<std::string>("protocol", "802.1Q") == "802.1ad"
               ? net::ether_type::service_vlan
               : net::ether_type::vlan;
}

result<std::unique_ptr<interface_driver>> make(engine& engine, const std::string& name,
                                               const config::value& settings)
{
    auto& interfaces = interfaces_of(engine);
    const std::string& link = settings.find("link")->text();
    const auto* parent = interfaces.find(link);
    if (parent == nullptr)
        return fail(errc::not_found, "link: no interface `{}'", link);
    if (parent->kind == "loopback")
        return fail(errc::invalid_argument, "link: interface {} is a loopback, which has no frames",
                    link);
    size_t tags = 1;
    for (auto at = parent->index; interfaces.hot(at).tag.load() != 0;
         at = interfaces.hot(at).parent.load())
        ++tags;
    if (tags > link_header::max_tags)
        return fail(errc::unsupported,
                    "link: interface {} already has {} tags, which is the maximum", link,
                    link_header::max_tags);
    const auto vlan = settings.find("vlan")->as<uint16_t>();
    const auto protocol = protocol_of(settings);
    if (auto free = engine.module<vlans>().check(parent->index, protocol, vlan); !free)
        return pass(free);
    std::optional<uint16_t> mtu;
    if (settings.find("mtu") != nullptr)
        mtu = settings.find("mtu")->as<uint16_t>();
    auto made = std::make_unique<vlan_interface>(engine, parent->index, protocol, vlan, mtu);
    if (mtu)
        if (auto fits = made->set_mtu(*mtu); !fits)
            return fail(fits.error().code, "mtu: {}", fits.error().message);
    (void)name;
    return made;
}

const interface_kind_registration kind{{
    .name = "vlan",
    .key = "vlan",
    .keys = {{"interfaces.*.vlan", config::number(1, 4094),
              "VLAN ID of a sub-interface: it receives the frames of `link` that have this tag."},
             {"interfaces.*.link", config::text("an interface name"),
              "The parent interface of a VLAN: a port, or another VLAN (QinQ)."},
             {"interfaces.*.protocol", config::one_of({"802.1Q", "802.1ad"}),
              "Tag protocol of a VLAN: 802.1Q (0x8100, default) or 802.1ad (0x88a8)."}},
    .needs = {"vlan", "link"},
    .make = make,
}};

struct place {
    std::string link;
    uint32_t tag;
    auto operator<=>(const place&) const = default;
};

using settings_by_name = std::map<std::string_view, const config::value*>;

// The MTU that an interface will have.
uint16_t mtu_of(const settings_by_name& interfaces, const config::value& settings)
{
    const auto* link = settings.find("link");
    if (link == nullptr || settings.find("mtu") != nullptr)
        return settings.get<uint16_t>("mtu", default_mtu);
    const auto& below = *interfaces.at(link->text());
    const uint16_t most = mtu_of(interfaces, below);
    return below.find("vlan") == nullptr ? most : left_of(most);
}

// Beyond what one interface's settings tell: where it lies in the file.
void check_one(const settings_by_name& interfaces, const std::string& name,
               const config::value& settings, config::problems& problems)
{
    const auto* link = settings.find("link");
    size_t tags = 1;
    for (const auto* at = link; at != nullptr; ++tags) {
        const auto below = interfaces.find(at->text());
        if (below == interfaces.end())
            return problems.add(*link, "no interface `{}'", at->text());
        at = below->second->find("link");
        if (at != nullptr && (at->text() == name || tags > interfaces.size()))
            return problems.add(*link, "interface {} is its own parent", name);
    }
    if (tags - 1 > link_header::max_tags)
        problems.add(*link, "{} tags, at most {} are possible", tags - 1, link_header::max_tags);
    const auto* mtu = settings.find("mtu");
    const auto& below = *interfaces.at(link->text());
    const uint16_t whole = mtu_of(interfaces, below);
    const uint16_t most = below.find("vlan") == nullptr ? whole : left_of(whole);
    if (mtu != nullptr && mtu->as<uint16_t>() > most)
        problems.add(*mtu, "{} is above {}, which interface {} leaves for it", mtu->text(), most,
                     link->text());
}

void check(const config::value& root, config::problems& problems)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return;
    std::map<place, std::string> places;
    settings_by_name by_name;
    for (const auto& [name, key_at, settings] : interfaces->entries())
        by_name.emplace(name, &settings);
    for (const auto& [name, key_at, settings] : interfaces->entries()) {
        const auto* vlan = settings.find("vlan");
        if (vlan == nullptr || settings.find("link") == nullptr)
            continue;
        check_one(by_name, name, settings, problems);
        const place mine{settings.find("link")->text(),
                         tag_word(protocol_of(settings), vlan->as<uint16_t>())};
        const auto [other, fresh] = places.emplace(mine, name);
        if (!fresh)
            problems.add(*vlan, "VLAN {} of interface {} is already used by interface {}",
                         vlan->text(), mine.link, other->second);
    }
}

const config::registration links{{
    .name = "vlan-links",
    .keys = {},
    .check = check,
    .also_reads = {"interfaces"},
}};

} // namespace

} // namespace weft::ethernet
