// SPDX-License-Identifier: Apache-2.0
// Without libFuzzer: runs a target's function on every seed of its folder and on a fixed number of
// their mutations.
//     weft_fuzz_replay TARGET FOLDER MUTATIONS     or     weft_fuzz_replay TARGET FILE
// An input that ends the program is written to weft-fuzz-TARGET.input first.
#include "fuzz/mutation.hh"
#include "fuzz/start.hh"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

using bytes = std::vector<uint8_t>;
using target_function = int (*)(const uint8_t*, size_t);

#define TARGET(name) extern "C" int fuzz_##name(const uint8_t*, size_t);
#include <fuzz_targets.inc>
#undef TARGET

namespace {

constexpr size_t longest = 16384; // bytes of an input

struct target {
    const char* name;
    target_function run;
};
constexpr target targets[] = {
#define TARGET(name) {#name, fuzz_##name},
#include <fuzz_targets.inc>
#undef TARGET
};

// For whoever ends the program.
bytes current;
std::string keep_at;

void keep_current() noexcept
{
    const int file = open(keep_at.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return;
    const bool written =
        write(file, current.data(), current.size()) == static_cast<ssize_t>(current.size());
    close(file);
    if (written)
        std::fprintf(stderr, "the input is in %s\n", keep_at.c_str());
}

void on_abort(int) noexcept
{
    keep_current();
    std::signal(SIGABRT, SIG_DFL);
    std::raise(SIGABRT);
}

bytes contents(const std::filesystem::path& path)
{
    std::ifstream file{path, std::ios::binary};
    if (!file) {
        std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
        std::exit(2);
    }
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<bytes> seeds_of(const std::filesystem::path& folder)
{
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator{folder})
        paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<bytes> all;
    for (const auto& path : paths)
        all.push_back(contents(path));
    return all;
}

void run(const target& what, const bytes& data)
{
    current = data;
    what.run(data.data(), data.size());
}

int replay(const target& what, const char* path, unsigned long mutations)
{
    if (!std::filesystem::is_directory(path)) {
        run(what, contents(path));
        return 0;
    }
    const auto seeds = seeds_of(path);
    if (seeds.empty()) {
        std::fprintf(stderr, "%s has no seeds\n", path);
        return 2;
    }
    for (const auto& seed : seeds)
        run(what, seed);
    for (unsigned long i = 0; i < mutations; ++i) {
        bytes mutant = seeds[i % seeds.size()];
        weft::fuzz::mutator{i + 1}.change(mutant, seeds[(i * 7 + 3) % seeds.size()], longest);
        run(what, mutant);
    }
    std::printf("%s: %zu seeds and %lu mutations passed\n", what.name, seeds.size(), mutations);
    return 0;
}

} // namespace

int main(int count, char** arguments)
{
    if (count == 3 || count == 4)
        for (const auto& each : targets)
            if (std::strcmp(each.name, arguments[1]) == 0) {
                keep_at = std::string{"weft-fuzz-"} + each.name + ".input";
                std::signal(SIGABRT, on_abort);
#if defined(__SANITIZE_ADDRESS__)
                __sanitizer_set_death_callback(keep_current);
#endif
                return weft::fuzz::start()
                           ? replay(each, arguments[2],
                                    count == 4 ? std::strtoul(arguments[3], nullptr, 10) : 0)
                           : 2;
            }
    std::fprintf(stderr, "usage: weft_fuzz_replay TARGET FOLDER MUTATIONS|FILE\n");
    return 2;
}
