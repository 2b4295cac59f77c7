// SPDX-License-Identifier: Apache-2.0
#include "drivers/memif/ringer.hh"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weft::drivers::memif {

namespace {

// What the kernel maps at the context's address (fs/aio.c): an event that is done is taken by
// moving the head.
struct event_ring {
    unsigned id, size, head, tail, magic;
};
constexpr unsigned event_ring_magic = 0xa10a10a1;

} // namespace

result<std::unique_ptr<ringer>> ringer::make()
{
    std::unique_ptr<ringer> made{new ringer};
    made->nothing_ = unique_fd{open("/dev/null", O_RDONLY | O_CLOEXEC)};
    if (made->nothing_.get() < 0)
        return fail(errc::io, "/dev/null: {}", std::strerror(errno));
    constexpr unsigned events = 4;
    if (syscall(SYS_io_setup, events, &made->context_) != 0)
        return fail(errc::io,
                    "io_setup: {} (memif wakes its peers by asynchronous I/O; see fs.aio-max-nr)",
                    std::strerror(errno));
    if (reinterpret_cast<const event_ring*>(made->context_)->magic != event_ring_magic)
        return fail(errc::unsupported, "io_setup: unknown event ring format");
    made->read_.aio_fildes = static_cast<uint32_t>(made->nothing_.get());
    made->read_.aio_lio_opcode = IOCB_CMD_PREAD;
    made->read_.aio_flags = IOCB_FLAG_RESFD;
    return made;
}

void ringer::ring(int bell) noexcept
{
    read_.aio_resfd = static_cast<uint32_t>(bell);
    iocb* const one = &read_;
    [[maybe_unused]] const auto rung = syscall(SYS_io_submit, context_, 1, &one);
    auto& done = *reinterpret_cast<event_ring*>(context_);
    __atomic_store_n(&done.head, __atomic_load_n(&done.tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

} // namespace weft::drivers::memif
