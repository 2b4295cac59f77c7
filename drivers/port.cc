// SPDX-License-Identifier: Apache-2.0
// Sets up DPDK ports.
#include "drivers/port.hh"

#include "drivers/tx_cleanup.hh"
#include "graph/engine.hh"

#include <algorithm>
#include <array>
#include <cstring>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_pci.h>
#include <spdlog/spdlog.h>

namespace weft::drivers {

namespace {

tl::unexpected<error> device_fault(const std::string& device, const char* what, int code)
{
    return fail(errc::io, "device `{}': {}: {}", device, what, rte_strerror(code < 0 ? -code : code));
}

// Holds DPDK's log back while something is tried that may be refused.
class quiet_dpdk {
public:
    quiet_dpdk() : level_{rte_log_get_global_level()} { rte_log_set_global_level(RTE_LOG_EMERG); }
    ~quiet_dpdk() { rte_log_set_global_level(level_); }

private:
    const uint32_t level_;
};

} // namespace

std::string device_name(const std::string& device)
{
    std::string name = device.substr(0, device.find(','));
    rte_pci_addr address{};
    if (rte_pci_addr_parse(name.c_str(), &address) == 0) {
        std::array<char, PCI_PRI_STR_SIZE + 1> text{};
        rte_pci_device_name(&address, text.data(), text.size());
        name = text.data();
    }
    return name;
}

std::string input_name(const std::string& interface, uint16_t queue)
{
    return fmt::format("dpdk-input-{}-{}", interface, queue);
}

result<std::unique_ptr<port>> port::open(const port_options& options, engine& host, rte_mempool* pool)
{
    std::unique_ptr<port> made{new port{options}};
    if (auto done = made->probe(); !done)
        return pass(done);
    if (auto done = made->configure(host, pool); !done)
        return pass(done);
    return made;
}

port::~port()
{
    if (id_ == 0xffff)
        return;
    if (started_)
        rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
}

result<void> port::probe()
{
    const std::string name = device_name(options_.device);
    uint16_t found = 0;
    if (rte_eth_dev_get_port_by_name(name.c_str(), &found) != 0) {
        const int code = rte_dev_probe(options_.device.c_str());
        if (code != 0)
            return device_fault(options_.device, "no driver took it", code);
        if (rte_eth_dev_get_port_by_name(name.c_str(), &found) != 0)
            return fail(errc::not_found, "device `{}' has no Ethernet port", options_.device);
    }
    id_ = found;
    socket_ = rte_eth_dev_socket_id(id_);
    return {};
}

result<void> port::configure(engine& host, rte_mempool* pool)
{
    room_ = static_cast<uint16_t>(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM);
    rte_eth_dev_info info{};
    if (const int code = rte_eth_dev_info_get(id_, &info); code != 0)
        return device_fault(options_.device, "its capabilities are not known", code);
    if (options_.queues > info.max_rx_queues)
        return fail(errc::invalid_argument, "device `{}' has {} receive queues at most, {} are asked "
                    "for", options_.device, info.max_rx_queues, options_.queues);
    rx_count_ = options_.queues;
    tx_count_ = std::min<uint16_t>(info.max_tx_queues, static_cast<uint16_t>(host.thread_count()));
    rte_eth_conf conf{};
    conf.intr_conf.rxq = 1; // an idle worker sleeps on it
    if (rx_count_ > 1 && info.flow_type_rss_offloads != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf =
            (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
    }
    // Not every driver takes different numbers of queues, nor receive interrupts.
    int code = 0;
    {
        const quiet_dpdk trying;
        code = rte_eth_dev_configure(id_, rx_count_, tx_count_, &conf);
        if (code != 0)
            code = rte_eth_dev_configure(id_, rx_count_, tx_count_ = rx_count_, &conf);
        conf.intr_conf.rxq = 0;
        if (code != 0)
            code = rte_eth_dev_configure(id_, rx_count_, tx_count_, &conf);
    }
    if (code != 0)
        return device_fault(options_.device, "it could not be configured", code);
    if (auto done = set_up_queues(pool); !done)
        return done;
    if (auto done = set_mtu(options_.mtu); !done)
        return done;
    if (options_.mac) {
        rte_ether_addr address;
        std::memcpy(&address, options_.mac->bytes.data(), sizeof address);
        if (code = rte_eth_dev_default_mac_addr_set(id_, &address); code != 0)
            return device_fault(options_.device, "its MAC address could not be set", code);
    }
    rte_ether_addr address;
    rte_eth_macaddr_get(id_, &address);
    std::memcpy(mac_.bytes.data(), &address, sizeof address);
    return {};
}

result<void> port::set_up_queues(rte_mempool* pool)
{
    rx_descriptors_ = options_.rx_descriptors;
    tx_descriptors_ = options_.tx_descriptors;
    rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors_, &tx_descriptors_);
    const auto socket = static_cast<unsigned>(socket_);
    for (uint16_t q = 0; q < rx_count_; ++q)
        if (const int code = rte_eth_rx_queue_setup(id_, q, rx_descriptors_, socket, nullptr, pool);
            code != 0)
            return device_fault(options_.device, "a receive queue could not be set up", code);
    for (uint16_t q = 0; q < tx_count_; ++q)
        if (const int code = rte_eth_tx_queue_setup(id_, q, tx_descriptors_, socket, nullptr);
            code != 0)
            return device_fault(options_.device, "a transmit queue could not be set up", code);
    return {};
}

result<void> port::bind(const std::string& name, interface_index index, engine& host)
{
    for (uint16_t q = 0; q < rx_count_; ++q) {
        const auto pollers = host.polling_threads_for(input_name(name, q));
        if (!pollers)
            return pass(pollers);
        // one interface after the other, so that two ports of one queue each use two workers
        const size_t turn = (index + q) % pollers->size();
        rx_.push_back(std::make_unique<rx_queue>(rx_queue{id_, q, index, (*pollers)[turn]}));
    }
    tx_.port = id_;
    tx_.interface = index;
    tx_.queue_of_thread.assign(host.thread_count(), tx_queues::none);
    const std::vector<unsigned> order = sending_threads(host, "dpdk-tx-" + name);
    tx_.owner_of_thread.assign(host.thread_count(), order[0]);
    for (size_t i = 0; i < order.size(); ++i) {
        if (i < tx_count_)
            tx_.queue_of_thread[order[i]] = static_cast<uint16_t>(i);
        tx_.owner_of_thread[order[i]] = order[i % tx_count_];
    }
    return {};
}

result<void> port::join(engine& host, const std::string& name, interface_index index)
{
    host_ = &host;
    if (auto done = bind(name, index, host); !done)
        return done;
    for (const auto& queue : rx_) {
        auto input = host.registry().clone("dpdk-input",
                                           input_name(name, queue->queue), queue.get(),
                                           queue->thread);
        if (!input)
            return pass(input);
        host.registry().at(*input).owner = fmt::format("interface {}", name);
        queue->input = *input;
    }
    return join_output(host, "dpdk-tx", name, index, &tx_);
}

// A device is started once and stops when it is closed: an interface that is down goes on being polled, and its
// packets are dropped with a reason. Its peer is told by the link, where the driver can.
result<void> port::set_admin(bool up)
{
    if (started_) {
        const int code = up ? rte_eth_dev_set_link_up(id_) : rte_eth_dev_set_link_down(id_);
        if (code != 0)
            spdlog::info("device `{}': its link stays as it is: {}", options_.device,
                         rte_strerror(-code));
        return {};
    }
    if (!up)
        return {};
    if (const int code = rte_eth_dev_start(id_); code != 0)
        return device_fault(options_.device, "it did not start", code);
    started_ = true;
    const quiet_dpdk asking;
    has_interrupts_ = rte_eth_dev_rx_intr_ctl_q_get_fd(id_, 0) >= 0;
    for (unsigned thread = 0; thread < tx_.queue_of_thread.size(); ++thread)
        if (const uint16_t queue = tx_.queue_of_thread[thread];
            queue != tx_queues::none && rte_eth_tx_done_cleanup(id_, queue, 0) >= 0)
            host_->room<tx_cleanup>().add(thread, {id_, queue, tx_.interface, rte_eth_tx_done_cleanup});
    return {};
}

result<void> port::set_mtu(uint16_t mtu)
{
    uint16_t current = 0;
    if (rte_eth_dev_get_mtu(id_, &current) == 0 && current == mtu)
        return {};
    if (auto fits = check_mtu(mtu, room_); !fits)
        return fits;
    if (const int code = rte_eth_dev_set_mtu(id_, mtu); code != 0)
        return device_fault(options_.device, "its MTU could not be set", code);
    return {};
}

link_status port::link() const
{
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(id_, &link) != 0)
        return {};
    const bool known = link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
    return {link.link_status == RTE_ETH_LINK_UP, known ? link.link_speed : 0,
            link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX};
}

hardware_status port::hardware() const
{
    hardware_status status;
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(id_, &info);
    status.device = options_.device;
    status.driver = info.driver_name == nullptr ? "" : info.driver_name;
    status.socket = socket_;
    status.link = link();
    status.rx_descriptors = rx_descriptors_;
    status.tx_descriptors = tx_descriptors_;
    for (const auto& queue : rx_) {
        const auto& input = host_->registry().at(queue->input);
        status.rx_queues.push_back(
            {queue->queue, *input.thread, std::string{to_string(input.state)}});
    }
    for (unsigned thread = 0; thread < tx_.queue_of_thread.size(); ++thread) {
        const uint16_t queue = tx_.queue_of_thread[thread];
        if (queue != tx_queues::none)
            status.tx_queues.push_back({queue, thread, "own"});
        else
            status.tx_queues.push_back({tx_.queue_of_thread[tx_.owner_of_thread[thread]], thread,
                                        "handed over"});
    }
    const int count = rte_eth_xstats_get_names(id_, nullptr, 0);
    std::vector<rte_eth_xstat_name> names(static_cast<size_t>(std::max(count, 0)));
    std::vector<rte_eth_xstat> values(names.size());
    rte_eth_xstats_get_names(id_, names.data(), static_cast<unsigned>(names.size()));
    const int got = rte_eth_xstats_get(id_, values.data(), static_cast<unsigned>(values.size()));
    for (int i = 0; i < got; ++i)
        if (values[i].value != 0)
            status.counters.push_back({names[values[i].id].name, values[i].value});
    return status;
}

std::vector<rx_queue_input> port::rx_queues() const
{
    std::vector<rx_queue_input> list;
    for (const auto& queue : rx_)
        list.push_back({queue->queue, queue->input, has_interrupts_});
    return list;
}

} // namespace weft::drivers
