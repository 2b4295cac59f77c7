// SPDX-License-Identifier: Apache-2.0
// The comment of a packet in a capture file: `weft: node=ip4-input thread=1 vector=17 place=3
// size=32 l3=14 ...`.
#include "observe/capture_file.hh"

#include "graph/packet.hh"

#include <charconv>

namespace weft {

namespace {

constexpr std::string_view beginning = "weft: ";

template <class T>
result<void> take_number(std::string_view key, std::string_view text, T& into)
{
    const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (code != std::errc{} || stop != text.data() + text.size())
        return fail(errc::invalid_argument, "{}={} is not a number from 0 to {}", key, text,
                    std::numeric_limits<T>::max());
    return {};
}

result<void> take_text(std::string_view text, std::string& into)
{
    into = text;
    return {};
}

result<void> take_address(std::string_view text, uint32_t& into)
{
    const auto address = net::parse<net::ip4_address>(text);
    if (!address)
        return pass(address);
    into = address->value;
    return {};
}

// What is not known is a later version's, and left alone.
result<void> take(std::string_view key, std::string_view text, recorded_packet& what)
{
    if (key == "node")
        return take_text(text, what.node);
    if (key == "thread")
        return take_number(key, text, what.thread);
    if (key == "vector")
        return take_number(key, text, what.vector);
    if (key == "place")
        return take_number(key, text, what.place);
    if (key == "size")
        return take_number(key, text, what.size);
    if (key == "l3")
        return take_number(key, text, what.l3_offset);
    if (key == "flags")
        return take_number(key, text, what.flags);
    if (key == "adjacency")
        return take_number(key, text, what.adjacency);
    if (key == "next_hop")
        return take_address(text, what.next_hop);
    if (key == "out")
        return take_text(text, what.out_interface);
    if (key == "reason")
        return take_text(text, what.reason);
    if (key == "icmp_type")
        return take_number(key, text, what.icmp_type);
    if (key == "icmp_code")
        return take_number(key, text, what.icmp_code);
    if (key == "icmp_mtu")
        return take_number(key, text, what.icmp_mtu);
    return {};
}

} // namespace

std::string comment_of(const recorded_packet& what)
{
    std::string text = fmt::format("{}node={} thread={} vector={} place={} size={} l3={} flags={}",
                                   beginning, what.node, what.thread, what.vector, what.place,
                                   what.size, what.l3_offset, what.flags);
    if ((what.flags & packet_metadata::aimed) != 0)
        text += fmt::format(" next_hop={} out={}", net::to_string(net::ip4_address{what.next_hop}),
                            what.out_interface);
    if (!what.reason.empty())
        text += " reason=" + what.reason;
    if (what.icmp_type != 0 || what.icmp_code != 0 || what.icmp_mtu != 0)
        text += fmt::format(" icmp_type={} icmp_code={} icmp_mtu={}", what.icmp_type,
                            what.icmp_code, what.icmp_mtu);
    if (what.adjacency != 0) // last, since its text has blanks
        text += fmt::format(" adjacency={} ({})", what.adjacency, what.adjacency_text);
    return text;
}

result<void> parse_comment(std::string_view comment, recorded_packet& what)
{
    if (!comment.starts_with(beginning))
        return fail(errc::invalid_argument, "its comment does not begin with `{}'", beginning);
    comment.remove_prefix(beginning.size());
    while (!comment.empty()) {
        if (comment.front() == '(') {
            const size_t end = comment.rfind(')');
            if (end == std::string_view::npos)
                return fail(errc::invalid_argument, "its comment has `(' without `)'");
            what.adjacency_text = comment.substr(1, end - 1);
            break;
        }
        const auto word = comment.substr(0, comment.find(' '));
        comment.remove_prefix(std::min(word.size() + 1, comment.size()));
        const size_t sign = word.find('=');
        if (sign == std::string_view::npos)
            continue;
        if (auto taken = take(word.substr(0, sign), word.substr(sign + 1), what); !taken)
            return taken;
    }
    if (what.node.empty() || what.vector == 0)
        return fail(errc::invalid_argument, "its comment has no {}",
                    what.node.empty() ? "node" : "vector");
    return {};
}

} // namespace weft
