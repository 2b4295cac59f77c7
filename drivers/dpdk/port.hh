// SPDX-License-Identifier: Apache-2.0
// A DPDK port as an interface: set-up, queues and their threads, state, statistics.
#pragma once

#include "base/result.hh"
#include "drivers/dpdk/device.hh"
#include "drivers/dpdk/device_arguments.hh"
#include "drivers/dpdk/removal.hh"
#include "drivers/dpdk/tap_carrier.hh"
#include "nodes/interface/interface.hh"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct rte_mempool;

namespace weft::drivers {

// The name by which DPDK knows a device: devargs without arguments; a PCI address in full and in
// lower case.
[[nodiscard]] std::string device_name(const std::string& device);
// The node that polls a receive queue of an interface: dpdk-input-INTERFACE-QUEUE.
[[nodiscard]] std::string input_name(const std::string& interface, uint16_t queue);

inline constexpr uint16_t no_port = 0xffff; // DPDK's number of none

// One receive queue: the argument of a dpdk-input clone.
struct rx_queue {
    std::atomic<uint16_t> port; // no_port: what is behind is not there
    bool drops_chains = false;  // the driver makes chains, but nobody asked it to
    uint16_t queue;
    interface_index interface;
    unsigned thread; // at first
    node_id input = no_node;
};

// The transmit queue that each thread uses: the argument of a dpdk-tx clone. The rest changes only
// while there is no port, and no thread has it in hand.
struct tx_queues {
    static constexpr uint16_t none = 0xffff;
    std::atomic<uint16_t> port{no_port};
    interface_index interface = no_interface;
    std::vector<uint16_t> queue_of_thread; // none: hands over to ...
    std::vector<unsigned> owner_of_thread; // ... this thread
};

// Which interface has a device, or what its arguments name. A module of the engine; main thread.
class device_owners {
public:
    explicit device_owners(engine&) {}
    // errc::exists, naming the other interface.
    [[nodiscard]] result<void> take(const resource& what, const std::string& interface);
    void give_back(const std::string& interface);

private:
    std::map<std::string, std::string> owners_; // by resource
};

struct port_options {
    std::string owner;  // the interface
    std::string device; // PCI address or devargs of a virtual device
    std::optional<net::mac_address> mac;
    uint16_t mtu = 1500;
    uint16_t queues = 1;
    uint16_t rx_descriptors = 1024;
    uint16_t tx_descriptors = 1024;
};

// Owned by the interface table; the port is stopped and closed when it goes. Main thread.
class port final : public interface_driver {
public:
    port(const port_options& options, engine& engine, rte_mempool* pool);
    ~port() override;

    [[nodiscard]] net::mac_address mac(interface_index) const override { return mac_; }
    // Probes the device and sets it up; after join() it is started as well, and threads use it.
    // Errors name the device and what DPDK said.
    result<void> plug(engine& engine) override;
    [[nodiscard]] bool has_gone() override;
    void let_go() override;
    void unplug() override;
    void leave(engine& engine) override;
    // One input node for each receive queue, one tx node.
    result<void> join(engine& engine, const std::string& name, interface_index index) override;
    result<void> set_admin(bool up) override;
    result<void> set_mtu(uint16_t mtu) override;
    result<void> set_mac(const net::mac_address& mac) override;
    result<void> add_mac(const net::mac_address& mac) override;
    void remove_mac(const net::mac_address& mac) override;
    result<void> set_promiscuous(bool on) override;
    [[nodiscard]] link_status link() const override;
    [[nodiscard]] device_state state() const override { return state_; }
    [[nodiscard]] device_losses losses() const override;
    [[nodiscard]] hardware_status hardware() const override;
    [[nodiscard]] std::vector<rx_queue_input> rx_queues() const override;

private:
    [[nodiscard]] bool is_open() const noexcept { return id_ != no_port; }
    result<void> probe();
    result<void> configure();
    result<void> set_up_queues();
    result<void> set_address();
    result<void> set_filters();
    [[nodiscard]] tl::unexpected<error> mtu_fault(uint16_t mtu, int code) const;
    void let_in(const net::mac_address& mac);
    result<void> follow_promiscuity();
    result<void> open();
    result<void> start();
    // Gives the queues to threads whose plans may have their nodes.
    result<void> bind_receive(const std::string& name);
    void bind_transmit();

    const port_options options_;
    engine& engine_;
    rte_mempool* const pool_;
    device_state state_ = device_state::missing;
    bool started_ = false;
    std::optional<tap_carrier> tap_; // once started, where it is a TAP
    bool has_interrupts_ = false;    // asked once: DPDK logs every question
    removal removal_;
    int file_ = -1;             // of receive queue 0, the driver's
    unsigned kernel_index_ = 0; // of the Linux interface that it attaches to
    uint16_t room_ = 0;         // bytes of a frame that a buffer holds
    uint16_t mtu_;
    uint16_t id_ = no_port;
    int socket_ = -1;
    uint16_t tx_count_ = 0;
    uint16_t rx_descriptors_ = 0;
    uint16_t tx_descriptors_ = 0;
    net::mac_address mac_;
    bool mac_known_ = false;
    mac_list more_macs_;
    mac_list unfiltered_; // of them: the device has no place for these, and lets everything in
    bool promiscuous_ = false;
    bool lets_all_in_ = false;
    bool in_parts_ = false; // frames may lie in several buffers
    device_losses before_;  // those of what has gone
    interface_index index_ = no_interface;
    std::vector<unsigned> senders_; // threads, in the order in which they get queues
    std::vector<std::unique_ptr<rx_queue>> rx_;
    tx_queues tx_{};
};

} // namespace weft::drivers
