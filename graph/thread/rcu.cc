// SPDX-License-Identifier: Apache-2.0
// Quiescent states and deferred release.
#include "graph/thread/rcu.hh"

#include <cstdlib>
#include <new>
#include <rte_rcu_qsbr.h>

namespace weft {

void rcu_domain::free_aligned::operator()(rte_rcu_qsbr* p) const noexcept
{
    std::free(p);
}

rcu_domain::rcu_domain(unsigned max_threads)
{
    const size_t size = rte_rcu_qsbr_get_memsize(max_threads);
    void* memory = std::aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_CACHE_LINE_ROUNDUP(size));
    if (memory == nullptr)
        throw std::bad_alloc{};
    qsbr_.reset(static_cast<rte_rcu_qsbr*>(memory));
    rte_rcu_qsbr_init(qsbr_.get(), max_threads);
    for (unsigned thread = 0; thread < max_threads; ++thread)
        rte_rcu_qsbr_thread_register(qsbr_.get(), thread); // offline
}

rcu_domain::~rcu_domain()
{
    while (!deferred_.empty()) {
        deferred_.front().release();
        deferred_.pop_front();
    }
}

void rcu_domain::online(unsigned thread) noexcept
{
    rte_rcu_qsbr_thread_online(qsbr_.get(), thread);
}

void rcu_domain::offline(unsigned thread) noexcept
{
    rte_rcu_qsbr_thread_offline(qsbr_.get(), thread);
}

void rcu_domain::quiescent(unsigned thread) noexcept
{
    rte_rcu_qsbr_quiescent(qsbr_.get(), thread);
}

void rcu_domain::defer(std::function<void()> release)
{
    deferred_.push_back({rte_rcu_qsbr_start(qsbr_.get()), std::move(release)});
}

size_t rcu_domain::reclaim()
{
    size_t count = 0;
    while (!deferred_.empty() &&
           rte_rcu_qsbr_check(qsbr_.get(), deferred_.front().token, false) == 1) {
        auto release = std::move(deferred_.front().release);
        deferred_.pop_front();
        release();
        ++count;
    }
    return count;
}

} // namespace weft
