// SPDX-License-Identifier: Apache-2.0
// Configuration: a tree of values that know their place in the file, and sections that modules
// register to say which keys they take, check them and bring them to life.
#pragma once

#include "base/net/address.hh"
#include "base/result.hh"

#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {
class engine;
}

namespace weft::config {

struct position {
    int line = 0; // from 1; 0: not from a file
    int column = 0;
};

// One thing that is wrong with a configuration. Printed as
//   router.yaml:14:10: interfaces.eth0.mtu: 20 is below 68 (a number from 68 to 9216)
struct problem {
    position at;
    std::string key; // the full key
    std::string
        message; // what was found, what is allowed, and the nearest valid key if one is near
};

// Collects all problems of a file; nothing is started while there is one.
class problems {
public:
    static constexpr size_t limit = 1000; // more than a person reads; the rest is not kept

    void add(position at, std::string key, std::string message);
    template <class... Args>
    void add(const class value& where, fmt::format_string<Args...> format, Args&&... args);
    [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
    // Whether something is wrong at or below a key of the root, such as "interfaces".
    [[nodiscard]] bool touch(std::string_view root_key) const noexcept;
    // In the order of the file. The last one says so if there were more than `limit`.
    [[nodiscard]] std::vector<problem> sorted() const;

private:
    std::vector<problem> list_;
};

// A node of the tree. Immutable once read.
class value {
public:
    enum class kind { null, scalar, sequence, mapping };
    struct entry;

    [[nodiscard]] kind what() const noexcept { return kind_; }
    [[nodiscard]] position at() const noexcept { return at_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; } // "routes[2].via"
    [[nodiscard]] const std::string& text() const noexcept { return text_; } // of a scalar
    [[nodiscard]] const std::vector<value>& items() const noexcept { return items_; }
    [[nodiscard]] const std::vector<entry>& entries() const noexcept { return entries_; }
    [[nodiscard]] const value* find(std::string_view key) const noexcept;

    // Reads a scalar as T: bool, integers, std::string, the types of base/net/address.hh (uint64_t
    // reads sizes with K, M, G too). The section's keys have been checked before; a value that was
    // not is a programming error and throws std::logic_error.
    template <class T>
    [[nodiscard]] T as() const;
    // The member `key` as T, or `fallback` where it is not given.
    template <class T>
    [[nodiscard]] T get(std::string_view key, T fallback) const;
    // A scalar as a list of one, or a sequence; an absent key gives an empty list.
    template <class T>
    [[nodiscard]] std::vector<T> list(std::string_view key) const;

    // For the reader of files and for tests.
    static value scalar(std::string text, position at, std::string path);
    static value null(position at, std::string path);
    static value sequence(std::vector<value> items, position at, std::string path);
    static value mapping(std::vector<entry> entries, position at, std::string path);

private:
    kind kind_ = kind::null;
    position at_;
    std::string path_;
    std::string text_;
    std::vector<value> items_;
    std::vector<entry> entries_;
};

struct value::entry {
    std::string key;
    position key_at;
    class value value;
};

// What a key may hold: a description for people ("a number from 68 to 9216") and a check that
// adds problems.
struct type {
    std::string allowed;
    std::function<void(const value&, problems&)> check;
};

[[nodiscard]] type boolean();
[[nodiscard]] type number(uint64_t lowest, uint64_t highest);
[[nodiscard]] type size(uint64_t lowest, uint64_t highest); // 256M, 1G, 65536
[[nodiscard]] type text(std::string allowed = "a text");
[[nodiscard]] type one_of(std::vector<std::string> words);
[[nodiscard]] type mac_address(); // of one station, not a group
[[nodiscard]] type ip4_address();
[[nodiscard]] type ip4_prefix();
[[nodiscard]] type ip4_interface_address();
[[nodiscard]] type list_of(type item);
[[nodiscard]] type one_or_list_of(type item);
[[nodiscard]] type mapping(); // its members are keys of their own
[[nodiscard]] type
or_mapping(type scalar); // the short form for a mapping with one key of this type

// One key that a section takes. The path uses `*` for any name and `[]` for each item of a list:
// "cpu.workers", "interfaces.*.mtu", "routes[].to". Parents of a key (interfaces, interfaces.*,
// routes) are implied: a mapping for `.`, a sequence for `[]`.
struct key {
    std::string path;
    type holds;
    std::string help;      // one line, for the generated page docs/configuration.md
    bool required = false; // within its parent, where the parent is given
};

// A room's part of the configuration. `check` looks at what one key alone cannot tell (two
// interfaces with overlapping networks); it runs unless something is wrong with the keys below the
// roots that it reads: those of its own keys, and what `also_reads` names. `apply` runs on the main
// thread; both see the whole tree. Either may be null.
struct section {
    std::string_view name;
    std::vector<key> keys{};
    void (*check)(const value& root, problems&) = nullptr;
    result<void> (*apply)(const value& root, engine&) = nullptr;
    std::vector<std::string_view> also_reads{};
    // Sections that are applied before it, and behind it. Those that are not there are passed over:
    // they may come with a plugin.
    std::vector<std::string_view> after{};
    std::vector<std::string_view> before{};
    std::source_location where{}; // of its registration
};

struct registration {
    registration(section s, std::source_location where = std::source_location::current());
    ~registration(); // takes it back
    registration(const registration&) = delete;
    registration& operator=(const registration&) = delete;

    section what;
};

// The schema that all registered sections make together.
class schema {
public:
    // An error names two sections of one name, a key that two sections claim, each with the places
    // of both, or sections that depend on each other.
    [[nodiscard]] static result<schema> registered();
    [[nodiscard]] static result<schema> of(std::span<const section> sections);

    // All problems of the tree at once: unknown keys (with the nearest valid one), keys given twice
    // are the reader's to find, wrong types and values, missing required keys, then the sections'
    // own checks.
    void check(const value& root, problems&) const;
    // The first of the two only: whether each key exists and holds what it may.
    void check_keys(const value& root, problems&) const;
    // Of what is added while the router runs: applies the sections that have keys below `root_key`,
    // "interfaces", to a tree that has nothing but the new.
    [[nodiscard]] result<void> apply_below(std::string_view root_key, const value& root,
                                           engine&) const;
    // Applies section after section, each after those that it names, by name where nothing else
    // decides. Stops at the first error.
    [[nodiscard]] result<void> apply(const value& root, engine&) const;
    [[nodiscard]] std::vector<const key*> keys() const; // sorted by path

private:
    std::vector<section> sections_; // in the order in which they are applied
};

template <class... Args>
void problems::add(const value& where, fmt::format_string<Args...> format, Args&&... args)
{
    add(where.at(), where.path(), fmt::format(format, std::forward<Args>(args)...));
}

} // namespace weft::config
