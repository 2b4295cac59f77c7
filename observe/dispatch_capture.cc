// SPDX-License-Identifier: Apache-2.0
// Writes what the threads copied to a capture file.
#include "observe/dispatch_capture.hh"

#include "graph/adjacency_names.hh"
#include "nodes/interface/interface.hh"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <rte_cycles.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <utility>

namespace weft {

namespace {

constexpr size_t step_bytes = 256 * 1024; // written at a time, so that others take their turn
constexpr size_t no_index = SIZE_MAX;
constexpr size_t max_block = 70'000; // a packet of 65,535 bytes with its comment

uint64_t since_1970()
{
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
}

} // namespace

dispatch_capture::~dispatch_capture()
{
    if (fd_ >= 0)
        close(fd_);
}

std::vector<std::shared_ptr<capture_buffer>>
dispatch_capture::make_buffers(engine& engine, const capture_request& what, process* self)
{
    std::vector<std::shared_ptr<capture_buffer>> made;
    for (unsigned thread = 0; thread < engine.thread_count(); ++thread) {
        made.push_back(std::make_shared<capture_buffer>(thread, what.nodes, what.snap));
        if (self != nullptr)
            self->yield(); // the kernel takes its time for so much memory
    }
    return made;
}

result<void> dispatch_capture::begin(capture_request what,
                                     std::vector<std::shared_ptr<capture_buffer>> buffers)
{
    if (state_ != state::off)
        return fail(errc::exists, "a capture to {} is running; `capture dispatch off' ends it",
                    request_.path);
    // never over something that is there, and for the owner's eyes only
    const int fd =
        open(what.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(errno == EEXIST ? errc::exists : errc::io, "{}: {}", what.path,
                    std::strerror(errno));
    request_ = std::move(what);
    fd_ = fd;
    packets_ = vectors_ = file_bytes_ = missed_ = 0;
    interface_count_ = 0;
    interfaces_.clear();
    last_vector_ = {};
    names_.clear();
    failure_.clear();
    cannot_write_ = false;
    begun_tsc_ = rte_rdtsc();
    begun_ns_ = since_1970();
    append_header(blocks_);
    for (const auto& i : interfaces_of(engine_).all())
        (void)interface_of(i->index);
    flush();
    if (!failure_.empty()) {
        close(std::exchange(fd_, -1));
        unlink(request_.path.c_str());
        return fail(errc::io, "{}", failure_);
    }
    buffers_ = std::move(buffers);
    std::vector<capture_buffer*> pointers;
    for (const auto& buffer : buffers_)
        pointers.push_back(buffer.get());
    state_ = state::on;
    engine_.set_captures(std::move(pointers));
    return {};
}

// The next interface of a number is another one.
dispatch_capture::dispatch_capture(engine& engine) : engine_{engine}
{
    interfaces_of(engine).observe_release([this](interface_index index) {
        if (index < interfaces_.size())
            interfaces_[index] = no_index;
    });
}

void dispatch_capture::end()
{
    if (state_ != state::on)
        return;
    state_ = state::ending;
    engine_.set_captures({});
    engine_.rcu().defer([this] { finish(); });
}

uint64_t dispatch_capture::missed() const noexcept
{
    uint64_t sum = missed_;
    for (const auto& buffer : buffers_)
        sum += buffer->missed();
    return sum;
}

// The thread whose oldest vector is the oldest of all.
capture_buffer* dispatch_capture::earliest() const
{
    capture_buffer* found = nullptr;
    uint64_t best = UINT64_MAX;
    for (const auto& buffer : buffers_)
        if (const auto tsc = buffer->oldest(); tsc && *tsc < best) {
            best = *tsc;
            found = buffer.get();
        }
    return found;
}

bool dispatch_capture::step()
{
    captured_packet what;
    bool any = false;
    while (state_ != state::off && blocks_.size() < step_bytes) {
        auto* buffer = earliest();
        if (buffer == nullptr || !buffer->take(what, data_))
            break;
        any = true;
        if (packets_ == request_.most || !failure_.empty())
            continue; // copied before the threads knew
        append(what);
        if (packets_ == request_.most)
            end();
        else if (file_bytes_ + blocks_.size() + max_block > request_.max_bytes)
            end_early(fmt::format("{}: it has {} bytes, and a replay reads at most {}",
                                  request_.path, file_bytes_ + blocks_.size(), request_.max_bytes));
    }
    flush();
    return any;
}

size_t dispatch_capture::interface_of(interface_index index)
{
    const bool exists = interfaces_of(engine_).knows(index);
    const size_t place = exists ? index : max_interfaces;
    if (interfaces_.size() <= place)
        interfaces_.resize(place + 1, no_index);
    if (interfaces_[place] == no_index) {
        recorded_interface what{"(none)", {}};
        if (exists)
            what = {interfaces_of(engine_).at(index).name, interfaces_of(engine_).hot(index).mac};
        append_interface(blocks_, what, request_.snap);
        interfaces_[place] = interface_count_++;
    }
    return interfaces_[place];
}

void dispatch_capture::append(const captured_packet& what)
{
    const auto& registry = engine_.registry();
    recorded_packet p;
    const uint64_t tsc = std::max(what.tsc, begun_tsc_) - begun_tsc_;
    p.nanoseconds = begun_ns_ + static_cast<uint64_t>(engine_.seconds_of(tsc) * 1e9);
    p.node = names_.try_emplace(what.node, registry.at(what.node).name).first->second;
    p.thread = what.thread;
    p.vector = what.vector;
    p.place = what.place;
    p.size = what.size;
    p.interface = interface_of(what.metadata.interface);
    p.length = what.length;
    p.l3_offset = what.metadata.l3_offset;
    p.flags = what.metadata.flags & static_cast<uint8_t>(~packet_metadata::traced);
    p.adjacency = what.metadata.adjacency;
    if (p.adjacency != 0)
        p.adjacency_text = engine_.module<adjacency_names>().of(p.adjacency);
    if ((p.flags & packet_metadata::aimed) != 0) {
        p.next_hop = what.note.next_hop;
        p.out_interface = interfaces_of(engine_).at(what.note.out_interface).name;
    }
    if (what.node == registry.drop_node())
        if (const auto* why = registry.reason_of(what.note.drop_reason))
            p.reason = fmt::format(
                "{}:{}", registry.at(static_cast<node_id>(what.note.drop_reason >> 16)).name,
                why->name);
    p.icmp_type = what.note.error_type;
    p.icmp_code = what.note.error_code;
    p.icmp_mtu = what.note.error_value;
    p.bytes = data_;
    append_packet(blocks_, p);
    ++packets_;
    if (const std::pair now{p.thread, p.vector}; now != last_vector_) {
        last_vector_ = now;
        ++vectors_;
    }
}

void dispatch_capture::end_early(std::string why)
{
    failure_ = std::move(why);
    spdlog::error("capture: {}", failure_);
    end();
}

// A file that cannot be written any more ends the capture, which says why.
void dispatch_capture::flush()
{
    for (size_t at = 0; at < blocks_.size() && !cannot_write_;) {
        const ssize_t written = write(fd_, blocks_.data() + at, blocks_.size() - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            cannot_write_ = true;
            end_early(fmt::format("{}: {}", request_.path, std::strerror(errno)));
            break;
        }
        at += static_cast<size_t>(written);
        file_bytes_ += static_cast<uint64_t>(written);
    }
    blocks_.clear();
}

// No thread writes to the buffers any more.
void dispatch_capture::finish()
{
    if (state_ == state::off)
        return;
    while (step())
        ;
    state_ = state::off;
    missed_ = missed();
    buffers_.clear();
    close(std::exchange(fd_, -1));
}

} // namespace weft
