// SPDX-License-Identifier: Apache-2.0
// A configuration: text, tree, schema. What has no problem has settings; what has none is told with
// a place.
#include "daemon/settings.hh"
#include "daemon/yaml_file.hh"
#include "fuzz/input.hh"

#include <string>

using namespace weft;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static const auto schema = config::schema::registered();
    REQUIRE(schema);
    config::problems found;
    const auto tree = parse_yaml(std::string{fuzz::text_of({data, size})}, "fuzz.yaml", found);
    if (tree)
        schema->check(*tree, found);
    else
        REQUIRE(!tree.error().message.empty());
    for (const auto& problem : found.sorted())
        REQUIRE(!format_problem("fuzz.yaml", problem).empty());
    if (tree && found.empty())
        static_cast<void>(settings_of(*tree));
    return 0;
}
