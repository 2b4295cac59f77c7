// SPDX-License-Identifier: Apache-2.0
// On which interfaces IPv4 is: those that have an address, and those that the operator says.
#pragma once

#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4.hh"

#include <set>

namespace weft::ip4 {

// A module of the engine. Main thread. Keeps interface_hot::ip4_off, and takes an interface's
// addresses away when that is deleted.
class ip4_interfaces {
public:
    explicit ip4_interfaces(engine& engine);

    // Whether IPv4 is on an interface without an address.
    void enable(const interface& i, bool on);

private:
    [[nodiscard]] bool is_on(const interface& i) const;
    void follow(interface_index i);

    engine& engine_;
    tables& ip4_;
    std::set<interface_index> enabled_;
};

} // namespace weft::ip4
