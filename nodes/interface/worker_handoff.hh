// SPDX-License-Identifier: Apache-2.0
// Which workers the packets of an interface are spread over after they came in.
#pragma once

#include "base/reserved_array.hh"
#include "base/result.hh"
#include "graph/process/process.hh"
#include "nodes/interface/interface.hh"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <vector>

namespace weft {
class engine;
}

namespace weft::drivers {

struct handoff_workers {
    static constexpr size_t most = 64; // threads
    uint32_t count = 0;
    std::array<uint16_t, most> threads{};

    // One worker takes all; of several, each takes the flows that hash to it.
    [[nodiscard]] uint16_t of(uint32_t hash) const noexcept
    {
        return threads[static_cast<size_t>(uint64_t{hash} * count >> 32)];
    }
};

// A module of the engine.
class handoff_table {
public:
    explicit handoff_table(engine& engine);

    // Whether the plans of these threads have what packets are handed to: errc::invalid_argument.
    [[nodiscard]] result<void> check(const std::vector<unsigned>& threads) const;
    // Main thread. From now on packets of this interface go on on these threads; empty: where they
    // came in. No flow is disturbed: the interface's queues rest until what they brought in before
    // has been carried through.
    result<void> set(const interface& i, std::vector<unsigned> threads, process* self);
    // The same before the workers run.
    void begin(const interface& i, const std::vector<unsigned>& threads);
    [[nodiscard]] std::vector<unsigned> workers(interface_index of) const;
    // Its interface is gone.
    void forget(interface_index of);

    // Any thread; null where there is no hand-off.
    [[nodiscard]] const handoff_workers* of(interface_index of) const noexcept
    {
        return published_[of].load(std::memory_order_acquire);
    }

private:
    engine& engine_;
    reserved_array<std::atomic<const handoff_workers*>> published_; // resident as used
    std::map<interface_index, std::shared_ptr<const handoff_workers>> owned_;
};

} // namespace weft::drivers
