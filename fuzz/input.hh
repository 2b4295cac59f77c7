// SPDX-License-Identifier: Apache-2.0
// What all targets share: an input that is taken apart from its front, and checks that end the
// program.
#pragma once

#include <catch2/catch.hpp> // fuzz/checks: REQUIRE without Catch

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace weft::fuzz {

// Gives zeros when it is used up.
class input {
public:
    input(const uint8_t* data, size_t size) noexcept : left_{data, size} {}

    [[nodiscard]] bool empty() const noexcept { return left_.empty(); }
    [[nodiscard]] uint8_t u8() noexcept
    {
        const auto one = bytes(1);
        return one.empty() ? uint8_t{0} : one.front();
    }
    [[nodiscard]] uint16_t u16() noexcept
    {
        const unsigned low = u8();
        return static_cast<uint16_t>(low | u8() << 8);
    }
    [[nodiscard]] uint32_t u32() noexcept
    {
        const uint32_t low = u16();
        return low | uint32_t{u16()} << 16;
    }
    // At most so many.
    [[nodiscard]] std::span<const uint8_t> bytes(size_t most) noexcept
    {
        const auto taken = left_.first(std::min(most, left_.size()));
        left_ = left_.subspan(taken.size());
        return taken;
    }
    [[nodiscard]] std::span<const uint8_t> rest() noexcept { return bytes(left_.size()); }

private:
    std::span<const uint8_t> left_;
};

[[nodiscard]] inline std::string_view text_of(std::span<const uint8_t> bytes) noexcept
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace weft::fuzz

// What a target is: runs one input, and returns 0. What is wrong ends the program.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
