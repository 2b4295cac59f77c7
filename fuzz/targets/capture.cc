// SPDX-License-Identifier: Apache-2.0
// A capture file, as the packet generator reads it (pcap, pcapng) and as a replay does (pcapng with
// comments). What was understood keeps to its limits, and a recording that is written again is read
// as the same.
//
// Input: the file.
#include "base/unique_fd.hh"
#include "drivers/generator/packet_source.hh"
#include "fuzz/input.hh"
#include "observe/capture_file.hh"

#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace weft;
using namespace weft::fuzz;

namespace {

constexpr uint32_t least = 14, most = 2048;

void read_for_generator(std::span<const uint8_t> bytes)
{
    const unique_fd file{memfd_create("capture", MFD_CLOEXEC)};
    REQUIRE(file.get() >= 0);
    REQUIRE(write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    const auto found =
        drivers::read_capture(fmt::format("/proc/self/fd/{}", file.get()), least, most, nullptr);
    if (!found) {
        REQUIRE(!found.error().message.empty());
        return;
    }
    REQUIRE(!found->frames.empty());
    for (const auto& f : found->frames) {
        REQUIRE((f.length >= least && f.length <= most));
        REQUIRE((f.offset <= found->bytes.size() && f.length <= found->bytes.size() - f.offset));
    }
}

void read_for_replay(std::span<const uint8_t> bytes)
{
    const auto all = std::as_bytes(bytes);
    const auto found = parse_recording({all.begin(), all.end()});
    if (!found) {
        REQUIRE(!found.error().message.empty());
        return;
    }
    std::vector<std::byte> again;
    append_header(again);
    for (const auto& i : found->interfaces)
        append_interface(again, i, 0);
    for (const auto& p : found->packets) {
        REQUIRE(p.interface < found->interfaces.size());
        REQUIRE(p.bytes.size() <= p.length);
        append_packet(again, p);
    }
    const auto second = parse_recording(std::move(again));
    REQUIRE(second);
    REQUIRE(second->packets.size() == found->packets.size());
    for (size_t i = 0; i < found->packets.size(); ++i)
        REQUIRE(comment_of(second->packets[i]) == comment_of(found->packets[i]));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    read_for_generator({data, size});
    read_for_replay({data, size});
    return 0;
}
