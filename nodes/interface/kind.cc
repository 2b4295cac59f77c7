// SPDX-License-Identifier: Apache-2.0
// The registry of kinds of interfaces.
#include "nodes/interface/kind.hh"

#include "base/nearest.hh"
#include "base/place.hh"

#include <algorithm>
#include <fmt/ranges.h>

namespace weft {

namespace {

constexpr std::string_view prefix = "interfaces.*.";

std::vector<const interface_kind_registration*>& registrations()
{
    static std::vector<const interface_kind_registration*> all;
    return all;
}

using index = std::map<std::string_view, const interface_kind_registration*>;

void claim(index& in, std::string_view what, std::string_view name,
           const interface_kind_registration& by, std::vector<std::string>& faults)
{
    const auto [at, fresh] = in.emplace(name, &by);
    if (!fresh)
        faults.push_back(fmt::format("two kinds of interfaces claim the {} `{}': {} and {}", what,
                                     name, place_of(at->second->where), place_of(by.where)));
}

} // namespace

std::string_view driver_part(std::string_view device) noexcept
{
    const auto name = device.substr(0, device.find(','));
    const auto end = name.find_last_not_of("0123456789");
    return name.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

interface_kind_registration::interface_kind_registration(interface_kind kind,
                                                         std::source_location at)
    : what{std::move(kind)}, where{at}
{
    if (!what.keys.empty())
        keys_ = std::make_unique<config::registration>(
            config::section{.name = what.name, .keys = what.keys}, at);
    registrations().push_back(this);
}

interface_kind_registration::~interface_kind_registration()
{
    std::erase(registrations(), this);
}

result<interface_kinds> interface_kinds::registered()
{
    return of(registrations());
}

result<interface_kinds>
interface_kinds::of(std::span<const interface_kind_registration* const> given)
{
    interface_kinds made;
    std::vector<std::string> faults;
    for (const auto* r : given) {
        claim(made.by_name_, "name", r->what.name, *r, faults);
        if (!r->what.key.empty())
            claim(made.by_key_, "key", r->what.key, *r, faults);
        for (const auto device : r->what.devices)
            claim(made.by_device_, "device", device, *r, faults);
        for (const auto& key : r->what.keys)
            made.keys_[std::string_view{key.path}.substr(prefix.size())] = true;
        for (const auto key : r->what.takes)
            made.keys_[key] = true;
    }
    if (!faults.empty())
        return fail(errc::invalid_argument, "{}", fmt::join(faults, "\n"));
    return made;
}

const interface_kind* interface_kinds::find(std::string_view name) const noexcept
{
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second->what;
}

result<const interface_kind*> interface_kinds::of(const config::value& settings) const
{
    if (const auto* kind = settings.find("kind")) {
        if (const auto* found = find(kind->text()))
            return found;
        std::vector<std::string> known;
        for (const auto& [name, r] : by_name_)
            known.emplace_back(name);
        const auto near = nearest(kind->text(), known);
        return fail(errc::invalid_argument, "`{}' is not a kind of interface; {}expected one of {}",
                    kind->text(), near.empty() ? "" : fmt::format("did you mean `{}'? ", near),
                    names());
    }
    for (const auto& [key, r] : by_key_)
        if (settings.find(key) != nullptr)
            return &r->what;
    const auto* device = settings.find("device");
    if (device == nullptr)
        return fail(errc::invalid_argument, "expected `device' or `kind'");
    auto taken = by_device_.find(driver_part(device->text()));
    if (taken == by_device_.end())
        taken = by_device_.find("*");
    if (taken == by_device_.end())
        return fail(errc::invalid_argument, "no kind of interface supports the device `{}'",
                    device->text());
    return &taken->second->what;
}

void interface_kinds::check_keys(const interface_kind& kind, const config::value& settings,
                                 config::problems& problems) const
{
    const auto takes = [&](std::string_view key) {
        return std::any_of(kind.keys.begin(), kind.keys.end(),
                           [&](const auto& k) {
                               return std::string_view{k.path}.substr(prefix.size()) == key;
                           }) ||
               std::find(kind.takes.begin(), kind.takes.end(), key) != kind.takes.end();
    };
    for (const auto& [key, key_at, value] : settings.entries())
        if (keys_.contains(key) && !takes(key))
            problems.add(key_at, value.path(),
                         fmt::format("an interface of kind {} has no `{}'", kind.name, key));
    for (const auto key : kind.needs)
        if (settings.find(key) == nullptr)
            problems.add(settings, "an interface of kind {} needs `{}'", kind.name, key);
}

std::string interface_kinds::names() const
{
    std::string all;
    for (const auto& [name, r] : by_name_)
        all += fmt::format("{}{}", all.empty() ? "" : ", ", name);
    return all;
}

} // namespace weft
