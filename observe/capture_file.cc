// SPDX-License-Identifier: Apache-2.0
// Writes pcapng, as much of it as captures of vectors need.
#include "observe/capture_file.hh"

#include "observe/capture_blocks.hh"

#include <cstring>

namespace weft {

namespace {

using namespace pcapng;

template <class T>
void put(std::vector<std::byte>& to, T value)
{
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    to.insert(to.end(), bytes, bytes + sizeof value);
}

void put_padded(std::vector<std::byte>& to, std::span<const std::byte> bytes)
{
    to.insert(to.end(), bytes.begin(), bytes.end());
    to.resize((to.size() + 3) / 4 * 4);
}

void put_option(std::vector<std::byte>& to, uint16_t code, std::span<const std::byte> value)
{
    put(to, code);
    put(to, static_cast<uint16_t>(value.size()));
    put_padded(to, value);
}

void put_option(std::vector<std::byte>& to, uint16_t code, std::string_view text)
{
    put_option(to, code, std::as_bytes(std::span{text.data(), text.size()}));
}

// A block around what `body` appends. Blocks begin at multiples of four.
template <class Body>
void put_block(std::vector<std::byte>& to, uint32_t type, Body&& body)
{
    const size_t begin = to.size();
    put(to, type);
    put(to, uint32_t{0});
    body();
    const auto length = static_cast<uint32_t>(to.size() - begin + sizeof(uint32_t));
    put(to, length);
    std::memcpy(to.data() + begin + sizeof type, &length, sizeof length);
}

} // namespace

void append_header(std::vector<std::byte>& to)
{
    put_block(to, section_header, [&] {
        put(to, byte_order_magic);
        put(to, uint16_t{1}); // version 1.0
        put(to, uint16_t{0});
        put(to, ~uint64_t{0}); // the section's length is not told
        put_option(to, option_application, "weftd " WEFT_VERSION);
        put_option(to, option_end, "");
    });
}

void append_interface(std::vector<std::byte>& to, const recorded_interface& what, uint32_t snap)
{
    put_block(to, interface_description, [&] {
        put(to, link_ethernet);
        put(to, uint16_t{0});
        put(to, snap);
        put_option(to, option_name, what.name);
        put_option(to, option_mac, std::as_bytes(std::span{what.mac.bytes}));
        put_option(to, option_resolution, std::as_bytes(std::span{&nanoseconds, 1}));
        put_option(to, option_end, "");
    });
}

void append_packet(std::vector<std::byte>& to, const recorded_packet& what)
{
    put_block(to, enhanced_packet, [&] {
        put(to, static_cast<uint32_t>(what.interface));
        put(to, static_cast<uint32_t>(what.nanoseconds >> 32));
        put(to, static_cast<uint32_t>(what.nanoseconds));
        put(to, static_cast<uint32_t>(what.bytes.size()));
        put(to, what.length);
        put_padded(to, what.bytes);
        put_option(to, option_comment, comment_of(what));
        put_option(to, option_end, "");
    });
}

} // namespace weft
