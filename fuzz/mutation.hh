// SPDX-License-Identifier: Apache-2.0
// Changes inputs in the ways that parsers are wrong about, the same ones in every run.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace weft::fuzz {

class mutator {
public:
    explicit mutator(uint64_t seed) noexcept : state_{seed * 0x9e3779b97f4a7c15 | 1} {}

    // One to eight changes; `other` is what parts are taken from. Never longer than `most`.
    void change(std::vector<uint8_t>& bytes, const std::vector<uint8_t>& other, size_t most)
    {
        for (unsigned n = 1 + below(8); n > 0; --n)
            change_once(bytes, other);
        if (bytes.size() > most)
            bytes.resize(most);
    }

private:
    uint64_t next() noexcept // xorshift64*
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1d;
    }
    uint32_t below(size_t count) noexcept { return static_cast<uint32_t>((next() >> 32) % count); }

    void change_once(std::vector<uint8_t>& bytes, const std::vector<uint8_t>& other)
    {
        static constexpr std::array<uint8_t, 10> telling{0,    1,    0x0a, 0x20, 0x3a,
                                                         0x45, 0x7f, 0x80, 0xfe, 0xff};
        if (bytes.empty()) {
            bytes.push_back(static_cast<uint8_t>(next()));
            return;
        }
        const uint32_t at = below(bytes.size());
        const auto here = bytes.begin() + at;
        const uint32_t length = 1 + below(std::min<size_t>(bytes.size() - at, 64));
        switch (below(9)) {
        case 0:
            *here ^= static_cast<uint8_t>(1u << below(8));
            break;
        case 1:
            *here = telling[below(telling.size())];
            break;
        case 2:
            *here = static_cast<uint8_t>(next());
            break;
        case 3:
            *here = static_cast<uint8_t>(*here + below(9) - 4);
            break;
        case 4:
            bytes.erase(here, here + length);
            break;
        case 5:
            bytes.resize(at + 1);
            break;
        case 6:
            bytes.insert(here, length, static_cast<uint8_t>(next()));
            break;
        case 7: {
            const std::vector<uint8_t> part{here, here + length};
            bytes.insert(bytes.begin() + below(bytes.size()), part.begin(), part.end());
            break;
        }
        default:
            if (!other.empty()) {
                const uint32_t from = below(other.size());
                bytes.insert(here, other.begin() + from,
                             other.begin() + from +
                                 below(std::min<size_t>(other.size() - from, 128) + 1));
            }
        }
    }

    uint64_t state_;
};

} // namespace weft::fuzz
