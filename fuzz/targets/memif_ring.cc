// SPDX-License-Identifier: Apache-2.0
// A memif whose peer writes what it likes to the shared memory while frames come in and go out:
// nothing is read or written beyond the memory, no buffer runs over, and no packet stays behind.
//
// Input: one byte (0x01: the memory is the peer's), then over and over: one byte, what is written
// (0 to 3: a descriptor's flags, region, length, offset; 4: head; 5: tail; 6: flags of the ring; 7:
// the peer connects anew), 0x08: of the other ring, 0x10: then the router polls, 0x20: then a
// packet goes out; one byte, the descriptor's place; the value.
#include "drivers/memif/memif.hh"
#include "fuzz/buffers.hh"
#include "fuzz/input.hh"
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

#include <memory>
#include <sys/eventfd.h>

using namespace weft;
using namespace weft::fuzz;
namespace memif = weft::drivers::memif;
using namespace weft::drivers::memif;

namespace {

constexpr client_memory shape{
    .log2 = 5, .rings_to_server = 1, .rings_to_client = 1, .buffer_bytes = 1024};
constexpr size_t max_steps = 200;

unique_fd bell()
{
    return unique_fd{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
}

class memif_router {
public:
    memif_router()
    {
        auto opened = memif_device::open("net_memif,socket=/nowhere", 1, {}, tester_.engine);
        REQUIRE(opened);
        device_ = static_cast<memif_device*>(opened->get());
        auto added = interfaces_of(tester_.engine).add("m0", std::move(*opened));
        REQUIRE(added);
        const auto index = (*added)->index;
        auto& interfaces = interfaces_of(tester_.engine);
        interfaces.set_mac(interfaces.at(index), test::mac_of(2, 1));
        REQUIRE(device_->join(tester_.engine, "m0", index));
        for (const auto& q : device_->rx_queues())
            tester_.engine.registry().at(q.input).state = node_state::polling;
        REQUIRE(tester_.engine.publish_plans());
        tester_.set_up("m0", true);
        REQUIRE(tester_.ip4().add_address(index, test::own_address("10.0.2.1/24")));
        REQUIRE(
            tester_.neighbours().add_permanent(index, test::ip("10.0.2.2"), test::mac_of(2, 2)));
        poison_between(tester_.engine.pools().front());
        tester_.run();
    }

    // A new link with sound buffers, of which the router has one end.
    void connect(bool memory_is_the_peers)
    {
        device_->detach();
        unique_fd file;
        auto made = shape.make(file);
        REQUIRE(made);
        link_ptr next{new memif::link};
        next->peer = "fuzz";
        memory_ = made->base();
        const role end = memory_is_the_peers ? role::server : role::client;
        const uint32_t buffer_bytes = memory_is_the_peers ? 0 : shape.buffer_bytes;
        next->regions.push_back(std::move(*made));
        next->receive.emplace_back(header(0), shape.log2, end, direction::receive, bell(),
                                   buffer_bytes);
        next->transmit.emplace_back(header(1), shape.log2, end, direction::transmit, bell(),
                                    buffer_bytes);
        static const auto frame = test::packet_builder{}
                                      .ethernet(test::mac_of(2, 1), test::mac_of(2, 2))
                                      .ip4("10.0.2.2", "10.0.1.2")
                                      .udp()
                                      .payload(20)
                                      .bytes();
        for (uint32_t i = 0; i < 1u << shape.log2; ++i) { // they go on to b
            descriptor& d = header(0).descriptors()[i];
            std::copy(frame.begin(), frame.end(), reinterpret_cast<uint8_t*>(memory_ + d.offset));
            d.length = static_cast<uint32_t>(frame.size());
        }
        device_->attach(std::move(next));
    }
    void disconnect() { device_->detach(); }

    [[nodiscard]] ring_header& header(size_t ring) const
    {
        return *reinterpret_cast<ring_header*>(memory_ + shape.ring_offset(ring));
    }
    void poll() { tester_.run(); }
    void send_out(uint16_t bytes)
    {
        tester_.inject("ethernet-input", test::packet_builder{}
                                             .ethernet()
                                             .ip4("10.0.0.2", "10.0.2.2")
                                             .udp()
                                             .payload(bytes % 1472));
        tester_.run();
    }
    void settle()
    {
        tester_.run();
        static_cast<void>(tester_.take());
        REQUIRE(tester_.engine.packets_in_flight() == 0);
    }

private:
    test::node_tester tester_;
    memif_device* device_ = nullptr;
    std::byte* memory_ = nullptr;
};

void write(ring_header& ring, uint8_t what, uint8_t place, uint32_t value)
{
    descriptor& d = ring.descriptors()[place % (1u << shape.log2)];
    switch (what) {
    case 0:
        d.flags = static_cast<uint16_t>(value);
        break;
    case 1:
        d.region = static_cast<uint16_t>(value);
        break;
    case 2:
        d.length = value;
        break;
    case 3:
        d.offset = value;
        break;
    case 4:
        ring.head.store(static_cast<uint16_t>(value));
        break;
    case 5:
        ring.tail.store(static_cast<uint16_t>(value));
        break;
    default:
        ring.flags.store(static_cast<uint16_t>(value));
        break;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static auto& router = *new memif_router;
    input in{data, size};
    const bool theirs = (in.u8() & 1) != 0;
    router.connect(theirs);
    for (size_t step = 0; step < max_steps && !in.empty(); ++step) {
        const uint8_t how = in.u8();
        const uint8_t place = in.u8();
        const uint32_t value = in.u32();
        if ((how & 7) == 7)
            router.connect(theirs);
        else
            write(router.header(how >> 3 & 1), how & 7, place, value);
        if ((how & 0x10) != 0)
            router.poll();
        if ((how & 0x20) != 0)
            router.send_out(static_cast<uint16_t>(value));
    }
    router.disconnect();
    router.settle();
    reaper::finish(); // the links
    return 0;
}
