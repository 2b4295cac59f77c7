// SPDX-License-Identifier: Apache-2.0
// Reads pcapng, as much of it as captures of vectors need.
#include "base/input_file.hh"
#include "base/net/headers.hh"
#include "observe/capture_blocks.hh"
#include "observe/capture_file.hh"

#include <algorithm>
#include <cstring>

namespace weft {

namespace {

using namespace pcapng;

using bytes_view = std::span<const std::byte>;

// Reads numbers one after the other; what is beyond the end is an error that is asked for last.
class reader {
public:
    explicit reader(bytes_view bytes) : left_{bytes} {}

    template <class T>
    T number() noexcept
    {
        T value{};
        const auto from = take(sizeof value);
        if (from.size() == sizeof value)
            std::memcpy(&value, from.data(), sizeof value);
        return value;
    }
    bytes_view take(size_t count) noexcept
    {
        if (count > left_.size()) {
            failed_ = true;
            left_ = {};
            return {};
        }
        const auto taken = left_.first(count);
        left_ = left_.subspan(count);
        return taken;
    }
    bytes_view take_padded(size_t count) noexcept
    {
        const auto taken = take(count);
        take((4 - count % 4) % 4);
        return taken;
    }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] bool empty() const noexcept { return left_.empty(); }

private:
    bytes_view left_;
    bool failed_ = false;
};

class parser {
public:
    explicit parser(recording& into) : into_{into} {}

    result<void> run()
    {
        const bytes_view file = into_.file;
        for (size_t at = 0; at < file.size(); at = next_) {
            at_ = at;
            if (auto done = block(file.subspan(at)); !done)
                return fail(done.error().code, "at byte {}: {}", at, done.error().message);
        }
        if (!in_section_)
            return fail(errc::invalid_argument, "at byte 0: the file is empty");
        return {};
    }

private:
    result<void> block(bytes_view rest)
    {
        reader head{rest};
        const auto type = head.number<uint32_t>();
        const auto length = head.number<uint32_t>();
        if (head.failed())
            return fail(errc::invalid_argument, "a block is truncated after {} bytes", rest.size());
        if (type != section_header && !in_section_)
            return fail(errc::invalid_argument, "not a pcapng file (it begins with 0x{:08x})",
                        type);
        if (type == section_header)
            if (const auto magic = head.number<uint32_t>(); magic != byte_order_magic)
                return fail(errc::unsupported,
                            "a section with a different byte order than this machine's (or not "
                            "pcapng: 0x{:08x})",
                            magic);
        if (length < 12 || length % 4 != 0)
            return fail(errc::invalid_argument,
                        "a block of {} bytes, expected a multiple of 4, at least 12", length);
        if (length > rest.size())
            return fail(errc::invalid_argument, "a block of {} bytes is truncated after {}", length,
                        rest.size());
        uint32_t again = 0;
        std::memcpy(&again, rest.data() + length - sizeof again, sizeof again);
        if (again != length)
            return fail(errc::invalid_argument, "a block begins with length {} and ends with {}",
                        length, again);
        next_ = at_ + length;
        reader body{rest.subspan(8, length - 12)};
        if (type == section_header) {
            in_section_ = true;
            first_interface_ = into_.interfaces.size();
            resolutions_.clear();
            return {};
        }
        if (type == interface_description)
            return interface(body);
        if (type == enhanced_packet)
            return packet(body);
        if (type == simple_packet)
            return fail(errc::unsupported, "a simple packet block, which has no comment");
        return {}; // statistics, names, ...
    }

    // Calls `each` with the code and value of every option.
    template <class Each>
    static result<void> options(reader& body, Each&& each)
    {
        while (!body.empty()) {
            const auto code = body.number<uint16_t>();
            const auto length = body.number<uint16_t>();
            const auto value = body.take_padded(length);
            if (body.failed())
                return fail(errc::invalid_argument, "option {} of {} bytes is truncated", code,
                            length);
            if (code == option_end)
                return {};
            if (auto done = each(code, value); !done)
                return done;
        }
        return {};
    }

    static std::string_view text(bytes_view value)
    {
        return {reinterpret_cast<const char*>(value.data()), value.size()};
    }

    result<void> interface(reader& body)
    {
        recorded_interface found;
        uint8_t resolution = microseconds; // the draft's default
        const auto link = body.number<uint16_t>();
        body.take(6); // reserved, snap length
        if (body.failed() || link != link_ethernet)
            return fail(errc::unsupported, "an interface of link type {}, expected Ethernet ({})",
                        link, link_ethernet);
        auto done = options(body, [&](uint16_t code, bytes_view value) -> result<void> {
            if (code == option_name)
                found.name = text(value);
            if (code == option_mac && value.size() == sizeof found.mac)
                std::memcpy(&found.mac, value.data(), sizeof found.mac);
            if (code == option_resolution && !value.empty())
                resolution = static_cast<uint8_t>(value[0]);
            return {};
        });
        if (!done)
            return done;
        if (resolution > nanoseconds)
            return fail(errc::unsupported,
                        "an interface whose clock has resolution {}, expected at "
                        "most {} (nanoseconds)",
                        resolution, nanoseconds);
        uint64_t unit = 1;
        for (unsigned i = resolution; i < nanoseconds; ++i)
            unit *= 10;
        resolutions_.push_back(unit);
        into_.interfaces.push_back(std::move(found));
        return {};
    }

    result<void> packet(reader& body)
    {
        recorded_packet found;
        found.at = at_;
        const auto interface = body.number<uint32_t>();
        const auto high = body.number<uint32_t>();
        const auto low = body.number<uint32_t>();
        const auto captured = body.number<uint32_t>();
        found.length = body.number<uint32_t>();
        found.bytes = body.take_padded(captured);
        if (body.failed())
            return fail(errc::invalid_argument, "a packet of {} bytes is larger than its block",
                        captured);
        if (interface >= resolutions_.size())
            return fail(errc::invalid_argument,
                        "a packet of interface {}, but only {} are described", interface,
                        resolutions_.size());
        found.interface = first_interface_ + interface;
        found.nanoseconds = (uint64_t{high} << 32 | low) * resolutions_[interface];
        bool told = false; // a person may have added comments of their own
        auto done = options(body, [&](uint16_t code, bytes_view value) -> result<void> {
            if (code != option_comment || told || !text(value).starts_with("weft: "))
                return {};
            told = true;
            return parse_comment(text(value), found);
        });
        if (!done)
            return done;
        if (!told)
            return fail(errc::invalid_argument,
                        "a packet without a weft comment, so its node is unknown");
        // input nodes write Ethernet's offset for the shortest frame too
        const auto furthest = std::max(found.bytes.size(), sizeof(net::ethernet_header));
        if (found.bytes.size() > found.length || found.l3_offset > furthest)
            return fail(errc::invalid_argument,
                        "a packet of {} bytes, {} of them recorded, with its "
                        "network header at {}",
                        found.length, found.bytes.size(), found.l3_offset);
        into_.packets.push_back(std::move(found));
        return {};
    }

    recording& into_;
    size_t at_ = 0;
    size_t next_ = 0;
    bool in_section_ = false;
    size_t first_interface_ = 0;        // of the section
    std::vector<uint64_t> resolutions_; // of its interfaces: nanoseconds in a unit
};

} // namespace

result<recording> parse_recording(std::vector<std::byte> file)
{
    recording read;
    read.file = std::move(file);
    if (auto done = parser{read}.run(); !done)
        return pass(done);
    return read;
}

result<recording> read_recording(const std::string& path)
{
    auto file = input_file::open(path, max_recording);
    if (!file)
        return pass(file);
    auto bytes = file->read_all<std::vector<std::byte>>([] { return true; });
    if (!bytes)
        return pass(bytes);
    auto read = parse_recording(std::move(*bytes));
    if (!read)
        return fail(read.error().code, "{}: {}", path, read.error().message);
    return read;
}

} // namespace weft
