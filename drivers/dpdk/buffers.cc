// SPDX-License-Identifier: Apache-2.0
// The pool of packet buffers: its configuration section and `show buffers`.
#include "drivers/dpdk/buffers.hh"

#include "base/mapped_memory.hh"
#include "base/text_table.hh"
#include "control/command/command.hh"
#include "control/config/config.hh"
#include "drivers/dpdk/device.hh"
#include "graph/engine.hh"
#include "graph/init.hh"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <span>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace weft::drivers {

namespace {

// A thread's cache holds what it frees of one vector beside what it takes for the next, so that a
// packet's buffer is warm and the pool's ring, where others wait, is left alone.
constexpr unsigned cache_size = 512;

// Whether a device reaches buffers otherwise than through this process's addresses: a NIC by DMA,
// and virtio-user's peer, by mapping the files that DPDK's memory is. Other virtual devices copy.
bool maps_buffers(std::string_view device)
{
    return device != "null" &&
           (!device.starts_with("net_") || device.starts_with("net_virtio_user"));
}

// On small pages nearly every packet misses the TLB, and DPDK's memory has no others without
// reserved hugepages; memory of this process's own can have transparent ones.
bool wants_own_memory(const config::value& root)
{
    const auto* memory = root.find("memory");
    if (memory != nullptr && memory->get("hugepages", false))
        return false;
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return true;
    const auto& all = interfaces->entries();
    return std::none_of(all.begin(), all.end(), [](const auto& entry) {
        const auto* device = entry.value.find("device");
        return device != nullptr && maps_buffers(device->text());
    });
}

// Of one buffer, with the headroom that drivers leave before the packet.
uint16_t room_of(const pool_shape& shape)
{
    return static_cast<uint16_t>(shape.size + RTE_PKTMBUF_HEADROOM);
}
uint32_t element_of(const pool_shape& shape)
{
    return static_cast<uint32_t>(sizeof(rte_mbuf)) + room_of(shape);
}

// One range of addresses is all that devices see of it, so a buffer may lie across pages.
constexpr unsigned own_memory_flags = RTE_MEMPOOL_F_NO_IOVA_CONTIG;

// The memory of a pool to come and the thread that touches it.
class pool_memory {
public:
    void take(const pool_shape& shape)
    {
        const size_t bytes =
            size_t{shape.count} *
            rte_mempool_calc_obj_size(element_of(shape), own_memory_flags, nullptr);
        // The kernel would promise more than there is, and end the process when it is touched.
        const auto machine = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) *
                             static_cast<size_t>(sysconf(_SC_PAGESIZE));
        if (bytes > machine / 4 * 3)
            return;
        area_ = map_memory(bytes);
        toucher_ = std::jthread{[area = area_] {
            const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
            for (size_t at = 0; at < area.size(); at += page)
                static_cast<volatile std::byte&>(area[at]) = std::byte{0};
        }};
    }

    // Empty if nothing was taken. Waits for the thread.
    std::span<std::byte> give()
    {
        if (toucher_.joinable())
            toucher_.join();
        return std::exchange(area_, {});
    }

private:
    std::span<std::byte> area_;
    std::jthread toucher_;
};

pool_memory& memory_ahead()
{
    static pool_memory memory;
    return memory;
}

void unmap(rte_mempool_memhdr* chunk, void*)
{
    munmap(chunk->addr, chunk->len);
}

// Fills the pool with the memory; a negative errno if it cannot.
int populate(rte_mempool* pool, std::span<std::byte> area)
{
    if (area.empty())
        return -ENOMEM;
    auto* const start = reinterpret_cast<char*>(area.data());
    const int done = rte_mempool_populate_iova(pool, start, reinterpret_cast<rte_iova_t>(start),
                                               area.size(), unmap, nullptr);
    if (done < 0)
        munmap(area.data(), area.size());
    return done;
}

// As rte_pktmbuf_pool_create does, but in memory that map_memory() gave. nullptr: see rte_errno.
rte_mempool* make_in_own_memory(const pool_shape& shape, unsigned cache)
{
    auto area = memory_ahead().give();
    if (area.empty()) {
        memory_ahead().take(shape);
        area = memory_ahead().give();
    }
    rte_mempool* pool = rte_mempool_create_empty(
        "buffers", shape.count, element_of(shape), cache, sizeof(rte_pktmbuf_pool_private),
        static_cast<int>(rte_socket_id()), own_memory_flags);
    if (pool == nullptr)
        return nullptr;
    rte_pktmbuf_pool_private sizes{};
    sizes.mbuf_data_room_size = room_of(shape);
    rte_pktmbuf_pool_init(pool, &sizes);
    int done = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr);
    if (done == 0)
        done = populate(pool, area);
    if (done < 0) {
        rte_mempool_free(pool);
        rte_errno = -done;
        return nullptr;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
    return pool;
}

result<void> make_pool(const config::value& root, engine& engine)
{
    const pool_shape shape{root};
    const unsigned cache = std::min(cache_size, shape.count / (2 * engine.thread_count()));
    const bool own = wants_own_memory(root);
    rte_mempool* pool =
        own ? make_in_own_memory(shape, cache)
            : rte_pktmbuf_pool_create("buffers", shape.count, cache, 0, room_of(shape),
                                      static_cast<int>(rte_socket_id()));
    if (pool == nullptr)
        return fail(errc::exhausted, "buffers: cannot allocate {} buffers of {} bytes: {}{}",
                    shape.count, shape.size, rte_strerror(rte_errno),
                    own ? ""
                        : fmt::format(" (memory.size is {} MB)", rte_eal_get_physmem_size() >> 20));
    engine.add_pool(pool);
    return {};
}

const config::registration registration{{
    .name = "buffers",
    .keys = {{"buffers", config::mapping(), "Packet buffers."},
             {"buffers.count", config::number(1024, 16'000'000),
              "Number of packet buffers (default 16384)."},
             {"buffers.size", config::number(512, 32768),
              "Bytes of packet data per buffer (default 2048)."}},
    .apply = make_pool,
}};

result<nlohmann::ordered_json> show_buffers(command_context& context)
{
    nlohmann::ordered_json pools = nlohmann::ordered_json::array();
    for (rte_mempool* pool : context.engine.pools())
        pools.push_back({{"name", pool->name},
                         {"size", pool->size},
                         {"free", rte_mempool_avail_count(pool)},
                         {"in_use", rte_mempool_in_use_count(pool)},
                         {"bytes_each", rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM},
                         {"cache", pool->cache_size}});
    return nlohmann::ordered_json{{"pools", pools},
                                  {"packets_in_flight", context.engine.packets_in_flight()}};
}

std::string buffers_text(const nlohmann::ordered_json& data)
{
    using enum text_table::align;
    text_table table{{{"Pool", 16, left},
                      {"Size", 10, right},
                      {"Free", 10, right},
                      {"In use", 10, right},
                      {"Bytes each", 11, right},
                      {"Cache", 7, right}}};
    for (const auto& pool : data["pools"])
        table.row({pool["name"], to_string(pool["size"]), to_string(pool["free"]),
                   to_string(pool["in_use"]), to_string(pool["bytes_each"]),
                   to_string(pool["cache"])});
    return fmt::format("{}\npackets in flight {}", table.str(),
                       data["packets_in_flight"].get<int64_t>());
}

const command_registration show{"show buffers",
                                "Packet buffer pools, and the number of packets in flight",
                                show_buffers, buffers_text};

bool is_forgiven = false; // main thread

// Every packet must have come back once ports and modules are gone.
result<void> count_returned(engine& engine)
{
    result<void> outcome;
    for (rte_mempool* pool : engine.pools()) {
        const unsigned free = rte_mempool_avail_count(pool);
        const bool fault = free != pool->size && !is_forgiven;
        spdlog::log(fault ? spdlog::level::err : spdlog::level::info, "{}: {} of {} returned{}",
                    pool->name, free, pool->size,
                    is_forgiven ? " (DPDK's af_xdp keeps those in its rings)" : "");
        if (fault)
            outcome = fail(errc::io, "packet buffers are missing");
    }
    return outcome;
}

const init_registration returned{"buffers-returned", init_phase::exit, count_returned};

} // namespace

void forgive_missing_buffers() noexcept
{
    is_forgiven = true;
}

pool_shape::pool_shape(const config::value& root)
{
    if (const auto* buffers = root.find("buffers")) {
        count = buffers->get("count", count);
        size = buffers->get("size", size);
    }
}

void take_buffer_memory(const config::value& root)
{
    if (wants_own_memory(root))
        memory_ahead().take(pool_shape{root});
}

} // namespace weft::drivers
