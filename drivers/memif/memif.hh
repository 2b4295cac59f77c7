// SPDX-License-Identifier: Apache-2.0
// A memif as an interface: frames through memory that is shared with another process (VPP, DPDK,
// containers).
//
// The main thread makes connections and ends them; a link is published to the workers like anything
// else that is replaced under them, and freed after a grace period. So a peer that leaves, whenever
// it does, holds up no worker and leaves none with memory that is gone.
#pragma once

#include "drivers/dpdk/device.hh"
#include "drivers/memif/access.hh"
#include "drivers/memif/link.hh"
#include "drivers/memif/options.hh"
#include "graph/process/process.hh"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace weft::drivers::memif {

// The node that polls a receive queue: memif-input-INTERFACE-QUEUE.
[[nodiscard]] std::string input_name(const std::string& interface, uint16_t queue);

class memif_device;

// A receive queue: the argument of a memif-input clone. It exists whether a ring does or not.
struct receive_queue {
    memif_device* device;
    uint16_t number;
    unsigned thread; // at first
    unique_fd bells; // an epoll that the ring's bell stands in, so that a thread can wait for one
                     // file for good
    node_id input = no_node;
};

// Owned by the interface table. Main thread, but for what is said of any.
class memif_device final : public interface_driver {
public:
    // Opens nothing yet. Errors name the argument.
    [[nodiscard]] static result<std::unique_ptr<interface_driver>>
    open(const std::string& text, uint16_t queues, const std::optional<net::mac_address>& mac,
         engine& engine);
    ~memif_device() override;

    [[nodiscard]] net::mac_address mac(interface_index) const override { return mac_; }
    // Listens, if it is a server. Errors name the socket.
    result<void> plug(engine& engine) override;
    [[nodiscard]] device_state state() const override
    {
        return is_deaf() ? device_state::missing : device_state::present;
    }
    // Its process is stopped, the peer is gone and the socket closed.
    void leave(engine& engine) override;
    // One input node for each queue, one tx node.
    result<void> join(engine& engine, const std::string& name, interface_index index) override;
    // Brought up for the first time it looks for its peer, and stays connected from then on.
    result<void> set_admin(bool up) override;
    result<void> set_mtu(uint16_t) override { return {}; }
    result<void> set_mac(const net::mac_address& mac) override
    {
        mac_ = mac;
        return {};
    }
    [[nodiscard]] link_status link() const override;
    [[nodiscard]] hardware_status hardware() const override;
    [[nodiscard]] std::vector<rx_queue_input> rx_queues() const override;

    // Any thread: the connection there is, or null. Valid until the thread's next quiescent state.
    [[nodiscard]] memif::link* current() const noexcept
    {
        return link_.load(std::memory_order_acquire);
    }
    [[nodiscard]] interface_index index() const noexcept { return index_; }
    // The place of a thread among those that send: ring N belongs to the thread in place N.
    [[nodiscard]] unsigned place_of(unsigned thread) const noexcept
    {
        return place_of_thread_[thread];
    }
    [[nodiscard]] unsigned thread_at(unsigned place) const noexcept
    {
        return thread_at_place_[place];
    }

    // For its process.
    [[nodiscard]] const memif_options& options() const noexcept { return options_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] int listener() const noexcept { return listener_.get(); }
    [[nodiscard]] uint16_t max_receive() const noexcept { return queue_count_; }
    [[nodiscard]] uint16_t max_transmit() const noexcept
    {
        return static_cast<uint16_t>(thread_at_place_.size());
    }
    void attach(link_ptr made);
    void detach();

private:
    memif_device(const std::string& text, memif_options options, uint16_t queues, engine& engine);
    [[nodiscard]] bool is_deaf() const noexcept
    {
        return options_.end == role::server && listener_.get() < 0;
    }

    engine& engine_;
    const std::string text_;
    const memif_options options_;
    const uint16_t queue_count_;
    net::mac_address mac_;
    std::string name_;
    interface_index index_ = no_interface;
    memif::listener listener_;
    bool started_ = false;
    bool attached_ = false; // a link is there, or about to be
    uint64_t connections_ = 0;
    std::vector<std::unique_ptr<receive_queue>> queues_;
    std::vector<unsigned> place_of_thread_;
    std::vector<unsigned> thread_at_place_;
    std::atomic<memif::link*> link_{nullptr};
};

// The process of a memif: waits for clients, or looks for its server, and holds the connection.
void keep_connected(process& self, memif_device& device);

} // namespace weft::drivers::memif
