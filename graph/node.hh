// SPDX-License-Identifier: Apache-2.0
// How a node is described and registered: its name, function, next nodes and reasons to drop.
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

using node_id =
    uint16_t; // index in the node registry; a removed node's is reused once nothing refers to it
inline constexpr node_id no_node = 0xffff;

// VPP's four types; the fourth, the process, is registered with process_registration
// (graph/process/process.hh).
enum class node_type : uint8_t {
    pre_input, // called first in a loop: clean-up, polling of sockets
    input,     // brings packets into the graph
    internal,  // is given packets by other nodes
};
// When the thread of an input node calls it.
enum class node_state : uint8_t {
    polling,   // in every loop: the thread never sleeps
    interrupt, // when it is posted, or what its `wait` function names has become readable
    adaptive, // like polling while it brings much, like interrupt (without a file: in short sleeps)
              // while little
    disabled, // never
};

[[nodiscard]] std::string_view to_string(node_type) noexcept;
[[nodiscard]] std::string_view to_string(node_state) noexcept;
[[nodiscard]] std::optional<node_state>
    node_state_of(std::string_view) noexcept; // of its to_string()

// A next slot of a node, by the node's own enumeration.
using next_index = uint16_t;

// What becomes of one packet: it goes to a next slot, is dropped for one of the node's reasons, or
// is consumed: the node keeps, frees or transmits it itself. Not set until assigned.
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
// noun and a sentence.
struct reason {
    uint16_t number;
    std::string_view name;
    std::string_view description;
    severity level = severity::error;
};

// A reason of any node: what a dropped packet's note carries.
using reason_id = uint32_t;
[[nodiscard]] constexpr reason_id make_reason_id(node_id node, uint16_t reason) noexcept
{
    return static_cast<reason_id>(node) << 16 | reason;
}

// Which of a thread's rates in `show runtime` a node's packets count for.
enum class node_role : uint8_t { none, output, dropped, punted };

// The life of a node on one thread:
//   T(node_setup)   main thread, when the first plan of that thread with the node is compiled:
//   memory, what may fail start           that thread, when it takes up a plan with the node: what
//   belongs to the thread itself function/poll   that thread, while its plans have the node,
//   however many come and go stop            that thread, when it takes up a plan without the node,
//   or ends ~T              main thread, when no plan of that thread can have it any more
// A node that comes back keeps its context, and is started again.

// What a node's per-thread context is made from: the template of each thread's own data.
struct node_setup {
    weft::engine& engine;
    unsigned thread; // 0 is the main thread
    node_id id;
    std::string_view name;
    void* argument; // the clone's own, null for a node that is no clone
};

// A node's context for each thread: a T made of a node_setup, kept as long as the node exists.
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

// The variants that a node's function can have. `plain` is the readable one of its descriptor; the
// others are compiled from one source for a level of x86-64 (psABI: v2, v3, v4) and give every
// packet the same verdict and the same bytes.
enum class variant : uint8_t { plain, baseline, avx2, avx512 };
[[nodiscard]] std::string_view to_string(variant) noexcept;
[[nodiscard]] std::string_view description_of(variant) noexcept;
// Whether this machine's processor runs it.
[[nodiscard]] bool is_supported(variant) noexcept;

// A faster variant of an internal node's function, registered before main(). Stands in a file
// called *_vector.cc, which the build compiles once for each level with WEFT_VARIANT set to it.
class node_variant_registration {
public:
    node_variant_registration(std::string_view node, variant which, node_function function);

    std::string_view node;
    variant which;
    node_function function;
};

[[nodiscard]] std::span<const node_variant_registration* const> registered_variants() noexcept;

// Polls once; returns how many packets it brought in.
using input_function = uint32_t (*)(node_run&) noexcept;
// The file that becomes readable when an idle input has work, -1 if its device has none: then it is
// looked at again and again. Called on the node's thread, with `arm` before it sleeps and without
// after it woke. A file that is in an error state, or ends sleeps again and again although nothing
// comes, is not waited for any more for a while.
using input_wait_function = int (*)(node_run&, bool arm) noexcept;
inline constexpr int nothing_comes =
    -2; // instead of a file: the input is not to be looked at until it is posted

// Called between two loops of the node's thread, when all frames are empty: `start` in the order of
// the new plan's ranks, `stop` before that in the reverse order of the old one's. Bounded, since
// the thread stands still for it
// (`show workers` has the time); no packet may be sent on, but those that the node kept may be
// freed (node_run::free).
using node_hook = void (*)(node_run&) noexcept;

struct node_descriptor {
    std::string_view name;
    node_type type = node_type::internal;
    node_state state = node_state::adaptive; // of an input node at start
    node_function function = nullptr;        // internal nodes
    input_function poll = nullptr;           // input and pre-input nodes
    uint32_t every =
        1; // a pre-input node is called in each so many loops, and before its thread sleeps
    input_wait_function wait = nullptr; // input nodes that an idle thread may sleep on
    std::vector<next_node> nexts{};     // by index from 0, without a gap
    std::string_view sibling_of{};      // instead: shares all next slots of that node
    std::vector<reason> reasons{};      // by number likewise
    context_type context{};
    node_hook start = nullptr;
    node_hook stop = nullptr;
    node_role role = node_role::none;
    bool is_template = false;  // runs only as clones
    bool joined_later = false; // may stand in a plan that does not reach it yet
    bool self_edge = false;    // an edge to itself is meant
    bool everywhere = false;   // no worker's patterns leave it out; nor do they any pre-input node
    // What `show trace` prints below the node's name; null: the engine's own variant.
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
