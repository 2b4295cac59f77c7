// SPDX-License-Identifier: Apache-2.0
// What a tx node counts for its interface, beside the reasons: sent packets and their bytes, what
// the queue did not take.
#include "drivers/dpdk/device.hh"
#include "drivers/dpdk/port.hh"
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

#include <rte_ethdev.h>

using namespace weft;
using namespace weft::drivers;
using namespace weft::test;

namespace {

// A transmit queue that takes as many packets in each burst as it is told, instead of a port's.
class tx_port {
public:
    static constexpr uint16_t port = RTE_MAX_ETHPORTS - 1;

    tx_port() : before_{rte_eth_fp_ops[port]}
    {
        rte_eth_fp_ops[port].tx_pkt_burst = take;
        rte_eth_fp_ops[port].txq = {.data = &self_, .clbk = no_callbacks.data()};
    }
    ~tx_port() { rte_eth_fp_ops[port] = before_; }
    tx_port(const tx_port&) = delete;
    tx_port& operator=(const tx_port&) = delete;

    std::vector<uint16_t> takes; // burst after burst; then none
    unsigned bursts = 0;

private:
    static uint16_t take(void* queue, rte_mbuf** packets, uint16_t count)
    {
        auto& self = *static_cast<tx_port*>(queue);
        const uint16_t taken = self.bursts < self.takes.size()
                                   ? std::min(self.takes[self.bursts], count)
                                   : uint16_t{0};
        ++self.bursts;
        rte_pktmbuf_free_bulk(packets, taken);
        return taken;
    }
    static inline std::array<void*, 1> no_callbacks{};

    struct rte_eth_fp_ops before_;
    void* self_ = this;
};

// Sends packets of the given payloads from b to a's neighbour, in one vector.
void send_to_a(node_tester& t, const std::vector<size_t>& payloads)
{
    for (const size_t bytes : payloads)
        t.inject("ethernet-input",
                 packet_builder{}
                     .ethernet(mac_of(1, 1), mac_of(1, 2))
                     .ip4("10.0.1.2", "10.0.0.2")
                     .udp()
                     .payload(bytes),
                 1);
    t.run();
}

constexpr uint64_t udp_headers = 14 + 20 + 8;

} // namespace

TEST_CASE("dpdk-tx counts what the queue took, with its bytes, and what it did not", "[drivers]")
{
    tx_port queue;
    node_tester t;
    tx_queues tx{tx_port::port, 0, {0}, {0}};
    REQUIRE(join_output(t.engine, "dpdk-tx", "p", 0, &tx));
    REQUIRE(t.engine.publish_plans());
    t.run();
    queue.takes = {2, 1};
    send_to_a(t, {10, 20, 30, 40, 50});
    const auto counted = interfaces_of(t.engine).count(0);
    CHECK(queue.bursts == 2); // a second try, no third
    CHECK(counted.tx_packets == 3);
    CHECK(counted.tx_bytes == 3 * udp_headers + 60);
    CHECK(counted.tx_full == 2);
    CHECK(t.counted() == counts{{"dpdk-tx-p: tx_full", 2}});
    CHECK(counted.drops == 2); // of the interface that they were to leave by
    CHECK(interfaces_of(t.engine).count(1).drops == 0);
}

TEST_CASE("dpdk-tx counts a frame that was taken whole at the first try", "[drivers]")
{
    tx_port queue;
    node_tester t;
    tx_queues tx{tx_port::port, 0, {0}, {0}};
    REQUIRE(join_output(t.engine, "dpdk-tx", "p", 0, &tx));
    REQUIRE(t.engine.publish_plans());
    t.run();
    queue.takes = {256, 256};
    send_to_a(t, {10, 20});
    CHECK(queue.bursts == 1);
    CHECK(interfaces_of(t.engine).count(0).tx_packets == 2);
    CHECK(interfaces_of(t.engine).count(0).tx_bytes == 2 * udp_headers + 30);
    CHECK(interfaces_of(t.engine).count(0).tx_full == 0);
    CHECK(t.counted().empty());
}

TEST_CASE("null interfaces count what each takes, and nothing is lost", "[drivers]")
{
    node_tester t;
    REQUIRE(t.command("interface create null n") == "");
    REQUIRE(t.command("interface create null m mtu 9000") == "");
    t.run();
    const interface_index n = t.port("n").index, m = t.port("m").index;
    for (const interface_index to : {n, n, m, n})
        t.inject("interface-output", packet_builder{}.ip4().udp(), to);
    t.run();
    CHECK(interfaces_of(t.engine).count(n).tx_packets == 3);
    CHECK(interfaces_of(t.engine).count(n).tx_bytes == 3 * udp_headers);
    CHECK(interfaces_of(t.engine).count(m).tx_packets == 1);
    CHECK(interfaces_of(t.engine).hot(m).mtu == 9000);
    CHECK(t.counted().empty());
}

TEST_CASE("drops are counted for the interface of each packet, also where it changes in a vector",
          "[drivers]")
{
    node_tester t{{.interfaces = 3}};
    for (const interface_index from : {0, 1, 1, 0, 2, 2, 2}) // none is to the router's MAC
        t.inject("ethernet-input", packet_builder{}.ethernet(mac_of(9, 9)).ip4().udp(), from);
    t.run();
    CHECK(interfaces_of(t.engine).count(0).drops == 2);
    CHECK(interfaces_of(t.engine).count(1).drops == 2);
    CHECK(interfaces_of(t.engine).count(2).drops == 3);
}
