// SPDX-License-Identifier: Apache-2.0
#include "drivers/memif/link.hh"

#include <cerrno>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

namespace weft::drivers::memif {

namespace {

constexpr size_t rounded_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

constexpr uint64_t max_bytes = uint64_t{1} << 32; // what an offset reaches
constexpr size_t huge_page = size_t{2} << 20;

} // namespace

result<region> region::map(int file, uint64_t bytes)
{
    struct stat about {};
    if (bytes == 0 || bytes > max_bytes)
        return fail(errc::invalid_argument, "a region must have 1 byte to 4 GiB, found {} bytes",
                    bytes);
    // only memory has seals; what else it may be, whoever serves it could let fstat() wait
    const int seals = fcntl(file, F_GET_SEALS);
    if (seals < 0 && errno == EINVAL)
        return fail(errc::invalid_argument,
                    "a region's file is not shared memory; expected a memfd");
    if (seals < 0 || fstat(file, &about) != 0)
        return fail(errc::io, "a region's file: {}", std::strerror(errno));
    if (about.st_size < 0 || static_cast<uint64_t>(about.st_size) < bytes)
        return fail(errc::invalid_argument, "a region of {} bytes in a file of {}", bytes,
                    about.st_size);
    // its owner could take memory away under a worker's hands
    if ((seals & F_SEAL_SHRINK) == 0)
        return fail(errc::unsupported, "a region's file could shrink: it has no F_SEAL_SHRINK "
                                       "(zero-copy clients share such files)");
    const size_t mapped = rounded_up(bytes, static_cast<size_t>(about.st_blksize));
    void* const base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (base == MAP_FAILED)
        return fail(errc::io, "a region of {} bytes cannot be mapped: {}", bytes,
                    std::strerror(errno));
    return region{base, bytes, mapped};
}

result<region> region::make(size_t bytes, unique_fd& file)
{
    const size_t mapped = rounded_up(bytes, huge_page);
    int code = 0;
    for (const unsigned pages : {MFD_HUGETLB | MFD_HUGE_2MB, 0u}) {
        file = unique_fd{memfd_create("weft-memif", MFD_ALLOW_SEALING | MFD_CLOEXEC | pages)};
        if (file.get() >= 0 && ftruncate(file.get(), static_cast<off_t>(mapped)) == 0 &&
            fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0) {
            void* const base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_POPULATE, file.get(), 0);
            if (base != MAP_FAILED)
                return region{base, mapped, mapped};
        }
        code = errno;
    }
    return fail(errc::io, "cannot allocate {} bytes of shared memory: {}", mapped,
                std::strerror(code));
}

region::~region()
{
    if (base_ != nullptr)
        munmap(base_, mapped_);
}

ring::ring(ring_header& shared, uint8_t log2, role end, direction way, unique_fd bell,
           uint32_t buffer_bytes) noexcept
    : slots_{shared.descriptors()},
      theirs_{end == role::server ? &shared.head : &shared.tail},
      ours_{end == role::server ? &shared.tail : &shared.head},
      mask_{(1u << log2) - 1},
      buffer_bytes_{buffer_bytes},
      granted_{
          static_cast<uint16_t>(end == role::client && way == direction::transmit ? mask_ + 1 : 0)},
      ahead_{
          static_cast<uint16_t>(end == role::client && way == direction::receive ? mask_ + 1 : 0)},
      flags_{&shared.flags},
      bell_{std::move(bell)}
{}

void ring::send(uint32_t count, ringer& by) noexcept
{
    next_ = static_cast<uint16_t>(next_ + count);
    // in one order with listen(): either this sees that the receiver sleeps, or that sees what was
    // sent
    ours_->store(static_cast<uint16_t>(next_ + ahead_), std::memory_order_seq_cst);
    if ((flags_->load(std::memory_order_seq_cst) & ring_unheard) == 0)
        by.ring(bell_.get());
}

void ring::listen(bool wanted) noexcept
{
    flags_->store(wanted ? 0 : ring_unheard, std::memory_order_seq_cst);
    if (wanted)
        return;
    uint64_t count = 0;
    const iovec to{.iov_base = &count, .iov_len = sizeof count};
    // not read(): the file's O_NONBLOCK is the peer's as well, who may have taken it away
    [[maybe_unused]] const auto drained = preadv2(bell_.get(), &to, 1, -1, RWF_NOWAIT);
}

size_t client_memory::buffer_offset(size_t ring, size_t place) const noexcept
{
    const size_t first = rounded_up(ring_count() * ring_bytes(log2), 4096);
    return first + ((ring << log2) + place) * size_t{buffer_bytes};
}

result<region> client_memory::make(unique_fd& file) const
{
    if (buffer_offset(ring_count(), 0) > max_bytes)
        return fail(errc::invalid_argument,
                    "{} rings of {} buffers of {} bytes take more than 4 GiB", ring_count(),
                    1u << log2, buffer_bytes);
    auto made = region::make(buffer_offset(ring_count(), 0), file);
    if (!made)
        return made;
    for (size_t r = 0; r < ring_count(); ++r) {
        auto& header = *reinterpret_cast<ring_header*>(made->base() + ring_offset(r));
        header.cookie = ring_cookie;
        header.flags.store(ring_unheard,
                           std::memory_order_relaxed); // until its receiver looks at it
        for (size_t i = 0; i < size_t{1} << log2; ++i)
            header.descriptors()[i] = {.flags = 0,
                                       .region = 0,
                                       .length = buffer_bytes,
                                       .offset = static_cast<uint32_t>(buffer_offset(r, i)),
                                       .metadata = 0};
    }
    return made;
}

} // namespace weft::drivers::memif
