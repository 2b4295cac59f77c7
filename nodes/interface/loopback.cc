// SPDX-License-Identifier: Apache-2.0
// The kind of interface `loopback': its link is always up, nothing comes in by it, and its
// addresses are the router's by whatever port packets to them come.
#include "base/net/headers.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/kind.hh"
#include "nodes/interface/port_nodes.hh"

namespace weft {

namespace {

constexpr std::string_view tx_node = "loopback-output";

enum reasons : uint16_t { no_station };

// Nobody is there: what asks for stations is at its end, what is for one is lost.
void loopback_output(node_run& run, frame& in) noexcept
{
    run.each(in, [&](packet& p) noexcept -> verdict {
        if (p.header<net::ethernet_header>(0).type != net::ether_type::arp)
            return drop(no_station);
        run.kept(p);
        run.thread().free_kept(&p);
        return consumed;
    });
}

const node_descriptor descriptor{
    .name = tx_node,
    .function = loopback_output,
    .reasons = {{no_station, "no_station", "a loopback has no neighbours"}},
    .role = node_role::output,
    .joined_later = true,
};

class loopback final : public interface_driver {
public:
    bool is_in_graph(engine& engine) const override
    {
        return drivers::has_shared_output(engine, tx_node);
    }
    result<void> join(engine& engine, const std::string&, interface_index index) override
    {
        return drivers::join_shared_output(engine, descriptor, index);
    }
    result<void> set_admin(bool) override { return {}; }
    result<void> set_mtu(uint16_t) override { return {}; }
    result<void> add_mac(const net::mac_address&) override { return has_no_frames(); }
    result<void> set_promiscuous(bool) override { return has_no_frames(); }
    link_status link() const override { return {.up = true}; }
    bool has_carrier() const override { return false; }
    bool has_own_mac() const override { return false; }
    hardware_status hardware() const override
    {
        hardware_status status;
        status.device = status.driver = "loopback";
        status.link = link();
        return status;
    }

private:
    static result<void> has_no_frames()
    {
        return fail(errc::unsupported, "nothing comes in by a loopback");
    }
};

result<std::unique_ptr<interface_driver>> make(engine&, const std::string&, const config::value&)
{
    return std::make_unique<loopback>();
}

const interface_kind_registration kind{{.name = "loopback", .make = make}};

} // namespace

} // namespace weft
