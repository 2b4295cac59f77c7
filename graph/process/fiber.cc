// SPDX-License-Identifier: Apache-2.0
// Fibers on Boost.Context: the switches to and fro.
#include "graph/process/fiber.hh"

#include <cassert>
#include <cxxabi.h>
#include <memory>
#include <utility>

namespace weft {

namespace {

// Gives Boost.Context the memory that the fiber owns and frees itself.
struct borrowed_stack {
    const fiber_stack* stack;

    boost::context::stack_context allocate() const noexcept
    {
        boost::context::stack_context context;
        context.sp = stack->bottom() + stack->size();
        context.size = stack->size();
        return context;
    }
    void deallocate(boost::context::stack_context&) const noexcept {}
};

} // namespace

fiber::fiber(fiber_stack stack, std::function<void()> body)
    : stack_{std::move(stack)}, body_{std::move(body)}
{}

fiber::~fiber()
{
    assert(ended_ || !started_);
}

boost::context::fiber fiber::make_context()
{
    return {std::allocator_arg, borrowed_stack{&stack_}, [this](boost::context::fiber&& resumer) {
                outside_ = std::move(resumer);
                annotations_.entered();
                body_();
                ended_ = true;
                annotations_.leaving(true);
                return std::move(outside_);
            }};
}

void fiber::resume()
{
    exchange_exception_state();
    annotations_.entering(stack_.bottom(), stack_.size());
    if (!std::exchange(started_, true))
        inside_ = make_context();
    inside_ = std::move(inside_).resume();
    annotations_.returned();
    exchange_exception_state();
}

void fiber::suspend()
{
    annotations_.leaving(false);
    outside_ = std::move(outside_).resume();
    annotations_.entered();
}

void fiber::exchange_exception_state() noexcept
{
    auto* const current = reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
    std::swap(*current, exceptions_);
}

} // namespace weft
