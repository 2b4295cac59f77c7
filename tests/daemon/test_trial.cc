// SPDX-License-Identifier: Apache-2.0
// A trial: what its work returns comes back; what ends the child is said, and does not end the
// parent.
#include "daemon/trial.hh"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <unistd.h>

using namespace weft;

namespace {

std::string what(const std::function<result<void>()>& work, duration limit = 30s)
{
    const auto outcome = trial(work, limit);
    return outcome ? "fine" : outcome.error().message;
}

void throwing()
{
    throw std::runtime_error{"no flux"};
}

} // namespace

TEST_CASE("a trial returns what its work returned, and keeps the rest to itself", "[daemon]")
{
    int touched = 0;
    CHECK(what([&]() -> result<void> {
              touched = 1;
              return {};
          }) == "fine");
    CHECK(touched == 0);
    CHECK(what([]() -> result<void> { return fail(errc::exists, "two of `{}'", "a"); }) ==
          "two of `a'");
    CHECK(what([]() -> result<void> {
              return fail(errc::exists, "{}", std::string(100'000, 'x'));
          }).size() > 1000);
}

TEST_CASE("what ends a trial is said", "[daemon]")
{
    CHECK(what([]() -> result<void> { throw std::runtime_error{"no flux"}; }) ==
          "it threw an exception: no flux");
    CHECK(what([]() noexcept -> result<void> {
              throwing(); // through a function that is noexcept, as dlopen() is
              return {};
          }) == "it threw an exception: no flux");
    CHECK(what([]() -> result<void> { throw 1; }) ==
          "it threw something that is not a std::exception");
    CHECK(what([]() -> result<void> { std::terminate(); }) == "it called std::terminate()");
    CHECK(what([]() -> result<void> { _exit(7); }) == "it ended the process with status 7");
    CHECK(what([]() -> result<void> { std::abort(); }) == "it crashed: SIGABRT (Aborted)");
    CHECK(what([]() -> result<void> {
              kill(getpid(), SIGSEGV);
              return {};
          }) == "it crashed: SIGSEGV (Segmentation fault)");
}

TEST_CASE("a trial that does not end is ended", "[daemon]")
{
    CHECK(what(
              []() -> result<void> {
                  while (true)
                      pause();
              },
              50ms) == "it took longer than 1 s");
}
