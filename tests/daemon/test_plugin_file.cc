// SPDX-License-Identifier: Apache-2.0
// A plugin's note is found in an ELF file; files that are cut off, twisted or no plugin are refused
// in words.
#define WEFT_HEADERS "feedfacefeedface"
#include "graph/plugin.hh"

#include "daemon/plugin_file.hh"

#include <catch2/catch.hpp>

#include <cstring>
#include <elf.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace weft;

namespace {

template <size_t size>
std::string note(const char (&text)[size], char owner = 'w')
{
    plugin_note<size> made{};
    std::memcpy(made.text, text, size);
    made.head.owner[0] = owner;
    return {reinterpret_cast<const char*>(&made), sizeof made};
}

const std::string sample = note("abi 1\0name\0"
                                "2.0\0What it is");

// The least shared object: file header, one program header, the notes.
std::string elf_with(std::string notes)
{
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = PT_NOTE;
    segment.p_offset = sizeof header + sizeof segment;
    segment.p_filesz = notes.size();
    return std::string{reinterpret_cast<const char*>(&header), sizeof header} +
           std::string{reinterpret_cast<const char*>(&segment), sizeof segment} + notes;
}

result<plugin_identity> read(const std::string& bytes)
{
    const auto path = fmt::format("{}/weft-plugin-file-{}",
                                  std::filesystem::temp_directory_path().string(), getpid());
    std::ofstream{path, std::ios::binary} << bytes;
    auto found = read_plugin_file(path);
    std::filesystem::remove(path);
    return found;
}

std::string refusal_of_file(const std::string& bytes)
{
    const auto found = read(bytes);
    return found ? "" : found.error().message;
}

} // namespace

TEST_CASE("a plugin's note says what it is", "[daemon]")
{
    for (const auto& notes : {sample, note("of others", 'X') + sample}) {
        const auto found = read(elf_with(notes));
        REQUIRE(found.has_value());
        CHECK(found->abi == "abi 1");
        CHECK(found->name == "name");
        CHECK(found->version == "2.0");
        CHECK(found->description == "What it is");
    }
}

TEST_CASE("WEFT_PLUGIN makes a note of the ABI and its three texts", "[daemon]")
{
    WEFT_PLUGIN("a-name", "1.2", "Does something");
    const auto found =
        read(elf_with({reinterpret_cast<const char*>(&weft_plugin_note), sizeof weft_plugin_note}));
    REQUIRE(found.has_value());
    CHECK(found->abi == WEFT_PLUGIN_ABI);
    CHECK(found->name == "a-name");
    CHECK(found->version == "1.2");
    CHECK(found->description == "Does something");
}

TEST_CASE("the ABI's name holds what must be the same", "[daemon]")
{
    const std::string_view abi = WEFT_PLUGIN_ABI;
    for (const char* part : {"weft " WEFT_VERSION, "headers feedfacefeedface", "g++ ", "DPDK 2"})
        CHECK(abi.find(part) != std::string_view::npos);
    CHECK(plugin_abi() != abi);
    const auto begin = abi.find("feedface");
    CHECK(plugin_abi().substr(0, begin) == abi.substr(0, begin));
    CHECK(plugin_abi().substr(begin + 16) == abi.substr(begin + 16));
}

TEST_CASE("what is no plugin is refused in words", "[daemon]")
{
    CHECK(refusal_of_file("") == "it is not an ELF shared object for x86-64");
    CHECK(refusal_of_file("#!/bin/sh\n" + std::string(200, ' ')) ==
          "it is not an ELF shared object for x86-64");
    CHECK(read_plugin_file("/nonexistent.so").error().message ==
          "it cannot be opened: No such file or directory");
    CHECK(read_plugin_file("/tmp").error().message ==
          "it cannot be opened: expected a regular file, found a directory");
    const std::string no_note = "it is not a weft plugin: it has no WEFT_PLUGIN note";
    CHECK(refusal_of_file(elf_with("")) == no_note);
    CHECK(refusal_of_file(elf_with(note("abi\0name\0only three"))) == no_note);
    CHECK(refusal_of_file(elf_with(note("abi\0name\0a\0b\0five"))) == no_note);
    CHECK(refusal_of_file(elf_with(note("abi\0name\0a\0\x1b[2J"))) == no_note);
}

TEST_CASE("a file that is cut off or twisted is refused", "[daemon]")
{
    const std::string whole = elf_with(sample);
    for (size_t size = 0; size < whole.size(); ++size)
        CHECK_FALSE(read(whole.substr(0, size)).has_value());
    for (size_t at = 0; at < whole.size(); ++at)
        for (const char c : {'\xff', '\x7f', '\0'}) {
            std::string twisted = whole;
            twisted[at] = c;
            (void)read(twisted); // in bounds: the sanitizers watch
        }
}
