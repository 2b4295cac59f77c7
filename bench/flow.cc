// SPDX-License-Identifier: Apache-2.0
// The generator's inner loops.
#include "bench/flow.hh"

#include "base/net/checksum.hh"

#include <cstring>

namespace weft::bench {
namespace {

constexpr uint32_t burst = 64;
constexpr double pause_seconds = 4e-6;

next_hops hops_of(const generator_options& o, const side& to,
                  std::span<const net::ip4_address> addresses)
{
    if (!o.next_hops.empty())
        return {o.next_hops, addresses};
    return {to.generator, addresses.size()};
}

template <class Field>
void put(uint8_t* frame, size_t offset, const Field& value) noexcept
{
    std::memcpy(frame + offset, &value, sizeof value);
}

} // namespace

flow::flow(const generator_options& o, memif_port& into, memif_port& out_of, const side& from,
           const side& to, std::vector<net::ip4_address> addresses, double tsc_hz)
    : into_{into},
      out_of_{out_of},
      from_{from},
      to_{to},
      frame_{make_frame(from, o.size)},
      destinations_{destinations_of(addresses, frame_)},
      next_hops_{hops_of(o, to, addresses)},
      unchanged_{o.unchanged},
      latency_{o.latency},
      size_{o.size},
      check_every_{o.check_every},
      tsc_hz_{tsc_hz},
      outside_gaps_{tsc_hz},
      within_gaps_{tsc_hz}
{
    into_.fill(frame_);
}

void flow::start(uint64_t at, double rate) noexcept
{
    started_ = at;
    per_cycle_ = rate / tsc_hz_;
    cycles_per_frame_ = rate > 0 ? tsc_hz_ / rate : 0;
    stamped_ = latency_ && rate > 0;
    receive_burst_ = stamped_ ? burst : 4 * burst;
    // for so long a ring that is full or nearly empty is left alone: both sides work in bursts
    pause_ = stamped_ ? 0 : static_cast<uint64_t>(pause_seconds * tsc_hz_);
    counted_ = {};
    timed_ = false;
    outside_gaps_.reset();
    within_gaps_.reset();
}

void flow::probe() noexcept
{
    if (into_.room(1) == 1)
        write(1);
}

uint64_t flow::due(uint64_t at) const noexcept
{
    return at <= started_ ? 0
                          : static_cast<uint64_t>(static_cast<double>(at - started_) * per_cycle_);
}

void flow::send(uint64_t at, uint64_t gap_ended) noexcept
{
    if (at < send_after_)
        return;
    uint32_t wanted = burst;
    if (per_cycle_ > 0) {
        // What was due while this process did not run is not made up for: a long burst would only
        // measure the device's queues. What a full ring holds up is.
        const uint64_t missed = due(gap_ended);
        if (missed > counted_.sent + counted_.forgiven)
            counted_.forgiven = missed - counted_.sent;
        wanted = static_cast<uint32_t>(
            std::min<uint64_t>(burst, due(at) - counted_.sent - counted_.forgiven));
        if (wanted == 0)
            return;
    }
    const uint32_t room = into_.room(wanted);
    ++counted_.turns;
    if (room < wanted) {
        ++counted_.full_turns;
        send_after_ = at + pause_;
    }
    write(room);
}

void flow::write(uint32_t count) noexcept
{
    constexpr uint32_t ahead = 12;
    constexpr size_t ip = offsetof(test_frame, ip);
    constexpr size_t payload = offsetof(test_frame, payload);
    // A frame's time is when it was due: one that waits for room in the ring has waited.
    double due_at = static_cast<double>(started_) +
                    static_cast<double>(counted_.sent + counted_.forgiven) * cycles_per_frame_;
    for (uint32_t i = 0; i < count; ++i) {
        uint8_t* frame = into_.outgoing(i);
        __builtin_prefetch(into_.outgoing(i + ahead), 1);
        const auto& to = destinations_[next_destination_];
        put(frame, ip + offsetof(net::ip4_header, checksum), to.checksum);
        put(frame, ip + offsetof(net::ip4_header, destination), to.address);
        put(frame, payload + offsetof(test_payload, index), next_destination_);
        if (stamped_) {
            put(frame, payload + offsetof(test_payload, due_at), static_cast<uint64_t>(due_at));
            due_at += cycles_per_frame_;
        }
        if (++next_destination_ == destinations_.size())
            next_destination_ = 0;
    }
    into_.send(count);
    counted_.sent += count;
}

void flow::receive(uint64_t at, uint64_t gap_ended) noexcept
{
    if (at < receive_after_)
        return;
    const uint32_t count = out_of_.arrived(receive_burst_);
    if (count < burst / 2)
        receive_after_ = at + pause_;
    if (count == 0)
        return;
    for (; until_check_ < count; until_check_ += check_every_)
        check(out_of_.incoming(until_check_));
    until_check_ -= count;
    if (timed_)
        time(at, gap_ended, count);
    out_of_.give_back(count);
    counted_.received += count;
}

void flow::time(uint64_t at, uint64_t gap_ended, uint32_t count) noexcept
{
    for (uint32_t i = 0; i < count; ++i) {
        test_frame frame;
        const auto bytes = out_of_.incoming(i);
        std::memcpy(&frame, bytes.data(), sizeof frame);
        if (frame.payload.mark != frame_mark || bytes.size() != size_)
            continue;
        auto& durations = frame.payload.due_at <= gap_ended ? within_gaps_ : outside_gaps_;
        durations.add(at - std::min(at, uint64_t{frame.payload.due_at}));
    }
}

void flow::check(std::span<const uint8_t> bytes) noexcept
{
    test_frame frame;
    std::memcpy(&frame, bytes.data(), sizeof frame);
    ++counted_.checked;
    if (frame.ethernet.type != net::ether_type::ip4 || frame.payload.mark != frame_mark) {
        ++counted_.other;
        return;
    }
    const uint64_t bad_before = counted_.bad();
    const auto mac_ok = [&] {
        if (unchanged_)
            return frame.ethernet.destination == from_.device &&
                   frame.ethernet.source == from_.generator;
        return frame.ethernet.source == to_.device &&
               next_hops_.allows(frame.payload.index, frame.ethernet.destination);
    };
    if (bytes.size() != size_)
        ++counted_.bad_length;
    else if (frame.payload.index >= destinations_.size() ||
             frame.ip.destination != destinations_[frame.payload.index].address ||
             frame.ip.source != from_.source.wire())
        ++counted_.bad_address;
    else if (frame.ip.ttl != (unchanged_ ? sent_ttl : sent_ttl - 1))
        ++counted_.bad_ttl;
    else if (!net::checksum_ok(&frame.ip, sizeof frame.ip))
        ++counted_.bad_checksum;
    else if (!mac_ok())
        ++counted_.bad_mac;
    if (bad_before == 0 && counted_.bad() == 1)
        report_first(bytes);
}

void flow::report_first(std::span<const uint8_t> bytes) const
{
    fmt::print(stderr, "memif_generator: the first bad frame, {} bytes, begins with ",
               bytes.size());
    for (const uint8_t byte : bytes.first(sizeof(test_frame)))
        fmt::print(stderr, "{:02x}", byte);
    fmt::print(stderr, "\n");
}

nlohmann::ordered_json flow::latency() const
{
    if (!timed_)
        return nullptr;
    nlohmann::ordered_json out;
    for (const auto& [name, durations] :
         {std::pair{"outside_gaps", &outside_gaps_}, std::pair{"within_gaps", &within_gaps_}})
        out[name] = {{"samples", durations->count()},
                     {"p50_us", durations->percentile_us(0.5)},
                     {"p99_us", durations->percentile_us(0.99)},
                     {"p99.9_us", durations->percentile_us(0.999)},
                     {"max_us", durations->max_us()}};
    return out;
}

} // namespace weft::bench
