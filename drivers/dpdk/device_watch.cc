// SPDX-License-Identifier: Apache-2.0
// device-watch: takes devices that have gone away out of the graph, and opens again those that are
// not there.
#include "drivers/dpdk/device.hh"
#include "graph/engine.hh"
#include "graph/thread/input_control.hh"
#include "nodes/interface/interface.hh"

#include <map>
#include <spdlog/spdlog.h>

namespace weft::drivers {

namespace {

constexpr duration look = 1s;

void tell_link(engine& engine, interface& i)
{
    i.link = i.driver->link();
    interfaces_of(engine).notify(i);
}

// Closes what has been let go once no thread can be using it: all have taken up plans without its
// inputs meanwhile.
bool close_device(process& self, const interface& i, interface_driver& driver)
{
    const auto inputs = inputs_of(driver.rx_queues());
    auto done =
        self.engine().module<input_control>().change(inputs, &self, [&] { driver.unplug(); });
    if (!done)
        spdlog::warn("interface {}: cannot close its device yet: {}", i.name, done.error().message);
    return done.has_value();
}

// One that turns out to have no interrupts must not be waited for.
void keep_polled(process& self, const interface& i)
{
    engine& engine = self.engine();
    std::vector<node_id> deaf;
    for (const auto& q : i.driver->rx_queues())
        if (!q.has_interrupt && engine.registry().at(q.input).state == node_state::interrupt)
            deaf.push_back(q.input);
    if (deaf.empty())
        return;
    spdlog::warn("interface {}: its device has no receive interrupts; using rx-mode adaptive",
                 i.name);
    if (auto done = engine.module<input_control>().set_state(deaf, node_state::adaptive, &self);
        !done)
        spdlog::error("interface {}: {}", i.name, done.error().message);
}

// From when a device is not there until it is. Says once why it is not, and again when that
// changes.
class absence {
public:
    void lose(interface& i, interface_driver& driver, engine& engine)
    {
        spdlog::warn("interface {}: its device is gone; retrying every {} s", i.name,
                     replug_seconds);
        closed_ = false;
        next_ = engine.loop().now() + pause;
        driver.let_go();
        tell_link(engine, i);
    }

    void end(process& self, interface& i, interface_driver& driver)
    {
        engine& engine = self.engine();
        if (!closed_)
            closed_ = close_device(self, i, driver);
        if (i.driver.get() != &driver) // deleted while this waited
            return;
        if (!closed_ || engine.loop().now() < next_)
            return;
        next_ = engine.loop().now() + pause;
        auto& hot = interfaces_of(engine).hot(i.index);
        auto opened = driver.plug(engine);
        if (opened)
            opened = driver.set_admin(hot.admin_up.load());
        if (!opened) {
            if (opened.error().message != why_)
                spdlog::info("interface {}: its device is not available: {}", i.name,
                             opened.error().message);
            why_ = opened.error().message;
            return;
        }
        interfaces_of(engine).set_mac(i, driver.mac(i.index));
        keep_polled(self, i);
        if (i.driver.get() != &driver)
            return;
        why_.clear();
        spdlog::info("interface {}: its device is available", i.name);
        tell_link(engine, i);
    }

private:
    static constexpr duration pause = std::chrono::seconds{replug_seconds};

    bool closed_ = true;
    duration next_{};
    std::string why_;
};

void watch_devices(process& self)
{
    std::map<interface_index, absence> absent;
    while (true) {
        self.sleep_for(look);
        auto& interfaces = interfaces_of(self.engine());
        std::erase_if(absent, [&](const auto& a) { // those of deleted ones
            return interfaces.at(a.first).driver == nullptr;
        });
        const auto now = interfaces.all(); // which changes while this waits
        for (interface* i : now) {
            interface_driver* const driver = i->driver.get();
            if (driver == nullptr)
                continue;
            if (driver->state() == device_state::present && driver->has_gone())
                absent[i->index].lose(*i, *driver, self.engine());
            if (driver->state() != device_state::present)
                absent[i->index].end(self, *i, *driver);
        }
    }
}

const process_registration registration{"device-watch", watch_devices};

} // namespace

} // namespace weft::drivers
