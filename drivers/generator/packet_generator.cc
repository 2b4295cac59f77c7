// SPDX-License-Identifier: Apache-2.0
// packet-generator: makes the packets of a stream. One clone for each stream, called
// packet-generator-STREAM.
#include "drivers/generator/packet_generator.hh"

#include "drivers/dpdk/device.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <spdlog/spdlog.h>

namespace weft::drivers {

namespace {

constexpr event_type stream_done = 1;

struct context {
    explicit context(const node_setup& setup)
        : engine{setup.engine},
          interfaces{
              interfaces_of(setup.engine)}, // the module's place is the main thread's to read
          packets{*static_cast<stream*>(setup.argument)},
          pool{setup.engine.pools().front()}
    {}
    weft::engine& engine;
    interface_table& interfaces;
    stream& packets;
    rte_mempool* pool;
    interface_counters* counters = nullptr; // of the stream's interface
};

bool is_done(const stream& s) noexcept
{
    return s.options.limit != 0 && s.made.get() == s.options.limit;
}

void begin(context& ctx, stream& s, unsigned thread, uint64_t starts) noexcept
{
    const uint64_t now = rte_rdtsc();
    ctx.counters = &ctx.interfaces.counters(thread, s.options.interface);
    s.packets->restart();
    s.pace.restart(now);
    s.made.set(0);
    s.not_made.set(0);
    s.began.set(now);
    s.last.set(now);
    s.started.set(starts);
}

uint32_t due(stream& s, uint32_t most) noexcept
{
    if (s.options.limit != 0)
        most = static_cast<uint32_t>(std::min<uint64_t>(most, s.options.limit - s.made.get()));
    return s.options.rate == 0 ? most : s.pace.take(rte_rdtsc(), most);
}

// So many at a time that their first cache lines are still at hand from one step to the next.
constexpr uint32_t group = 64;

// All of them, or none for want of buffers.
uint32_t make_some(node_run& run, context& ctx, stream& s, std::span<packet*> packets,
                   next_index to) noexcept
{
    const auto count = static_cast<uint32_t>(packets.size());
    if (rte_pktmbuf_alloc_bulk(ctx.pool, reinterpret_cast<rte_mbuf**>(packets.data()), count) != 0)
        return 0;
    ctx.counters->rx_bytes.add(s.packets->fill(packets));
    ctx.counters->rx_packets.add(count);
    s.made.add(count);
    run.admit(packets.data(), count, s.options.interface, to);
    if (s.to != to_ethernet_input)
        for (packet* p : packets)
            p->metadata().l3_offset = sizeof(net::ethernet_header);
    return count;
}

uint32_t packet_generator_input(node_run& run) noexcept
{
    auto& ctx = run.context<context>();
    stream& s = ctx.packets;
    const uint64_t starts = s.starts.load(std::memory_order_acquire);
    if (starts != s.started.get()) [[unlikely]]
        begin(ctx, s, run.thread_index(), starts);
    const next_index to = s.to != to_ethernet_input
                              ? s.to
                              : ctx.interfaces.hot(s.options.interface).input_slot.load();
    const auto space = run.input_space(to);
    const uint32_t wanted = due(s, static_cast<uint32_t>(space.size()));
    uint32_t made = 0;
    while (made < wanted) {
        const uint32_t part =
            make_some(run, ctx, s, space.subspan(made, std::min(wanted - made, group)), to);
        if (part == 0)
            break;
        made += part;
    }
    s.not_made.add(wanted - made);
    if (made == 0)
        return 0;
    s.last.set(rte_rdtsc());
    if (is_done(s))
        run.thread().post(s.retirer, {.type = stream_done});
    return made;
}

const node_registration registration{{
    .name = "packet-generator",
    .type = node_type::input,
    .state = node_state::disabled,
    .poll = packet_generator_input,
    .sibling_of = "device-input",
    .context = context_of<context>(),
    .is_template = true,
}};

void retire(process& self)
{
    auto& generator = self.engine().module<packet_generator>();
    generator.set_retirer(self.id());
    while (true) {
        [[maybe_unused]] const auto done =
            self.wait_event_or_clock(1s); // 1s: where the event was lost
        generator.retire_done();
    }
}

const process_registration retirement{"packet-generator", retire};

} // namespace

packet_generator::packet_generator(engine& engine) : engine_{engine}
{
    interfaces_of(engine).guard([this](const interface& i) -> result<void> {
        for (const auto& [name, s] : streams_)
            if (s->options.interface == i.index)
                return fail(errc::invalid_argument, "stream `{}' sends packets into interface {}",
                            name, i.name);
        return {};
    });
}

result<stream*> packet_generator::find(const std::string& name) const
{
    const auto found = streams_.find(name);
    if (found == streams_.end())
        return fail(errc::not_found, "no stream `{}'", name);
    return found->second.get();
}

// The node of a stream lives as long as the stream, which lives as long as a thread can look at it.
result<void> packet_generator::add(const std::string& name, const stream_options& options,
                                   std::unique_ptr<packet_source> packets)
{
    if (find(name))
        return fail(errc::exists, "a stream `{}' already exists", name);
    if (streams_.size() == max_streams)
        return fail(errc::exhausted, "{} streams exist, which is the maximum", max_streams);
    size_t memory = packets->memory();
    for (const auto& [other, s] : streams_)
        memory += s->packets->memory();
    if (memory > max_stream_memory)
        return fail(errc::exhausted, "all streams would take {} bytes of memory, the limit is {}",
                    memory, max_stream_memory);
    const auto made = std::make_shared<stream>(options, std::move(packets), rte_get_tsc_hz());
    made->retirer = retirer_;
    const auto join = [&](node_registry& registry) -> result<void> {
        const auto node = registry.clone("packet-generator", "packet-generator-" + name, made.get(),
                                         options.thread);
        if (!node)
            return pass(node);
        const auto to = registry.add_next(*node, options.node, {}, "the packet generator");
        if (!to)
            return pass(to);
        node_entry& entry = registry.at(*node);
        entry.keeps_argument = made;
        entry.owner = fmt::format("stream {}", name);
        made->self = *node;
        made->to = *to;
        return {};
    };
    if (auto done = engine_.change_graph(join, "packet-generator new " + name); !done)
        return done;
    streams_.emplace(name, made);
    return {};
}

result<void> packet_generator::set_polled(const std::string& name, const stream& s, bool polled)
{
    const auto wanted = polled ? node_state::adaptive : node_state::disabled;
    if (engine_.registry().at(s.self).state == wanted)
        return {};
    const auto edit = [&](node_registry& registry) -> result<void> {
        registry.at(s.self).state = wanted;
        return {};
    };
    return engine_.change_graph(
        edit, fmt::format("packet-generator {} {}", polled ? "enable" : "disable", name));
}

result<void> packet_generator::enable(const std::string& name, bool on)
{
    const auto found = find(name);
    if (!found)
        return pass(found);
    retire_done();
    stream& s = **found;
    if (s.enabled == on)
        return {};
    if (on)
        s.starts.fetch_add(1, std::memory_order_release);
    if (auto done = set_polled(name, s, on); !done)
        return done;
    s.enabled = on;
    return {};
}

result<void> packet_generator::remove(const std::string& name)
{
    const auto found = find(name);
    if (!found)
        return pass(found);
    const auto leave = [&](node_registry& registry) { return registry.remove((*found)->self); };
    if (auto done = engine_.change_graph(leave, "packet-generator delete " + name); !done)
        return done;
    streams_.erase(name);
    return {};
}

void packet_generator::retire_done()
{
    for (const auto& [name, s] : streams_) {
        if (!s->enabled || s->started.get() != s->starts.load() || !is_done(*s))
            continue;
        if (auto done = set_polled(name, *s, false); !done)
            spdlog::warn("stream {}: {}", name, done.error().message);
        s->enabled = false;
    }
}

std::vector<std::string> packet_generator::names() const
{
    std::vector<std::string> list;
    for (const auto& [name, s] : streams_)
        list.push_back(name);
    return list;
}

result<stream_status> packet_generator::status(const std::string& name) const
{
    const auto found = find(name);
    if (!found)
        return pass(found);
    const stream& s = **found;
    stream_status status{
        .name = name, .state = s.enabled ? "enabled" : "disabled", .options = s.options};
    if (s.started.get() != s.starts.load() || s.starts.load() == 0)
        return status; // its thread has not begun
    const uint64_t end = s.enabled && !is_done(s) ? rte_rdtsc() : s.last.get();
    status.made = s.made.get();
    status.not_made = s.not_made.get();
    if (is_done(s))
        status.state = "done";
    if (end > s.began.get())
        status.measured =
            static_cast<double>(status.made) / engine_.seconds_of(end - s.began.get());
    return status;
}

} // namespace weft::drivers
