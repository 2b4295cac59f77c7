// SPDX-License-Identifier: Apache-2.0
// The functions of this program by address, for signal handlers: also those that only one file
// knows, as most node functions are, which dladdr(3) cannot name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft {

class program_symbols {
public:
    // Maps the program's file. If that fails or the file is stripped, no address has a name. Any
    // thread.
    void load() noexcept;
    // Whether the address lies in the program's own code, not in a library's. Any thread, also in a
    // signal handler.
    [[nodiscard]] static bool holds(const void* address) noexcept;
    // How far from the program's beginning, as addr2line(1) wants it.
    [[nodiscard]] static uintptr_t offset_of(const void* address) noexcept;

    struct symbol {
        std::string_view name; // mangled; empty if there is none
        uintptr_t distance = 0;
    };
    // The function around an address. Reads the file that load() mapped; also in a signal handler.
    [[nodiscard]] symbol at(const void* address) const noexcept;

private:
    const std::byte* file_ = nullptr;
    size_t size_ = 0;
    // The symbol table and its names within the file.
    size_t symbols_ = 0;
    size_t symbol_count_ = 0;
    size_t names_ = 0;
    size_t names_size_ = 0;
};

} // namespace weft
