// SPDX-License-Identifier: Apache-2.0
// ip4-rewrite for many packets at once: what comes behind an Ethernet header, leaves behind one and
// fits its interface's MTU is rewritten without a look at anything else.
#include "graph/node_run_vector.hh"
#include "nodes/ip4/ip4_rewrite.hh"

#include <cstring>
#include <immintrin.h>

namespace weft::ip4 {

namespace {

// Ethernet's 14 bytes, and behind them the last two of the 16 that stand there.
[[gnu::always_inline]] inline __m128i with_own_end(const std::byte* header, __m128i old) noexcept
{
    using eight = uint16_t __attribute__((vector_size(16)));
    static_assert(sizeof(net::ethernet_header) == 7 * sizeof(uint16_t));
    eight fresh;
    std::memcpy(&fresh, header, sizeof fresh);
    return reinterpret_cast<__m128i>(
        __builtin_shufflevector(fresh, reinterpret_cast<eight>(old), 0, 1, 2, 3, 4, 5, 6, 15));
}

// A packet on its way to the next hop, whose IPv4 header begins 14 bytes behind `at`.
[[gnu::always_inline]] inline void forward(std::byte* at, const std::byte* header) noexcept
{
#if defined(__AVX2__)
    // All in one store of 32 bytes: each store costs as much as three instructions. TTL and
    // checksum change as rewrite::decrement_ttl says: 1 less, 0x0100 in wire order more, and 1 more
    // where that carries.
    static_assert(
        (sizeof(net::ethernet_header) + offsetof(net::ip4_header, ttl)) / sizeof(uint16_t) == 11);
    static_assert(offsetof(net::ip4_header, checksum) ==
                  offsetof(net::ip4_header, ttl) + sizeof(uint16_t));
    const __m256i change = _mm256_setr_epi16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 1, 0, 0, 0);
    const __m256i no_carry =
        _mm256_setr_epi16(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -3, -1, -1, -1);
    __m256i all;
    std::memcpy(&all, at, sizeof all);
    const __m256i carry = _mm256_min_epu16(_mm256_subs_epu16(all, no_carry), _mm256_set1_epi16(1));
    all = _mm256_add_epi16(_mm256_add_epi16(all, change), carry);
    all = _mm256_inserti128_si256(all, with_own_end(header, _mm256_castsi256_si128(all)), 0);
    std::memcpy(at, &all, sizeof all);
#else
    rewrite::decrement_ttl(*reinterpret_cast<net::ip4_header*>(at + sizeof(net::ethernet_header)));
    __m128i old;
    std::memcpy(&old, at, sizeof old);
    old = with_own_end(header, old);
    std::memcpy(at, &old, sizeof old);
#endif
}

void ip4_rewrite(node_run& run, frame& in) noexcept
{
    const forwarding& hops = run.context<rewrite::context>().ip4.hops();
    const adjacency* const adjacencies = hops.adjacencies();
    packet* const* const packets = in.packets.data();
    constexpr uint32_t offset = sizeof(net::ethernet_header); // and no flag
    packet_set odd;
    odd.find(in.count, [&](uint32_t i) noexcept {
        packet& p = *packets[i];
        const packet_metadata metadata = p.metadata();
        const adjacency& to = adjacencies[metadata.adjacency];
        // The frame holds the packet, as ip4-input has seen; what is behind it only makes this
        // stricter.
        if (metadata.place() != offset || p.length() - offset > to.plain_mtu) [[unlikely]]
            return true;
        forward(p.data(), to.rewrite.data());
        p.metadata().interface = to.interface;
        return false;
    });
    run.each_but(in, rewrite::to_output, odd,
                 [&](packet& p) noexcept { return rewrite::decide(run, hops, p); });
}

const node_variant_registration registration{"ip4-rewrite", variant::WEFT_VARIANT, ip4_rewrite};

} // namespace

} // namespace weft::ip4
