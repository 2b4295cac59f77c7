// SPDX-License-Identifier: Apache-2.0
// A VRF's longest prefix match, which grows from a trie to a table of two stages.
#include "nodes/ip4/lookup_table.hh"

namespace weft::ip4 {

lookup_table::lookup_table(prefix_trie small, defer_function defer, std::function<void()> moved)
    : small_{std::make_shared<prefix_trie>(std::move(small))},
      defer_{std::move(defer)},
      moved_{std::move(moved)}
{}

table_reader lookup_table::read() const noexcept
{
    table_reader reader;
    reader.is_large_ = large_.has_value();
    if (large_)
        reader.large_ = large_->read();
    else
        reader.small_ = small_->read();
    return reader;
}

// Makes the large table beside the small one, which readers may hold until a grace period is over.
result<void> lookup_table::grow()
{
    auto made = prefix_table::make(defer_);
    if (!made)
        return pass(made);
    if (!made->reserve(small_->prefixes().size() + 1))
        return fail(errc::exhausted, "route table: out of memory");
    result<void> done;
    small_->prefixes().each([&](const net::ip4_prefix& prefix, value_type value) {
        if (done)
            done = made->set(prefix, value);
    });
    if (!done)
        return done;
    large_ = std::move(*made);
    auto old = std::exchange(small_, nullptr);
    moved_();
    defer_([old = std::move(old)]() mutable { old.reset(); });
    return {};
}

result<void> lookup_table::set(const net::ip4_prefix& prefix, value_type value)
{
    if (!large_ && small_->prefixes().size() >= max_small && !small_->prefixes().find(prefix))
        if (auto done = grow(); !done)
            return done;
    return large_ ? large_->set(prefix, value) : small_->set(prefix, value);
}

result<void> lookup_table::remove(const net::ip4_prefix& prefix)
{
    return large_ ? large_->remove(prefix) : small_->remove(prefix);
}

std::optional<std::pair<net::ip4_prefix, lookup_table::value_type>>
lookup_table::match(net::ip4_address address) const
{
    if (large_)
        return large_->match(address);
    const value_type value = lookup(address);
    if (value == prefix_trie::none)
        return std::nullopt;
    const uint8_t length = small_->length_for(address);
    return std::pair{net::ip4_prefix{{address.value & net::ip4_prefix::mask_of(length)}, length},
                     value};
}

bool lookup_table::reserve(size_t count)
{
    if (!large_ && count > max_small && !grow())
        return false;
    return large_ ? large_->reserve(count) : small_->prefixes().reserve(count);
}

} // namespace weft::ip4
