// SPDX-License-Identifier: Apache-2.0
// Text tables: columns with titles.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace weft {

// Text tables as every `show` prints them: columns aligned, no trailing blanks.
class text_table {
public:
    enum class align { left, right, centre };
    struct column {
        std::string title;
        size_t width; // minimal; a longer cell shifts the rest of its row
        align cells;  // the title is aligned by `title_align`
        align title_align = align::centre;
    };
    explicit text_table(std::vector<column> columns);
    void row(std::vector<std::string> cells);
    [[nodiscard]] std::string str() const; // title line and rows, joined by newlines

private:
    std::vector<column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

} // namespace weft
