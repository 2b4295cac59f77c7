// SPDX-License-Identifier: Apache-2.0
// A recording that is replayed on a router: told why not, or done, and no packet stays behind.
//
// Input: the file.
#include "observe/replay.hh"
#include "fuzz/input.hh"
#include "fuzz/router.hh"
#include "observe/capture_file.hh"

#include <nlohmann/json.hpp>

using namespace weft;
using namespace weft::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static auto& on = *new router{variant::plain};
    const auto bytes = std::as_bytes(std::span{data, size});
    const auto what = parse_recording({bytes.begin(), bytes.end()});
    if (!what || what->packets.empty())
        return 0;
    replay_clock clock;
    const auto done = replay(on.inside().engine, *what, clock);
    if (done)
        REQUIRE(!replay_text(*done).empty());
    else
        REQUIRE(!done.error().message.empty());
    on.settle();
    return 0;
}
