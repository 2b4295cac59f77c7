// SPDX-License-Identifier: Apache-2.0
// Maps and measures process stacks, and keeps the list of guards that a crash report looks into.
#include "graph/process/fiber_stack.hh"

#include "graph/process/process.hh"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace weft {

namespace {

// A signal handler on any thread reads the list while the main thread changes it: so it lies in
// static memory, is bounded, and an entry counts only while `begin` is an address. A stack beyond
// the bound works, but its owner has no name in a crash report.
struct guard_entry {
    static constexpr uintptr_t free = 0;
    static constexpr uintptr_t claimed = 1;

    std::atomic<uintptr_t> begin{free};
    size_t stack_size = 0;
    std::array<char, 56> owner{};
};

constinit std::array<guard_entry, 4096> guards{};
constinit std::atomic<size_t> search_from{0};

size_t list_guard(uintptr_t begin, std::string_view owner, size_t stack_size) noexcept
{
    const size_t first = search_from.load(std::memory_order_relaxed);
    for (size_t step = 0; step < guards.size(); ++step) {
        const size_t index = (first + step) % guards.size();
        auto& entry = guards[index];
        auto expected = guard_entry::free;
        if (!entry.begin.compare_exchange_strong(expected, guard_entry::claimed))
            continue;
        const auto length = std::min(owner.size(), entry.owner.size() - 1);
        std::memcpy(entry.owner.data(), owner.data(), length);
        entry.owner[length] = '\0';
        entry.stack_size = stack_size;
        entry.begin.store(begin, std::memory_order_release);
        search_from.store(index + 1, std::memory_order_relaxed);
        return index;
    }
    return guards.size();
}

void unlist_guard(size_t index) noexcept
{
    if (index < guards.size())
        guards[index].begin.store(guard_entry::free, std::memory_order_release);
}

// The offset of the lowest word that is not zero. It reads over whatever the fiber left there,
// which AddressSanitizer must not mind.
__attribute__((no_sanitize("address", "thread"))) size_t untouched_bytes(const std::byte* bottom,
                                                                         size_t size) noexcept
{
    using word [[gnu::may_alias]] = uint64_t;
    const auto* words = reinterpret_cast<const word*>(bottom);
    size_t index = 0;
    while (index < size / sizeof(word) && words[index] == 0)
        ++index;
    return index * sizeof(word);
}

} // namespace

stack_guard_owner owner_of_stack_guard(const void* address) noexcept
{
    const auto where = reinterpret_cast<uintptr_t>(address);
    for (const auto& entry : guards) {
        const auto begin = entry.begin.load(std::memory_order_acquire);
        if (begin > guard_entry::claimed && where >= begin &&
            where - begin < fiber_stack::guard_size)
            return {{entry.owner.data(), strnlen(entry.owner.data(), entry.owner.size())},
                    entry.stack_size};
    }
    return {};
}

result<fiber_stack> fiber_stack::map(std::string_view owner, size_t size)
{
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    constexpr size_t limit = SIZE_MAX / 2;
    const size_t wanted = (std::clamp(size, minimum_size, limit) + page - 1) / page * page;
    void* const memory = mmap(nullptr, guard_size + wanted, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return fail(errc::exhausted, "cannot allocate a stack of {} bytes for process `{}': {}",
                    size, owner, std::strerror(errno));
    auto* const bottom = static_cast<std::byte*>(memory) + guard_size;
    if (mprotect(bottom, wanted, PROT_READ | PROT_WRITE) != 0) {
        const int reason = errno;
        munmap(memory, guard_size + wanted);
        return fail(errc::exhausted, "cannot open a stack of {} bytes for process `{}': {}", size,
                    owner, std::strerror(reason));
    }
    return fiber_stack{bottom, wanted, owner};
}

fiber_stack::fiber_stack(std::byte* bottom, size_t size, std::string_view owner) noexcept
    : bottom_{bottom},
      size_{size},
      guard_index_{list_guard(reinterpret_cast<uintptr_t>(bottom - guard_size), owner, size)}
{}

fiber_stack::fiber_stack(fiber_stack&& other) noexcept
    : bottom_{std::exchange(other.bottom_, nullptr)},
      size_{other.size_},
      guard_index_{other.guard_index_}
{}

fiber_stack::~fiber_stack()
{
    if (bottom_ == nullptr)
        return;
    unlist_guard(guard_index_);
#if defined(__SANITIZE_ADDRESS__)
    // The next mapping at this place must not inherit what the fiber's frames have poisoned.
    __asan_unpoison_memory_region(bottom_, size_);
#endif
    munmap(bottom_ - guard_size, guard_size + size_);
}

size_t fiber_stack::used() const noexcept
{
    return size_ - untouched_bytes(bottom_, size_);
}

} // namespace weft
