// SPDX-License-Identifier: Apache-2.0
// The options of an IPv4 header (RFC 791 section 3.1): found, checked, filled in, turned round. The
// header stands wholly in memory and has been validated by ip4-input; its checksum is the caller's
// to write anew.
#pragma once

#include "base/net/headers.hh"

#include <cstdint>

namespace weft::ip4 {

namespace option_type {
inline constexpr uint8_t end = 0;
inline constexpr uint8_t no_operation = 1;
inline constexpr uint8_t record_route = 7;
inline constexpr uint8_t timestamp = 68;
inline constexpr uint8_t loose_source_route = 131;
inline constexpr uint8_t strict_source_route = 137;
} // namespace option_type

// An option as it lies in a header: type, length, pointer (from 1: where in the option the next
// entry goes), ...
class option {
public:
    option() = default;
    option(net::ip4_header& header, uint8_t offset) noexcept
        : at_{reinterpret_cast<uint8_t*>(&header) + offset}, offset_{offset}
    {}
    [[nodiscard]] explicit operator bool() const noexcept { return at_ != nullptr; }
    [[nodiscard]] uint8_t type() const noexcept { return at_[0]; }
    [[nodiscard]] uint8_t length() const noexcept { return at_[1]; }
    [[nodiscard]] uint8_t& pointer() const noexcept { return at_[2]; }
    [[nodiscard]] uint8_t& overflow_flag() const noexcept
    {
        return at_[3];
    } // of a timestamp: 4 bits each
    // Whether the pointer leaves room for `bytes`, and whether it is behind the end: what there is
    // has been used up.
    [[nodiscard]] bool has(uint8_t bytes) const noexcept
    {
        return pointer() - 1 + bytes <= length();
    }
    [[nodiscard]] bool is_full() const noexcept { return pointer() > length(); }
    // Four bytes where a pointer of this value points.
    [[nodiscard]] net::be32& word(uint8_t at) const noexcept
    {
        return *reinterpret_cast<net::be32*>(at_ + at - 1);
    }
    [[nodiscard]] uint8_t offset() const noexcept { return offset_; } // from the header's beginning

private:
    uint8_t* at_ = nullptr;
    uint8_t offset_ = 0;
};

// The options of a header that a router acts on; false where there is none.
struct options {
    option record_route;
    option timestamp;
    option source_route;
    // Which byte of the header is wrong, 0 if none is: for a parameter problem (RFC 792). A second
    // source route is (RFC 1812 section 5.2.4.1), and so are a second record of the route and of
    // the time.
    uint8_t fault = 0;
};
[[nodiscard]] options find_options(net::ip4_header& header) noexcept;

// Puts an address into a record of the route, unless that is full.
void record_route(const option& record, net::ip4_address address) noexcept;

// Puts the time, milliseconds since midnight UT, into a record of it, as its flag asks: with the
// address, or only where the address that it names is ours. Returns the byte that is wrong, 0 if
// none is: the count of those who found no room is itself full.
template <class IsOurs>
[[nodiscard]] uint8_t record_time(const option& record, net::ip4_address address,
                                  uint32_t milliseconds, IsOurs&& is_ours) noexcept
{
    constexpr uint8_t with_address = 1, asked_for = 3, max_overflow = 15;
    uint8_t& overflow_flag = record.overflow_flag();
    const uint8_t flag = overflow_flag & 0xf;
    uint8_t& pointer = record.pointer();
    if (record.is_full()) {
        if (flag == asked_for)
            return 0;
        if (overflow_flag >> 4 == max_overflow)
            return static_cast<uint8_t>(record.offset() + 3);
        overflow_flag = static_cast<uint8_t>(overflow_flag + 0x10);
        return 0;
    }
    if (flag == asked_for && !is_ours(net::from_wire(record.word(pointer))))
        return 0;
    if (flag == with_address)
        record.word(pointer) = address.wire();
    if (flag != 0)
        pointer = static_cast<uint8_t>(pointer + sizeof(net::be32));
    record.word(pointer) = net::be32{milliseconds};
    pointer = static_cast<uint8_t>(pointer + sizeof(net::be32));
    return 0;
}

// Of the header of an answer, whose addresses have been exchanged: lets it go back by the source
// route that has brought the request (RFC 1122 section 3.2.1.8), if there was one.
void reverse_source_route(net::ip4_header& answer) noexcept;

} // namespace weft::ip4
