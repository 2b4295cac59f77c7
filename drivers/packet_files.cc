// SPDX-License-Identifier: Apache-2.0
// Reads the files that streams of the packet generator are made from.
#include "drivers/packet_source.hh"

#include "graph/process.hh"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <pcap/pcap.h>
#include <random>
#include <sys/stat.h>

namespace weft::drivers {

namespace {

// The bytes of a file whose reading never waits: no pipe, no device.
result<size_t> size_of_regular(const std::string& path)
{
    struct stat what {};
    if (stat(path.c_str(), &what) != 0)
        return fail(errc::io, "{}: {}", path, std::strerror(errno));
    if (!S_ISREG(what.st_mode))
        return fail(errc::invalid_argument, "{}: not a regular file", path);
    return static_cast<size_t>(what.st_size);
}

// Others take their turn after every so many steps of work.
class turns {
public:
    explicit turns(process* self) : self_{self} {}
    void step()
    {
        if (self_ != nullptr && ++steps_ % 4096 == 0)
            self_->yield();
    }

private:
    process* const self_;
    uint32_t steps_ = 0;
};

result<void> append(capture& to, const pcap_pkthdr& header, const u_char* data, uint32_t least,
                    uint32_t most)
{
    const size_t number = to.frames.size() + 1;
    if (header.caplen != header.len)
        return fail(errc::invalid_argument, "frame {} was captured cut off: {} of its {} bytes",
                    number, header.caplen, header.len);
    if (header.len < least || header.len > most)
        return fail(errc::invalid_argument, "frame {} has {} bytes, not from {} to {}", number,
                    header.len, least, most);
    if (number > most_captured_frames || to.bytes.size() + header.len > most_captured_bytes)
        return fail(errc::exhausted, "more than {} frames or {} MB", most_captured_frames,
                    most_captured_bytes >> 20);
    to.frames.push_back(
        {static_cast<uint32_t>(to.bytes.size()), static_cast<uint16_t>(header.len)});
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    to.bytes.insert(to.bytes.end(), bytes, bytes + header.len);
    return {};
}

result<net::ip4_prefix> parse_line(std::string_view line)
{
    const auto word = line.substr(0, line.find_first_of(" \t\r"));
    if (word.find('/') != std::string_view::npos)
        return net::parse<net::ip4_prefix>(word);
    const auto address = net::parse<net::ip4_address>(word);
    if (!address)
        return pass(address);
    return net::ip4_prefix{*address, 32};
}

} // namespace

result<capture> read_capture(const std::string& path, uint32_t least, uint32_t most, process* self)
{
    const auto size = size_of_regular(path);
    if (!size)
        return pass(size);
    std::array<char, PCAP_ERRBUF_SIZE> why{};
    const std::unique_ptr<pcap_t, void (*)(pcap_t*)> file{
        pcap_open_offline(path.c_str(), why.data()), [](pcap_t* p) { pcap_close(p); }};
    if (!file)
        return fail(errc::invalid_argument, "{}: {}", path, why.data());
    if (pcap_datalink(file.get()) != DLT_EN10MB)
        return fail(errc::invalid_argument, "{}: its link type is {}, not Ethernet ({})", path,
                    pcap_datalink(file.get()), DLT_EN10MB);
    capture read;
    read.bytes.reserve(std::min(*size, most_captured_bytes));
    turns turn{self};
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    int code = 0;
    while ((code = pcap_next_ex(file.get(), &header, &data)) == 1) {
        if (auto added = append(read, *header, data, least, most); !added)
            return fail(added.error().code, "{}: {}", path, added.error().message);
        turn.step();
    }
    if (code != PCAP_ERROR_BREAK)
        return fail(errc::invalid_argument, "{}: {}", path, pcap_geterr(file.get()));
    if (read.frames.empty())
        return fail(errc::invalid_argument, "{}: no frame in it", path);
    return read;
}

result<std::vector<net::ip4_address>> read_destinations(const std::string& path, process* self)
{
    if (const auto size = size_of_regular(path); !size)
        return pass(size);
    std::ifstream file{path};
    if (!file)
        return fail(errc::io, "{}: {}", path, std::strerror(errno));
    std::vector<net::ip4_prefix> prefixes;
    turns turn{self};
    std::string line;
    for (size_t number = 1; std::getline(file, line); ++number) {
        turn.step();
        if (line.empty() || line[0] == '#')
            continue;
        const auto prefix = parse_line(line);
        if (!prefix)
            return fail(errc::invalid_argument, "{}:{}: {}", path, number, prefix.error().message);
        if (prefixes.size() == 4 * most_destinations)
            return fail(errc::exhausted, "{}: more than {} lines", path, prefixes.size());
        prefixes.push_back(*prefix);
    }
    if (prefixes.empty())
        return fail(errc::invalid_argument, "{}: no address in it", path);
    std::vector<net::ip4_address> drawn(std::min(16 * prefixes.size(), most_destinations));
    std::mt19937 chance; // the same in each run
    for (auto& address : drawn) {
        const auto& prefix = prefixes[chance() % prefixes.size()];
        address = {prefix.network.value | (static_cast<uint32_t>(chance()) & ~prefix.mask())};
        turn.step();
    }
    return drawn;
}

} // namespace weft::drivers
