// SPDX-License-Identifier: Apache-2.0
// Processes under a clock that only the test moves, and what tests of processes need with them.
#pragma once

#include "graph/process/main_loop.hh"
#include "tests/base/fake_clock.hh"
#include "tests/base/lines.hh"

#include <array>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <memory>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weft {

struct process_tester {
    std::vector<std::string> log; // outlives the processes, which may write to it to the end
    fake_clock clock;
    main_loop loop{clock, nullptr};

    process_id start(process_function function, size_t stack_size = 64 * 1024)
    {
        return start("test", std::move(function), stack_size);
    }
    process_id start(std::string name, process_function function, size_t stack_size = 64 * 1024)
    {
        const auto id = loop.start(std::move(name), std::move(function), stack_size);
        REQUIRE(id.has_value());
        loop.run_ready();
        return *id;
    }
    void advance(duration d)
    {
        clock.advance(d);
        loop.run_ready();
    }
    bool signal(process_id id, event_type type, int data = 0)
    {
        const bool taken = loop.signal(id, event::of(type, data));
        loop.run_ready();
        return taken;
    }
    [[nodiscard]] process_status status(process_id id) const
    {
        for (auto& each : loop.status()) {
            if (each.id == id)
                return each;
        }
        process_status gone;
        gone.state = process_state::done;
        return gone;
    }
    void note(std::string what) { log.push_back(std::move(what)); }
};

// What spdlog says while it lives.
class captured_log {
public:
    captured_log() : before_{spdlog::default_logger()}
    {
        auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
        spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    }
    ~captured_log() { spdlog::set_default_logger(before_); }
    [[nodiscard]] std::string text() const { return text_.str(); }

private:
    std::shared_ptr<spdlog::logger> before_;
    std::ostringstream text_;
};

struct pipe_ends {
    std::array<int, 2> fds{};

    pipe_ends() { REQUIRE(pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) == 0); }
    ~pipe_ends()
    {
        close(fds[0]);
        close(fds[1]);
    }
    [[nodiscard]] int out() const { return fds[0]; }
    [[nodiscard]] int in() const { return fds[1]; }
    void put() const { REQUIRE(write(in(), "x", 1) == 1); }
};

} // namespace weft
