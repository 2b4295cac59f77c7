// SPDX-License-Identifier: Apache-2.0
// The pool of packet buffers: its configuration section and `show buffers`.
#include "graph/command.hh"
#include "graph/config.hh"
#include "graph/engine.hh"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

namespace weft::drivers {

namespace {

constexpr uint32_t default_count = 16384;
constexpr uint32_t default_size = 2048;
// A thread's cache holds what it frees of one vector beside what it takes for the next, so that a packet's buffer
// is warm and the pool's ring, where others wait, is left alone.
constexpr unsigned cache_size = 512;

result<void> make_pool(const config::value& root, engine& host)
{
    const auto* buffers = root.find("buffers");
    const auto count = buffers == nullptr ? default_count : buffers->get("count", default_count);
    const auto size = buffers == nullptr ? default_size : buffers->get("size", default_size);
    const unsigned threads = host.thread_count();
    const unsigned cache = std::min(cache_size, count / (2 * threads));
    rte_mempool* pool = rte_pktmbuf_pool_create("buffers", count, cache, 0,
                                                static_cast<uint16_t>(size + RTE_PKTMBUF_HEADROOM),
                                                static_cast<int>(rte_socket_id()));
    if (pool == nullptr)
        return fail(errc::exhausted,
                    "buffers: {} buffers of {} bytes cannot be made: {} (memory.size holds {} MB)",
                    count, size, rte_strerror(rte_errno),
                    rte_eal_get_physmem_size() >> 20);
    host.add_pool(pool);
    return {};
}

const config::registration registration{{
    .name = "buffers",
    .stage = config::stage::engine,
    .keys = {{"buffers", config::mapping(), "Packet buffers."},
             {"buffers.count", config::number(1024, 16'000'000),
              "How many packets can exist at once (default 16384)."},
             {"buffers.size", config::number(512, 32768),
              "Bytes of a packet that one buffer holds (default 2048)."}},
    .apply = make_pool,
}};

result<nlohmann::ordered_json> show_buffers(command_context& context)
{
    nlohmann::ordered_json pools = nlohmann::ordered_json::array();
    for (rte_mempool* pool : context.host.pools())
        pools.push_back({{"name", pool->name},
                         {"size", pool->size},
                         {"free", rte_mempool_avail_count(pool)},
                         {"in_use", rte_mempool_in_use_count(pool)},
                         {"bytes_each", rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM},
                         {"cache", pool->cache_size}});
    return nlohmann::ordered_json{{"pools", pools},
                                  {"packets_in_flight", context.host.packets_in_flight()}};
}

std::string buffers_text(const nlohmann::ordered_json& data)
{
    using enum text_table::align;
    text_table table{{{"Pool", 16, left}, {"Size", 10, right}, {"Free", 10, right},
                      {"In use", 10, right}, {"Bytes each", 11, right}, {"Cache", 7, right}}};
    for (const auto& pool : data["pools"])
        table.row({pool["name"], to_string(pool["size"]), to_string(pool["free"]),
                   to_string(pool["in_use"]), to_string(pool["bytes_each"]),
                   to_string(pool["cache"])});
    return fmt::format("{}\npackets in flight {}", table.str(),
                       data["packets_in_flight"].get<int64_t>());
}

const command_registration show{"show buffers",
                                "Packet buffers: size, free and used, and the packets in flight",
                                show_buffers, buffers_text};

} // namespace

} // namespace weft::drivers
