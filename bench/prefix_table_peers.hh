// SPDX-License-Identifier: Apache-2.0
// weft's prefix table and DPDK's rte_fib and rte_lpm behind one interface, for prefix_table.cc.
#pragma once

#include "nodes/ip4/prefix_table.hh"

#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_lpm.h>
#include <rte_rcu_qsbr.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

namespace weft::bench {

inline constexpr size_t vector_size = 256;
inline constexpr size_t tbl8_groups = 1 << 16;

[[noreturn]] inline void give_up(std::string_view what,
                                 std::string_view why = rte_strerror(rte_errno))
{
    std::cerr << "prefix_table_bench: " << what << ": " << why << '\n';
    std::exit(2);
}

// Grace periods for the tables that ask for them: one reader, registered while it reads.
class grace_periods {
public:
    grace_periods()
    {
        rte_rcu_qsbr_init(state(), 1);
        rte_rcu_qsbr_thread_register(state(), 0);
    }
    [[nodiscard]] rte_rcu_qsbr* state() { return reinterpret_cast<rte_rcu_qsbr*>(memory_.data()); }
    void reader_starts() { rte_rcu_qsbr_thread_online(state(), 0); }
    void reader_is_quiescent() { rte_rcu_qsbr_quiescent(state(), 0); }
    void reader_ends() { rte_rcu_qsbr_thread_offline(state(), 0); }

    void defer(std::function<void()> task)
    {
        waiting_.emplace_back(rte_rcu_qsbr_start(state()), std::move(task));
    }
    void run_due()
    {
        while (!waiting_.empty() &&
               rte_rcu_qsbr_check(state(), waiting_.front().first, false) == 1) {
            waiting_.front().second();
            waiting_.pop_front();
        }
    }

private:
    alignas(64) std::array<std::byte, 4096> memory_{}; // more than rte_rcu_qsbr_get_memsize(1)
    std::deque<std::pair<uint64_t, std::function<void()>>> waiting_;
};

// One table under measurement. A failure ends the program: its figures would mean nothing.
class contender {
public:
    explicit contender(std::string name) : name_{std::move(name)} {}
    virtual ~contender() = default;
    contender(const contender&) = delete;
    contender& operator=(const contender&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    virtual void set(const net::ip4_prefix& prefix, uint32_t value) = 0;
    virtual void remove(const net::ip4_prefix& prefix) = 0;
    // Looks up a vector; the answers stay until the next call. One reader.
    virtual void lookup(const net::ip4_address* addresses) = 0;
    [[nodiscard]] virtual uint32_t answer(size_t i) const = 0; // 0: no route
    grace_periods grace;

private:
    std::string name_;
};

class weft_table final : public contender {
public:
    explicit weft_table(bool one_by_one = false)
        : contender{one_by_one ? "weft, one by one" : "weft"},
          table_{std::move(
              *ip4::prefix_table::make([this](auto task) { grace.defer(std::move(task)); }))},
          one_by_one_{one_by_one}
    {}
    void set(const net::ip4_prefix& prefix, uint32_t value) override
    {
        if (!table_.set(prefix, value))
            give_up("prefix_table::set");
        grace.run_due();
    }
    void remove(const net::ip4_prefix& prefix) override
    {
        if (!table_.remove(prefix))
            give_up("prefix_table::remove");
        grace.run_due();
    }
    void lookup(const net::ip4_address* addresses) override
    {
        if (!one_by_one_)
            return table_.lookup(addresses, answers_.data(), vector_size);
        for (size_t i = 0; i < vector_size; ++i)
            answers_[i] = table_.lookup(addresses[i]);
    }
    [[nodiscard]] uint32_t answer(size_t i) const override { return answers_[i]; }
    [[nodiscard]] size_t memory_bytes() const { return table_.memory_bytes(); }

private:
    ip4::prefix_table table_;
    bool one_by_one_;
    std::array<uint32_t, vector_size> answers_{};
};

class fib_table final : public contender {
public:
    fib_table(std::string name, size_t routes, rte_fib_dir24_8_nh_sz size, rte_fib_lookup_type form)
        : contender{std::move(name)}
    {
        rte_fib_conf conf{};
        conf.type = RTE_FIB_DIR24_8;
        conf.max_routes = static_cast<int>(routes);
        conf.dir24_8.nh_sz = size;
        conf.dir24_8.num_tbl8 = tbl8_groups - 1;
        static int number = 0;
        fib_ = rte_fib_create(("fib" + std::to_string(number++)).c_str(), 0, &conf);
        if (fib_ == nullptr)
            give_up("rte_fib_create");
        if (rte_fib_select_lookup(fib_, form) != 0)
            give_up("rte_fib_select_lookup");
    }
    ~fib_table() override { rte_fib_free(fib_); }
    void set(const net::ip4_prefix& prefix, uint32_t value) override
    {
        if (rte_fib_add(fib_, prefix.network.value, prefix.length, value) != 0)
            give_up("rte_fib_add");
    }
    void remove(const net::ip4_prefix& prefix) override
    {
        if (rte_fib_delete(fib_, prefix.network.value, prefix.length) != 0)
            give_up("rte_fib_delete");
    }
    void lookup(const net::ip4_address* addresses) override
    {
        rte_fib_lookup_bulk(fib_,
                            reinterpret_cast<uint32_t*>(const_cast<net::ip4_address*>(addresses)),
                            answers_.data(), static_cast<int>(vector_size));
    }
    [[nodiscard]] uint32_t answer(size_t i) const override
    {
        return static_cast<uint32_t>(answers_[i]);
    }

private:
    rte_fib* fib_;
    std::array<uint64_t, vector_size> answers_{};
};

class lpm_table final : public contender {
public:
    lpm_table(size_t routes, bool four_at_once)
        : contender{four_at_once ? "rte_lpm x4" : "rte_lpm bulk"}, four_at_once_{four_at_once}
    {
        rte_lpm_config conf{};
        conf.max_rules = static_cast<uint32_t>(routes);
        conf.number_tbl8s = tbl8_groups;
        static int number = 0;
        lpm_ = rte_lpm_create(("lpm" + std::to_string(number++)).c_str(), 0, &conf);
        if (lpm_ == nullptr)
            give_up("rte_lpm_create");
        rte_lpm_rcu_config rcu{};
        rcu.v = grace.state();
        if (rte_lpm_rcu_qsbr_add(lpm_, &rcu) != 0)
            give_up("rte_lpm_rcu_qsbr_add");
    }
    ~lpm_table() override { rte_lpm_free(lpm_); }
    void set(const net::ip4_prefix& prefix, uint32_t value) override
    {
        if (rte_lpm_add(lpm_, prefix.network.value, prefix.length, value) != 0)
            give_up("rte_lpm_add");
    }
    void remove(const net::ip4_prefix& prefix) override
    {
        if (rte_lpm_delete(lpm_, prefix.network.value, prefix.length) != 0)
            give_up("rte_lpm_delete");
    }
    void lookup(const net::ip4_address* addresses) override
    {
        const auto* plain = reinterpret_cast<const uint32_t*>(addresses);
        if (!four_at_once_) {
            rte_lpm_lookup_bulk(lpm_, plain, answers_.data(), vector_size);
            return;
        }
        for (size_t i = 0; i < vector_size; i += 4)
            rte_lpm_lookupx4(lpm_, _mm_loadu_si128(reinterpret_cast<const __m128i*>(plain + i)),
                             answers_.data() + i, 0);
    }
    [[nodiscard]] uint32_t answer(size_t i) const override
    {
        if (four_at_once_)
            return answers_[i];
        return (answers_[i] & RTE_LPM_LOOKUP_SUCCESS) != 0 ? answers_[i] & 0xff'ffff : 0;
    }

private:
    rte_lpm* lpm_;
    bool four_at_once_;
    std::array<uint32_t, vector_size> answers_{};
};

} // namespace weft::bench
