// SPDX-License-Identifier: Apache-2.0
// Reads the files that streams of the packet generator are made from.
#include "drivers/generator/packet_source.hh"

#include "base/input_file.hh"
#include "graph/process/process.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <optional>
#include <pcap/pcap.h>
#include <random>

namespace weft::drivers {

namespace {

constexpr uint64_t max_capture_file =
    256 << 20; // bytes: what may be kept of one, and what is around the frames
constexpr uint64_t max_list = 512 << 20;
constexpr size_t max_line = 4096;

// Others take their turn after every so many steps of work.
class turns {
public:
    explicit turns(process* self) : self_{self} {}
    void step()
    {
        if (++steps_ % 4096 == 0)
            take();
    }
    bool take() const
    {
        if (self_ != nullptr)
            self_->yield();
        return true;
    }

private:
    process* const self_;
    uint32_t steps_ = 0;
};

// A capture file as libpcap reads it. What is between two frames is bounded, because libpcap passes
// over it in one go.
class pcap_input {
public:
    explicit pcap_input(input_file& file) : file_{file} {}

    // Belongs to the caller; null if there is no memory for it. This outlives it.
    [[nodiscard]] std::FILE* open()
    {
        cookie_io_functions_t functions{};
        functions.read = read;
        return ::fopencookie(this, "r", functions);
    }
    void frame_came() noexcept { since_frame_ = 0; }
    // Why it could not be read any further; empty if that is libpcap's to say.
    [[nodiscard]] const std::optional<error>& failure() const noexcept { return failure_; }

private:
    static constexpr size_t max_between = 1 << 20; // bytes

    static ssize_t read(void* self, char* into, size_t bytes)
    {
        auto& input = *static_cast<pcap_input*>(self);
        auto got = input.file_.read({into, bytes});
        if (got)
            input.since_frame_ += *got;
        if (got && input.since_frame_ > max_between)
            got = fail(errc::exhausted, "{}: more than {} bytes without a frame",
                       input.file_.path(), max_between);
        if (got)
            return static_cast<ssize_t>(*got);
        input.failure_ = got.error();
        errno = EIO;
        return -1;
    }

    input_file& file_;
    size_t since_frame_ = 0;
    std::optional<error> failure_;
};

result<void> append(capture& to, const pcap_pkthdr& header, const u_char* data, uint32_t least,
                    uint32_t most)
{
    const size_t number = to.frames.size() + 1;
    if (header.caplen != header.len)
        return fail(errc::invalid_argument,
                    "frame {} was truncated when it was captured: {} of its {} bytes", number,
                    header.caplen, header.len);
    if (header.len < least || header.len > most)
        return fail(errc::invalid_argument, "frame {} has {} bytes, expected {} to {}", number,
                    header.len, least, most);
    if (number > max_captured_frames || to.bytes.size() + header.len > max_captured_bytes)
        return fail(errc::exhausted, "more than {} frames or {} MB", max_captured_frames,
                    max_captured_bytes >> 20);
    to.frames.push_back(
        {static_cast<uint32_t>(to.bytes.size()), static_cast<uint16_t>(header.len)});
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    to.bytes.insert(to.bytes.end(), bytes, bytes + header.len);
    return {};
}

// Of a line's first word; none if it is neither an address nor a network.
std::optional<net::ip4_prefix> prefix_of(std::string_view line)
{
    const auto word = line.substr(0, line.find_first_of(" \t\r"));
    if (word.find('/') != std::string_view::npos) {
        const auto prefix = net::parse<net::ip4_prefix>(word);
        return prefix ? std::optional{*prefix} : std::nullopt;
    }
    const auto address = net::parse<net::ip4_address>(word);
    return address ? std::optional{net::ip4_prefix{*address, 32}} : std::nullopt;
}

// The addresses and networks of a list, a line each.
class prefix_list {
public:
    explicit prefix_list(const std::string& path) : path_{path} {}

    // Takes whole lines, or with `last` the rest too; returns how many bytes that were.
    size_t take(std::string_view text, bool last)
    {
        size_t done = 0;
        while (done < text.size() && wrong_) {
            const size_t end = text.find('\n', done);
            if (end == std::string_view::npos && !last)
                return done;
            take_line(text.substr(done, end - done));
            done = end == std::string_view::npos ? text.size() : end + 1;
        }
        return text.size();
    }
    [[nodiscard]] result<std::vector<net::ip4_prefix>> finish()
    {
        if (!wrong_)
            return pass(wrong_);
        if (found_.empty())
            return fail(errc::invalid_argument, "{}: it contains no address", path_);
        return std::move(found_);
    }

private:
    void take_line(std::string_view line)
    {
        ++number_;
        if (line.empty() || line[0] == '#')
            return;
        const auto prefix = line.size() > max_line ? std::nullopt : prefix_of(line);
        if (!prefix)
            wrong_ = fail(errc::invalid_argument,
                          "{}:{}:1: expected an address such as 10.0.0.1, or a network such as "
                          "10.0.0.0/24 with no bits set beyond its length",
                          path_, number_);
        else if (found_.size() == 4 * max_destinations)
            wrong_ = fail(errc::exhausted, "{}: more than {} lines", path_, found_.size());
        else
            found_.push_back(*prefix);
    }

    const std::string& path_;
    std::vector<net::ip4_prefix> found_;
    result<void> wrong_;
    size_t number_ = 0;
};

result<std::vector<net::ip4_prefix>> read_prefixes(const std::string& path, const turns& turn)
{
    auto file = input_file::open(path, max_list);
    if (!file)
        return pass(file);
    prefix_list list{path};
    const auto take = [&](std::string_view text, bool last) { return list.take(text, last); };
    if (auto done = file->read_pieces(
            max_line, [&] { return turn.take(); }, take);
        !done)
        return pass(done);
    return list.finish();
}

result<capture> read_frames(pcap_t* file, pcap_input& input, const std::string& path, size_t size,
                            uint32_t least, uint32_t most, turns turn)
{
    if (pcap_datalink(file) != DLT_EN10MB)
        return fail(errc::invalid_argument, "{}: its link type is {}, not Ethernet ({})", path,
                    pcap_datalink(file), DLT_EN10MB);
    capture read;
    read.bytes.reserve(std::min<size_t>(size, max_captured_bytes));
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    int code = 0;
    while ((code = pcap_next_ex(file, &header, &data)) == 1) {
        input.frame_came();
        if (auto added = append(read, *header, data, least, most); !added)
            return fail(added.error().code, "{}: {}", path, added.error().message);
        turn.step();
    }
    if (input.failure())
        return tl::make_unexpected(*input.failure());
    if (code != PCAP_ERROR_BREAK)
        return fail(errc::invalid_argument, "{}: {}", path, pcap_geterr(file));
    if (read.frames.empty())
        return fail(errc::invalid_argument, "{}: it contains no frame", path);
    return read;
}

} // namespace

result<capture> read_capture(const std::string& path, uint32_t least, uint32_t most, process* self)
{
    auto file = input_file::open(path, max_capture_file);
    if (!file)
        return pass(file);
    pcap_input input{*file};
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream{input.open(), std::fclose};
    if (!stream)
        return fail(errc::exhausted, "{}: not enough memory to read it", path);
    std::array<char, PCAP_ERRBUF_SIZE> why{};
    const std::unique_ptr<pcap_t, void (*)(pcap_t*)> frames{
        pcap_fopen_offline(stream.get(), why.data()), [](pcap_t* p) { pcap_close(p); }};
    if (!frames && input.failure())
        return tl::make_unexpected(*input.failure());
    if (!frames)
        return fail(errc::invalid_argument, "{}: {}", path, why.data());
    static_cast<void>(stream.release()); // pcap_close() closes it
    return read_frames(frames.get(), input, path, file->size(), least, most, turns{self});
}

result<std::vector<net::ip4_address>> read_destinations(const std::string& path, process* self)
{
    turns turn{self};
    const auto prefixes = read_prefixes(path, turn);
    if (!prefixes)
        return pass(prefixes);
    std::vector<net::ip4_address> drawn(std::min(16 * prefixes->size(), max_destinations));
    std::mt19937 chance; // the same in each run
    for (auto& address : drawn) {
        const auto& prefix = (*prefixes)[chance() % prefixes->size()];
        address = {prefix.network.value | (static_cast<uint32_t>(chance()) & ~prefix.mask())};
        turn.step();
    }
    return drawn;
}

} // namespace weft::drivers
