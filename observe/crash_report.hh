// SPDX-License-Identifier: Apache-2.0
// The crash report: what a fatal signal says of the thread, the node and the packet that it hit, on
// standard error.
#pragma once

#include <csignal>

namespace weft {

class graph_thread;

// From now on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT print a report before they do what they
// do by default: end the process, leave a core, be seen by systemd. The report is written with
// nothing but system calls: no allocation, no lock, and what is not the thread's own memory is read
// by the kernel, so that a bad pointer is an error and no second crash. A report that cannot be
// written (nobody reads standard error) ends the process after five seconds. Once, before there are
// other threads: it loads what unwinds stacks, and looks up the program's symbols.
void install_crash_report() noexcept;

// While it lives, reports from the thread that made it name `self` and what it runs, and signal
// handlers run on a stack of their own, so that an overrun stack can be reported too. Ended on the
// same thread.
class crash_scope {
public:
    explicit crash_scope(const graph_thread& self) noexcept;
    ~crash_scope();
    crash_scope(const crash_scope&) = delete;
    crash_scope& operator=(const crash_scope&) = delete;

private:
    const graph_thread* const outer_;
    void* stack_ = nullptr;
    stack_t before_{};
};

} // namespace weft
