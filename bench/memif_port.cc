// SPDX-License-Identifier: Apache-2.0
// Connects as a memif client: the exchange of messages and the shared memory.
#include "bench/memif_port.hh"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <tuple>
#include <unistd.h>

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using namespace drivers::memif;

// No connection this time; perhaps later.
struct refusal {
    std::string why;
};

std::string quoted(const disconnect_message& answer)
{
    return {answer.reason, strnlen(answer.reason, sizeof answer.reason)};
}

void expect(int socket, message_type wanted)
{
    message answer{};
    const ssize_t got = recv(socket, &answer, sizeof answer, 0);
    if (got == sizeof answer && answer.type == wanted)
        return;
    if (got == sizeof answer && answer.type == message_type::disconnect)
        throw refusal{fmt::format("it answers: {}", quoted(answer.disconnect))};
    throw refusal{fmt::format("expected message {} from it, found {}", static_cast<int>(wanted),
                              got == sizeof answer
                                  ? fmt::format("message {}", static_cast<int>(answer.type))
                                  : "no whole message")};
}

// Sends a message, with a file descriptor if it is not -1, and waits for the answer.
void ask(int socket, message& question, int descriptor, message_type wanted)
{
    iovec part{&question, sizeof question};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)]{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (descriptor >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        auto* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof descriptor);
        std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    }
    if (sendmsg(socket, &header, MSG_NOSIGNAL) != sizeof question)
        throw refusal{std::strerror(errno)};
    expect(socket, wanted);
}

sockaddr_un address_of(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        give_up(exit_wrong_usage, "a socket path can have at most {} bytes, {} has {}",
                sizeof address.sun_path - 1, path, path.size());
    std::memcpy(address.sun_path, path.c_str(), path.size());
    return address;
}

constexpr size_t rounded_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

constexpr size_t huge_page = size_t{2} << 20;

// Shared memory behind a descriptor, in huge pages if any are free.
std::pair<int, uint8_t*> shared_memory(size_t bytes)
{
    for (const unsigned pages : {MFD_HUGETLB | MFD_HUGE_2MB, 0u}) {
        const int file = memfd_create("memif_generator", MFD_ALLOW_SEALING | MFD_CLOEXEC | pages);
        if (file < 0)
            continue;
        if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
            fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK);
            void* at =
                mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
            if (at != MAP_FAILED)
                return {file, static_cast<uint8_t*>(at)};
        }
        close(file);
    }
    give_up(exit_no_link, "cannot allocate {} bytes of shared memory: {}", bytes,
            std::strerror(errno));
}

} // namespace

memif_port::memif_port(const std::string& socket, unsigned ring_log2, unsigned wait_seconds)
    : size_{1u << ring_log2}, mask_{size_ - 1}, log2_{ring_log2}
{
    make_memory();
    const sockaddr_un address = address_of(socket);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{wait_seconds};
    // A server may listen before it is ready to take a client.
    while (true) {
        socket_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        const timeval patience{2, 0};
        setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        try {
            if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
                throw refusal{std::strerror(errno)};
            introduce();
            break;
        } catch (const refusal& refused) {
            close(socket_);
            if (std::chrono::steady_clock::now() > deadline)
                give_up(exit_no_link, "no memif server at {} accepted a client within {} s: {}",
                        socket, wait_seconds, refused.why);
            std::this_thread::sleep_for(20ms);
        }
    }
    // the server has set both rings to their start: now it is offered all receive buffers
    receive_->head.store(static_cast<uint16_t>(size_), std::memory_order_release);
}

memif_port::~memif_port()
{
    close(socket_);
    close(bell_);
    munmap(memory_, bytes_);
    close(region_);
}

void memif_port::make_memory()
{
    const size_t one_ring = ring_bytes(static_cast<uint8_t>(log2_));
    const size_t buffers = rounded_up(2 * one_ring, 4096);
    bytes_ = rounded_up(buffers + 2 * size_ * size_t{buffer_bytes}, huge_page);
    std::tie(region_, memory_) = shared_memory(bytes_);
    transmit_ = reinterpret_cast<ring_header*>(memory_);
    receive_ = reinterpret_cast<ring_header*>(memory_ + one_ring);
    outgoing_ = memory_ + buffers;
    for (uint32_t i = 0; i < 2 * size_; ++i) {
        auto& at = (i < size_ ? transmit_ : receive_)->descriptors()[i & mask_];
        at.length = buffer_bytes;
        at.offset = static_cast<uint32_t>(buffers + i * size_t{buffer_bytes});
    }
    transmit_->cookie = receive_->cookie = ring_cookie;
    receive_->flags = ring_unheard;
}

void memif_port::introduce()
{
    constexpr char name[] = "memif_generator";
    expect(socket_, message_type::hello);
    message next{};
    next.type = message_type::init;
    next.init.version = protocol_version;
    std::memcpy(next.init.name, name, sizeof name);
    ask(socket_, next, -1, message_type::ack);

    next = {};
    next.type = message_type::add_region;
    next.region.bytes = bytes_;
    ask(socket_, next, region_, message_type::ack);

    for (ring_header* ring : {transmit_, receive_}) {
        next = {};
        next.type = message_type::add_ring;
        next.ring.flags = ring == transmit_ ? ring_to_server : 0;
        next.ring.offset = static_cast<uint32_t>(reinterpret_cast<uint8_t*>(ring) - memory_);
        next.ring.log2 = static_cast<uint8_t>(log2_);
        const int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        ask(socket_, next, bell, message_type::ack);
        if (ring == transmit_)
            bell_ = bell;
        else
            close(bell); // this end polls
    }

    next = {};
    next.type = message_type::connect;
    std::memcpy(next.connect.name, name, sizeof name);
    ask(socket_, next, -1, message_type::connected);
}

void memif_port::ring_bell() const noexcept
{
    constexpr uint64_t once = 1;
    [[maybe_unused]] const auto rung = write(bell_, &once, sizeof once);
}

void memif_port::fill(std::span<const uint8_t> frame) noexcept
{
    for (uint32_t i = 0; i < size_; ++i) {
        transmit_->descriptors()[i].length = static_cast<uint32_t>(frame.size());
        std::memcpy(outgoing(i), frame.data(), frame.size());
    }
}

void memif_port::give_back(uint32_t count) noexcept
{
    constexpr uint32_t ahead = 32;
    auto* descriptors = receive_->descriptors();
    for (uint32_t i = 0; i < count; ++i) {
        auto& at = descriptors[(received_ + i) & mask_];
        __builtin_prefetch(&descriptors[(received_ + i + ahead) & mask_], 1);
        at.flags = 0;
        at.length = buffer_bytes;
    }
    received_ = static_cast<uint16_t>(received_ + count);
    receive_->head.store(static_cast<uint16_t>(received_ + size_), std::memory_order_release);
}

} // namespace weft::bench
