// SPDX-License-Identifier: Apache-2.0
// Lays out the text tables of `show` commands.
#include "base/text_table.hh"

#include <algorithm>

namespace weft {
namespace {

// What a terminal shows: code points, not bytes.
size_t width_of(std::string_view text) noexcept
{
    return static_cast<size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

std::string padded(std::string_view text, size_t width, text_table::align how)
{
    const size_t used = width_of(text);
    const size_t blanks = width > used ? width - used : 0;
    size_t before = 0;
    if (how == text_table::align::right)
        before = blanks;
    else if (how == text_table::align::centre)
        before = (blanks + 1) / 2; // VPP gives the odd blank to the left
    std::string cell(before, ' ');
    cell += text;
    cell.append(blanks - before, ' ');
    return cell;
}

// Columns touch, as in VPP; where cells fill them a blank keeps the two apart.
void append_cell(std::string& line, const std::string& cell)
{
    if (!line.empty() && line.back() != ' ' && !cell.empty() && cell.front() != ' ')
        line += ' ';
    line += cell;
}

void finish_line(std::string& out, std::string line)
{
    line.erase(line.find_last_not_of(' ') + 1);
    if (!out.empty())
        out += '\n';
    out += line;
}

} // namespace

text_table::text_table(std::vector<column> columns) : columns_{std::move(columns)} {}

void text_table::row(std::vector<std::string> cells)
{
    rows_.push_back(std::move(cells));
}

std::string text_table::str() const
{
    std::string out;
    std::string titles;
    for (const auto& one : columns_)
        append_cell(titles, padded(one.title, one.width, one.title_align));
    finish_line(out, std::move(titles));
    for (const auto& cells : rows_) {
        std::string line;
        for (size_t i = 0; i < cells.size(); ++i)
            append_cell(line, i < columns_.size()
                                  ? padded(cells[i], columns_[i].width, columns_[i].cells)
                                  : cells[i]);
        finish_line(out, std::move(line));
    }
    return out;
}

} // namespace weft
