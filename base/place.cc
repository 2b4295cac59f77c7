// SPDX-License-Identifier: Apache-2.0
// Tells by where its file's name lies in memory which shared object a registration came with.
#include "base/place.hh"

#include <dlfcn.h>
#include <fmt/format.h>
#include <string_view>

namespace weft {

namespace {

std::string_view without_folders(std::string_view path)
{
    return path.substr(path.find_last_of('/') + 1); // npos + 1 is 0
}

// " in lldp.so", or nothing for what belongs to the program itself.
std::string origin_of(const char* text)
{
    static const char ours = 0;
    Dl_info program{}, object{};
    if (dladdr(&ours, &program) == 0 || dladdr(text, &object) == 0 ||
        object.dli_fbase == program.dli_fbase || object.dli_fname == nullptr)
        return {};
    return fmt::format(" in {}", without_folders(object.dli_fname));
}

std::string place_text(std::string_view file, const std::source_location& where)
{
    return fmt::format("{}:{}{}", file, where.line(), origin_of(where.file_name()));
}

} // namespace

std::string place_of(const std::source_location& where)
{
    return place_text(where.file_name(), where);
}

std::string short_place_of(const std::source_location& where)
{
    return place_text(without_folders(where.file_name()), where);
}

} // namespace weft
