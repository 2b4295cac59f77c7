// SPDX-License-Identifier: Apache-2.0
// Which plugins are to be loaded, and what is said of registrations that do not go with the
// daemon's.
#include "control/command/command.hh"
#include "daemon/plugins.hh"
#include "daemon/trial.hh"
#include "daemon/yaml_file.hh"
#include "graph/dispatch_table.hh"
#include "graph/init.hh"
#include "graph/node.hh"
#include "graph/process/process.hh"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace weft;

namespace {

struct folder {
    explicit folder(std::initializer_list<const char*> files)
        : path{fmt::format("{}/weft-plugins-{}", std::filesystem::temp_directory_path().string(),
                           getpid())}
    {
        std::filesystem::create_directory(path);
        for (const char* name : files)
            std::ofstream{path + '/' + name} << "nothing";
    }
    ~folder() { std::filesystem::remove_all(path); }
    std::string path;
};

config::value tree(const std::string& text)
{
    config::problems found;
    auto root = parse_yaml(text, "f", found);
    REQUIRE(root.has_value());
    return *root;
}

std::vector<std::string> found_in(const folder& f, const std::string& text)
{
    std::vector<std::string> all;
    for (const auto& p : find_plugins(f.path, tree(text)))
        all.push_back(fmt::format("{} {}", p.name, to_string(p.state)));
    return all;
}

// What is said of a plugin called `sample' that registers so. In a trial, which leaves nothing
// behind.
std::string fault_of(void (*registers)())
{
    const auto checked = trial(
        [&] {
            return check_registrations("sample", [&]() -> result<void> {
                registers();
                return {};
            });
        },
        60s);
    return checked ? "" : checked.error().message;
}

bool holds(const std::string& text, std::string_view part)
{
    INFO(text);
    return text.find(part) != std::string::npos;
}

void idle(node_run&, frame&) noexcept {}
void no_process(process&) {}
result<void> no_init(engine&)
{
    return {};
}
result<nlohmann::ordered_json> no_command(command_context&)
{
    return nlohmann::ordered_json("");
}

} // namespace

TEST_CASE("files of the directory are plugins, enabled unless something else is said", "[daemon]")
{
    const folder f{"b.so", "a.so", "c.so.1", "readme"};
    using list = std::vector<std::string>;
    CHECK(found_in(f, "") == list{"a loaded", "b loaded"});
    CHECK(found_in(f, "plugins: {a: {enabled: false}}") == list{"a disabled", "b loaded"});
    CHECK(found_in(f, "plugins: {default: disabled}") == list{"a disabled", "b disabled"});
    CHECK(found_in(f, "plugins: {default: disabled, b: {enabled: true}}") ==
          list{"a disabled", "b loaded"});
    CHECK(found_in(f, "plugins: {z: {enabled: true}, y: {enabled: false}}") ==
          list{"a loaded", "b loaded", "y disabled", "z refused"});
}

TEST_CASE("a plugin has a name that goes with the configuration's keys", "[daemon]")
{
    const folder f{"cpu.so", "default.so", "A.so", "9.so", "a_b.so", "fine-2.so"};
    CHECK(found_in(f, "") == std::vector<std::string>{"9 refused", "A refused", "a_b refused",
                                                      "cpu refused", "default refused",
                                                      "fine-2 loaded"});
}

TEST_CASE("a wrong part `plugins' is a problem of the file, with its place", "[daemon]")
{
    for (const char* text :
         {"plugins: {path: here}", "plugins: {path: /nonexistent}", "plugins: {default: on}",
          "plugins: {a: {enable: true}}", "plugins: {a: true}", "plugins: 1"}) {
        INFO(text);
        config::problems problems;
        CHECK_FALSE(load_plugins(tree(text), problems));
        CHECK_FALSE(problems.empty());
        for (const auto& p : problems.sorted())
            CHECK(p.key.starts_with("plugins"));
    }
}

TEST_CASE("registrations that go with the daemon's are taken", "[daemon]")
{
    CHECK(fault_of([] {}) == "");
    CHECK(fault_of([] {
              new node_registration{{.name = "sample", .function = idle, .joined_later = true}};
              new process_registration{"sample", no_process};
              new command_registration{"show sample", "A sample", no_command};
              new init_registration{"sample", init_phase::start, no_init};
              new config::registration{
                  {.name = "sample",
                   .keys = {{"sample.list[].colour", config::text(), "A colour."}}}};
          }) == "");
}

TEST_CASE("registrations that do not go with the daemon's are faults", "[daemon]")
{
    CHECK(holds(fault_of([] { new node_registration{{.name = "ip4-input", .function = idle}}; }),
                "two nodes are called `ip4-input'"));
    CHECK(holds(fault_of([] {
                    new node_registration{{.name = "sample",
                                           .function = idle,
                                           .nexts = {{0, "nowhere"}},
                                           .joined_later = true}};
                }),
                "`sample' has an edge to `nowhere', which does not exist"));
    CHECK(holds(fault_of([] { new node_registration{{.name = "sample", .function = idle}}; }),
                "nothing reaches node `sample'"));
    CHECK(holds(fault_of([] {
                    new command_registration{"show version", "Another", no_command};
                }),
                "two commands have the same syntax"));
    CHECK(holds(fault_of([] {
                    new init_registration{"sample", init_phase::exit, no_init, {"sample"}};
                }),
                "sample"));
    CHECK(holds(fault_of([] {
                    new process_registration{"sample", no_process};
                    new process_registration{"sample", no_process};
                }),
                "two processes are called `sample'"));
    CHECK(holds(fault_of([] {
                    new config::registration{
                        {.name = "x", .keys = {{"other.colour", config::text(), "A colour."}}}};
                }),
                "its configuration key other.colour does not begin with `sample.'"));
    CHECK(holds(fault_of([] {
                    new config::registration{
                        {.name = "sample", .after = {"features"}, .before = {"interfaces"}}};
                }),
                "configuration sections depend on each other: features ("));
    CHECK(holds(fault_of([] { new config::registration{{.name = "features"}}; }),
                "two configuration sections are called `features': "));
    CHECK(holds(fault_of([] {
                    new dispatch_registration{"ethertype", 0x0806, "ARP", "drop"};
                }),
                "two nodes handle EtherType 0x0806: `arp-input' ("));
}
