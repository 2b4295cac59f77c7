// SPDX-License-Identifier: Apache-2.0
// Starts DPDK.
#include "daemon/eal.hh"

#include "graph/packet.hh"

#include <cstdio>
#include <fstream>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <spdlog/spdlog.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace weft {

namespace {

// Drivers call much an error that is none (a missing traffic control module); what really fails
// comes back as a return value and is logged by whoever asked.
spdlog::level::level_enum level_of(int dpdk_level)
{
    if (dpdk_level <= static_cast<int>(RTE_LOG_CRIT))
        return spdlog::level::err;
    return dpdk_level <= static_cast<int>(RTE_LOG_ERR) ? spdlog::level::info : spdlog::level::debug;
}

ssize_t log_line(void*, const char* text, size_t bytes)
{
    std::string_view line{text, bytes};
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r'))
        line.remove_suffix(1);
    if (!line.empty())
        spdlog::log(level_of(rte_log_cur_msg_loglevel()), "dpdk: {}", line);
    return static_cast<ssize_t>(bytes);
}

void take_over_log()
{
    cookie_io_functions_t functions{};
    functions.write = log_line;
    static FILE* stream = fopencookie(nullptr, "w", functions);
    if (stream == nullptr)
        return;
    std::setvbuf(stream, nullptr, _IOLBF, 1024);
    rte_openlog_stream(stream);
}

uint64_t free_hugepages()
{
    std::ifstream meminfo{"/proc/meminfo"};
    std::string word;
    uint64_t count = 0;
    while (meminfo >> word)
        if (word == "HugePages_Free:")
            meminfo >> count;
    return count;
}

std::vector<std::string> arguments_of(const settings& s)
{
    std::vector<std::string> words{"weftd",
                                   "--no-telemetry",
                                   "--file-prefix=weft-" + std::to_string(getpid()),
                                   "--log-level=notice",
                                   "--lcores",
                                   "0@" + std::to_string(s.main_core),
                                   "-m",
                                   std::to_string(s.memory_bytes >> 20)};
    if (s.hugepages) {
        words.push_back("--in-memory");
    } else {
        words.push_back("--no-huge");
        words.push_back("--no-shconf");
    }
    if (s.pci_devices.empty())
        words.push_back("--no-pci");
    for (const auto& device : s.pci_devices) {
        words.push_back("-a");
        words.push_back(device);
    }
    return words;
}

} // namespace

result<eal> eal::start(const settings& s)
{
    if (s.hugepages && free_hugepages() == 0)
        return fail(errc::exhausted,
                    "memory.hugepages: this machine has no free hugepages; reserve some (sysctl "
                    "vm.nr_hugepages=512) or set it to false");
    take_over_log();
    auto words = arguments_of(s);
    std::vector<char*> pointers;
    for (auto& word : words)
        pointers.push_back(word.data());
    if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0)
        return fail(errc::io, "cannot start DPDK: {}", rte_strerror(rte_errno));
    eal started;
    if (!claim_packet_note())
        return fail(errc::exists, "DPDK's dynamic mbuf fields are in use by another library");
    return started;
}

eal::~eal()
{
    if (!running_)
        return;
    const std::string directory = rte_eal_get_runtime_dir(); // of this process alone
    rte_eal_cleanup();
    rmdir(directory.c_str());
}

} // namespace weft
