// SPDX-License-Identifier: Apache-2.0
// How interfaces come and go, before the graph runs and under traffic.
#pragma once

#include "base/result.hh"
#include "control/config/config.hh"
#include "nodes/interface/interface.hh"

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;
class process;
struct interface_kind;

// What is wrong with the name of an interface; empty: nothing. Linux takes the same for a device.
[[nodiscard]] std::string fault_of_interface_name(std::string_view name);

// A module of the engine. Main thread.
class interface_lifecycle {
public:
    explicit interface_lifecycle(engine& engine) : engine_{engine} {}

    // An interface as its settings say, down. Where the graph runs, plans with its nodes have been
    // published when this returns. Nothing of it is left on an error, which names the key.
    result<interface*> create(const std::string& name, const config::value& settings);
    // Brings up one that was created while the graph runs, once no thread has a plan without its
    // nodes any more. errc::timeout if one does not finish its loop.
    result<void> bring_up(interface& i, process* self);
    // Deletes an interface and its sub-interfaces: down first, then whatever refers to it, then its
    // nodes, while packets go on elsewhere. Where it has receive queues this waits until what they
    // brought in is through; `self` is the process to wait with. errc::invalid_argument says what
    // needs it; errc::timeout if a thread does not finish its loop.
    result<void> remove(interface& i, process* self);

    // Brings up all that the file does not want down.
    result<void> start();
    // An interface that the file wants to stay down: start() leaves it.
    void keep_down(const interface& i) { kept_down_.insert(i.name); }
    [[nodiscard]] bool is_kept_down(const interface& i) const;
    // Numbers of deleted interfaces that no packet can carry any more are free again.
    void reclaim();
    [[nodiscard]] size_t retired() const noexcept { return retired_.size(); }

private:
    // Packets with a deleted interface's number are on their way within threads and between them,
    // as often as one may be handed on.
    struct retired_number {
        interface_index index;
        std::shared_ptr<bool> passed; // all threads have begun another loop
        int rounds = 0;
        std::vector<std::vector<size_t>> handed{}; // to each thread since
    };

    result<interface*> open(const interface_kind& kind, const std::string& name,
                            const config::value& settings);
    result<void> set_filters(interface& i, const config::value& settings);
    result<void> join(interface& i, const config::value& settings);
    result<void> change(const std::function<result<void>()>& edit, const std::string& why);
    [[nodiscard]] result<void> may_remove(const interface& i) const;
    result<void> remove_children(const interface& i, process* self);
    void remove_nodes(const std::string& owner, std::shared_ptr<const void> keeps);
    [[nodiscard]] bool is_free(retired_number& n);
    void await_loops(retired_number& n);
    void discard(interface& i);

    engine& engine_;
    std::deque<retired_number> retired_;
    std::set<std::string> kept_down_;
};

} // namespace weft
