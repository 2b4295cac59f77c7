// SPDX-License-Identifier: Apache-2.0
// A memif's life as an interface: its socket, queues, threads and state.
#include "drivers/memif/memif.hh"

#include "graph/engine.hh"
#include "graph/process_table.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/link.hh"

#include <cerrno>
#include <cstring>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

namespace weft::drivers::memif {

ringers::ringers(engine& engine)
{
    for (unsigned thread = 0; thread < engine.thread_count(); ++thread) {
        auto made = ringer::make();
        if (!made) {
            state_ = pass(made);
            return;
        }
        all_.push_back(std::move(*made));
    }
}

std::string input_name(const std::string& interface, uint16_t queue)
{
    return fmt::format("memif-input-{}-{}", interface, queue);
}

memif_device::memif_device(const std::string& text, memif_options options, uint16_t queues,
                           engine& engine)
    : engine_{engine},
      text_{without_secret(text)},
      options_{std::move(options)},
      queue_count_{queues}
{
    rte_ether_addr random;
    rte_eth_random_addr(random.addr_bytes);
    std::memcpy(mac_.bytes.data(), random.addr_bytes, mac_.bytes.size());
    mac_ = options_.mac.value_or(mac_);
}

result<std::unique_ptr<interface_driver>>
memif_device::open(const std::string& text, uint16_t queues,
                   const std::optional<net::mac_address>& mac, engine& engine)
{
    auto options = parse_options(text);
    if (!options)
        return pass(options);
    std::unique_ptr<memif_device> made{new memif_device{text, std::move(*options), queues, engine}};
    made->mac_ = mac.value_or(made->mac_);
    if (queues > max_rings)
        return fail(errc::invalid_argument,
                    "a memif has at most {} receive queues, {} were requested", max_rings, queues);
    return made;
}

result<void> memif_device::plug(engine&)
{
    if (!is_deaf())
        return {};
    auto made = memif::listener::open(options_);
    if (!made)
        return pass(made);
    listener_ = std::move(*made);
    return {};
}

void memif_device::leave(engine& engine)
{
    if (started_)
        if (auto done = engine.module<process_table>().remove("memif-" + name_); !done)
            spdlog::error("interface {}: {}", name_, done.error().message);
    started_ = false;
    detach();
    const memif::listener gone{std::move(listener_)}; // removes its file
}

memif_device::~memif_device()
{
    link_ptr{link_.load()}.reset(); // the workers have stopped
}

result<void> memif_device::join(engine& engine, const std::string& name, interface_index index)
{
    if (const auto& able = engine.module<ringers>().state(); !able)
        return fail(able.error().code, "interface {}: {}", name, able.error().message);
    name_ = name;
    index_ = index;
    for (uint16_t q = 0; q < queue_count_; ++q) {
        const std::string node = input_name(name, q);
        const auto pollers = engine.polling_threads_for(node);
        if (!pollers)
            return pass(pollers);
        // one interface after the other, so that two of one queue each use two workers
        const unsigned thread = (*pollers)[(index + q) % pollers->size()];
        queues_.push_back(std::make_unique<receive_queue>(
            receive_queue{this, q, thread, unique_fd{epoll_create1(EPOLL_CLOEXEC)}}));
        if (queues_.back()->bells.get() < 0)
            return fail(errc::io, "interface {}: cannot create an epoll file: {}", name,
                        std::strerror(errno));
        auto input = engine.registry().clone("memif-input", node, queues_.back().get(), thread);
        if (!input)
            return pass(input);
        engine.registry().at(*input).owner = fmt::format("interface {}", name);
        queues_.back()->input = *input;
    }
    thread_at_place_ = sending_threads(engine, "memif-tx-" + name);
    place_of_thread_.assign(engine.thread_count(), 0);
    for (unsigned place = 0; place < thread_at_place_.size(); ++place)
        place_of_thread_[thread_at_place_[place]] = place;
    return join_output(engine, "memif-tx", name, index, this);
}

result<void> memif_device::set_admin(bool up)
{
    if (started_ || !up || is_deaf())
        return {};
    auto added = engine_.module<process_table>().add(
        {.name = "memif-" + name_,
         .function = [this](weft::process& self) { keep_connected(self, *this); }});
    if (!added)
        return pass(added);
    started_ = true;
    return {};
}

link_status memif_device::link() const
{
    return {.up = attached_};
}

hardware_status memif_device::hardware() const
{
    hardware_status status;
    status.device = text_;
    status.driver = "memif";
    status.link = link();
    for (const auto& queue : queues_) {
        const auto& input = engine_.registry().at(queue->input);
        status.rx_queues.push_back(
            {queue->number, *input.thread, std::string{to_string(input.state)}});
    }
    const memif::link* const now = current();
    status.counters.push_back({"connections", connections_});
    if (now == nullptr)
        return status;
    status.rx_descriptors =
        now->receive.empty() ? uint16_t{0} : static_cast<uint16_t>(now->receive[0].size());
    status.tx_descriptors =
        now->transmit.empty() ? uint16_t{0} : static_cast<uint16_t>(now->transmit[0].size());
    status.counters.push_back({"receive_rings", now->receive.size()});
    status.counters.push_back({"transmit_rings", now->transmit.size()});
    for (unsigned thread = 0; !now->transmit.empty() && thread < place_of_thread_.size();
         ++thread) {
        const auto rings = static_cast<unsigned>(now->transmit.size());
        const bool own = place_of_thread_[thread] < rings &&
                         thread_at_place_[place_of_thread_[thread]] == thread;
        status.tx_queues.push_back({static_cast<uint16_t>(place_of_thread_[thread] % rings), thread,
                                    own ? "own" : "handed over"});
    }
    return status;
}

std::vector<rx_queue_input> memif_device::rx_queues() const
{
    std::vector<rx_queue_input> list;
    for (const auto& queue : queues_)
        list.push_back({queue->number, queue->input, true});
    return list;
}

void memif_device::attach(link_ptr made)
{
    for (const auto& queue : queues_) {
        if (queue->number >= made->receive.size())
            break;
        epoll_event rung{.events = EPOLLIN, .data = {}};
        epoll_ctl(queue->bells.get(), EPOLL_CTL_ADD, made->receive[queue->number].bell(), &rung);
    }
    spdlog::info("interface {}: connected to {}, {} receive and {} transmit rings", name_,
                 made->peer, made->receive.size(), made->transmit.size());
    ++connections_;
    attached_ = true;
    look_at_link(
        interfaces_of(engine_),
        interfaces_of(engine_).at(index_)); // before frames come: they can be answered then
    link_.store(made.release(), std::memory_order_release);
    // a thread that sleeps looks at the new rings, and asks to be woken by them
    for (const auto& queue : queues_)
        engine_.thread(*engine_.registry().at(queue->input).thread).post_interrupt(queue->input);
}

void memif_device::detach()
{
    attached_ = false;
    memif::link* const old = link_.exchange(nullptr);
    if (old == nullptr)
        return;
    for (const auto& queue : queues_)
        if (queue->number < old->receive.size())
            epoll_ctl(queue->bells.get(), EPOLL_CTL_DEL, old->receive[queue->number].bell(),
                      nullptr);
    spdlog::info("interface {}: {} disconnected", name_, old->peer);
    engine_.rcu().defer([old] { link_ptr{old}.reset(); });
}

} // namespace weft::drivers::memif
