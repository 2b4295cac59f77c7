// SPDX-License-Identifier: Apache-2.0
// Serves one client of the control socket.
#include "daemon/control_session.hh"

#include "control/command/command_syntax.hh"
#include "daemon/control_socket.hh"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weft {
namespace {

constexpr std::string_view json_marker = "@json";
constexpr std::string_view complete_marker = "@complete";
constexpr duration max_idle = 1h; // only how often an idle session looks around
// So much is written before others get their turn, however fast the client reads.
constexpr size_t write_share = 256ul << 10;

std::string_view name_of(errc code) noexcept
{
    switch (code) {
    case errc::invalid_argument:
        return "invalid_argument";
    case errc::not_found:
        return "not_found";
    case errc::exists:
        return "exists";
    case errc::exhausted:
        return "exhausted";
    case errc::unsupported:
        return "unsupported";
    case errc::io:
        return "io";
    case errc::timeout:
        return "timeout";
    }
    return "unknown";
}

std::string frame_error(const error& e, bool as_json)
{
    if (!as_json)
        return frame_answer(false, e.message);
    const nlohmann::ordered_json data{
        {"error", {{"code", name_of(e.code)}, {"message", e.message}}}};
    return frame_answer(false,
                        data.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

std::string_view trimmed(std::string_view text)
{
    const size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos)
        return {};
    return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// Takes `marker` and one blank from the front of `request`.
bool take_marker(std::string_view& request, std::string_view marker)
{
    if (!request.starts_with(marker))
        return false;
    auto rest = request.substr(marker.size());
    if (!rest.empty() && rest.front() != ' ')
        return false;
    if (!rest.empty())
        rest.remove_prefix(1);
    request = rest;
    return true;
}

} // namespace

std::string frame_answer(bool good, std::string text)
{
    if (!text.empty() && text.back() != '\n')
        text += '\n';
    text.insert(0, fmt::format("{} {}\n", good ? "ok" : "error", text.size()));
    return text;
}

std::span<char> request_lines::space() noexcept
{
    return std::span{buffer_}.subspan(used_);
}

void request_lines::drop(size_t bytes) noexcept
{
    std::memmove(buffer_.data(), buffer_.data() + bytes, used_ - bytes);
    used_ -= bytes;
}

std::optional<request_lines::line> request_lines::next()
{
    const auto held = [this] { return std::string_view{buffer_.data(), used_}; };
    if (skipping_) {
        const size_t end = held().find('\n');
        skipping_ = end == std::string_view::npos;
        drop(skipping_ ? used_ : end + 1);
    }
    const size_t end = held().find('\n');
    if (end != std::string_view::npos) {
        line one{std::string{held().substr(0, end)}, false};
        drop(end + 1);
        return one;
    }
    if (used_ < buffer_.size())
        return {};
    skipping_ = true;
    used_ = 0;
    return line{{}, true};
}

control_session::control_session(foreign_fd client, const command_table& commands,
                                 duration stall_limit, answer_memory& memory)
    : client_{std::move(client)}, commands_{commands}, stall_limit_{stall_limit}, memory_{memory}
{}

void control_session::serve(process& self, engine& engine)
{
    for (;;) {
        auto request = lines_.next();
        if (!request) {
            if (!read_more(self))
                return;
            self.yield(); // what is skipped of an endless line takes turns too
            continue;
        }
        idle_since_.reset();
        if (request->too_long) {
            const error e{errc::invalid_argument,
                          fmt::format("the line is longer than {} bytes", max_command_line)};
            if (!write(self, frame_error(e, false)))
                return;
            continue;
        }
        if (is_quit(engine, request->text)) {
            static_cast<void>(write(self, frame_answer(true, {})));
            return;
        }
        if (!write_answer(self, answer(self, engine, request->text)))
            return;
        // A client that sends requests without end shares the thread with the others.
        self.yield();
    }
}

void control_session::say_last(std::string_view why)
{
    if (!idle_since_)
        return; // it may stand in the middle of an answer
    const auto text = frame_answer(false, std::string{why});
    static_cast<void>(::send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

bool control_session::read_more(process& self)
{
    if (!idle_since_)
        idle_since_ = self.now();
    for (;;) {
        const auto space = lines_.space();
        std::vector<foreign_fd> unwanted;
        const ssize_t got =
            receive_with_files(client_.get(), std::as_writable_bytes(space), unwanted);
        if (got > 0) {
            lines_.added(static_cast<size_t>(got));
            return true;
        }
        if (got == 0)
            return false;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return false;
        static_cast<void>(self.wait_readable(client_.get(), max_idle));
    }
}

// What clients do not read is kept, within bounds for all of them together.
bool control_session::write_answer(process& self, std::string bytes)
{
    if (memory_.used + bytes.size() > memory_.limit)
        bytes = frame_answer(
            false,
            fmt::format("{} bytes of answers are waiting to be read, the limit is {}; try again",
                        memory_.used, memory_.limit));
    struct held {
        answer_memory& memory;
        const size_t size;
        ~held() { memory.used -= size; }
    } const here{memory_, bytes.size()};
    memory_.used += here.size;
    return write(self, bytes);
}

bool control_session::write(process& self, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t sent =
            ::send(client_.get(), bytes.data(), std::min(bytes.size(), write_share), MSG_NOSIGNAL);
        if (sent > 0) {
            bytes.remove_prefix(static_cast<size_t>(sent));
            if (!bytes.empty())
                self.yield();
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for_progress(self))
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

// The socket turns writable only once most of what is queued was read, so a slow reader is told
// from one that stopped by how much is left in the queue.
bool control_session::wait_for_progress(process& self)
{
    int queued = 0;
    if (::ioctl(client_.get(), SIOCOUTQ, &queued) < 0)
        return false;
    while (!self.wait_writable(client_.get(), stall_limit_)) {
        int left = 0;
        if (::ioctl(client_.get(), SIOCOUTQ, &left) < 0 || left >= queued) {
            spdlog::info("{}: the client is not reading its answer; session closed", self.name());
            return false;
        }
        queued = left;
    }
    return true;
}

std::string control_session::answer(process& self, engine& engine, std::string_view request)
{
    const bool as_json = take_marker(request, json_marker);
    if (auto good = command_syntax::check_line(request); !good)
        return frame_error(good.error(), as_json);
    if (!as_json && take_marker(request, complete_marker)) {
        std::string text;
        for (const auto& one : commands_.complete(engine, request))
            text += fmt::format("{}\t{}\n", one.word, one.help);
        return frame_answer(true, std::move(text));
    }
    if (request.starts_with('@'))
        return frame_error(
            {errc::invalid_argument, fmt::format("unknown marker in `{}', expected {} or {}",
                                                 request, json_marker, complete_marker)},
            as_json);
    auto done = commands_.run(engine, request, as_json, &self);
    if (!done)
        return frame_error(done.error(), as_json);
    if (done->size() > control_socket::max_answer)
        return frame_error(
            {errc::exhausted, fmt::format("the answer has {} bytes, more than the limit of {}",
                                          done->size(), control_socket::max_answer)},
            as_json);
    return frame_answer(true, std::move(*done));
}

// `quit`, or what is short for it and for nothing else.
bool control_session::is_quit(engine& engine, std::string_view request) const
{
    constexpr std::string_view quit = "quit";
    static_cast<void>(take_marker(request, json_marker));
    const auto word = trimmed(request);
    if (word.empty() || !quit.starts_with(word))
        return false;
    const auto meanings = commands_.complete(engine, word);
    return word == quit || (meanings.size() == 1 && meanings.front().word == quit);
}

} // namespace weft
