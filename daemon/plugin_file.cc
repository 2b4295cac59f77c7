// SPDX-License-Identifier: Apache-2.0
// Finds a plugin's note in its ELF file: file header, program headers, note segments, notes.
#include "daemon/plugin_file.hh"

#include "base/input_file.hh"
#include "graph/plugin.hh"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <optional>
#include <unistd.h>
#include <vector>

namespace weft {

namespace {

constexpr size_t max_segments = 64;
constexpr size_t max_notes = 65536; // bytes of one note segment

// All of `to`, from an offset; false where the file is shorter.
bool read_at(const input_file& from, uint64_t offset, void* to, size_t bytes)
{
    return offset <= INT64_MAX &&
           pread(from.get(), to, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

bool is_shared_object(const Elf64_Ehdr& header)
{
    return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
           header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
           header.e_machine == EM_X86_64 && header.e_type == ET_DYN &&
           header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum <= max_segments;
}

// The next four NUL-ended texts; empty if there are more or fewer, or if one cannot be printed.
std::optional<plugin_identity> identity_of(std::string_view text)
{
    plugin_identity found;
    for (std::string* part : {&found.abi, &found.name, &found.version, &found.description}) {
        const size_t end = text.find('\0');
        if (end == std::string_view::npos)
            return {};
        *part = text.substr(0, end);
        if (std::any_of(part->begin(), part->end(),
                        [](unsigned char c) { return c < ' ' || c == 0x7f; }))
            return {};
        text.remove_prefix(end + 1);
    }
    return text.empty() ? std::optional{found} : std::nullopt;
}

constexpr size_t padded(size_t bytes)
{
    return (bytes + 3) / 4 * 4;
}

// Walks the notes of one segment.
std::optional<plugin_identity> note_in(std::string_view notes)
{
    const std::string_view owner{plugin_note_owner, sizeof plugin_note_owner};
    Elf64_Nhdr head;
    while (notes.size() >= sizeof head) {
        std::memcpy(&head, notes.data(), sizeof head);
        notes.remove_prefix(sizeof head);
        if (head.n_namesz > notes.size() || padded(head.n_namesz) > notes.size())
            return {};
        const auto name = notes.substr(0, head.n_namesz);
        notes.remove_prefix(padded(head.n_namesz));
        if (head.n_descsz > notes.size())
            return {};
        if (name == owner && head.n_type == plugin_note_type && head.n_descsz <= max_plugin_note)
            return identity_of(notes.substr(0, head.n_descsz));
        notes.remove_prefix(std::min(padded(head.n_descsz), notes.size()));
    }
    return {};
}

} // namespace

result<plugin_identity> read_plugin_file(const std::string& path)
{
    const auto file = input_file::open(path, INT64_MAX);
    if (!file)
        return fail(file.error().code, "it cannot be opened: {}",
                    file.error().message.substr(path.size() + 2));
    const input_file& from = *file;
    Elf64_Ehdr header{};
    if (!read_at(from, 0, &header, sizeof header) || !is_shared_object(header))
        return fail(errc::invalid_argument, "it is not an ELF shared object for x86-64");
    for (size_t i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        if (header.e_phoff > INT64_MAX ||
            !read_at(from, header.e_phoff + i * sizeof segment, &segment, sizeof segment))
            return fail(errc::invalid_argument, "it is truncated: the program headers are missing");
        if (segment.p_type != PT_NOTE || segment.p_filesz > max_notes)
            continue;
        std::vector<char> notes(segment.p_filesz);
        if (!read_at(from, segment.p_offset, notes.data(), notes.size()))
            return fail(errc::invalid_argument, "it is truncated: the notes are missing");
        if (auto found = note_in({notes.data(), notes.size()}))
            return *found;
    }
    return fail(errc::invalid_argument, "it is not a weft plugin: it has no WEFT_PLUGIN note");
}

} // namespace weft
