// SPDX-License-Identifier: Apache-2.0
// The table of VRFs.
#include "nodes/fib/vrfs.hh"

#include "base/quote.hh"
#include "graph/engine.hh"

#include <algorithm>

namespace weft {

namespace {

// What the kernel takes as a device's name, and a command line as one word.
bool is_good_name(std::string_view name) noexcept
{
    constexpr size_t max_bytes = 15;
    return !name.empty() && name.size() <= max_bytes && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != ':'; });
}

} // namespace

vrf_table::vrf_table(engine& engine) : engine_{engine} {}

result<vrf_index> vrf_table::add(std::string_view name)
{
    if (!is_good_name(name))
        return fail(errc::invalid_argument,
                    "{} is not a valid VRF name; expected 1 to 15 printable characters without "
                    "`/', `:' and blanks",
                    quote(name));
    if (find(name))
        return fail(errc::exists, "VRF {} already exists", quote(name));
    if (free_.empty() && names_.size() == max_vrfs)
        return fail(errc::exhausted, "{} VRFs exist, which is the maximum", max_vrfs);
    const auto vrf = free_.empty() ? static_cast<vrf_index>(names_.size()) : free_.back();
    for (size_t n = 0; n < users_.size(); ++n)
        if (auto done = users_[n]->add_vrf(vrf); !done) {
            while (n-- > 0)
                users_[n]->remove_vrf(vrf);
            return pass(done);
        }
    if (free_.empty())
        names_.emplace_back();
    else
        free_.pop_back();
    names_[vrf] = name;
    return vrf;
}

result<void> vrf_table::remove(std::string_view name)
{
    const auto vrf = vrf_named(engine_, name);
    if (!vrf)
        return pass(vrf);
    if (*vrf == default_vrf)
        return fail(errc::invalid_argument, "the default VRF cannot be removed");
    for (const auto& i : interfaces_of(engine_).all())
        if (i != nullptr && of(i->index) == *vrf)
            return fail(errc::exists, "interface {} is in VRF {}", i->name, quote(name));
    for (const auto* user : users_)
        if (auto may = user->may_remove_vrf(*vrf); !may)
            return may;
    for (auto* user : users_)
        user->remove_vrf(*vrf);
    names_[*vrf].clear();
    engine_.rcu().defer([this, number = *vrf] { free_.push_back(number); });
    return {};
}

result<void> vrf_table::bind(interface_index i, vrf_index vrf)
{
    if (of_[i] == vrf)
        return {};
    for (const auto* user : users_)
        if (auto may = user->may_bind(i); !may)
            return may;
    of_[i] = vrf;
    several_ = true;
    for (auto* user : users_)
        user->bind(i, vrf);
    return {};
}

std::optional<vrf_index> vrf_table::find(std::string_view name) const
{
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end() || name.empty())
        return {};
    return static_cast<vrf_index>(found - names_.begin());
}

std::vector<vrf_index> vrf_table::all() const
{
    std::vector<vrf_index> found;
    for (size_t n = 0; n < names_.size(); ++n)
        if (!names_[n].empty())
            found.push_back(static_cast<vrf_index>(n));
    return found;
}

void vrf_table::add_user(vrf_user& user)
{
    users_.push_back(&user);
}

result<vrf_index> vrf_named(engine& engine, std::string_view name)
{
    const auto found = engine.module<vrf_table>().find(name);
    if (!found)
        return fail(errc::not_found, "no VRF {}", quote(name));
    return *found;
}

} // namespace weft
