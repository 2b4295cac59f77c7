// SPDX-License-Identifier: Apache-2.0
#include "fuzz/router.hh"

#include "base/net/headers.hh"
#include "fuzz/buffers.hh"

#include <algorithm>
#include <cstring>
#include <rte_cycles.h>

namespace weft::fuzz {

namespace {

using test::packet_builder;

constexpr size_t ethernet = packet_builder::ethernet_bytes;

void put(std::span<uint8_t> bytes, size_t at, uint16_t value) noexcept
{
    bytes[at] = static_cast<uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<uint8_t>(value);
}

// Whatever comes in, what goes out is well-formed: padding at least, lengths that hold, checksums
// that are right.
void check_sound(const test::sent_packet& p)
{
    REQUIRE(p.bytes.size() >= ethernet);
    if (p.is_arp()) {
        REQUIRE(p.bytes.size() >= ethernet + sizeof(net::arp_header));
        return;
    }
    const auto header = p.ip4();
    const size_t header_bytes = header.header_bytes();
    REQUIRE(header.version_ihl >> 4 == 4);
    REQUIRE(header_bytes >= sizeof(net::ip4_header));
    REQUIRE(header.total_length.host() >= header_bytes);
    REQUIRE(ethernet + header.total_length.host() <= p.bytes.size());
    REQUIRE(test::reference_checksum(std::span{p.bytes}.subspan(ethernet, header_bytes)) == 0);
    REQUIRE(header.ttl > 0);
}

} // namespace

router::router(variant which) : variant_{which}
{
    tester_.use_variant(which);
    tester_.add_route("16.0.0.0/8", {"10.0.1.2"});
    tester_.add_route("17.0.0.0/8", {"10.0.1.2", "10.0.0.2"});
    tester_.add_route("99.0.0.0/8", {"10.0.1.3"});
    REQUIRE(tester_.ip4().add_blackhole(test::prefix("192.0.2.0/24")));
    tester_.set_mtu("b", 1000);
    poison_between(tester_.engine.pools().front());
    keep_time();
    static_cast<void>(take());
}

// Limits of the data path are under the processor's clock, which stands still for it.
void router::keep_time()
{
    const std::chrono::duration<double> seconds = now_;
    tester_.engine.main().set_replayed_time(
        static_cast<uint64_t>(seconds.count() * static_cast<double>(rte_get_tsc_hz())));
}

void router::receive(interface_index from, std::span<const uint8_t> frame)
{
    tester_.inject("ethernet-input", tester_.make({frame.begin(), frame.end()}, from));
}

void router::run()
{
    tester_.run();
}

void router::advance(duration d)
{
    now_ += d;
    keep_time();
    tester_.advance(d);
}

router::outcome router::take()
{
    outcome found{tester_.take(), tester_.counted()};
    for (const auto& p : found.sent)
        check_sound(p);
    return found;
}

void router::settle()
{
    tester_.run();
    advance(10s);
    for (const interface_index i : {interface_index{0}, interface_index{1}})
        tester_.neighbours().flush(i);
    tester_.run();
    static_cast<void>(tester_.take());
    static_cast<void>(tester_.counted());
    REQUIRE(tester_.engine.packets_in_flight() == 0);
}

std::vector<std::unique_ptr<router>>& routers()
{
    static auto& all =
        *[] { // never taken down: what it would be registered with at exit is gone by then
            auto* made = new std::vector<std::unique_ptr<router>>;
            for (const variant each :
                 {variant::plain, variant::baseline, variant::avx2, variant::avx512})
                if (is_supported(each))
                    made->push_back(std::make_unique<router>(each));
            return made;
        }();
    return all;
}

void mend_checksums(std::span<uint8_t> frame) noexcept
{
    if (frame.size() < ethernet + sizeof(net::ip4_header))
        return;
    const auto packet = frame.subspan(ethernet);
    const size_t header_bytes = (packet[0] & 0xfu) * 4u;
    if (header_bytes < sizeof(net::ip4_header) || header_bytes > packet.size())
        return;
    constexpr size_t checksum_at = offsetof(net::ip4_header, checksum);
    put(packet, checksum_at, 0);
    put(packet, checksum_at, test::reference_checksum(packet.first(header_bytes)));
    const size_t total = std::min<size_t>(packet[2] << 8 | packet[3], packet.size());
    if (packet[offsetof(net::ip4_header, protocol)] != net::ip_protocol::icmp ||
        total < header_bytes + sizeof(net::icmp4_header))
        return;
    const auto message = packet.subspan(header_bytes, total - header_bytes);
    put(message, 2, 0);
    put(message, 2, test::reference_checksum(message));
}

} // namespace weft::fuzz
