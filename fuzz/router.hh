// SPDX-License-Identifier: Apache-2.0
// A router that inputs' frames pass, once in each variant of the nodes: interfaces a and b
// (10.0.0.1/24, 10.0.1.1/24), routes over both, and a clock of its own. It stays for all inputs,
// since it takes long to make; after each it forgets what it has learned.
#pragma once

#include "tests/nodes/node_tester.hh"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weft::fuzz {

class router {
public:
    explicit router(variant which);

    // A frame comes in by an interface; moves with the next run().
    void receive(interface_index from, std::span<const uint8_t> frame);
    void run();
    void advance(duration d);
    // What left, checked to be sound, and what was counted, since the last call.
    struct outcome {
        std::vector<test::sent_packet> sent;
        test::counts counted;
    };
    [[nodiscard]] outcome take();
    // Waits until nobody can wait for an answer any more, and forgets who was learned: no packet
    // may be left.
    void settle();

    [[nodiscard]] variant which() const noexcept { return variant_; }
    [[nodiscard]] test::node_tester& inside() noexcept { return tester_; }

private:
    void keep_time();

    variant variant_;
    test::node_tester tester_;
    duration now_{1000s};
};

// One in each variant that this processor runs, the plain one first.
[[nodiscard]] std::vector<std::unique_ptr<router>>& routers();

// Makes a frame's checksums right, so that an input need not guess them: IPv4's, ICMP's.
void mend_checksums(std::span<uint8_t> frame) noexcept;

} // namespace weft::fuzz
