// SPDX-License-Identifier: Apache-2.0
// Dispatch tables as text and JSON.
#include "control/show/dispatch_view.hh"

#include "base/place.hh"
#include "base/text_table.hh"
#include "graph/dispatch_table.hh"

#include <nlohmann/json.hpp>

namespace weft {

nlohmann::ordered_json dispatch_json(std::string_view table)
{
    auto rows = nlohmann::ordered_json::array();
    for (const auto* k : dispatch_keys(table))
        rows.push_back({{"key", dispatch_key_text(table, k->key)},
                        {"number", k->key},
                        {"name", k->name},
                        {"node", k->node},
                        {"registered_at", short_place_of(k->where)}});
    return {{"table", table}, {"keys", rows}};
}

std::string dispatch_text(const nlohmann::ordered_json& data)
{
    using enum text_table::align;
    text_table table{
        {{"Key", 6, right}, {"Name", 10, left}, {"Node", 24, left}, {"Registered at", 24, left}}};
    for (const auto& k : data["keys"])
        table.row({k["key"], k["name"], k["node"], k["registered_at"]});
    return table.str();
}

} // namespace weft
