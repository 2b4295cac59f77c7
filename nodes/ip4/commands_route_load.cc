// SPDX-License-Identifier: Apache-2.0
// ip route load.
#include "base/quote.hh"
#include "base/token_bucket.hh"
#include "control/command/command_parameters.hh"
#include "graph/process/process.hh"
#include "nodes/ip4/route_load.hh"

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

using json = nlohmann::ordered_json;

// Gives way to others between two slices of work, and at a rate waits until more changes are due.
// Ends with the daemon.
class load_turns {
public:
    // `rate`: changes a second; 0: as many as there can be.
    load_turns(engine& engine, process* self, uint64_t rate)
        : engine_{engine},
          self_{self},
          rate_{rate},
          due_{rate, ticks, std::max<uint64_t>(rate / 100, 1)} // 10 ms of them at once
    {}

    bool give_way() const
    {
        if (self_ != nullptr)
            self_->yield();
        return !engine_.stop_requested();
    }
    size_t operator()(size_t applied)
    {
        if (rate_ == 0)
            return give_way() ? SIZE_MAX : 0;
        if (applied == 0)
            due_.restart(now());
        if (applied < allowed_)
            give_way();
        while (applied == allowed_)
            if (const auto more = due_.take(now(), UINT32_MAX); more > 0)
                allowed_ += more;
            else
                self_->sleep_for(duration{due_.wait()});
        return allowed_ - applied;
    }

private:
    static constexpr uint64_t ticks = std::nano::den; // a second's
    [[nodiscard]] uint64_t now() const { return static_cast<uint64_t>(self_->now().count()); }

    engine& engine_;
    process* const self_;
    const uint64_t rate_;
    token_bucket due_;
    size_t allowed_ = 0; // changes, in all
};

// How many loads run; a list takes as much memory as its file and more.
struct route_loads {
    static constexpr unsigned most = 4;
    explicit route_loads(engine&) {}
    unsigned running = 0;
};

class running_load {
public:
    explicit running_load(route_loads& all) : all_{all} { ++all_.running; }
    ~running_load() { --all_.running; }
    running_load(const running_load&) = delete;
    running_load& operator=(const running_load&) = delete;

private:
    route_loads& all_;
};

result<json> route_load(command_context& context)
{
    const std::string path{context.arguments.text("path")};
    if (!path.starts_with('/'))
        return fail(errc::invalid_argument,
                    "{} is not an absolute path; the daemon does not know "
                    "your working directory",
                    quote(path));
    const auto rate = number_within(context.arguments, "rate", 1, token_bucket::max_rate, 0);
    if (!rate)
        return pass(rate);
    if (*rate != 0 && context.self == nullptr)
        return fail(errc::unsupported, "rate: only possible in a session, such as weftctl's");
    auto& loads = context.engine.module<route_loads>();
    if (loads.running == route_loads::most)
        return fail(errc::exhausted, "{} loads are already running, which is the maximum",
                    loads.running);
    const running_load counted{loads};
    load_turns turns{context.engine, context.self, *rate};
    const auto start = std::chrono::steady_clock::now();
    const auto done = load_routes(
        context.engine.module<tables>(), path, [&] { return turns.give_way(); }, std::ref(turns));
    if (!done)
        return pass(done);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    return json{{"routes", done->added + done->changed + done->removed + done->unchanged},
                {"added", done->added},
                {"changed", done->changed},
                {"removed", done->removed},
                {"unchanged", done->unchanged},
                {"seconds", spent.count()}};
}

std::string load_text(const json& data)
{
    const auto count = [&](const char* what) { return data[what].get<size_t>(); };
    const auto seconds = data["seconds"].get<double>();
    return fmt::format(
        "{} routes: {} added, {} changed, {} removed, {} unchanged in {:.2f} s ({:.2f} M/s)",
        count("routes"), count("added"), count("changed"), count("removed"), count("unchanged"),
        seconds, static_cast<double>(count("routes")) / seconds / 1e6);
}

const command_registration load{"ip route load <path:word> [rate <rate:number>]",
                                "Applies a file of static route changes, at most rate per second",
                                route_load, load_text};

} // namespace

} // namespace weft::ip4
