// SPDX-License-Identifier: Apache-2.0
// The commands typed before, kept in a file that several sessions share.
#pragma once

#include <string>

namespace weftctl {

class history {
public:
    history(); // reads the file
    history(const history&) = delete;
    history& operator=(const history&) = delete;

    // Keeps a line, in the file at once: neither a killed session nor another one loses it.
    void add(const char* line) const;

private:
    std::string file_; // empty: there is no home to keep it in
};

} // namespace weftctl
