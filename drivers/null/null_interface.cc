// SPDX-License-Identifier: Apache-2.0
// The kind of interface `null': its link is up, it receives nothing, and what it sends is counted
// and freed.
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/kind.hh"
#include "nodes/interface/port_nodes.hh"

namespace weft::drivers {

namespace {

constexpr std::string_view tx_node = "null-tx";

struct context {
    explicit context(const node_setup& setup)
        : interfaces{interfaces_of(setup.engine)}, thread{setup.thread}
    {}
    interface_table& interfaces;
    unsigned thread;
};

// All null interfaces share it: counted once for all in a row that leave by one.
void null_tx(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    run.trace(in, consumed);
    for (uint32_t i = 0; i < in.count;) {
        const uint16_t of = in.packets[i]->metadata().interface;
        uint64_t bytes = 0;
        uint32_t next = i;
        while (next < in.count && in.packets[next]->metadata().interface == of)
            bytes += in.packets[next++]->length();
        auto& counters = ctx.interfaces.counters(ctx.thread, of);
        counters.tx_packets.add(next - i);
        counters.tx_bytes.add(bytes);
        i = next;
    }
    run.free(in.packets.data(), in.count);
}

const node_descriptor descriptor{
    .name = tx_node,
    .function = null_tx,
    .context = context_of<context>(),
    .role = node_role::output,
    .joined_later = true,
};

class null_interface final : public interface_driver {
public:
    // Locally administered (IEEE 802), told apart by the interface's number.
    net::mac_address mac(interface_index index) const override
    {
        return {{2, 0, 0, static_cast<uint8_t>(index >> 8), 0xff, static_cast<uint8_t>(index)}};
    }
    bool is_in_graph(engine& engine) const override { return has_shared_output(engine, tx_node); }
    result<void> join(engine& engine, const std::string&, interface_index index) override
    {
        return join_shared_output(engine, descriptor, index);
    }
    result<void> set_admin(bool up) override
    {
        up_ = up;
        return {};
    }
    result<void> set_mtu(uint16_t) override { return {}; }
    link_status link() const override { return {up_, 0, true}; }
    bool has_carrier() const override { return false; }
    bool has_own_mac() const override { return false; }
    hardware_status hardware() const override
    {
        hardware_status status;
        status.device = "null";
        status.driver = "null";
        status.link = link();
        return status;
    }

private:
    bool up_ = false;
};

result<std::unique_ptr<interface_driver>> make(engine&, const std::string&, const config::value&)
{
    return std::make_unique<null_interface>();
}

const interface_kind_registration kind{{
    .name = "null",
    .devices = {"null"},
    .takes = {"device", "macaddress", "rx-mode", "handoff", "optional", "queues", "promiscuous",
              "secondary-macaddresses"},
    .make = make,
}};

} // namespace

} // namespace weft::drivers
