// SPDX-License-Identifier: Apache-2.0
// A regular file that is open for reading: the one way to read what an operator, a client or a file
// has named.
#pragma once

#include "base/result.hh"
#include "base/unique_fd.hh"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <time.h>
#include <vector>

namespace weft {

// Waits for nobody: not for the other end of a pipe, a device, a kernel's log or whoever has a
// lease on the file; and is read no further than its size was when it was opened, so that what
// never ends, does. Errors name the file and what was found, and never what is in it, since whoever
// asks may not be allowed to read it. Any thread.
class input_file {
public:
    // Before the file itself is opened its kind is known, because opening some devices is enough to
    // do harm. Errors: what the system says; errc::invalid_argument for what is no regular file;
    // errc::exhausted beyond `limit` bytes.
    [[nodiscard]] static result<input_file> open(const std::string& path, uint64_t limit);

    [[nodiscard]] int get() const noexcept { return fd_.get(); }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] uint64_t size() const noexcept { return size_; } // bytes, when it was opened

    // The bytes that follow, as many as fit or are left: none at the end. errc::io if the file has
    // changed since it was opened, as far as its size and times tell.
    [[nodiscard]] result<size_t> read(std::span<char> into);

    // Called after every piece of some 100 us of work; false ends the reading (errc::timeout).
    using pause = std::function<bool()>;

    // All of it from here on, as text or as a vector of bytes.
    template <class Bytes = std::string>
    [[nodiscard]] result<Bytes> read_all(const pause& go_on);

    // For text whose units are lines: calls `each` with a piece of it and whether that is the last
    // one; `each` returns how many bytes it has taken, and finds the others at the front of the
    // next piece. A piece of more than `longest` bytes of which nothing is taken is given once
    // more, as the last one, and that is the end.
    template <class Each>
    [[nodiscard]] result<void> read_pieces(size_t longest, const pause& go_on, Each&& each);

private:
    static constexpr size_t piece_bytes = size_t{32} << 10;

    [[nodiscard]] result<void> fill(std::span<char> all, const pause& go_on);
    [[nodiscard]] tl::unexpected<error> ended() const;
    input_file(unique_fd file, std::string path, const struct stat& about);

    unique_fd fd_;
    std::string path_;
    uint64_t size_;
    uint64_t left_;
    timespec changed_;
};

template <class Bytes>
result<Bytes> input_file::read_all(const pause& go_on)
{
    Bytes all;
    all.resize(static_cast<size_t>(left_));
    if (auto done = fill({reinterpret_cast<char*>(all.data()), all.size()}, go_on); !done)
        return pass(done);
    return all;
}

template <class Each>
result<void> input_file::read_pieces(size_t longest, const pause& go_on, Each&& each)
{
    std::vector<char> buffer(longest + piece_bytes);
    size_t held = 0;
    for (bool last = false; !last;) {
        const auto got = read(std::span{buffer}.subspan(held));
        if (!got)
            return pass(got);
        held += *got;
        last = *got == 0;
        size_t taken = each(std::string_view{buffer.data(), held}, last);
        if (taken == 0 && held == buffer.size()) {
            taken = each(std::string_view{buffer.data(), held}, true);
            last = true;
        }
        held -= taken;
        std::memmove(buffer.data(), buffer.data() + taken, held);
        if (!go_on())
            return ended();
    }
    return {};
}

} // namespace weft
