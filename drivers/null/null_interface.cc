// SPDX-License-Identifier: Apache-2.0
// A null interface: its link is up, it receives nothing, and what it sends is counted and freed.
// Its tx node is called null-tx-INTERFACE.
#include "drivers/dpdk/device.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"

namespace weft::drivers {

namespace {

class null_interface final : public device {
public:
    explicit null_interface(std::optional<net::mac_address> mac) : mac_{mac} {}

    // Locally administered (IEEE 802), told apart by the interface's index.
    net::mac_address mac(interface_index index) const override
    {
        return mac_.value_or(net::mac_address{{2, 0, 0, 0, 0xff, static_cast<uint8_t>(index)}});
    }
    result<void> join(engine& engine, const std::string& name, interface_index index) override
    {
        index_ = index;
        return join_output(engine, "null-tx", name, index, &index_);
    }
    result<void> set_admin(bool up) override
    {
        up_ = up;
        return {};
    }
    result<void> set_mtu(uint16_t) override { return {}; }
    link_status link() const override { return {up_, 0, true}; }
    hardware_status hardware() const override
    {
        hardware_status status;
        status.device = null_device;
        status.driver = null_device;
        status.link = link();
        return status;
    }

private:
    const std::optional<net::mac_address> mac_;
    interface_index index_ = no_interface;
    bool up_ = false;
};
static_assert(max_interfaces <= 256, "an index fits into the last byte of a MAC address");

struct context {
    explicit context(const node_setup& setup)
        : counters{
              interfaces_of(setup.engine)
                  .counters(setup.thread, *static_cast<const interface_index*>(setup.argument))}
    {}
    interface_counters& counters;
};

void null_tx(node_run& run, frame& in) noexcept
{
    auto& counters = run.context<context>().counters;
    run.trace(in, consumed);
    uint64_t bytes = 0;
    for (const packet* p : in.all())
        bytes += p->length();
    counters.tx_packets.add(in.count);
    counters.tx_bytes.add(bytes);
    run.free(in.packets.data(), in.count);
}

const node_registration registration{{
    .name = "null-tx",
    .function = null_tx,
    .context = context_of<context>(),
    .role = node_role::output,
    .is_template = true,
}};

} // namespace

std::unique_ptr<device> make_null_device(std::optional<net::mac_address> mac)
{
    return std::make_unique<null_interface>(mac);
}

} // namespace weft::drivers
