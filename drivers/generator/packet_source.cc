// SPDX-License-Identifier: Apache-2.0
// Writes the packets of a specification or of a capture.
#include "drivers/generator/packet_source.hh"

#include "base/net/checksum.hh"

#include <array>
#include <cstring>

namespace weft::drivers {

namespace {

// A linear congruential generator (Knuth's MMIX): its upper half is random enough to spread
// packets.
class dice {
public:
    uint32_t roll() noexcept
    {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<uint32_t>(state_ >> 32);
    }

private:
    uint64_t state_ = 0x5eed;
};

class field {
public:
    field(value_range range, bool random)
        : first_{range.first}, span_{range.last - range.first}, random_{random && span_ > 0}
    {}
    void restart() noexcept { at_ = 0; }
    uint32_t next(dice& chance) noexcept
    {
        if (random_)
            return first_ + static_cast<uint32_t>(chance.roll() * (uint64_t{span_} + 1) >> 32);
        const uint32_t value = first_ + at_;
        at_ = at_ == span_ ? 0 : at_ + 1;
        return value;
    }

private:
    const uint32_t first_;
    const uint32_t span_;
    const bool random_;
    uint32_t at_ = 0;
};

struct tcp_header { // RFC 9293
    net::port_pair ports;
    net::be32 sequence, acknowledgement;
    uint8_t offset, flags;
    net::be16 window, checksum, urgent;
};
struct udp_header { // RFC 768
    net::port_pair ports;
    net::be16 length, checksum;
};

constexpr size_t ip_at = sizeof(net::ethernet_header);
constexpr size_t transport_at = ip_at + sizeof(net::ip4_header);
constexpr size_t head_size = 64; // bytes that hold all headers, copied as one

// What an address adds to a checksum's sum.
uint32_t address_sum(net::be32 value) noexcept
{
    return (value.wire() & 0xffff) + (value.wire() >> 16);
}
net::be16 closed(uint32_t sum) noexcept
{
    return net::be16::from_wire(static_cast<uint16_t>(~net::fold(sum)));
}

// Every packet is the head of the first one with fields written anew; the sums of what never
// changes are made once.
class specified_packets final : public packet_source {
public:
    explicit specified_packets(packet_specification what)
        : protocol_{what.protocol},
          destinations_{std::move(what.destinations)},
          source_{what.source, what.random},
          destination_{what.destination, what.random},
          source_port_{what.source_port, what.random},
          destination_port_{what.destination_port, what.random},
          size_{what.size, what.random}
    {
        at<net::ethernet_header>(0) = {what.to, what.from, net::ether_type::ip4};
        auto& ip = at<net::ip4_header>(ip_at);
        ip.version_ihl = 0x45;
        ip.ttl = what.ttl;
        ip.protocol = what.protocol;
        ip_sum_ = net::sum_of(&ip, sizeof ip);
        if (protocol_ == net::ip_protocol::tcp) {
            auto& tcp = at<tcp_header>(transport_at);
            tcp.offset = sizeof tcp / 4 << 4;
            tcp.flags = 0x10; // ACK
            tcp_sum_ = net::sum_of(&tcp, sizeof tcp) +
                       net::be16{net::ip_protocol::tcp}.wire(); // of the pseudo-header
        } else if (protocol_ == net::ip_protocol::icmp) {
            auto& icmp = at<net::icmp4_header>(transport_at);
            icmp.type = net::icmp4::echo_request;
            icmp.id = net::be16{1};
            icmp.checksum = net::checksum_of(&icmp, sizeof icmp);
        }
    }

    [[nodiscard]] size_t memory() const noexcept override
    {
        return destinations_.capacity() * sizeof destinations_.front();
    }

    void restart() noexcept override
    {
        next_destination_ = 0;
        chance_ = {};
        for (field* f : {&source_, &destination_, &source_port_, &destination_port_, &size_})
            f->restart();
    }

    uint64_t fill(std::span<packet*> packets) noexcept override
    {
        uint64_t bytes = 0;
        for (packet* p : packets) {
            const uint32_t size = size_.next(chance_);
            write(*p, size);
            bytes += size;
        }
        return bytes;
    }

private:
    template <class Header>
    Header& at(size_t offset) noexcept
    {
        static_assert(alignof(Header) == 1);
        return *reinterpret_cast<Header*>(head_.data() + offset);
    }

    net::ip4_address next_destination() noexcept
    {
        if (destinations_.empty())
            return {destination_.next(chance_)};
        const auto taken = destinations_[next_destination_];
        if (++next_destination_ == destinations_.size())
            next_destination_ = 0;
        return taken;
    }

    void write(packet& p, uint32_t size) noexcept
    {
        p.mbuf()->data_len = static_cast<uint16_t>(size);
        p.mbuf()->pkt_len = size;
        std::memcpy(p.data(), head_.data(), head_size);
        if (size > head_size)
            std::memset(p.data() + head_size, 0, size - head_size);
        auto& ip = p.header<net::ip4_header>(ip_at);
        const net::be16 total{static_cast<uint16_t>(size - ip_at)};
        const net::be32 from{source_.next(chance_)};
        const net::be32 to = next_destination().wire();
        const uint32_t addresses = address_sum(from) + address_sum(to);
        ip.total_length = total;
        ip.source = from;
        ip.destination = to;
        ip.checksum = closed(ip_sum_ + total.wire() + addresses);
        if (protocol_ == net::ip_protocol::icmp)
            return;
        const net::port_pair ports{
            net::be16{static_cast<uint16_t>(source_port_.next(chance_))},
            net::be16{static_cast<uint16_t>(destination_port_.next(chance_))}};
        const net::be16 length{static_cast<uint16_t>(size - transport_at)};
        if (protocol_ == net::ip_protocol::udp) {
            p.header<udp_header>(transport_at) = {ports, length, {}};
            return;
        }
        auto& tcp = p.header<tcp_header>(transport_at);
        tcp.ports = ports;
        tcp.checksum = closed(tcp_sum_ + addresses + ports.source.wire() +
                              ports.destination.wire() + length.wire());
    }

    alignas(64) std::array<std::byte, head_size> head_{};
    uint32_t ip_sum_ = 0;
    uint32_t tcp_sum_ = 0;
    const uint8_t protocol_;
    const std::vector<net::ip4_address> destinations_;
    size_t next_destination_ = 0;
    dice chance_;
    field source_, destination_, source_port_, destination_port_, size_;
};

class captured_packets final : public packet_source {
public:
    explicit captured_packets(capture what) : what_{std::move(what)} {}

    void restart() noexcept override { next_ = 0; }

    [[nodiscard]] size_t memory() const noexcept override
    {
        return what_.bytes.capacity() + what_.frames.capacity() * sizeof what_.frames.front();
    }

    uint64_t fill(std::span<packet*> packets) noexcept override
    {
        uint64_t bytes = 0;
        for (packet* p : packets) {
            const auto frame = what_.frames[next_];
            if (++next_ == what_.frames.size())
                next_ = 0;
            p->mbuf()->data_len = frame.length;
            p->mbuf()->pkt_len = frame.length;
            std::memcpy(p->data(), what_.bytes.data() + frame.offset, frame.length);
            bytes += frame.length;
        }
        return bytes;
    }

private:
    const capture what_;
    size_t next_ = 0;
};

} // namespace

std::unique_ptr<packet_source> make_specified(packet_specification what)
{
    return std::make_unique<specified_packets>(std::move(what));
}

std::unique_ptr<packet_source> make_captured(capture what)
{
    return std::make_unique<captured_packets>(std::move(what));
}

} // namespace weft::drivers
