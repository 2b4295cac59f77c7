// SPDX-License-Identifier: Apache-2.0
// The variants that copy frames: the same bytes as the plain one, and no others.
#include "drivers/memif/copy.hh"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <vector>

using namespace weft;
using namespace weft::drivers::memif;

namespace {

constexpr size_t room = 2048;
constexpr size_t max_shift = 64;
constexpr auto untouched = std::byte{0xa5};

struct buffers {
    std::vector<std::byte> bytes = std::vector<std::byte>(vector_size * room, untouched);
    [[nodiscard]] std::byte* at(uint32_t place, size_t shift)
    {
        return bytes.data() + place * room + shift;
    }
};

} // namespace

TEST_CASE("memif copy: every variant copies what the plain one copies")
{
    std::mt19937 random{7};
    for (const variant which : {variant::baseline, variant::avx2, variant::avx512}) {
        if (copy_of(which) == nullptr)
            continue; // not on this processor
        for (uint32_t first = 0; first < 1600; first += vector_size) {
            buffers from, plain, fast;
            for (auto& byte : from.bytes)
                byte = static_cast<std::byte>(random());
            copies by_plain, by_form;
            for (uint32_t i = 0; i < vector_size; ++i) {
                const uint32_t length = first + i + 1; // each from 1 on
                const size_t shift = random() % max_shift, to_shift = random() % max_shift;
                by_plain.add(plain.at(i, to_shift), from.at(i, shift), length);
                by_form.add(fast.at(i, to_shift), from.at(i, shift), length);
            }
            copy_plain(by_plain);
            copy_of(which)(by_form);
            REQUIRE(std::memcmp(plain.bytes.data(), fast.bytes.data(), plain.bytes.size()) == 0);
            REQUIRE(plain.bytes != buffers{}.bytes);
        }
    }
}

TEST_CASE("memif copy: nothing to copy touches nothing")
{
    const copies none{};
    for (const variant which : {variant::plain, variant::baseline, variant::avx2, variant::avx512})
        if (copy_of(which) != nullptr)
            copy_of(which)(none);
    CHECK(copy_of(variant::plain) == copy_plain);
    CHECK(copy_of(variant::baseline) != nullptr);
    CHECK(best_copy() != copy_plain);
}
