// SPDX-License-Identifier: Apache-2.0
// Claims on what two daemons would take from each other: TAPs, Linux interfaces, PCI devices. Made
// before any is touched.
#pragma once

#include "base/result.hh"
#include "base/unique_fd.hh"
#include "control/config/config.hh"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weft {
class engine;
}

namespace weft::drivers {

// A name that one process at a time holds: a listening socket in the abstract name space of the
// process's network namespace, which is where names of TAPs and Linux interfaces are told apart,
// and which vanishes with its holder, however that ends. errc::exists if another one has it, with
// its process. One that belongs to another user than root or this one is nobody's claim: valid() of
// what is returned is false then. Any thread.
[[nodiscard]] result<unique_fd> claim_name(std::string_view name, std::string_view words);

// What this daemon has claimed; a room of the engine, made before the engine is. Main thread.
class device_claims {
public:
    device_claims() = default;
    explicit device_claims(engine&) {}

    // All that a device takes for itself alone, or nothing of it. No effect on what is claimed
    // already.
    [[nodiscard]] result<void> claim(const std::string& device);
    // Of each interface of a configuration. `left_out` gets the devices of optional interfaces that
    // others have.
    [[nodiscard]] result<void> claim_all(const config::value& root,
                                         std::vector<std::string>& left_out);

    // Its interface is gone: another daemon may have it.
    void release(const std::string& device);

private:
    std::map<std::string, unique_fd, std::less<>> held_; // by resource
};

} // namespace weft::drivers
