// SPDX-License-Identifier: Apache-2.0
// The packet generator: streams of packets that seem to come in by an interface.
#pragma once

#include "base/counter.hh"
#include "base/token_bucket.hh"
#include "drivers/generator/packet_source.hh"
#include "graph/frame.hh"
#include "graph/process/process.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weft::drivers {

inline constexpr size_t max_streams = 64;
inline constexpr size_t max_stream_memory = 512 << 20; // bytes of what all are made from
struct stream_options {
    interface_index interface = no_interface; // where its packets seem to come in
    unsigned thread = 0;                      // that makes them
    uint64_t rate = 0;                        // packets per second; 0: as many as there can be
    uint64_t limit = 0;                       // packets; 0: no end
    node_id node = no_node; // that is given them: ethernet-input or one of its nexts
};

// A stream. What is const is read by any thread; `packets`, `pace` and what the counters hold
// belong to the thread that makes the packets.
struct stream {
    stream(const stream_options& what, std::unique_ptr<packet_source> from, uint64_t hz)
        : options{what}, packets{std::move(from)}, pace{what.rate, hz, vector_size}
    {}

    const stream_options options;
    bool enabled = false;   // main thread
    node_id self = no_node; // its node; like what follows written before that runs
    next_index to = 0;      // the slot of options.node
    process_id retirer = 0; // told when the stream is done

    // Written by the main thread: how often it was enabled. The maker begins anew when it sees
    // that.
    std::atomic<uint64_t> starts{0};
    alignas(64) counter started; // the value of `starts` that the rest belongs to
    counter made;
    counter not_made; // for want of buffers
    counter began;    // TSC
    counter last;     // TSC of the last packet
    const std::unique_ptr<packet_source> packets;
    token_bucket pace;
};

// What `show packet-generator` prints of one stream.
struct stream_status {
    std::string name;
    std::string state; // disabled, enabled, done
    stream_options options;
    double measured = 0; // packets per second since it was enabled
    uint64_t made = 0;
    uint64_t not_made = 0;
};

// The streams by name. Main thread.
class packet_generator {
public:
    explicit packet_generator(engine& engine);

    // Adds a stream, disabled. errc::exists, errc::exhausted, errc::invalid_argument.
    result<void> add(const std::string& name, const stream_options& options,
                     std::unique_ptr<packet_source> packets);
    result<void> remove(const std::string& name);
    // Enabling begins with the first packet, and what was counted is forgotten. Nothing for a
    // stream that is in that state.
    result<void> enable(const std::string& name, bool on);
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] result<stream_status> status(const std::string& name) const;

    // Takes streams that have reached their limit out of their threads' graphs.
    void retire_done();
    // The process that does so, told by the threads. Before the first stream exists.
    void set_retirer(process_id process) noexcept { retirer_ = process; }

private:
    [[nodiscard]] result<stream*> find(const std::string& name) const;
    result<void> set_polled(const std::string& name, const stream& s, bool polled);

    engine& engine_;
    process_id retirer_ = 0;
    std::map<std::string, std::shared_ptr<stream>> streams_;
};

} // namespace weft::drivers
