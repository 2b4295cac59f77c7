// SPDX-License-Identifier: Apache-2.0
// Makes destinations and frames, and reads their files.
#include "bench/traffic.hh"

#include "base/net/checksum.hh"
#include "bench/memif_port.hh"

#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <unordered_map>

namespace weft::bench {
namespace {

// Calls each(line) for every line that holds something, and gives up at the first that it refuses.
template <class Each>
void for_each_line(const std::string& file, Each each)
{
    std::ifstream in{file};
    if (!in)
        give_up(exit_wrong_usage, "{} cannot be read", file);
    size_t number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        if (line.ends_with('\r'))
            line.pop_back();
        if (line.empty())
            continue;
        if (const result<void> done = each(std::string_view{line}); !done)
            give_up(exit_wrong_usage, "{}:{}: {}", file, number, done.error().message);
    }
}

} // namespace

std::vector<net::ip4_address> spread(net::ip4_address first, uint32_t count)
{
    constexpr uint32_t low = 0xff'ffff;
    std::vector<net::ip4_address> addresses(count);
    for (uint32_t i = 0; i < count; ++i) // an odd factor maps the low 24 bits one to one
        addresses[i] = {(first.value & ~low) | ((first.value + i * 0x9e3779b1u) & low)};
    return addresses;
}

std::vector<net::ip4_address> read_addresses(const std::string& file)
{
    std::vector<net::ip4_address> addresses;
    for_each_line(file, [&](std::string_view line) -> result<void> {
        const auto address = net::parse<net::ip4_address>(line);
        if (!address)
            return pass(address);
        addresses.push_back(*address);
        return {};
    });
    if (addresses.empty())
        give_up(exit_wrong_usage, "{} contains no address", file);
    return addresses;
}

std::vector<net::ip4_address> random_addresses(const std::string& file, uint32_t count)
{
    std::vector<net::ip4_prefix> prefixes;
    for_each_line(file, [&](std::string_view line) -> result<void> {
        const auto prefix = net::parse<net::ip4_prefix>(line.substr(0, line.find(' ')));
        if (!prefix)
            return pass(prefix);
        prefixes.push_back(*prefix);
        return {};
    });
    if (prefixes.empty())
        give_up(exit_wrong_usage, "{} contains no prefix", file);
    std::mt19937 random{1};
    std::vector<net::ip4_address> addresses(count);
    for (auto& address : addresses) {
        const auto& prefix = prefixes[random() % prefixes.size()];
        address = {prefix.network.value | (static_cast<uint32_t>(random()) & ~prefix.mask())};
    }
    return addresses;
}

std::vector<uint8_t> make_frame(const side& from, uint32_t size)
{
    const size_t ip_bytes = size - sizeof(net::ethernet_header);
    test_frame frame{};
    frame.ethernet = {from.device, from.generator, net::ether_type::ip4};
    frame.ip.version_ihl = 0x45;
    frame.ip.total_length = net::be16{static_cast<uint16_t>(ip_bytes)};
    frame.ip.ttl = sent_ttl;
    frame.ip.protocol = net::ip_protocol::udp;
    frame.ip.source = from.source.wire();
    frame.ports = {net::be16{1024}, net::be16{9}};
    frame.udp_length = net::be16{static_cast<uint16_t>(ip_bytes - sizeof(net::ip4_header))};
    frame.payload.mark = frame_mark;
    std::vector<uint8_t> bytes(size);
    std::memcpy(bytes.data(), &frame, sizeof frame);
    return bytes;
}

std::vector<destination> destinations_of(std::span<const net::ip4_address> addresses,
                                         std::span<const uint8_t> frame)
{
    net::ip4_header header{};
    std::memcpy(&header, frame.data() + sizeof(net::ethernet_header), sizeof header);
    std::vector<destination> destinations;
    destinations.reserve(addresses.size());
    for (const auto address : addresses) {
        header.destination = address.wire();
        destinations.push_back({header.destination, net::checksum_of(&header, sizeof header)});
    }
    return destinations;
}

next_hops::next_hops(const net::mac_address& only, size_t destinations)
    : sets_{{only}}, set_of_(destinations)
{}

next_hops::next_hops(const std::string& file, std::span<const net::ip4_address> addresses)
    : sets_{{}} // the first set, of addresses that no prefix covers, allows nothing
{
    std::map<std::string, uint32_t, std::less<>> known; // sets by their text
    std::array<std::unordered_map<uint32_t, uint32_t>, 33> by_length;
    for_each_line(file, [&](std::string_view line) -> result<void> {
        const size_t space = line.find(' ');
        const auto prefix = net::parse<net::ip4_prefix>(line.substr(0, space));
        if (!prefix)
            return pass(prefix);
        if (space == std::string_view::npos)
            return fail(errc::invalid_argument, "expected PREFIX MAC[,MAC...], found no MAC");
        const auto list = line.substr(space + 1);
        auto at = known.find(list);
        if (at == known.end()) {
            at = known.emplace(list, sets_.size()).first;
            auto& set = sets_.emplace_back();
            for (size_t start = 0; start <= list.size();) {
                const size_t end = std::min(list.find(',', start), list.size());
                const auto mac = net::parse<net::mac_address>(list.substr(start, end - start));
                if (!mac)
                    return pass(mac);
                set.push_back(*mac);
                start = end + 1;
            }
        }
        by_length[prefix->length].insert_or_assign(prefix->network.value, at->second);
        return {};
    });
    for (const auto address : addresses) {
        uint32_t set = 0;
        uint8_t length = 33;
        while (length > 0) {
            const auto& table = by_length[--length];
            const auto found = table.find(address.value & net::ip4_prefix::mask_of(length));
            if (found == table.end())
                continue;
            set = found->second;
            break;
        }
        set_of_.push_back(set);
    }
}

} // namespace weft::bench
