// SPDX-License-Identifier: Apache-2.0
// The process that closes devices that have gone, and opens those that are not there, with a device
// of the test's own.
#include "drivers/dpdk/device.hh"
#include "nodes/interface/interface.hh"
#include "tests/graph/graph_tester.hh"
#include "tests/graph/process/process_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;
using Catch::Contains;

namespace {

// What the test does to the device, and what was done with it.
struct plug_log {
    bool has_gone = false;
    std::string refusal; // of plug(), empty: it is there
    device_state state = device_state::present;
    bool was_polled_when_closed = false;
    std::vector<std::string> calls;
};

class plug_device final : public interface_driver {
public:
    plug_device(plug_log& log, engine& engine, node_id input)
        : log_{log}, engine_{engine}, input_{input}
    {}

    net::mac_address mac(interface_index) const override { return {{2, 0, 0, 0, 0, 9}}; }
    result<void> join(engine&, const std::string&, interface_index) override { return {}; }
    result<void> plug(engine&) override
    {
        log_.calls.push_back("plug");
        if (!log_.refusal.empty())
            return fail(errc::io, "{}", log_.refusal);
        log_.state = device_state::present;
        return {};
    }
    bool has_gone() override { return std::exchange(log_.has_gone, false); }
    void let_go() override
    {
        log_.calls.push_back("let_go");
        log_.state = device_state::gone;
    }
    void unplug() override
    {
        log_.calls.push_back("unplug");
        log_.was_polled_when_closed = !engine_.main().current_plan()->inputs().empty();
    }
    result<void> set_admin(bool up) override
    {
        log_.calls.push_back(up ? "up" : "down");
        return {};
    }
    result<void> set_mtu(uint16_t) override { return {}; }
    link_status link() const override { return {log_.state == device_state::present, 0, true}; }
    hardware_status hardware() const override { return {}; }
    device_state state() const override { return log_.state; }
    std::vector<rx_queue_input> rx_queues() const override { return {{0, input_, true}}; }

private:
    plug_log& log_;
    engine& engine_;
    const node_id input_;
};

struct watch_tester {
    captured_log log;
    plug_log device;
    graph_tester t{{source("in", {"end"}), sink("end")}};
    std::vector<bool> links; // as observers were told

    explicit watch_tester(device_state at_first)
    {
        device.state = at_first;
        t.publish_and_adopt();
        auto& interfaces = interfaces_of(t.engine);
        REQUIRE(interfaces.add("a", std::make_unique<plug_device>(device, t.engine, t.id("in"))));
        interfaces.hot(0).set_up(true);
        interfaces.observe([this](const interface& i) { links.push_back(i.link.up); });
        for (const auto* p : registered_processes())
            if (p->name == "device-watch")
                REQUIRE(t.engine.loop().start("device-watch", p->function));
    }
    void run(duration time)
    {
        for (; time > 0s; time -= 10ms) {
            t.clock.advance(10ms);
            t.engine.run_main_once();
        }
    }
    [[nodiscard]] std::vector<std::string> calls() { return std::exchange(device.calls, {}); }
};

using words = std::vector<std::string>;

} // namespace

TEST_CASE("a device that has gone is closed when nobody polls it, and opened every five seconds",
          "[drivers][device]")
{
    watch_tester w{device_state::present};
    w.run(3s);
    CHECK(w.calls() == words{});
    w.device.has_gone = true;
    w.device.refusal = "no such device";
    w.run(2s);
    CHECK(w.calls() == words{"let_go", "unplug"});
    CHECK_FALSE(w.device.was_polled_when_closed);
    CHECK(w.t.engine.main().current_plan()->inputs().size() == 1); // it is polled again
    CHECK(w.links == std::vector<bool>{false});
    w.run(12s);
    CHECK(w.calls() == words{"plug", "plug"});
    w.device.refusal.clear();
    interfaces_of(w.t.engine).hot(0).set_up(false);
    w.run(5s);
    CHECK(w.calls() == words{"plug", "down"});
    CHECK(w.links == std::vector<bool>{false, true});
    w.run(12s);
    CHECK(w.calls() == words{});
}

TEST_CASE("what became of a device is logged once", "[drivers][device]")
{
    watch_tester w{device_state::present};
    w.device.has_gone = true;
    w.device.refusal = "no such device";
    w.run(30s);
    w.device.refusal.clear();
    w.run(10s);
    const std::string log = w.log.text();
    for (const char* line :
         {"interface a: its device is gone", "its device is not available: no such device",
          "interface a: its device is available"}) {
        CHECK_THAT(log, Contains(line));
        CHECK(log.find(line) == log.rfind(line));
    }
}

TEST_CASE("a device that was missing at start joins when it is there", "[drivers][device]")
{
    watch_tester w{device_state::missing};
    w.device.refusal = "not yet";
    w.run(8s);
    CHECK(w.calls() == words{"plug", "plug"});
    CHECK(w.links.empty());
    w.device.refusal.clear();
    w.run(5s);
    CHECK(w.calls() == words{"plug", "up"});
    CHECK(w.links == std::vector<bool>{true});
    CHECK(interfaces_of(w.t.engine).hot(0).mac == net::mac_address{{2, 0, 0, 0, 0, 9}});
}
