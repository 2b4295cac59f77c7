// SPDX-License-Identifier: Apache-2.0
// How a node is described and registered: its name, function, next nodes and drop reasons.
#pragma once

#include "graph/frame.hh"

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;
class node_run;
struct trace_record;

// Index in the node registry. That of a removed node is reused once nothing refers to it.
using node_id = uint16_t;
inline constexpr node_id no_node = 0xffff;

// VPP's node types, except for processes, which are registered with process_registration
// (graph/process/process.hh).
enum class node_type : uint8_t {
    pre_input, // called first in a loop: clean-up, polling of sockets
    input,     // brings packets into the graph
    internal,  // receives packets from other nodes
};
// When the thread of an input node calls it.
enum class node_state : uint8_t {
    polling,   // in every loop: the thread never sleeps
    interrupt, // when it is posted, or when the file that its `wait` returns becomes readable
    adaptive,  // polling under load, otherwise interrupt (without a file: with short sleeps)
    disabled,  // never
};

[[nodiscard]] std::string_view to_string(node_type) noexcept;
[[nodiscard]] std::string_view to_string(node_state) noexcept;
// The inverse of to_string().
[[nodiscard]] std::optional<node_state> node_state_of(std::string_view) noexcept;

// A next slot of a node, as numbered by the node's own enumeration.
using next_index = uint16_t;

// What happens to a packet: it goes to a next slot, is dropped for one of the node's reasons, or is
// consumed, which means that the node keeps, frees or transmits it itself. Uninitialised by
// default.
class verdict {
public:
    verdict() = default;
    constexpr verdict(next_index next) noexcept : bits_{next} {}
    [[nodiscard]] static constexpr verdict of_bits(uint16_t bits) noexcept { return verdict{bits}; }
    [[nodiscard]] static constexpr verdict of_reason(uint16_t reason) noexcept
    {
        return verdict{static_cast<uint16_t>(drop_bit | reason)};
    }

    [[nodiscard]] constexpr bool is_next() const noexcept { return bits_ < consumed_bits; }
    [[nodiscard]] constexpr bool is_drop() const noexcept { return (bits_ & drop_bit) != 0; }
    [[nodiscard]] constexpr bool is_consumed() const noexcept { return bits_ == consumed_bits; }
    [[nodiscard]] constexpr next_index next() const noexcept { return bits_; } // is_next()
    [[nodiscard]] constexpr uint16_t reason() const noexcept
    {
        return static_cast<uint16_t>(bits_ & ~drop_bit);
    } // is_drop()
    [[nodiscard]] constexpr uint16_t bits() const noexcept
    {
        return bits_;
    } // as traces and captures keep it
    friend constexpr bool operator==(verdict, verdict) noexcept = default;

    static constexpr uint16_t drop_bit = 0x8000;
    static constexpr uint16_t consumed_bits = 0x7fff;

private:
    uint16_t bits_;
};
inline constexpr verdict consumed = verdict::of_bits(verdict::consumed_bits);
[[nodiscard]] constexpr verdict drop(uint16_t reason) noexcept
{
    return verdict::of_reason(reason);
}

enum class severity : uint8_t { info, warning, error };
[[nodiscard]] std::string_view to_string(severity) noexcept;

// A next slot and the node that it leads to.
struct next_node {
    next_index index;
    std::string_view name;
};

// A reason for which a node drops (or just counts) packets: its number in the node's enumeration, a
// noun, and a sentence for the user.
struct reason {
    uint16_t number;
    std::string_view name;
    std::string_view description;
    severity level = severity::error;
};

// A reason of any node, as stored in the note of a dropped packet.
using reason_id = uint32_t;
[[nodiscard]] constexpr reason_id make_reason_id(node_id node, uint16_t reason) noexcept
{
    return static_cast<reason_id>(node) << 16 | reason;
}

// The rate of `show runtime` to which a node's packets are added.
enum class node_role : uint8_t { none, output, dropped, punted };

// The life of a node on one thread:
//
// - T(node_setup): on the main thread, when the first plan for that thread with the node is
//   compiled. For memory, and whatever may fail.
// - start: on that thread, when it adopts a plan with the node. For thread-local resources.
// - function or poll: on that thread, for as long as its plans contain the node.
// - stop: on that thread, when it adopts a plan without the node, or ends.
// - ~T: on the main thread, when no plan of that thread can contain the node any more.
//
// A node that comes back keeps its context, and is started again.

// What the constructor of a node's per-thread context gets.
struct node_setup {
    weft::engine& engine;
    unsigned thread; // 0 is the main thread
    node_id id;
    std::string_view name;
    void* argument; // that of the clone; null if the node is not a clone
};

// A node's per-thread context: a T constructed from a node_setup, which lives as long as the node.
struct context_type {
    size_t size = 0;
    size_t alignment = 1;
    void (*make)(void* at, const node_setup&) = nullptr;
    void (*destroy)(void* at) noexcept = nullptr;
};
template <class T>
[[nodiscard]] constexpr context_type context_of() noexcept
{
    return {sizeof(T), alignof(T), [](void* at, const node_setup& setup) { new (at) T(setup); },
            [](void* at) noexcept { static_cast<T*>(at)->~T(); }};
}

using node_function = void (*)(node_run&, frame&) noexcept;

// The variants of a node's function. `plain` is the readable one in its descriptor. The others are
// compiled from one source for each level of x86-64 (psABI: v2, v3, v4), and must give every packet
// the same verdict and the same bytes.
enum class variant : uint8_t { plain, baseline, avx2, avx512 };
[[nodiscard]] std::string_view to_string(variant) noexcept;
[[nodiscard]] std::string_view description_of(variant) noexcept;
// Whether this CPU supports it.
[[nodiscard]] bool is_supported(variant) noexcept;

// A faster variant of an internal node's function, registered before main(). Its file is called
// *_vector.cc, and the build compiles it once for each level, with WEFT_VARIANT set to the level.
class node_variant_registration {
public:
    node_variant_registration(std::string_view node, variant which, node_function function);

    std::string_view node;
    variant which;
    node_function function;
};

[[nodiscard]] std::span<const node_variant_registration* const> registered_variants() noexcept;

// Polls once and returns the number of packets received.
using input_function = uint32_t (*)(node_run&) noexcept;
// Returns a file that becomes readable when an idle input has work, or -1 if the device has none;
// it is then polled periodically. Called on the node's thread, with `arm` before the thread sleeps
// and without it after the thread woke. A file that is in an error state, or keeps waking the
// thread although nothing arrives, is not waited for for a while.
using input_wait_function = int (*)(node_run&, bool arm) noexcept;
// Returned instead of a file: do not poll this input until it is posted.
inline constexpr int nothing_comes = -2;

// Called between two loops of the node's thread, when all frames are empty: first `stop`, in
// reverse order of the old plan's ranks, then `start`, in order of the new plan's. Must be bounded,
// since it pauses the thread (`show workers` has the time). No packet may be sent on, but packets
// that the node kept may be freed (node_run::free).
using node_hook = void (*)(node_run&) noexcept;

struct node_descriptor {
    std::string_view name;
    node_type type = node_type::internal;
    node_state state = node_state::adaptive; // initial state of an input node
    node_function function = nullptr;        // internal nodes
    input_function poll = nullptr;           // input and pre-input nodes
    uint32_t every = 1; // a pre-input node runs every so many loops, and before its thread sleeps
    input_wait_function wait = nullptr; // input nodes that an idle thread may sleep on
    std::vector<next_node> nexts{};     // by index, from 0 without gaps
    std::string_view sibling_of{};      // shares all next slots of that node, instead of `nexts`
    std::vector<reason> reasons{};      // by number, likewise
    context_type context{};
    node_hook start = nullptr;
    node_hook stop = nullptr;
    node_role role = node_role::none;
    bool is_template = false;  // runs only as clones
    bool joined_later = false; // a plan may contain it although nothing leads to it yet
    bool self_edge = false;    // an edge to itself is intended
    bool everywhere = false;   // in every plan, whatever its patterns; pre-input nodes always are
    // Formats what `show trace` prints below the node's name; null: the engine's default format.
    std::string (*format_trace)(const trace_record&) = nullptr;
};

// Registers a node before main().
class node_registration {
public:
    explicit node_registration(node_descriptor descriptor,
                               std::source_location where = std::source_location::current());

    node_descriptor what;
    std::source_location where;
};

[[nodiscard]] std::span<const node_registration* const> registered_nodes() noexcept;

} // namespace weft
