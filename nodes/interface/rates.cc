// SPDX-License-Identifier: Apache-2.0
// Samples of the interfaces' counters.
#include "nodes/interface/rates.hh"

#include "graph/engine.hh"
#include "graph/process/process.hh"

#include <algorithm>

namespace weft {

interface_rates::interface_rates(engine& engine) : engine_{engine}
{
    interfaces_of(engine).observe_release([this](interface_index index) { all_.erase(index); });
}

void interface_rates::sample(interface_index index, double now)
{
    history& h = all_[index];
    const point p{now, interfaces_of(engine_).grown(index)};
    if (h.taken % 10 == 0)
        h.tens[h.taken / 10 % h.tens.size()] = p;
    h.seconds[h.taken % h.seconds.size()] = p;
    ++h.taken;
}

interface_rates::rate interface_rates::between(const point& from, const point& to)
{
    const double seconds = to.when - from.when;
    if (seconds <= 0)
        return {};
    const auto each = [&](uint64_t before, uint64_t after) {
        return static_cast<double>(after - before) / seconds;
    };
    return {each(from.counts.rx_packets, to.counts.rx_packets),
            8 * each(from.counts.rx_bytes, to.counts.rx_bytes),
            each(from.counts.tx_packets, to.counts.tx_packets),
            8 * each(from.counts.tx_bytes, to.counts.tx_bytes)};
}

interface_rates::rate interface_rates::of(interface_index index, size_t span) const
{
    const auto found = all_.find(index);
    if (found == all_.end() || found->second.taken < 2)
        return {};
    const history& h = found->second;
    const size_t last = h.taken - 1;
    const point& now = h.seconds[last % h.seconds.size()];
    const size_t back = std::min<size_t>(spans[span], last);
    if (back < h.seconds.size())
        return between(h.seconds[(last - back) % h.seconds.size()], now);
    const size_t ten = (last - back + 9) / 10; // the first that lies within the span
    return between(h.tens[ten % h.tens.size()], now);
}

namespace {

void take_samples(process& self)
{
    auto& interfaces = interfaces_of(self.engine());
    auto& rates = self.engine().module<interface_rates>();
    constexpr size_t at_once = 512;
    while (true) {
        self.sleep_for(std::chrono::seconds{1});
        for (size_t n = 0; n < interfaces.all().size(); ++n) { // which may change meanwhile
            const std::chrono::duration<double> now = self.now();
            rates.sample(interfaces.all()[n]->index, now.count());
            if (n % at_once == at_once - 1)
                self.yield();
        }
    }
}

const process_registration sampling{"interface-rates", take_samples};

} // namespace

} // namespace weft
