// SPDX-License-Identifier: Apache-2.0
// A memif connection: the memory and the rings that it consists of.
#pragma once

#include "base/reaper.hh"
#include "base/result.hh"
#include "base/unique_fd.hh"
#include "drivers/memif/protocol.hh"
#include "drivers/memif/ringer.hh"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace weft::drivers::memif {

inline constexpr uint8_t max_log2 = 14; // of a ring's descriptors
inline constexpr size_t max_regions = 256;
inline constexpr size_t max_rings = 64; // in each direction

enum class role : uint8_t { client, server };
enum class direction : uint8_t { receive, transmit };

// A shared file's bytes at an address. The file cannot become shorter, so that no access to it can
// fail.
class region {
public:
    // Maps a peer's file, which may be anything: errors say what is wrong with it. Does not wait,
    // whatever it is.
    [[nodiscard]] static result<region> map(int file, uint64_t bytes);
    // New memory of this process's own with its file, in huge pages if any are free.
    [[nodiscard]] static result<region> make(size_t bytes, unique_fd& file);
    region(region&& other) noexcept
        : base_{std::exchange(other.base_, nullptr)}, bytes_{other.bytes_}, mapped_{other.mapped_}
    {}
    region& operator=(region&&) = delete;
    ~region();

    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    [[nodiscard]] uint64_t bytes() const noexcept { return bytes_; }
    // Whether `length` bytes from `offset` on lie in it.
    [[nodiscard]] bool holds(uint64_t offset, uint64_t length) const noexcept
    {
        return offset <= bytes_ && length <= bytes_ - offset;
    }

private:
    region(void* base, uint64_t bytes, size_t mapped) noexcept
        : base_{static_cast<std::byte*>(base)}, bytes_{bytes}, mapped_{mapped}
    {}
    std::byte* base_;
    uint64_t bytes_;
    size_t mapped_;
};

// A descriptor read once: its peer may write to it at any time.
[[nodiscard, gnu::always_inline]] inline descriptor read_once(const descriptor& shared) noexcept
{
    const auto* const words = reinterpret_cast<const uint64_t*>(&shared);
    const uint64_t both[2] = {__atomic_load_n(words, __ATOMIC_RELAXED),
                              __atomic_load_n(words + 1, __ATOMIC_RELAXED)};
    descriptor copy;
    std::memcpy(&copy, both, sizeof copy);
    return copy;
}

// A ring as one of its ends sees it. One thread at a time uses it.
class alignas(64) ring {
public:
    // The ring lies at `shared`, of which the caller knows that 2^log2 descriptors follow. `bell`:
    // what wakes the receiver. `buffer_bytes`: of a client's buffers; 0 at a server.
    ring(ring_header& shared, uint8_t log2, role end, direction way, unique_fd bell,
         uint32_t buffer_bytes) noexcept;

    [[nodiscard]] uint32_t size() const noexcept { return mask_ + 1; }
    // How many descriptors are ours now: frames to receive, or buffers to send in. Whatever the
    // peer writes, not more than there are.
    [[nodiscard]] uint32_t available() const noexcept
    {
        const auto count =
            static_cast<uint16_t>(theirs_->load(std::memory_order_acquire) + granted_ - next_);
        return std::min<uint32_t>(count, size());
    }
    // The one in the given place from the oldest available on.
    [[nodiscard]] descriptor& at(uint32_t place) const noexcept
    {
        return slots_[(next_ + place) & mask_];
    }
    // The same to a sender, with how many bytes fit: what a client writes there says how many it
    // has sent.
    [[nodiscard]] descriptor buffer_at(uint32_t place) const noexcept
    {
        descriptor d = read_once(at(place));
        if (buffer_bytes_ != 0)
            d.length = buffer_bytes_;
        return d;
    }
    // Gives the first `count` of them to the peer.
    void publish(uint32_t count) noexcept
    {
        next_ = static_cast<uint16_t>(next_ + count);
        ours_->store(static_cast<uint16_t>(next_ + ahead_), std::memory_order_release);
    }
    // Of a client's own buffers, which its receiver offers again; 0 at a server.
    [[nodiscard]] uint32_t buffer_bytes() const noexcept { return buffer_bytes_; }

    // The sender: the same, and wakes a receiver that sleeps. Does not wait, whatever the peer does
    // to the bell.
    void send(uint32_t count, ringer& by) noexcept;
    // The receiver: whether it wants to be woken. When it no longer does, the bell is silenced.
    void listen(bool wanted) noexcept;
    [[nodiscard]] int bell() const noexcept { return bell_.get(); }

private:
    descriptor* slots_;
    const std::atomic<uint16_t>* theirs_;
    std::atomic<uint16_t>* ours_;
    uint32_t mask_;
    uint32_t buffer_bytes_;
    uint16_t next_ = 0;
    uint16_t granted_; // descriptors that are ours before the peer has moved its end: all of a
                       // client's that sends
    uint16_t ahead_;   // a client that receives offers as many buffers as the ring has
    std::atomic<uint16_t>* flags_;
    unique_fd bell_;
};

// Built by the main thread; then each ring belongs to the thread that receives from it, or sends to
// it. Freed when none of them looks at it any more.
class link {
public:
    std::string peer;
    std::vector<region> regions;
    std::vector<ring> receive;
    std::vector<ring> transmit;

    // Where a descriptor's bytes lie, null if they do not lie in the memory.
    [[nodiscard, gnu::always_inline]] std::byte* bytes_of(const descriptor& d) const noexcept
    {
        if (d.region >= regions.size() || !regions[d.region].holds(d.offset, d.length)) [[unlikely]]
            return nullptr;
        return regions[d.region].base() + d.offset;
    }
};

// Another process may have filled its memory, which takes a while to free.
using link_ptr = std::unique_ptr<link, reaped<link>>;

// A client's own memory: rings in both directions, a buffer for each descriptor; nothing is offered
// yet.
struct client_memory {
    uint8_t log2;
    uint16_t rings_to_server, rings_to_client;
    uint32_t buffer_bytes;

    [[nodiscard]] size_t ring_count() const noexcept
    {
        return size_t{rings_to_server} + rings_to_client;
    }
    // Of a ring, those to the server first, from the start of the one region.
    [[nodiscard]] size_t ring_offset(size_t ring) const noexcept { return ring * ring_bytes(log2); }
    [[nodiscard]] size_t buffer_offset(size_t ring, size_t place) const noexcept;
    [[nodiscard]] result<region> make(unique_fd& file) const;
};

} // namespace weft::drivers::memif
