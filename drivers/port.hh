// SPDX-License-Identifier: Apache-2.0
// A DPDK port as an interface: set-up, queues and their threads, state, statistics.
#pragma once

#include "drivers/device.hh"
#include "graph/interface.hh"
#include "graph/result.hh"

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct rte_mempool;

namespace weft::drivers {

// The name by which DPDK knows a device: devargs without arguments; a PCI address in full and in lower case.
[[nodiscard]] std::string device_name(const std::string& device);
// The node that polls a receive queue of an interface: dpdk-input-INTERFACE-QUEUE.
[[nodiscard]] std::string input_name(const std::string& interface, uint16_t queue);

// One receive queue: the argument of a dpdk-input clone.
struct rx_queue {
    uint16_t port;
    uint16_t queue;
    interface_index interface;
    unsigned thread;          // at first
    node_id input = no_node;
};

// The transmit queue that each thread uses: the argument of a dpdk-tx clone.
struct tx_queues {
    static constexpr uint16_t none = 0xffff;
    uint16_t port;
    interface_index interface;
    std::vector<uint16_t> queue_of_thread;  // none: hands over to ...
    std::vector<unsigned> owner_of_thread;  // ... this thread
};

struct port_options {
    std::string device; // PCI address or devargs of a virtual device
    std::optional<net::mac_address> mac;
    uint16_t mtu = 1500;
    uint16_t queues = 1;
    uint16_t rx_descriptors = 1024;
    uint16_t tx_descriptors = 1024;
};

// Owned by the interface table; the port is stopped and closed when it goes. Main thread.
class port final : public device {
public:
    // Probes the device, sets it up, stopped. Errors name the device and what DPDK said.
    [[nodiscard]] static result<std::unique_ptr<port>> open(const port_options& options, engine& host,
                                                            rte_mempool* pool);
    ~port() override;

    [[nodiscard]] net::mac_address mac(interface_index) const override { return mac_; }
    // One input node for each receive queue, one tx node.
    result<void> join(engine& host, const std::string& name, interface_index index) override;
    result<void> set_admin(bool up) override;
    result<void> set_mtu(uint16_t mtu) override;
    [[nodiscard]] link_status link() const override;
    [[nodiscard]] hardware_status hardware() const override;
    [[nodiscard]] std::vector<rx_queue_input> rx_queues() const override;

private:
    explicit port(const port_options& options) : options_{options} {}
    result<void> probe();
    result<void> configure(engine& host, rte_mempool* pool);
    result<void> set_up_queues(rte_mempool* pool);
    // Gives the queues to threads whose plans may have their nodes.
    result<void> bind(const std::string& name, interface_index index, engine& host);

    const port_options options_;
    engine* host_ = nullptr;
    bool started_ = false;
    bool has_interrupts_ = false; // asked once: DPDK logs every question
    uint16_t room_ = 0; // bytes of a frame that a buffer holds
    uint16_t id_ = 0xffff;
    int socket_ = -1;
    uint16_t rx_count_ = 0;
    uint16_t tx_count_ = 0;
    uint16_t rx_descriptors_ = 0;
    uint16_t tx_descriptors_ = 0;
    net::mac_address mac_;
    std::vector<std::unique_ptr<rx_queue>> rx_;
    tx_queues tx_{};
};

} // namespace weft::drivers
