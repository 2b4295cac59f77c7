// SPDX-License-Identifier: Apache-2.0
// The interface table.
#include "nodes/interface/interface.hh"

#include "control/command/command.hh"
#include "graph/engine.hh"
#include "graph/nodes/drop.hh"

#include <algorithm>

namespace weft {

std::vector<node_id> inputs_of(const std::vector<rx_queue_input>& queues)
{
    std::vector<node_id> nodes;
    nodes.reserve(queues.size());
    for (const auto& q : queues)
        nodes.push_back(q.input);
    return nodes;
}

std::string_view to_string(device_state state) noexcept
{
    switch (state) {
    case device_state::present:
        return "present";
    case device_state::missing:
        return "missing";
    case device_state::gone:
        return "gone";
    }
    return "?";
}

result<interface*> interface_of(const command_context& context)
{
    const auto name = context.arguments.text("interface");
    interface* found = interfaces_of(context.engine).find(name);
    if (found == nullptr)
        return fail(errc::not_found, "no interface `{}'", name);
    return found;
}

interface_table& interfaces_of(engine& engine)
{
    return engine.module<interface_table>();
}

interface_table::interface_table(engine& engine)
    : interface_table{engine.thread_count(), engine.module<drop_counts>()}
{}

interface_table::interface_table(unsigned thread_count, const drop_counts& dropped)
    : counters_{std::make_unique<interface_counters[]>(thread_count * max_interfaces)},
      thread_count_{thread_count},
      dropped_{dropped}
{}

interface_table::~interface_table()
{
    close();
}

result<interface*> interface_table::add(std::string name, std::unique_ptr<interface_driver> driver)
{
    if (find(name) != nullptr)
        return fail(errc::exists, "an interface `{}' exists already", name);
    if (all_.size() == max_interfaces)
        return fail(errc::exhausted, "{} interfaces exist, the most there can be", max_interfaces);
    auto made = std::make_unique<interface>();
    made->index = static_cast<interface_index>(all_.size());
    made->name = std::move(name);
    made->driver = std::move(driver);
    all_.push_back(std::move(made));
    return all_.back().get();
}

interface* interface_table::find(std::string_view name) noexcept
{
    return const_cast<interface*>(std::as_const(*this).find(name));
}

const interface* interface_table::find(std::string_view name) const noexcept
{
    const auto found =
        std::find_if(all_.begin(), all_.end(), [&](const auto& i) { return i->name == name; });
    return found == all_.end() ? nullptr : found->get();
}

result<void> interface_table::set_admin(interface& i, bool up)
{
    if (auto done = i.driver->set_admin(up); !done)
        return done;
    hot_[i.index].admin_up.store(up, std::memory_order_release);
    i.link = i.driver->link();
    notify(i);
    return {};
}

result<void> interface_table::set_mtu(interface& i, uint16_t mtu)
{
    if (auto done = i.driver->set_mtu(mtu); !done)
        return done;
    hot_[i.index].mtu.store(mtu, std::memory_order_release);
    notify(i);
    return {};
}

void interface_table::close()
{
    observers_.clear();
    for (const auto& i : all_)
        i->driver.reset();
}

void interface_table::observe(std::function<void(const interface&)> observer)
{
    observers_.push_back(std::move(observer));
}

void interface_table::notify(const interface& i) const
{
    for (const auto& observer : observers_)
        observer(i);
}

interface_table::totals interface_table::raw(interface_index index) const noexcept
{
    totals sum;
    for (unsigned thread = 0; thread < thread_count_; ++thread) {
        const auto& c = counters_[thread * max_interfaces + index];
        sum.rx_packets += c.rx_packets.get();
        sum.rx_bytes += c.rx_bytes.get();
        sum.tx_packets += c.tx_packets.get();
        sum.tx_bytes += c.tx_bytes.get();
        sum.tx_full += c.tx_full.get();
    }
    sum.drops = dropped_.total(index);
    return sum;
}

interface_table::totals interface_table::count(interface_index index) const noexcept
{
    totals sum = raw(index);
    const totals& base = cleared_[index];
    sum.rx_packets -= base.rx_packets;
    sum.rx_bytes -= base.rx_bytes;
    sum.tx_packets -= base.tx_packets;
    sum.tx_bytes -= base.tx_bytes;
    sum.drops -= base.drops;
    sum.tx_full -= base.tx_full;
    return sum;
}

device_losses interface_table::losses(interface_index index) const
{
    device_losses now = all_[index]->driver->losses();
    const device_losses& base = cleared_losses_[index];
    now.rx_missed -= base.rx_missed;
    now.rx_errors -= base.rx_errors;
    now.rx_no_buffer -= base.rx_no_buffer;
    now.tx_errors -= base.tx_errors;
    return now;
}

void interface_table::clear_counters()
{
    for (const auto& i : all_) {
        cleared_[i->index] = raw(i->index);
        cleared_losses_[i->index] = i->driver->losses();
    }
}

} // namespace weft
