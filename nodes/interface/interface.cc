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
    : interface_table{engine.thread_count(), engine.module<drop_counts>(), &engine}
{}

interface_table::interface_table(unsigned thread_count, const drop_counts& dropped, engine* engine)
    : engine_{engine}, macs_{new mac_list}, thread_count_{thread_count}, dropped_{dropped}
{
    // any number may be looked up, whatever a packet says
    if (!hot_.map(size_t{1} << 16, 0) || !counters_.map(thread_count * max_interfaces, 0))
        throw std::bad_alloc{};
}

interface_table::~interface_table()
{
    close();
    delete macs_.load();
    for (const interface* i : all_)
        delete hot_[i->index].secondary_macs.load();
}

// A number that was used before, so that tables by number stay small.
interface_index interface_table::take_number()
{
    if (free_.empty()) {
        slots_.push_back(std::make_unique<interface>());
        cleared_.emplace_back();
        cleared_losses_.emplace_back();
        return static_cast<interface_index>(slots_.size() - 1);
    }
    const interface_index index = free_.front();
    free_.pop_front();
    *slots_[index] = {};
    return index;
}

result<interface*> interface_table::add(std::string name, std::unique_ptr<interface_driver> driver)
{
    if (find(name) != nullptr)
        return fail(errc::exists, "an interface `{}' already exists", name);
    if (free_.empty() && slots_.size() == max_interfaces)
        return fail(errc::exhausted,
                    "{} interfaces exist, or existed a moment ago, which is the maximum",
                    max_interfaces);
    const interface_index index = take_number();
    interface& made = *slots_[index];
    made.index = index;
    made.name = std::move(name);
    made.driver = std::move(driver);
    new (&hot_[index]) interface_hot;
    cleared_[index] = raw(index); // each counter goes on, for its thread alone writes it
    cleared_losses_[index] = {};
    by_name_.emplace(made.name, &made);
    all_.insert(std::upper_bound(all_.begin(), all_.end(), index,
                                 [](auto n, const interface* i) { return n < i->index; }),
                &made);
    return &made;
}

interface* interface_table::find(std::string_view name) noexcept
{
    return const_cast<interface*>(std::as_const(*this).find(name));
}

const interface* interface_table::find(std::string_view name) const noexcept
{
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

result<void> interface_table::set_admin(interface& i, bool up)
{
    if (auto done = i.driver->set_admin(up); !done)
        return done;
    hot_[i.index].set_up(up);
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

void interface_table::set_mac(interface& i, const net::mac_address& mac)
{
    hot_[i.index].mac = mac;
    if (i.driver != nullptr && i.driver->has_own_mac())
        publish_macs();
}

void interface_table::publish_macs()
{
    auto fresh = std::make_unique<mac_list>();
    for (const interface* i : all_)
        if (i->driver != nullptr && i->driver->has_own_mac()) {
            fresh->push_back(hot_[i->index].mac);
            const auto more = secondary_macs(*i);
            fresh->insert(fresh->end(), more.begin(), more.end());
        }
    std::sort(fresh->begin(), fresh->end());
    fresh->erase(std::unique(fresh->begin(), fresh->end()), fresh->end());
    free_later(macs_.exchange(fresh.release(), std::memory_order_acq_rel));
}

void interface_table::free_later(const mac_list* old)
{
    if (engine_ != nullptr && old != nullptr)
        engine_->rcu().defer([old] { delete old; });
    else
        delete old;
}

mac_list interface_table::secondary_macs(const interface& i) const
{
    const mac_list* const all = hot_[i.index].secondary_macs.load();
    return all == nullptr ? mac_list{} : *all;
}

void interface_table::set_secondary_macs(interface& i, mac_list macs)
{
    const mac_list* const fresh = macs.empty() ? nullptr : new mac_list{std::move(macs)};
    free_later(hot_[i.index].secondary_macs.exchange(fresh, std::memory_order_acq_rel));
}

result<void> interface_table::add_secondary_mac(interface& i, const net::mac_address& mac)
{
    mac_list all = secondary_macs(i);
    const auto place = std::lower_bound(all.begin(), all.end(), mac);
    if (mac == hot_[i.index].mac || (place != all.end() && *place == mac))
        return fail(errc::exists, "interface {} has the MAC address {} already", i.name,
                    net::to_string(mac));
    if (all.size() == max_secondary_macs)
        return fail(errc::exhausted,
                    "interface {} has {} secondary MAC addresses, the most there are", i.name,
                    max_secondary_macs);
    if (auto done = i.driver->add_mac(mac); !done)
        return done;
    all.insert(place, mac);
    set_secondary_macs(i, std::move(all));
    publish_macs();
    return {};
}

result<void> interface_table::remove_secondary_mac(interface& i, const net::mac_address& mac)
{
    mac_list all = secondary_macs(i);
    const auto place = std::lower_bound(all.begin(), all.end(), mac);
    if (place == all.end() || *place != mac)
        return fail(errc::not_found, "interface {} has no secondary MAC address {}", i.name,
                    net::to_string(mac));
    i.driver->remove_mac(mac);
    all.erase(place);
    set_secondary_macs(i, std::move(all));
    publish_macs();
    return {};
}

result<void> interface_table::set_promiscuous(interface& i, bool on)
{
    if (auto done = i.driver->set_promiscuous(on); !done)
        return done;
    i.promiscuous = on;
    return {};
}

void interface_table::close()
{
    observers_.clear();
    for (const auto& i : slots_)
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

void interface_table::guard(std::function<result<void>(const interface&)> guard)
{
    guards_.push_back(std::move(guard));
}

result<void> interface_table::may_remove(const interface& i) const
{
    for (const auto& guard : guards_)
        if (auto asked = guard(i); !asked)
            return asked;
    return {};
}

void interface_table::observe_removal(std::function<void(const interface&)> observer)
{
    removal_observers_.push_back(std::move(observer));
}

void interface_table::notify_removal(const interface& i) const
{
    for (const auto& observer : removal_observers_)
        observer(i);
}

std::unique_ptr<interface_driver> interface_table::remove(interface& i)
{
    const bool had_mac = i.driver != nullptr && i.driver->has_own_mac();
    auto driver = std::move(i.driver);
    i.link = {};
    hot_[i.index].set_up(false);
    by_name_.erase(i.name);
    all_.erase(std::find(all_.begin(), all_.end(), &i));
    set_secondary_macs(i, {});
    if (had_mac)
        publish_macs();
    return driver;
}

void interface_table::observe_release(std::function<void(interface_index)> observer)
{
    release_observers_.push_back(std::move(observer));
}

void interface_table::give_back(interface_index index)
{
    for (const auto& observer : release_observers_)
        observer(index);
    free_.push_back(index);
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
    device_losses now = slots_[index]->driver->losses();
    const device_losses& base = cleared_losses_[index];
    now.rx_missed -= base.rx_missed;
    now.rx_errors -= base.rx_errors;
    now.rx_no_buffer -= base.rx_no_buffer;
    now.tx_errors -= base.tx_errors;
    return now;
}

void interface_table::clear_counters()
{
    for (const interface* i : all_) {
        cleared_[i->index] = raw(i->index);
        cleared_losses_[i->index] = i->driver->losses();
    }
}

} // namespace weft
