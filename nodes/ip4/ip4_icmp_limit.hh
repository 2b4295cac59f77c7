// SPDX-License-Identifier: Apache-2.0
// How many ICMP errors one thread sends (RFC 1812 section 4.3.2.8).
#pragma once

#include "base/token_bucket.hh"
#include "nodes/interface/flow_hash.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/interface_buckets.hh"

#include <algorithm>
#include <vector>

namespace weft::ip4 {

// A bucket for each interface that packets come in by, so that what comes in by one silences no
// other, and a smaller one for each sender, so that one sender does not use up its interface's.
// Senders share buckets by a keyed hash: the memory is bounded, and nobody can choose whose bucket
// to empty. Owner: the thread.
class icmp_limit {
public:
    static constexpr uint64_t rate = 1000, burst = 100; // of an interface, messages (a second)
    static constexpr uint64_t sender_rate = 100, sender_burst = 50; // of those, to one address
    static constexpr size_t sender_buckets = 1024;

    // `hz`: the clock's ticks a second. `key`: what nobody else knows.
    icmp_limit(uint64_t hz, uint64_t key)
        : key_{key},
          interfaces_{token_bucket{rate, hz, burst}},
          senders_(sender_buckets, token_bucket{sender_rate, hz, sender_burst})
    {}

    // Whether `sender`, whose packet came in by `from`, may be told something at the time `now`.
    [[nodiscard]] bool take(net::ip4_address sender, interface_index from, uint64_t now) noexcept
    {
        const uint32_t slot = fold_hash(sender.value ^ key_) % sender_buckets;
        return senders_[slot].take(now, 1) == 1 && interfaces_[from].take(now, 1) == 1;
    }

private:
    const uint64_t key_;
    interface_buckets interfaces_;
    std::vector<token_bucket> senders_;
};

} // namespace weft::ip4
