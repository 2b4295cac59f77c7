// SPDX-License-Identifier: Apache-2.0
// Looks functions up in the symbol table of the program's own file (System V ABI, chapter 4).
#include "observe/program_symbols.hh"

#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Where the linker put the program's beginning and the end of its code.
extern "C" const char __executable_start[];
extern "C" const char etext[];

namespace weft {

namespace {

// A T of the file, all zero if it would lie beyond its end.
template <class T>
T part(const std::byte* file, size_t size, size_t at) noexcept
{
    T found{};
    if (at <= size && size - at >= sizeof(T))
        std::memcpy(&found, file + at, sizeof(T));
    return found;
}

} // namespace

bool program_symbols::holds(const void* address) noexcept
{
    return address >= __executable_start && address < etext;
}

uintptr_t program_symbols::offset_of(const void* address) noexcept
{
    return reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(__executable_start);
}

void program_symbols::load() noexcept
{
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat what {};
    if (fd < 0 || fstat(fd, &what) != 0 || what.st_size <= 0) {
        close(fd);
        return;
    }
    size_ = static_cast<size_t>(what.st_size);
    void* const mapped = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        return;
    file_ = static_cast<const std::byte*>(mapped);
    const auto header = part<Elf64_Ehdr>(file_, size_, 0);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN)
        return;
    const auto section = [&](size_t index) {
        return part<Elf64_Shdr>(file_, size_, header.e_shoff + index * sizeof(Elf64_Shdr));
    };
    for (size_t i = 0; i < header.e_shnum; ++i) {
        const auto table = section(i);
        if (table.sh_type != SHT_SYMTAB)
            continue;
        const auto names = section(table.sh_link);
        if (table.sh_offset > size_ || table.sh_size > size_ - table.sh_offset ||
            names.sh_offset > size_ || names.sh_size > size_ - names.sh_offset)
            return;
        symbols_ = table.sh_offset;
        symbol_count_ = table.sh_size / sizeof(Elf64_Sym);
        names_ = names.sh_offset;
        names_size_ = names.sh_size;
    }
}

program_symbols::symbol program_symbols::at(const void* address) const noexcept
{
    const uintptr_t wanted = offset_of(address);
    for (size_t i = 0; i < symbol_count_; ++i) {
        const auto s = part<Elf64_Sym>(file_, size_, symbols_ + i * sizeof(Elf64_Sym));
        if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || wanted < s.st_value ||
            wanted - s.st_value >= s.st_size || s.st_name >= names_size_)
            continue;
        const auto* name = reinterpret_cast<const char*>(file_ + names_ + s.st_name);
        return {{name, strnlen(name, names_size_ - s.st_name)}, wanted - s.st_value};
    }
    return {};
}

} // namespace weft
