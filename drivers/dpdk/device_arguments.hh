// SPDX-License-Identifier: Apache-2.0
// What the text of an interface's `device` says before anything is opened: its arguments, its
// limits, and what it takes for itself alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft::drivers {

// The driver of a virtual device: net_tap0,iface=a -> net_tap. A PCI address as it is.
[[nodiscard]] std::string_view driver_of(std::string_view device) noexcept;
// The value of the last argument of that name, empty if there is none.
[[nodiscard]] std::string_view argument_of(std::string_view device, std::string_view name) noexcept;

// Something that only one interface can have.
struct resource {
    std::string name;  // tap/weft-a: unlike that of any other
    std::string words; // TAP `weft-a'
    // Another daemon would take it away while this one runs: to be claimed before it is touched.
    // The others say so themselves when they are opened.
    bool shared = false;
};

// None for drivers that are not known, nor for arguments that are wrong.
[[nodiscard]] std::vector<resource> resources_of(const std::string& device);

// What is wrong with the arguments of a device that takes `queues` receive queues, as far as its
// driver is known; empty if nothing is.
[[nodiscard]] std::string fault_of_arguments(const std::string& device, uint16_t queues);

} // namespace weft::drivers
