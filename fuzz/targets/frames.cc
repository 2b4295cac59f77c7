// SPDX-License-Identifier: Apache-2.0
// Frames through the whole graph, several to a vector, in every variant of the nodes: each meets
// one verdict (the build checks that), the variants agree on what leaves and what is counted, and
// no packet stays behind.
//
// Input, over and over: one byte (0x01: comes in by b, 0x02: its checksums are mended, 0x04: the
// vector ends here, 0x08: a second passes then, 0xf0: copies, less one), two bytes of length, the
// frame.
#include "fuzz/input.hh"
#include "fuzz/router.hh"

#include <algorithm>

using namespace weft;
using namespace weft::fuzz;

namespace {

constexpr size_t max_frame_bytes = 1600;
constexpr size_t max_frames = 300; // more than one vector

router::outcome pass(router& through, input in)
{
    size_t frames = 0;
    while (!in.empty() && frames < max_frames) {
        const uint8_t how = in.u8();
        const auto given = in.bytes(in.u16() % (max_frame_bytes + 1));
        test::byte_string frame{given.begin(), given.end()};
        if ((how & 2) != 0)
            mend_checksums(frame);
        for (unsigned copies = 1 + (how >> 4); copies > 0; --copies, ++frames)
            through.receive(how & 1, frame);
        if ((how & 4) != 0)
            through.run();
        if ((how & 8) != 0)
            through.advance(1s);
    }
    through.run();
    auto found = through.take();
    through.settle();
    return found;
}

// Whether a packet may have been given the time of day, which goes on from one variant to the next.
bool is_timed(const test::sent_packet& p)
{
    constexpr std::byte timestamp{68}; // RFC 781
    constexpr size_t begin = sizeof(net::ethernet_header) + sizeof(net::ip4_header);
    constexpr size_t reach = 100; // the options, its own or of a packet that it quotes
    if (p.bytes.size() < begin || p.is_arp())
        return false;
    const auto* const bytes = reinterpret_cast<const std::byte*>(p.bytes.data());
    const auto* const end = bytes + std::min(begin + reach, p.bytes.size());
    return std::find(bytes + begin, end, timestamp) != end;
}

bool same(const router::outcome& a, const router::outcome& b)
{
    const auto alike = [](const auto& x, const auto& y) {
        return x.interface == y.interface &&
               (is_timed(x) && is_timed(y) ? x.bytes.size() == y.bytes.size() : x.bytes == y.bytes);
    };
    return a.counted == b.counted &&
           std::equal(a.sent.begin(), a.sent.end(), b.sent.begin(), b.sent.end(), alike);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto& all = routers();
    const auto plain = pass(*all.front(), {data, size});
    for (size_t i = 1; i < all.size(); ++i)
        REQUIRE(same(pass(*all[i], {data, size}), plain));
    return 0;
}
