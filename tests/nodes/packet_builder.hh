// SPDX-License-Identifier: Apache-2.0
// Packets for tests, field by field: what is not said gets a sound value, also lengths and
// checksums.
#pragma once

#include "base/net/headers.hh"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace weft::test {

using byte_string = std::vector<uint8_t>;

[[nodiscard]] inline net::ip4_address ip(std::string_view text)
{
    return net::parse<net::ip4_address>(text).value();
}
[[nodiscard]] inline net::ip4_prefix prefix(std::string_view text)
{
    return net::parse<net::ip4_prefix>(text).value();
}
[[nodiscard]] inline net::ip4_interface_address own_address(std::string_view text)
{
    return net::parse<net::ip4_interface_address>(text).value();
}

// 02:00:00:00:0a:01 is the router on interface 0, 02:00:00:00:0b:02 the host ...2 on interface 1.
[[nodiscard]] constexpr net::mac_address mac_of(unsigned interface, unsigned station)
{
    return {{2, 0, 0, static_cast<uint8_t>(station >> 8), static_cast<uint8_t>(0x0a + interface),
             static_cast<uint8_t>(station)}};
}

// RFC 1071 word by word, independent of base/net/checksum.hh.
[[nodiscard]] inline uint16_t reference_checksum(std::span<const uint8_t> data, uint32_t sum = 0)
{
    for (size_t i = 0; i < data.size(); ++i)
        sum += i % 2 == 0 ? uint32_t{data[i]} << 8 : data[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

// packet_builder{}.ethernet().ip4("10.0.0.2", "10.0.1.2").ttl(1).udp(5, 7).payload(56).bytes()
class packet_builder {
public:
    static constexpr size_t ethernet_bytes = 14;

    packet_builder& ethernet(const net::mac_address& to = mac_of(0, 1),
                             const net::mac_address& from = mac_of(0, 2))
    {
        destination_mac_ = to;
        source_mac_ = from;
        return *this;
    }
    packet_builder& ether_type(uint16_t type)
    {
        ether_type_ = type;
        return *this;
    }
    // An 802.1Q tag: priority, drop eligible and VLAN.
    packet_builder& tag(uint16_t control) { return set(tag_, control); }
    // One before it, of IEEE 802.1ad unless another EtherType is given.
    packet_builder& outer_tag(uint16_t control, net::be16 protocol = net::ether_type::service_vlan)
    {
        outer_protocol_ = protocol;
        return set(outer_tag_, control);
    }

    packet_builder& ip4(std::string_view from = "10.0.0.2", std::string_view to = "10.0.1.2")
    {
        has_ip4_ = true;
        source_ = ip(from);
        destination_ = ip(to);
        return *this;
    }
    packet_builder& version(uint8_t v) { return set(version_, v); }
    packet_builder& header_words(uint8_t ihl) { return set(header_words_, ihl); }
    packet_builder& tos(uint8_t v) { return set(tos_, v); }
    packet_builder& total_length(uint16_t v) { return set(total_length_, v); }
    packet_builder& id(uint16_t v) { return set(id_, v); }
    packet_builder& dont_fragment() { return set(flags_fragment_, uint16_t{0x4000}); }
    packet_builder& fragment(uint16_t offset_in_8_bytes, bool more)
    {
        return set(flags_fragment_, static_cast<uint16_t>(offset_in_8_bytes | (more ? 0x2000 : 0)));
    }
    packet_builder& ttl(uint8_t v) { return set(ttl_, v); }
    packet_builder& protocol(uint8_t v) { return set(protocol_, v); }
    packet_builder& header_checksum(uint16_t v) { return set(header_checksum_, v); }
    // Options without effect (RFC 791: no operation); a multiple of four.
    packet_builder& options(size_t bytes)
    {
        options_.assign(bytes, 1);
        return *this;
    }
    // These, and no operation up to a multiple of four.
    packet_builder& options(byte_string bytes)
    {
        options_ = std::move(bytes);
        options_.resize((options_.size() + 3) / 4 * 4, 1);
        return *this;
    }

    packet_builder& udp(uint16_t from = 1024, uint16_t to = 9)
    {
        return transport(net::ip_protocol::udp, {from, to, 0, 0}, 3);
    }
    packet_builder& tcp(uint16_t from = 1024, uint16_t to = 80)
    {
        // sequence, acknowledgement, five words and SYN, window, checksum, urgent
        return transport(net::ip_protocol::tcp, {from, to, 0, 1, 0, 0, 0x5002, 1024, 0, 0}, 8);
    }
    packet_builder& icmp(uint8_t type, uint8_t code, uint16_t third = 0, uint16_t fourth = 0)
    {
        return transport(net::ip_protocol::icmp,
                         {static_cast<uint16_t>(type << 8 | code), 0, third, fourth}, 1);
    }
    packet_builder& icmp_echo(uint16_t identity = 7, uint16_t sequence = 1)
    {
        return icmp(net::icmp4::echo_request, 0, identity, sequence);
    }
    packet_builder& transport_checksum(uint16_t v) { return set(transport_checksum_, v); }

    packet_builder& arp(uint16_t operation, const net::mac_address& sender_mac,
                        std::string_view sender, const net::mac_address& target_mac,
                        std::string_view target)
    {
        ether_type_ = net::ether_type::arp.host();
        arp_ = net::arp_header{
            net::arp_hardware_ethernet, net::ether_type::ip4, sizeof(net::mac_address),
            sizeof(net::be32),          net::be16{operation}, sender_mac,
            ip(sender).wire(),          target_mac,           ip(target).wire()};
        return *this;
    }
    [[nodiscard]] net::arp_header& arp_fields() { return *arp_; }

    // 0, 1, 2 ... behind the headers, or these bytes.
    packet_builder& payload(size_t bytes)
    {
        payload_.resize(bytes);
        for (size_t i = 0; i < bytes; ++i)
            payload_[i] = static_cast<uint8_t>(i);
        return *this;
    }
    packet_builder& payload(byte_string bytes)
    {
        payload_ = std::move(bytes);
        return *this;
    }
    // Cuts the frame, or pads it with zeros as Ethernet does, or with what remains in a careless
    // sender's buffer.
    packet_builder& frame_bytes(size_t bytes, uint8_t padding = 0)
    {
        padding_ = padding;
        return set(frame_bytes_, bytes);
    }

    [[nodiscard]] byte_string bytes() const
    {
        byte_string all;
        const net::be16 inner = tag_ ? net::ether_type::vlan : net::be16{ether_type_};
        append(all, net::ethernet_header{destination_mac_, source_mac_,
                                         outer_tag_ ? outer_protocol_ : inner});
        if (outer_tag_)
            append(all, net::vlan_tag{net::be16{*outer_tag_}, inner});
        if (tag_)
            append(all, net::vlan_tag{net::be16{*tag_}, net::be16{ether_type_}});
        if (arp_)
            append(all, *arp_);
        byte_string rest = transport_bytes();
        if (has_ip4_)
            append_ip4(all, rest.size());
        all.insert(all.end(), rest.begin(), rest.end());
        all.resize(frame_bytes_.value_or(all.size()), padding_);
        return all;
    }

private:
    template <class T>
    packet_builder& set(std::optional<T>& field, T value)
    {
        field = value;
        return *this;
    }
    packet_builder& transport(uint8_t protocol, std::vector<uint16_t> words, size_t checksum_at)
    {
        transport_protocol_ = protocol;
        words_ = std::move(words);
        checksum_at_ = checksum_at;
        return *this;
    }
    template <class Header>
    static void append(byte_string& to, const Header& header)
    {
        const auto* begin = reinterpret_cast<const uint8_t*>(&header);
        to.insert(to.end(), begin, begin + sizeof header);
    }
    static void put(byte_string& to, size_t at, uint16_t value)
    {
        to[at] = static_cast<uint8_t>(value >> 8);
        to[at + 1] = static_cast<uint8_t>(value);
    }

    // UDP and TCP sum a pseudo header too (RFC 768, RFC 9293 section 3.1); ICMP does not.
    [[nodiscard]] uint32_t pseudo_header(size_t length) const
    {
        if (transport_protocol_ == net::ip_protocol::icmp)
            return 0;
        return (source_.value >> 16) + (source_.value & 0xffff) + (destination_.value >> 16) +
               (destination_.value & 0xffff) + transport_protocol_ + static_cast<uint32_t>(length);
    }

    [[nodiscard]] byte_string transport_bytes() const
    {
        byte_string all(words_.size() * 2);
        for (size_t i = 0; i < words_.size(); ++i)
            put(all, 2 * i, words_[i]);
        all.insert(all.end(), payload_.begin(), payload_.end());
        if (words_.empty())
            return all;
        if (transport_protocol_ == net::ip_protocol::udp)
            put(all, 4, static_cast<uint16_t>(all.size()));
        const auto sum = reference_checksum(all, pseudo_header(all.size()));
        put(all, 2 * checksum_at_, transport_checksum_.value_or(sum));
        return all;
    }

    void append_ip4(byte_string& all, size_t behind) const
    {
        const size_t at = all.size();
        const size_t header_bytes = sizeof(net::ip4_header) + options_.size();
        const auto words = header_words_.value_or(static_cast<uint8_t>(header_bytes / 4));
        net::ip4_header header{};
        header.version_ihl = static_cast<uint8_t>(version_.value_or(4) << 4 | words);
        header.tos = tos_.value_or(0);
        header.total_length =
            net::be16{total_length_.value_or(static_cast<uint16_t>(header_bytes + behind))};
        header.id = net::be16{id_.value_or(0x1234)};
        header.flags_fragment = net::be16{flags_fragment_.value_or(0)};
        header.ttl = ttl_.value_or(64);
        header.protocol = protocol_.value_or(transport_protocol_);
        header.source = source_.wire();
        header.destination = destination_.wire();
        append(all, header);
        all.insert(all.end(), options_.begin(), options_.end());
        // over what the header says is the header, as the router will sum it
        const size_t summed = std::min<size_t>(words * size_t{4}, all.size() - at);
        const auto sum = reference_checksum({all.data() + at, summed});
        put(all, at + offsetof(net::ip4_header, checksum), header_checksum_.value_or(sum));
    }

    net::mac_address destination_mac_ = mac_of(0, 1);
    net::mac_address source_mac_ = mac_of(0, 2);
    uint16_t ether_type_ = net::ether_type::ip4.host();
    std::optional<uint16_t> tag_, outer_tag_;
    net::be16 outer_protocol_ = net::ether_type::service_vlan;
    std::optional<net::arp_header> arp_;

    bool has_ip4_ = false;
    net::ip4_address source_, destination_;
    std::optional<uint8_t> version_, header_words_, tos_, ttl_, protocol_;
    std::optional<uint16_t> total_length_, id_, flags_fragment_, header_checksum_;
    byte_string options_;

    uint8_t transport_protocol_ = 253; // RFC 3692: for experiments
    std::vector<uint16_t> words_;
    size_t checksum_at_ = 0;
    std::optional<uint16_t> transport_checksum_;
    byte_string payload_;
    std::optional<size_t> frame_bytes_;
    uint8_t padding_ = 0;
};

// A UDP packet from the host on interface 0 to the host on interface 1, in its frame.
[[nodiscard]] inline packet_builder udp_packet(std::string_view from = "10.0.0.2",
                                               std::string_view to = "10.0.1.2")
{
    return packet_builder{}.ethernet().ip4(from, to).udp().payload(8);
}

} // namespace weft::test
