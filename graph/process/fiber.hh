// SPDX-License-Identifier: Apache-2.0
// A function with a stack of its own that runs until it suspends, and goes on from there later.
#pragma once

#include "graph/process/fiber_annotations.hh"
#include "graph/process/fiber_stack.hh"

#include <boost/context/fiber.hpp>
#include <functional>

namespace weft {

// Stays on one thread. `body` must not throw, and must have ended (or never been started) when the
// fiber is destroyed: unwinding is its owner's business.
class fiber {
public:
    fiber(fiber_stack stack, std::function<void()> body);
    ~fiber();
    fiber(const fiber&) = delete;
    fiber& operator=(const fiber&) = delete;

    // Runs the body, from its beginning or its last suspend(), until it suspends or ends. May be
    // called on another fiber, but not on its own, nor after the end.
    void resume();
    // On the fiber: goes back to the one who resumed it.
    void suspend();

    [[nodiscard]] bool started() const noexcept { return started_; }
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    [[nodiscard]] const fiber_stack& stack() const noexcept { return stack_; }

private:
    // What the C++ runtime keeps for each thread about exceptions (Itanium C++ ABI, 2.2.2): the
    // chain of those being handled and the count of those in flight. Each fiber has its own, or one
    // that waits inside a catch block would mix its exception with another fiber's.
    struct exception_state {
        void* caught = nullptr;
        unsigned int uncaught = 0;
    };

    [[nodiscard]] boost::context::fiber make_context();
    void exchange_exception_state() noexcept;

    fiber_stack stack_;
    std::function<void()> body_;
    boost::context::fiber inside_;  // where resume() jumps to
    boost::context::fiber outside_; // where suspend() jumps to
    exception_state exceptions_;
    fiber_annotations annotations_;
    bool started_ = false;
    bool ended_ = false;
};

} // namespace weft
