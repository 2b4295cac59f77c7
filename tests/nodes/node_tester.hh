// SPDX-License-Identifier: Apache-2.0
// A router without ports for tests of nodes: packets are put in front of a node, and what leaves
// and what was counted is looked at.
#pragma once

#include "graph/engine.hh"
#include "nodes/arp/arp_protocol.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4.hh"
#include "tests/base/fake_clock.hh"
#include "tests/nodes/packet_builder.hh"

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::test {

// What reached the tx node of an interface.
struct sent_packet {
    interface_index interface = no_interface;
    byte_string bytes;

    template <class Header>
    [[nodiscard]] Header header(size_t offset) const
    {
        Header found;
        REQUIRE(bytes.size() >= offset + sizeof found);
        std::memcpy(&found, bytes.data() + offset, sizeof found);
        return found;
    }
    [[nodiscard]] net::ethernet_header ethernet() const { return header<net::ethernet_header>(0); }
    [[nodiscard]] net::arp_header arp() const { return header<net::arp_header>(14); }
    [[nodiscard]] net::ip4_header ip4() const { return header<net::ip4_header>(14); }
    [[nodiscard]] net::icmp4_header icmp() const { return header<net::icmp4_header>(34); }
    [[nodiscard]] bool is_arp() const { return ethernet().type == net::ether_type::arp; }
};

// A port that is nowhere: takes every setting that the test does not forbid.
class test_driver final : public interface_driver {
public:
    result<void> set_admin(bool up) override;
    result<void> set_mtu(uint16_t mtu) override;
    [[nodiscard]] link_status link() const override { return {carrier, 10'000, true}; }
    [[nodiscard]] hardware_status hardware() const override;

    bool refuses = false;
    bool up = false;
    bool carrier = true;
    uint16_t mtu = 1500;
};

struct tester_options {
    unsigned interfaces = 2; // a: 10.0.0.1/24, b: 10.0.1.1/24, ...
    bool up = true;
    bool addresses = true;
    bool neighbours = true;          // 10.0.x.2 is known for good as mac_of(x, 2)
    bool arp = true;                 // what resolves neighbours is there
    std::vector<unsigned> workers{}; // threads that the test drives by hand
    uint32_t vector_size = weft::vector_size;
};

using counts = std::map<std::string, uint64_t>;

// All of it runs on the calling thread under a clock that the test advances. At its end every
// packet must have left the graph and be back in the pool.
class node_tester {
public:
    explicit node_tester(tester_options options = {});
    ~node_tester();
    node_tester(const node_tester&) = delete;
    node_tester& operator=(const node_tester&) = delete;

private:
    std::vector<sent_packet> sink_;
    fake_clock clock_;
    unsigned free_at_start_ = 0; // packets in the pool

public:
    weft::engine engine;

    [[nodiscard]] ip4::tables& ip4() { return engine.module<ip4::tables>(); }
    [[nodiscard]] fib::forwarding& hops() { return ip4().hops(); }
    [[nodiscard]] fib::neighbour_table& neighbours()
    {
        return engine.module<fib::neighbour_table>();
    }
    [[nodiscard]] interface& port(std::string_view name)
    {
        return *interfaces_of(engine).find(name);
    }
    [[nodiscard]] test_driver& driver(std::string_view name);

    // A packet of these bytes as if it had come in by an interface, for inject().
    [[nodiscard]] packet* make(const byte_string& bytes, interface_index from = 0);
    // The same in buffers of these many bytes, and what is left in as many as it takes.
    [[nodiscard]] packet* make_in_parts(const byte_string& bytes, const std::vector<size_t>& parts,
                                        interface_index from = 0);
    // Puts a packet in front of a node; it moves in the next run().
    void inject(std::string_view node, packet* p);
    void inject(std::string_view node, const packet_builder& p, interface_index from = 0)
    {
        inject(node, make(p.bytes(), from));
    }
    // Puts a packet in front of ip4-glean as one that a worker has let through, to be sent to a
    // next hop.
    void glean(const packet_builder& p, net::ip4_address next_hop, interface_index out = 1);
    void run() { engine.run_main_once(); }
    // The clock goes on in steps of a second at most, and the main thread runs after each.
    void advance(duration d);

    // What left since the last call.
    [[nodiscard]] std::vector<sent_packet> take();
    // The one packet that left.
    [[nodiscard]] sent_packet take_one();
    // "node: reason" of all that was counted since the last call.
    [[nodiscard]] counts counted();
    // What became of one packet, in words: the reasons counted and the interfaces by which packets
    // left ("ip4-input: ttl_expired -> a"). What left is kept for take().
    [[nodiscard]] std::string verdict_of(const packet_builder& p, interface_index from = 0,
                                         std::string_view node = "ethernet-input");
    // Packets that one node sent to another.
    [[nodiscard]] uint64_t went(std::string_view from, std::string_view to);

    // A neighbour answers a request of the router's, asked for or not.
    void hear_from(std::string_view address, const net::mac_address& mac, interface_index on);
    [[nodiscard]] std::optional<fib::neighbour_state> state_of(std::string_view address);

    void add_route(std::string_view to, const std::vector<std::string>& via);
    // What they make the router announce is thrown away.
    void set_up(std::string_view name, bool up);
    void set_carrier(std::string_view name, bool carrier); // and the interface table looks
    void set_mtu(std::string_view name, uint16_t mtu);
    // Of every node that has variants.
    void use_variant(variant which);
    // A command's answer; an error is "error: ...".
    [[nodiscard]] std::string command(std::string_view line);
    [[nodiscard]] nlohmann::ordered_json command_json(std::string_view line);

private:
    void add_interface(unsigned index);
    void configure(const tester_options& options);
};

} // namespace weft::test
