// SPDX-License-Identifier: Apache-2.0
// Commands that a target may run on a router: those that touch no file and end nothing.
#pragma once

#include "control/command/command.hh"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <vector>

namespace weft::fuzz {

[[nodiscard]] inline const command_table& safe_commands()
{
    static const command_table table = [] {
        constexpr std::array<std::string_view, 4> first_words{"show ", "help", "ip ", "set "};
        constexpr std::array<std::string_view, 2> with_files{"<file:", "<path:"};
        const auto everything = command_table::registered();
        REQUIRE(everything);
        std::vector<const command_registration*> chosen;
        for (const auto* each : everything->all()) {
            const auto begins = [&](std::string_view word) {
                return each->syntax.starts_with(word);
            };
            const auto names = [&](std::string_view word) {
                return each->syntax.find(word) != std::string_view::npos;
            };
            if (std::ranges::any_of(first_words, begins) && std::ranges::none_of(with_files, names))
                chosen.push_back(each);
        }
        REQUIRE(chosen.size() > 10);
        auto made = command_table::of(chosen);
        REQUIRE(made);
        return std::move(*made);
    }();
    return table;
}

} // namespace weft::fuzz
