// SPDX-License-Identifier: Apache-2.0
// Tests of the control socket with real clients: protocol, limits, hostile clients, the file.
#include "daemon/control_session.hh"
#include "daemon/control_socket.hh"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using weft::command_context;
using weft::command_registration;
using json = nlohmann::ordered_json;

std::atomic<int> said{0};

weft::result<json> say(command_context& context)
{
    ++said;
    return json(std::string{context.arguments.text("text")});
}

weft::result<json> fill(command_context& context)
{
    return json(std::string(context.arguments.number("size"), 'x'));
}

weft::result<json> miss(command_context&)
{
    return weft::fail(weft::errc::not_found, "no such thing");
}

weft::result<json> nap(command_context& context)
{
    context.self->sleep_for(20ms);
    return json("rested");
}

weft::result<json> leave(command_context&)
{
    return json{};
}

// A daemon of nothing but the loop and the socket. Its commands are registered while it lives.
class sample_daemon {
public:
    explicit sample_daemon(weft::duration stall_limit = 10s)
        : directory_{make_directory()},
          path_{directory_ / "run" / "cli.sock"},
          loop_{clock_, nullptr}
    {
        std::vector<const command_registration*> list;
        for (const auto& one : registrations_)
            list.push_back(&one);
        table_ = weft::command_table::of(list).value();
        auto opened = open(stall_limit);
        if (!opened)
            throw std::runtime_error{opened.error().message};
        socket_ = std::make_unique<weft::control_socket>(std::move(*opened));
    }
    ~sample_daemon()
    {
        socket_.reset();
        std::filesystem::remove_all(directory_);
    }

    weft::result<weft::control_socket> open(weft::duration stall_limit = 10s)
    {
        return weft::control_socket::open(path_, no_engine(), loop_, table_, stall_limit);
    }
    void close() { socket_.reset(); }

    // Runs the loop on this thread until all clients, each on a thread, have ended.
    void serve(const std::vector<std::function<void()>>& clients)
    {
        std::atomic<size_t> left{clients.size()};
        std::vector<std::jthread> threads;
        for (const auto& client : clients)
            threads.emplace_back([&] {
                client();
                --left;
                loop_.wake();
            });
        run_while([&] { return left > 0; });
    }
    void run_while(const std::function<bool()>& condition)
    {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (condition() && std::chrono::steady_clock::now() < end) {
            loop_.run_ready();
            loop_.wait(5ms);
        }
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] size_t sessions() const { return socket_->sessions(); }

private:
    static std::filesystem::path make_directory()
    {
        std::string name = std::filesystem::temp_directory_path() / "weft-test-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error{"no temporary directory"};
        return name;
    }
    // Commands under test never touch the engine.
    static weft::engine& no_engine()
    {
        alignas(64) static std::array<std::byte, 64> storage{};
        return reinterpret_cast<weft::engine&>(storage);
    }

    std::array<command_registration, 5> registrations_{{{"say <text:rest>", "Say it", say},
                                                        {"fill <size:number>", "Say much", fill},
                                                        {"miss", "Fail", miss},
                                                        {"nap", "Wait", nap},
                                                        {"quit", "Leave", leave}}};
    std::filesystem::path directory_;
    std::filesystem::path path_;
    weft::steady_clock_source clock_;
    weft::main_loop loop_;
    weft::command_table table_;
    std::unique_ptr<weft::control_socket> socket_;
};

// A client that blocks, for at most ten seconds.
class client {
public:
    explicit client(const std::filesystem::path& path) : fd_{::socket(AF_UNIX, SOCK_STREAM, 0)}
    {
        const timeval limit{10, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.native().copy(address.sun_path, sizeof address.sun_path - 1);
        if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error{"cannot connect"};
    }

    void send(std::string_view text)
    {
        while (!text.empty()) {
            const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                return;
            text.remove_prefix(static_cast<size_t>(sent));
        }
    }
    // As much as the socket takes without waiting.
    void send_at_once(std::string_view text)
    {
        static_cast<void>(::send(fd_.get(), text.data(), text.size(), MSG_DONTWAIT));
    }
    // What the daemon has not read yet, in the kernel's measure.
    [[nodiscard]] size_t queued() const
    {
        int bytes = 0;
        ::ioctl(fd_.get(), SIOCOUTQ, &bytes);
        return static_cast<size_t>(bytes);
    }
    void finish() { ::shutdown(fd_.get(), SHUT_WR); }

    // `ok: ` or `error: ` and the body; `closed` at the end.
    std::string answer()
    {
        std::string head;
        for (char c = 0; c != '\n'; head += c)
            if (::recv(fd_.get(), &c, 1, 0) != 1)
                return "closed";
        const size_t blank = head.find(' ');
        return head.substr(0, blank) + ": " + take(std::stoul(head.substr(blank)));
    }
    std::string ask(std::string_view line)
    {
        send(std::string{line} + "\n");
        return answer();
    }
    std::string take(size_t bytes)
    {
        std::string body(bytes, 0);
        const ssize_t got = ::recv(fd_.get(), body.data(), bytes, MSG_WAITALL);
        body.resize(got > 0 ? static_cast<size_t>(got) : 0);
        return body;
    }

private:
    weft::unique_fd fd_;
};

// Sends `text` as one client and gives all that is answered.
std::vector<std::string> talk(sample_daemon& daemon, std::string_view text)
{
    std::vector<std::string> answers;
    daemon.serve({[&] {
        client one{daemon.path()};
        one.send(text);
        one.finish();
        do
            answers.push_back(one.answer());
        while (answers.back() != "closed");
    }});
    return answers;
}

using strings = std::vector<std::string>;

} // namespace

TEST_CASE("one request line, one framed answer", "[daemon][control_socket]")
{
    sample_daemon daemon;
    CHECK(talk(daemon, "say hello\n@json say hello\nnap\n") ==
          strings{"ok: hello\n", "ok: \"hello\"\n", "ok: rested\n", "closed"});
    CHECK(talk(daemon, "miss\n@json miss\n@wrong x\n")[0] == "error: no such thing\n");
    CHECK(talk(daemon, "@wrong x\n")[0] ==
          "error: unknown marker in `@wrong x', expected @json or @complete\n");
    CHECK(talk(daemon, "@complete s\n@complete fill \n") ==
          strings{"ok: say\tSay it\n", "ok: <size>\ta number\n", "closed"});
}

TEST_CASE("an error in JSON has a code and a message", "[daemon][control_socket]")
{
    sample_daemon daemon;
    const auto answer = talk(daemon, "@json miss\n")[0];
    REQUIRE_THAT(answer, Catch::StartsWith("error: "));
    const json expected{{"error", {{"code", "not_found"}, {"message", "no such thing"}}}};
    CHECK(json::parse(answer.substr(7)) == expected);
}

TEST_CASE("quit closes the session, shortened too", "[daemon][control_socket]")
{
    sample_daemon daemon;
    for (const auto* word : {"quit\nsay x\n", " q \nsay x\n", "@json quit\nsay x\n"})
        CHECK(talk(daemon, word) == strings{"ok: ", "closed"});
    daemon.run_while([&] { return daemon.sessions() > 0; });
    CHECK(daemon.sessions() == 0);
}

TEST_CASE("a line that does not end is not run", "[daemon][control_socket]")
{
    sample_daemon daemon;
    said = 0;
    CHECK(talk(daemon, "say a\nsay b") == strings{"ok: a\n", "closed"});
    CHECK(said == 1);
}

TEST_CASE("requests sent ahead are answered in order", "[daemon][control_socket]")
{
    sample_daemon daemon;
    std::string requests;
    strings expected;
    for (int i = 0; i < 2000; ++i) {
        requests += fmt::format("say {}\n", i);
        expected.push_back(fmt::format("ok: {}\n", i));
    }
    expected.emplace_back("closed");
    CHECK(talk(daemon, requests) == expected);
}

TEST_CASE("a line that is too long or garbage is an error, the session goes on",
          "[daemon][control_socket]")
{
    sample_daemon daemon;
    const std::string fits = "say " + std::string(4092, 'x');
    CHECK(talk(daemon, fits + "\n")[0] == "ok: " + fits.substr(4) + "\n");
    const std::string too_long = "error: the line is longer than 4096 bytes\n";
    CHECK(talk(daemon, fits + "x\nsay a\n") == strings{too_long, "ok: a\n", "closed"});
    CHECK(talk(daemon, std::string(1 << 20, 'x') + "\nsay a\n") ==
          strings{too_long, "ok: a\n", "closed"});
    const std::string garbage{"\x00\x01\xff\xfe\nsay \xff\nsay a\n", 17};
    const auto answers = talk(daemon, garbage);
    REQUIRE(answers.size() == 4);
    CHECK(answers[0] == "error: byte 1 of the line is a control character (0x00)\n");
    CHECK(answers[1] == "error: byte 5 of the line (0xff) is not UTF-8\n");
    CHECK(answers[2] == "ok: a\n");
}

TEST_CASE("sixty-four sessions work at once", "[daemon][control_socket]")
{
    sample_daemon daemon;
    std::atomic<int> together{0};
    std::atomic<int> right{0};
    std::vector<std::function<void()>> clients;
    for (int i = 0; i < 64; ++i)
        clients.emplace_back([&, i] {
            client one{daemon.path()};
            const bool first = one.ask("say here") == "ok: here\n";
            for (++together; together < 64;)
                std::this_thread::yield();
            for (int k = 0; first && k < 20; ++k)
                right +=
                    one.ask(fmt::format("say {} {}", i, k)) == fmt::format("ok: {} {}\n", i, k);
        });
    daemon.serve(clients);
    CHECK(right == 64 * 20);
}

TEST_CASE("one session more than there can be ends the one that was idle for longest",
          "[daemon][control_socket]")
{
    sample_daemon daemon;
    strings answers;
    daemon.serve({[&] {
        std::vector<std::unique_ptr<client>> clients;
        for (size_t i = 0; i < weft::control_socket::max_sessions; ++i) {
            clients.push_back(std::make_unique<client>(daemon.path()));
            clients.back()->ask("say in");
        }
        clients[0]->ask("say again"); // the second one is idle for longest now
        client extra{daemon.path()};
        answers = {extra.ask("say in"), clients[1]->answer(), clients[1]->answer(),
                   clients[0]->ask("say still"), clients[2]->ask("say still")};
    }});
    CHECK(answers == strings{"ok: in\n",
                             fmt::format("error: session closed to make room for a new one: user "
                                         "{} has 128 of 128, and this one was idle the longest\n",
                                         ::geteuid()),
                             "closed", "ok: still\n", "ok: still\n"});
}

TEST_CASE("a client that does not read is cut off, the others are served",
          "[daemon][control_socket]")
{
    sample_daemon daemon{100ms};
    std::unique_ptr<client> stuck;
    std::string other;
    daemon.serve({[&] {
        stuck = std::make_unique<client>(daemon.path());
        stuck->send("fill 8000000\n");
        other = client{daemon.path()}.ask("say fine");
    }});
    CHECK(other == "ok: fine\n");
    daemon.run_while([&] { return daemon.sessions() > 1; });
    CHECK(daemon.sessions() == 1);
    daemon.run_while([&] { return daemon.sessions() > 0; });
    CHECK(daemon.sessions() == 0);
    CHECK(stuck->answer().size() < 8000000);
}

TEST_CASE("a client that reads slowly gets all of its answer", "[daemon][control_socket]")
{
    sample_daemon daemon{100ms};
    size_t got = 0;
    daemon.serve({[&] {
        client slow{daemon.path()};
        slow.send("fill 1000000\n");
        for (int i = 0; i < 15; ++i) {
            got += slow.take(16384).size();
            std::this_thread::sleep_for(20ms);
        }
        slow.finish();
        got += slow.take(2000000).size();
    }});
    CHECK(got == std::string_view{"ok 1000001\n"}.size() + 1000001);
}

TEST_CASE("an answer has a limit", "[daemon][control_socket]")
{
    sample_daemon daemon;
    CHECK(talk(daemon, "fill 67108865\nsay a\n") ==
          strings{"error: the answer has 67108865 bytes, more than the limit of 67108864\n",
                  "ok: a\n", "closed"});
}

TEST_CASE("a client that floods gives way after each read", "[daemon][control_socket]")
{
    sample_daemon daemon;
    client flood{daemon.path()};
    flood.send_at_once(std::string(100000, 'x'));
    const size_t sent = flood.queued();
    daemon.run_while([&] { return flood.queued() == sent; });
    CHECK(flood.queued() > sent / 2);
    daemon.run_while([&] { return flood.queued() > 0; });
    CHECK(flood.queued() == 0);
}

TEST_CASE("the socket is for owner and group, and goes with the daemon", "[daemon][control_socket]")
{
    const mode_t before = ::umask(0);
    sample_daemon open_daemon;
    ::umask(0177);
    sample_daemon strict_daemon;
    ::umask(before);
    for (const auto* daemon : {&open_daemon, &strict_daemon}) {
        struct stat found {};
        REQUIRE(::stat(daemon->path().c_str(), &found) == 0);
        CHECK((found.st_mode & 07777) == 0660);
    }
    open_daemon.close();
    CHECK_FALSE(std::filesystem::exists(open_daemon.path()));
}

TEST_CASE("closing the socket ends its sessions", "[daemon][control_socket]")
{
    sample_daemon daemon;
    std::unique_ptr<client> one;
    daemon.serve({[&] {
        one = std::make_unique<client>(daemon.path());
        one->ask("say a");
    }});
    daemon.close();
    CHECK(one->answer() == "closed");
}

TEST_CASE("a second daemon is refused and the first goes on", "[daemon][control_socket]")
{
    sample_daemon daemon;
    const auto second = daemon.open();
    REQUIRE_FALSE(second);
    CHECK(second.error().message ==
          fmt::format("another daemon is listening on {}", daemon.path().native()));
    CHECK(talk(daemon, "say a\n")[0] == "ok: a\n");
}

TEST_CASE("a stale socket is replaced, anything else is left alone", "[daemon][control_socket]")
{
    sample_daemon daemon;
    const auto stale = daemon.path().native() + ".stale";
    std::filesystem::create_hard_link(daemon.path(), stale);
    daemon.close();
    std::filesystem::rename(stale, daemon.path());
    CHECK(daemon.open());
    std::ofstream{daemon.path()} << "precious";
    const auto file = daemon.open();
    REQUIRE_FALSE(file);
    CHECK_THAT(file.error().message, Catch::EndsWith("exists and is not a socket"));
    CHECK(std::filesystem::file_size(daemon.path()) == 8);
}
