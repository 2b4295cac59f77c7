// SPDX-License-Identifier: Apache-2.0
// One direction of the generator's traffic: sends, receives, checks, counts.
#pragma once

#include "bench/generator_options.hh"
#include "bench/memif_port.hh"
#include "bench/stopwatch.hh"
#include "bench/traffic.hh"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace weft::bench {

class flow {
public:
    struct counters {
        uint64_t sent = 0;
        uint64_t received = 0;
        uint64_t checked = 0;
        uint64_t other = 0; // a device's own frames, such as ARP
        uint64_t bad_length = 0;
        uint64_t bad_ttl = 0;
        uint64_t bad_checksum = 0;
        uint64_t bad_mac = 0;
        uint64_t bad_address = 0;
        uint64_t turns = 0;      // that wanted to send
        uint64_t full_turns = 0; // and found less room than they wanted
        uint64_t forgiven = 0;   // frames never sent: they were due while this process did not run

        [[nodiscard]] uint64_t bad() const noexcept
        {
            return bad_length + bad_ttl + bad_checksum + bad_mac + bad_address;
        }
    };

    flow(const generator_options& o, memif_port& into, memif_port& out_of, const side& from,
         const side& to, std::vector<net::ip4_address> addresses, double tsc_hz);

    // Sends what is due; gap_ended is when this process last came back from not running.
    void send(uint64_t at, uint64_t gap_ended) noexcept;
    // Takes what has arrived; what was due before that is not timed as the device's latency.
    void receive(uint64_t at, uint64_t gap_ended) noexcept;
    // Nothing has been sent, received or timed. From here on `rate` counts: frames a second, or 0
    // for as many as possible.
    void start(uint64_t at, double rate) noexcept;
    // What is received from now on is timed, if it is stamped: --latency, and a rate.
    void time_from_now() noexcept { timed_ = stamped_; }
    // Sends a single frame, for finding out whether the device forwards.
    void probe() noexcept;

    [[nodiscard]] const counters& counted() const noexcept { return counted_; }
    [[nodiscard]] size_t destinations() const noexcept { return destinations_.size(); }
    // null where nothing was timed
    [[nodiscard]] nlohmann::ordered_json latency() const;

private:
    [[nodiscard]] uint64_t due(uint64_t at) const noexcept; // frames, since the start
    void write(uint32_t count) noexcept;
    void check(std::span<const uint8_t> bytes) noexcept;
    void report_first(std::span<const uint8_t> bytes) const;
    void time(uint64_t at, uint64_t gap_ended, uint32_t count) noexcept;

    memif_port& into_;
    memif_port& out_of_;
    side from_;
    side to_;
    std::vector<uint8_t> frame_;
    std::vector<destination> destinations_;
    next_hops next_hops_;
    bool unchanged_;
    bool latency_;
    bool stamped_ = false;
    bool timed_ = false;
    uint32_t size_;
    uint32_t check_every_;
    uint32_t until_check_ = 0;
    uint32_t next_destination_ = 0;
    uint32_t receive_burst_ = 1;
    uint64_t pause_ = 0;
    uint64_t send_after_ = 0;
    uint64_t receive_after_ = 0;
    double tsc_hz_;
    double per_cycle_ = 0; // frames due in each; 0: no limit
    double cycles_per_frame_ = 0;
    uint64_t started_ = 0;
    counters counted_;
    histogram outside_gaps_;
    histogram within_gaps_;
};

} // namespace weft::bench
