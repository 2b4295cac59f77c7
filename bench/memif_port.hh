// SPDX-License-Identifier: Apache-2.0
// The client's side of a memif connection: two rings and their buffers in shared memory, used in
// place.
#pragma once

#include "drivers/memif/protocol.hh"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include <fmt/format.h>

namespace weft::bench {

inline constexpr int exit_wrong_usage = 2;
inline constexpr int exit_no_link = 3;

template <class... Words>
[[noreturn]] void give_up(int status, fmt::format_string<Words...> text, Words&&... words)
{
    fmt::print(stderr, "memif_generator: {}\n", fmt::format(text, std::forward<Words>(words)...));
    std::exit(status);
}

// Not for more than one thread. Positions count from 0 at the oldest descriptor in turn.
class memif_port {
public:
    static constexpr uint32_t buffer_bytes = 2048;

    // Connects to interface 0 behind a server's socket, which may take up to `wait_seconds` to
    // appear. Gives up with a message if that fails.
    memif_port(const std::string& socket, unsigned ring_log2, unsigned wait_seconds);
    ~memif_port();
    memif_port(const memif_port&) = delete;
    memif_port& operator=(const memif_port&) = delete;

    // Writes the same frame into every transmit buffer. It stays there: the server only reads.
    void fill(std::span<const uint8_t> frame) noexcept;

    // How many frames can be sent now, at most `wanted`.
    [[nodiscard]] uint32_t room(uint32_t wanted) noexcept
    {
        uint32_t free = size_ - static_cast<uint16_t>(sent_ - taken_);
        if (free < wanted) {
            taken_ = transmit_->tail.load(std::memory_order_acquire);
            free = size_ - static_cast<uint16_t>(sent_ - taken_);
        }
        return free < wanted ? free : wanted;
    }
    [[nodiscard]] uint8_t* outgoing(uint32_t position) noexcept
    {
        return outgoing_ + ((sent_ + position) & mask_) * size_t{buffer_bytes};
    }
    void send(uint32_t count) noexcept
    {
        sent_ = static_cast<uint16_t>(sent_ + count);
        transmit_->head.store(sent_, std::memory_order_release);
        // where this looks just before the server falls asleep, the next one wakes it
        if ((transmit_->flags.load(std::memory_order_relaxed) & drivers::memif::ring_unheard) == 0)
            [[unlikely]]
            ring_bell();
    }

    // How many frames lie here, at most `wanted`.
    [[nodiscard]] uint32_t arrived(uint32_t wanted) const noexcept
    {
        const uint32_t here =
            static_cast<uint16_t>(receive_->tail.load(std::memory_order_acquire) - received_);
        return here < wanted ? here : wanted;
    }
    [[nodiscard]] std::span<const uint8_t> incoming(uint32_t position) const noexcept
    {
        const auto& at = receive_->descriptors()[(received_ + position) & mask_];
        return {memory_ + at.offset, at.length};
    }
    void give_back(uint32_t count) noexcept;

private:
    void make_memory();
    void introduce();
    void ring_bell() const noexcept;

    int socket_ = -1;
    int region_ = -1;
    int bell_ = -1; // wakes the server
    uint32_t size_;
    uint32_t mask_;
    unsigned log2_;
    size_t bytes_ = 0;
    uint8_t* memory_ = nullptr;
    drivers::memif::ring_header* transmit_ = nullptr;
    drivers::memif::ring_header* receive_ = nullptr;
    uint8_t* outgoing_ = nullptr;
    uint16_t sent_ = 0;     // head of the transmit ring
    uint16_t taken_ = 0;    // its tail, as last read
    uint16_t received_ = 0; // the receive ring's tail, as far as it was dealt with
};

} // namespace weft::bench
