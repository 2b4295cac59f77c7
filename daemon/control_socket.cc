// SPDX-License-Identifier: Apache-2.0
// Opens the control socket and starts a process for each client.
#include "daemon/control_socket.hh"

#include "base/foreign_fd.hh"
#include "daemon/control_session.hh"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weft {
namespace {

constexpr mode_t socket_mode = 0660;
constexpr int backlog = 256;
constexpr duration look_around = 1h;     // how often the acceptor wakes without a client
constexpr duration accept_pause = 100ms; // after a failure such as no file descriptors

struct identity {
    dev_t device = 0;
    ino_t number = 0;
    friend bool operator==(const identity&, const identity&) = default;
};

result<sockaddr_un> address_of(const std::filesystem::path& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto& text = path.native();
    if (text.empty() || text.size() >= sizeof address.sun_path)
        return fail(errc::invalid_argument, "{}: a socket path must have 1 to {} bytes", text,
                    sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, text.c_str(), text.size());
    return address;
}

template <class... Args>
tl::unexpected<error> fail_errno(int code, fmt::format_string<Args...> format, Args&&... args)
{
    return fail(errc::io, "{}: {}", fmt::format(format, std::forward<Args>(args)...),
                std::strerror(code));
}

unique_fd make_socket()
{
    return unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

// Removes a socket on which nobody answers; an error if anything else stands at the path.
result<void> clear_stale(const std::filesystem::path& path, const sockaddr_un& address)
{
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) {
        if (errno == ENOENT)
            return {};
        return fail_errno(errno, "{}", path.native());
    }
    if (!S_ISSOCK(found.st_mode))
        return fail(errc::exists, "{} exists and is not a socket", path.native());
    const auto probe = make_socket();
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    // A full backlog (EAGAIN) is a daemon too, only a busy one.
    if (::connect(probe.get(), raw, sizeof address) == 0 || errno == EAGAIN)
        return fail(errc::exists, "another daemon is listening on {}", path.native());
    if (errno != ECONNREFUSED && errno != ENOENT)
        return fail_errno(errno, "{}: cannot tell whether another daemon is listening",
                          path.native());
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "{}: cannot remove the stale socket", path.native());
    return {};
}

result<void> make_parent(const std::filesystem::path& path)
{
    std::error_code code;
    if (path.has_parent_path())
        std::filesystem::create_directories(path.parent_path(), code);
    if (code)
        return fail_errno(code.value(), "{}: cannot create the directory",
                          path.parent_path().native());
    return {};
}

result<unique_fd> listen_at(const std::filesystem::path& path, const sockaddr_un& address)
{
    auto listener = make_socket();
    if (listener.get() < 0)
        return fail_errno(errno, "{}: cannot create a socket", path.native());
    static_cast<void>(accept_files(listener.get(), false)); // a command needs none
    // The file never is more open than this: bind() takes the mode from the socket. chmod() then
    // gives back what the umask took.
    if (::fchmod(listener.get(), socket_mode) != 0)
        return fail_errno(errno, "{}: cannot set the mode", path.native());
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno(errno, "{}: cannot bind", path.native());
    if (::chmod(path.c_str(), socket_mode) != 0 || ::listen(listener.get(), backlog) != 0) {
        const int code = errno;
        ::unlink(path.c_str());
        return fail_errno(code, "{}: cannot listen", path.native());
    }
    return listener;
}

identity identity_of(const std::filesystem::path& path)
{
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0)
        return {};
    return {found.st_dev, found.st_ino};
}

void refuse(const foreign_fd& client)
{
    const auto answer = frame_answer(
        false,
        fmt::format("too many sessions (the limit is {}), and none that may be closed is idle",
                    control_socket::max_sessions));
    // A fresh socket's buffer takes it; a client that is gone already needs no answer.
    static_cast<void>(
        ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

// Who connected; nobody in particular where the kernel does not say.
uid_t user_of(const foreign_fd& client)
{
    const auto peer = peer_of(client.get());
    return peer ? peer->uid : static_cast<uid_t>(-1);
}

} // namespace

struct control_socket::state {
    std::filesystem::path path;
    weft::engine& engine;
    main_loop& loop;
    const command_table& commands;
    duration stall_limit;
    foreign_fd listener;
    identity file;
    process_id acceptor = 0;
    uint64_t accepted = 0;
    struct member {
        process_id process = 0;
        uid_t user = 0;
        duration begun{};
    };
    // Its members go when their process does, however that ends.
    struct roster {
        std::unordered_map<control_session*, member> sessions;
        answer_memory trusted{SIZE_MAX};
        answer_memory others{max_held_answers};
    };
    std::shared_ptr<roster> present = std::make_shared<roster>();

    void accept_all(process& self);
    [[nodiscard]] bool make_room(uid_t user);
    void start_session(foreign_fd client, uid_t user);
    void close();
};

void control_socket::state::accept_all(process& self)
{
    for (;;) {
        foreign_fd client{
            ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (client.get() >= 0) {
            if (const auto user = user_of(client); make_room(user))
                start_session(std::move(client), user);
            else
                refuse(client);
            self.yield(); // a flood of clients shares the thread with the others
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            static_cast<void>(self.wait_readable(listener.get(), look_around));
        } else if (errno != EINTR && errno != ECONNABORTED) {
            spdlog::warn("{}: cannot accept a session: {}", path.native(), std::strerror(errno));
            self.sleep_for(accept_pause);
        }
    }
}

// Ends another session if it must; false if none may be ended.
bool control_socket::state::make_room(uid_t user)
{
    std::vector<session_place> places;
    std::vector<std::pair<control_session*, member>> members;
    for (const auto& [session, who] : present->sessions) {
        places.push_back({who.user, is_trusted(who.user), session->idle_since(), who.begun});
        members.emplace_back(session, who);
    }
    const auto verdict = session_shares{}.admit(places, user, is_trusted(user));
    if (verdict.ends) {
        const auto& [session, who] = members[*verdict.ends];
        const auto number =
            std::count_if(places.begin(), places.end(),
                          [greedy = who.user](const auto& place) { return place.user == greedy; });
        session->say_last(fmt::format("session closed to make room for a new one: user {} has {} "
                                      "of {}, and this one was idle the longest",
                                      who.user, number, max_sessions));
        static_cast<void>(loop.stop(who.process));
    }
    return verdict.admitted;
}

void control_socket::state::start_session(foreign_fd client, uid_t user)
{
    auto& memory = is_trusted(user) ? present->trusted : present->others;
    std::shared_ptr<control_session> session{
        new control_session{std::move(client), commands, stall_limit, memory},
        [roster = present](control_session* ended) {
            roster->sessions.erase(ended);
            delete ended;
        }};
    auto* key = session.get();
    const auto started = loop.start(
        fmt::format("cli-session-{}", ++accepted),
        [session = std::move(session), &engine = engine](process& self) {
            session->serve(self, engine);
        },
        session_stack);
    if (started)
        present->sessions.emplace(key, member{*started, user, loop.now()});
    else
        spdlog::warn("cannot start a session: {}", started.error().message);
}

void control_socket::state::close()
{
    static_cast<void>(loop.stop(acceptor));
    ::shutdown(listener.get(),
               SHUT_RDWR); // it is closed later, and must not seem to answer until then
    std::vector<process_id> ids;
    for (const auto& [session, who] : present->sessions)
        ids.push_back(who.process);
    for (const auto id : ids)
        static_cast<void>(loop.stop(id));
    // The path may belong to a successor by now.
    if (identity_of(path) == file)
        ::unlink(path.c_str());
}

result<control_socket> control_socket::open(const std::filesystem::path& path, engine& engine,
                                            main_loop& loop, const command_table& commands,
                                            duration stall_limit)
{
    const auto address = address_of(path);
    if (!address)
        return pass(address);
    if (auto made = make_parent(path); !made)
        return pass(made);
    if (auto cleared = clear_stale(path, *address); !cleared)
        return pass(cleared);
    auto listener = listen_at(path, *address);
    if (!listener)
        return pass(listener);
    std::unique_ptr<state> opened{new state{path, engine, loop, commands, stall_limit,
                                            foreign_fd{std::move(*listener)}, identity_of(path)}};
    const auto started =
        loop.start("cli-listener", [raw = opened.get()](process& self) { raw->accept_all(self); });
    if (!started) {
        ::unlink(path.c_str());
        return pass(started);
    }
    opened->acceptor = *started;
    return control_socket{std::move(opened)};
}

control_socket::control_socket(std::unique_ptr<state> opened) noexcept : state_{std::move(opened)}
{}

control_socket::control_socket(control_socket&&) noexcept = default;

control_socket& control_socket::operator=(control_socket&& other) noexcept
{
    std::swap(state_, other.state_);
    return *this;
}

control_socket::~control_socket()
{
    if (state_)
        state_->close();
}

size_t control_socket::sessions() const noexcept
{
    return state_->present->sessions.size();
}

} // namespace weft
