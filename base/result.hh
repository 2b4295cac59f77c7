// SPDX-License-Identifier: Apache-2.0
// The one way in which the control path reports a failure: result<T>.
#pragma once

#include <fmt/format.h>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace weft {

enum class errc {
    invalid_argument, // what was given is malformed or out of range
    not_found,        // the named thing does not exist
    exists,           // the named thing exists already
    exhausted,        // a bound was reached; nothing was changed
    unsupported,      // the device or the build cannot do it
    io,               // a system call or a library failed
    timeout,          // it did not happen in time
};

// A code for programs and one sentence for people. The message names the key or argument, what
// was found and what was expected.
struct error {
    errc code = errc::invalid_argument;
    std::string message;
};

template <class T = void>
using result = tl::expected<T, error>;

// Makes the failing result: `return fail(errc::not_found, "no interface `{}'", name);`
template <class... Args>
[[nodiscard]] tl::unexpected<error> fail(errc code, fmt::format_string<Args...> format,
                                         Args&&... args)
{
    return tl::make_unexpected(error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// Passes an error on from a result of another type.
template <class T>
[[nodiscard]] tl::unexpected<error> pass(const result<T>& failed)
{
    return tl::make_unexpected(failed.error());
}

} // namespace weft
