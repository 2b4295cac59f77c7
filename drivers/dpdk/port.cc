// SPDX-License-Identifier: Apache-2.0
// Sets up DPDK ports.
#include "drivers/dpdk/port.hh"

#include "drivers/dpdk/buffers.hh"
#include "drivers/dpdk/claims.hh"
#include "drivers/dpdk/device_arguments.hh"
#include "drivers/dpdk/device_fault.hh"
#include "drivers/dpdk/tx_cleanup.hh"
#include "graph/engine.hh"

#include <algorithm>
#include <array>
#include <cstring>
#include <net/if.h>
#include <poll.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pci.h>
#include <spdlog/spdlog.h>

namespace weft::drivers {

namespace {

// Hardware, and some of the drivers that are none, make chains only where they are asked to.
bool may_chain(const std::string& device)
{
    const auto driver = driver_of(device);
    return driver.starts_with("net_") && driver != "net_tap" && driver != "net_af_packet" &&
           driver != "net_null";
}

// Of the Linux interface that a device attaches to; 0 if there is none, or it attaches to none.
unsigned kernel_index_of(const std::string& device)
{
    if (!driver_of(device).starts_with("net_af_"))
        return 0;
    return if_nametoindex(std::string{argument_of(device, "iface")}.c_str());
}

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

port::port(const port_options& options, engine& engine, rte_mempool* pool)
    : options_{options},
      engine_{engine},
      pool_{pool},
      room_{static_cast<uint16_t>(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM)},
      mtu_{options.mtu},
      tx_descriptors_{options.tx_descriptors},
      mac_{options.mac.value_or(net::mac_address{})},
      mac_known_{options.mac.has_value()}
{
    rx_descriptors_ = options.rx_descriptors;
}

port::~port()
{
    if (!is_open())
        return;
    removal_.forget();
    if (driver_of(options_.device) == "net_af_xdp")
        forgive_missing_buffers();
    const quiet_dpdk parting; // some disable interrupts twice, and call that an error
    if (started_)
        rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
}

result<void> port::plug(engine& engine)
{
    if (auto done = engine.module<device_claims>().claim(options_.device); !done)
        return done;
    std::optional<quiet_dpdk>
        again; // what it says of a device that is not there is known after the first time
    if (index_ != no_interface)
        again.emplace();
    auto done = open();
    if (done && index_ != no_interface) {
        bind_transmit();
        done = start();
    }
    if (!done) {
        unplug();
        return done;
    }
    state_ = device_state::present;
    return {};
}

result<void> port::open()
{
    if (auto done = probe(); !done)
        return done;
    if (auto done = configure(); !done)
        return done;
    if (auto done = set_up_queues(); !done)
        return done;
    if (auto done = set_mtu(mtu_); !done)
        return done;
    if (auto done = set_address(); !done)
        return done;
    return set_filters();
}

// The kernel asks for what vfio-pci has. Of others nobody says that they have gone: their files
// fail, or their Linux interface is another one now.
bool port::has_gone()
{
    if (!started_)
        return false;
    if (removal_.asked())
        return true;
    pollfd file{.fd = file_, .events = 0, .revents = 0};
    if (file_ >= 0 && poll(&file, 1, 0) > 0)
        return true;
    return rte_eth_dev_is_removed(id_) == 1 || kernel_index_ != kernel_index_of(options_.device);
}

void port::let_go()
{
    state_ = device_state::gone;
    before_ = losses();
    tx_.port.store(no_port);
    for (const auto& queue : rx_)
        queue->port.store(no_port);
}

void port::unplug()
{
    if (!is_open())
        return;
    removal_.forget();
    const quiet_dpdk parting; // what is gone cannot be taken leave of
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(id_, &info);
    if (started_)
        rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
    if (info.device != nullptr)
        rte_dev_remove(info.device);
    id_ = no_port;
    file_ = -1;
    started_ = false;
}

void port::leave(engine& engine)
{
    unplug();
    engine.module<tx_cleanup>().remove(index_);
    engine.module<device_claims>().release(options_.device);
    engine.module<device_owners>().give_back(options_.owner);
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
    kernel_index_ = kernel_index_of(options_.device);
    removal_.listen(name);
    return {};
}

result<void> port::configure()
{
    rte_eth_dev_info info{};
    if (const int code = rte_eth_dev_info_get(id_, &info); code != 0)
        return device_fault(options_.device, "its capabilities could not be read", code);
    if (options_.queues > info.max_rx_queues)
        return fail(errc::invalid_argument,
                    "device `{}' has at most {} receive queues, {} were requested", options_.device,
                    info.max_rx_queues, options_.queues);
    const uint16_t rx_count = options_.queues;
    tx_count_ =
        std::min<uint16_t>(info.max_tx_queues, static_cast<uint16_t>(engine_.thread_count()));
    // It has interrupts only with as many queues of either kind. The main thread, the last in turn,
    // has little to send.
    if (std::string_view{info.driver_name} == "net_vmxnet3" && rx_count > 1 &&
        tx_count_ == rx_count + 1)
        tx_count_ = rx_count;
    rte_eth_conf conf{};
    conf.intr_conf.rxq = 1; // an idle worker sleeps on it
    if (rx_count > 1 && info.flow_type_rss_offloads != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf =
            (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
    }
    if (in_parts_ = !is_in_one_buffer(mtu_, room_); in_parts_) {
        const bool receives = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
        if (!receives || (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0)
            return fail(
                errc::unsupported,
                "mtu: a frame of {} bytes does not fit into one buffer of {} (buffers.size), "
                "and the driver {} {} none in several",
                mtu_ + ethernet_overhead, room_, info.driver_name, receives ? "sends" : "receives");
        conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
        conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    }
    // Not every driver takes different numbers of queues, nor receive interrupts.
    int code = 0;
    {
        const quiet_dpdk trying;
        code = rte_eth_dev_configure(id_, rx_count, tx_count_, &conf);
        if (code != 0)
            code = rte_eth_dev_configure(id_, rx_count, tx_count_ = rx_count, &conf);
        conf.intr_conf.rxq = 0;
        if (code != 0)
            code = rte_eth_dev_configure(id_, rx_count, tx_count_, &conf);
    }
    if (code != 0)
        return device_fault(options_.device, "it could not be configured", code);
    return {};
}

result<void> port::set_up_queues()
{
    constexpr uint16_t parts_of_tap = 64; // it gives the kernel as many for each frame
    rx_descriptors_ = options_.rx_descriptors;
    if (in_parts_ && driver_of(options_.device) == "net_tap")
        rx_descriptors_ = parts_of_tap;
    tx_descriptors_ = options_.tx_descriptors;
    rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors_, &tx_descriptors_);
    const auto socket = static_cast<unsigned>(socket_);
    for (uint16_t q = 0; q < options_.queues; ++q)
        if (const int code =
                rte_eth_rx_queue_setup(id_, q, rx_descriptors_, socket, nullptr, pool_);
            code != 0)
            return device_fault(options_.device, "a receive queue could not be set up", code);
    for (uint16_t q = 0; q < tx_count_; ++q)
        if (const int code = rte_eth_tx_queue_setup(id_, q, tx_descriptors_, socket, nullptr);
            code != 0)
            return device_fault(options_.device, "a transmit queue could not be set up", code);
    return {};
}

result<void> port::bind_receive(const std::string& name)
{
    for (uint16_t q = 0; q < options_.queues; ++q) {
        const auto pollers = engine_.polling_threads_for(input_name(name, q));
        if (!pollers)
            return pass(pollers);
        // one interface after the other, so that two ports of one queue each use two workers
        const size_t turn = (index_ + q) % pollers->size();
        rx_.emplace_back(new rx_queue{
            .port = no_port, .queue = q, .interface = index_, .thread = (*pollers)[turn]});
    }
    return {};
}

// How many queues there are is known when the device is.
void port::bind_transmit()
{
    tx_.queue_of_thread.assign(engine_.thread_count(), tx_queues::none);
    tx_.owner_of_thread.assign(engine_.thread_count(), senders_[0]);
    for (size_t i = 0; i < senders_.size(); ++i) {
        if (i < tx_count_)
            tx_.queue_of_thread[senders_[i]] = static_cast<uint16_t>(i);
        tx_.owner_of_thread[senders_[i]] = senders_[i % std::max<size_t>(tx_count_, 1)];
    }
}

result<void> port::join(engine& engine, const std::string& name, interface_index index)
{
    index_ = tx_.interface = index;
    if (auto done = bind_receive(name); !done)
        return done;
    senders_ = sending_threads(engine, "dpdk-tx-" + name);
    bind_transmit();
    for (const auto& queue : rx_) {
        auto input = engine.registry().clone("dpdk-input", input_name(name, queue->queue),
                                             queue.get(), queue->thread);
        if (!input)
            return pass(input);
        engine.registry().at(*input).owner = fmt::format("interface {}", name);
        queue->input = *input;
    }
    return join_output(engine, "dpdk-tx", name, index, &tx_);
}

// A device is started once and stops when it is closed: an interface that is down goes on being
// polled, and its packets are dropped with a reason. Its peer is told by the link, where the driver
// can.
result<void> port::set_admin(bool up)
{
    if (state_ != device_state::present)
        return {};
    if (started_) {
        const int code = up ? rte_eth_dev_set_link_up(id_) : rte_eth_dev_set_link_down(id_);
        if (code != 0)
            spdlog::info("device `{}': its link state could not be changed: {}", options_.device,
                         rte_strerror(-code));
        return {};
    }
    return up ? start() : result<void>{};
}

result<void> port::start()
{
    if (const int code = rte_eth_dev_start(id_); code != 0)
        return device_fault(options_.device, "it could not be started", code);
    started_ = true;
    const quiet_dpdk asking;
    file_ = rte_eth_dev_rx_intr_ctl_q_get_fd(id_, 0);
    has_interrupts_ = file_ >= 0;
    tap_.reset();
    if (has_interrupts_ && tap_carrier::is_tap(file_))
        tap_.emplace(file_);
    for (unsigned thread = 0; thread < tx_.queue_of_thread.size(); ++thread)
        if (const uint16_t queue = tx_.queue_of_thread[thread];
            queue != tx_queues::none && rte_eth_tx_done_cleanup(id_, queue, 0) >= 0)
            engine_.module<tx_cleanup>().add(
                thread, {&tx_.port, queue, tx_.interface, rte_eth_tx_done_cleanup});
    tx_.port.store(id_, std::memory_order_release);
    for (const auto& queue : rx_) {
        queue->drops_chains = may_chain(options_.device) && !in_parts_;
        queue->port.store(id_, std::memory_order_release);
        // a thread that sleeps knows of nothing that could come
        engine_.thread(*engine_.registry().at(queue->input).thread).post_interrupt(queue->input);
    }
    return {};
}

tl::unexpected<error> port::mtu_fault(uint16_t mtu, int code) const
{
    rte_eth_dev_info info{};
    const uint32_t frame = mtu + uint32_t{RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN};
    if (rte_eth_dev_info_get(id_, &info) == 0 && frame > info.max_rx_pktlen)
        return fail(
            errc::invalid_argument,
            "device `{}': an MTU of {} takes frames of {} bytes, and driver {} has frames of "
            "up to {}",
            options_.device, mtu, frame, info.driver_name, info.max_rx_pktlen);
    return device_fault(options_.device, "its MTU could not be set", code);
}

result<void> port::set_mtu(uint16_t mtu)
{
    if (is_open() && !in_parts_ && !is_in_one_buffer(mtu, room_))
        return fail(errc::unsupported,
                    "an MTU of {} takes more than one buffer of {} bytes (buffers.size) a frame, "
                    "which a device is told before it starts: by the file, or `interface create'",
                    mtu, room_);
    uint16_t current = 0;
    if (is_open() && (rte_eth_dev_get_mtu(id_, &current) != 0 || current != mtu))
        if (const int code = rte_eth_dev_set_mtu(id_, mtu); code != 0)
            return mtu_fault(mtu, code);
    mtu_ = mtu; // what comes back gets it, too
    return {};
}

link_status port::link() const
{
    rte_eth_link link{};
    if (state_ != device_state::present)
        return {};
    if (const int code = rte_eth_link_get_nowait(id_, &link); code == -ENOTSUP)
        return {.up = started_}; // its driver knows of no links
    else if (code != 0)
        return {};
    const bool known = link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
    bool up = link.link_status == RTE_ETH_LINK_UP;
    if (tap_)
        up = tap_->up();
    else if (kernel_index_ != 0) // its driver calls it up whatever there is behind
        up = tap_carrier::is_up(std::string{argument_of(options_.device, "iface")});
    return {up, known ? link.link_speed : 0, link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX};
}

hardware_status port::hardware() const
{
    hardware_status status;
    rte_eth_dev_info info{};
    if (is_open())
        rte_eth_dev_info_get(id_, &info);
    status.device = options_.device;
    status.driver = info.driver_name == nullptr ? "" : info.driver_name;
    status.socket = socket_;
    status.link = link();
    status.rx_descriptors = rx_descriptors_;
    status.tx_descriptors = tx_descriptors_;
    for (const auto& queue : rx_) {
        const auto& input = engine_.registry().at(queue->input);
        status.rx_queues.push_back(
            {queue->queue, *input.thread, std::string{to_string(input.state)}});
    }
    for (unsigned thread = 0; thread < tx_.queue_of_thread.size(); ++thread) {
        const uint16_t queue = tx_.queue_of_thread[thread];
        if (queue != tx_queues::none)
            status.tx_queues.push_back({queue, thread, "own"});
        else
            status.tx_queues.push_back(
                {tx_.queue_of_thread[tx_.owner_of_thread[thread]], thread, "handed over"});
    }
    if (state_ != device_state::present)
        return status;
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

device_losses port::losses() const
{
    device_losses all = before_;
    rte_eth_stats now{};
    if (!started_ || rte_eth_stats_get(id_, &now) != 0 || tx_.port.load() == no_port)
        return all;
    all.rx_missed += now.imissed;
    all.rx_errors += now.ierrors;
    all.rx_no_buffer += now.rx_nombuf;
    all.tx_errors += now.oerrors;
    return all;
}

std::vector<rx_queue_input> port::rx_queues() const
{
    std::vector<rx_queue_input> list;
    for (const auto& queue : rx_)
        list.push_back({queue->queue, queue->input, has_interrupts_});
    return list;
}

} // namespace weft::drivers
