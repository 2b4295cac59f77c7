// SPDX-License-Identifier: Apache-2.0
// ip route load.
#include "graph/command_parameters.hh"
#include "graph/process.hh"
#include "graph/quote.hh"
#include "graph/token_bucket.hh"
#include "nodes/ip4/route_load.hh"

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

using json = nlohmann::ordered_json;

// Gives way to others between two slices of work, and at a rate waits until more changes are due.
class load_turns {
public:
    // `rate`: changes a second; 0: as many as there can be.
    load_turns(process* self, uint64_t rate)
        : self_{self}, rate_{rate}, due_{rate, ticks, std::max<uint64_t>(rate / 100, 1)} // 10 ms of them at once
    {}

    void give_way() const
    {
        if (self_ != nullptr)
            self_->yield();
    }
    size_t operator()(size_t applied)
    {
        if (rate_ == 0) {
            give_way();
            return SIZE_MAX;
        }
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

    process* const self_;
    const uint64_t rate_;
    token_bucket due_;
    size_t allowed_ = 0; // changes, in all
};

result<json> route_load(command_context& context)
{
    const std::string path{context.arguments.text("path")};
    if (!path.starts_with('/'))
        return fail(errc::invalid_argument, "{} is not an absolute path; the daemon does not know "
                    "your working directory", quote(path));
    const auto rate = number_within(context.arguments, "rate", 1, token_bucket::highest_rate, 0);
    if (!rate)
        return pass(rate);
    if (*rate != 0 && context.self == nullptr)
        return fail(errc::unsupported, "rate: nothing can wait here; expected a session, such as weftctl's");
    load_turns turns{context.self, *rate};
    const auto start = std::chrono::steady_clock::now();
    const auto done = load_routes(context.host.room<tables>(), path, [&] { turns.give_way(); }, std::ref(turns));
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
    return fmt::format("{} routes: {} added, {} changed, {} removed, {} unchanged in {:.2f} s ({:.2f} M/s)",
                       count("routes"), count("added"), count("changed"), count("removed"),
                       count("unchanged"), seconds,
                       static_cast<double>(count("routes")) / seconds / 1e6);
}

const command_registration load{"ip route load <path:word> [rate <rate:number>]",
                                "Adds, changes and removes static routes as a file says, at most so "
                                "many a second", route_load,
                                load_text};

} // namespace

} // namespace weft::ip4
