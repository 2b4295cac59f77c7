// SPDX-License-Identifier: Apache-2.0
// Tests of the text tables of `show` commands.
#include "base/text_table.hh"
#include "control/command/command.hh"

#include <catch2/catch.hpp>

using weft::text_table;
using align = weft::text_table::align;

TEST_CASE("columns are aligned as VPP aligns them", "[graph][text_table]")
{
    text_table table{
        {{"Name", 30, align::left}, {"State", 12, align::centre}, {"Calls", 16, align::right}}};
    table.row({"acl-plugin-fa-cleaner-process", "event wait", "0"});
    CHECK(table.str() == "             Name                 State         Calls\n"
                         "acl-plugin-fa-cleaner-process  event wait                0");
}

TEST_CASE("a title may be aligned like its cells", "[graph][text_table]")
{
    text_table table{{{"Age", 6, align::right, align::right}, {"IP", 8, align::left, align::left}}};
    table.row({"1.5", "10.0.0.1"});
    table.row({"22.0", ""});
    CHECK(table.str() == "   Age IP\n   1.5 10.0.0.1\n  22.0");
}

TEST_CASE("a long cell shifts its row and never touches the next", "[graph][text_table]")
{
    text_table table{{{"A", 3, align::left}, {"B", 4, align::right}}};
    table.row({"abcdef", "1234"});
    table.row({"abc", "1"});
    CHECK(table.str() == " A   B\nabcdef 1234\nabc   1");
}

TEST_CASE("no line ends in blanks and short rows are fine", "[graph][text_table]")
{
    text_table table{{{"A", 10, align::left}, {"B", 10, align::left}}};
    table.row({"x"});
    table.row({"x", "y", "more"});
    for (const auto* blanks : {" \n", "  \n"})
        CHECK(table.str().find(blanks) == std::string::npos);
    CHECK_THAT(table.str(), Catch::EndsWith("x         y         more"));
}

TEST_CASE("width counts what is shown, not bytes", "[graph][text_table]")
{
    text_table table{{{"N", 4, align::left}, {"V", 2, align::right}}};
    table.row({"\u00e9\u00e9", "1"});
    CHECK_THAT(table.str(), Catch::EndsWith("\u00e9\u00e9   1"));
}
