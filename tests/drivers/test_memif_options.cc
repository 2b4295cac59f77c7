// SPDX-License-Identifier: Apache-2.0
// The device arguments of a memif.
#include "drivers/memif/options.hh"

#include <catch2/catch.hpp>

using namespace weft;
using namespace weft::drivers::memif;

TEST_CASE("memif options: what is a memif")
{
    for (const char* device : {"net_memif", "net_memif0", "net_memif12,role=server"})
        CHECK(is_memif(device));
    for (const char* device : {"net_memifx", "net_memif0x,role=server", "net_tap0", "null", ""})
        CHECK_FALSE(is_memif(device));
}

TEST_CASE("memif options: defaults are DPDK's but for the socket's, and each argument is read")
{
    const auto plain = parse_options("net_memif0");
    REQUIRE(plain);
    CHECK(plain->end == role::client);
    CHECK_FALSE(plain->abstract);
    CHECK((plain->access.owner == geteuid() && plain->access.group == getegid() &&
           plain->access.mode == 0660));
    CHECK(plain->max_region == 256 << 20);
    CHECK(plain->socket == "/run/memif.sock");
    CHECK((plain->id == 0 && plain->log2 == 10 && plain->buffer_bytes == 2048 &&
           plain->secret.empty() && !plain->mac));

    const auto all =
        parse_options("net_memif3,role=server,id=4294967295,socket=/a,socket-abstract=no,rsize=14,"
                      "bsize=65535,secret=abc,mac=02:00:00:00:00:09,zero-copy=no");
    REQUIRE(all);
    CHECK(all->end == role::server);
    CHECK_FALSE(all->abstract);
    CHECK(parse_options("net_memif0,socket-abstract=yes")->abstract);
    CHECK((all->id == UINT32_MAX && all->socket == "/a" && all->log2 == 14 &&
           all->buffer_bytes == 65535));
    CHECK(all->secret == "abc");
    CHECK(all->mac == net::mac_address{{2, 0, 0, 0, 0, 9}});
    CHECK(parse_options("net_memif0,role=master")->end == role::server);
    CHECK(parse_options("net_memif0,role=slave")->end == role::client);
}

TEST_CASE("memif options: who may connect, and how much memory it may bring")
{
    const auto some = parse_options(
        "net_memif0,socket-owner=4294967294,socket-group=7,socket-mode=606,region-limit=4096");
    REQUIRE(some);
    CHECK((some->access.owner == UINT32_MAX - 1 && some->access.group == 7 &&
           some->access.mode == 0606));
    CHECK(some->max_region == uint64_t{4} << 30);
    const auto named = parse_options("net_memif0,socket-owner=root,socket-group=root");
    REQUIRE(named);
    CHECK((named->access.owner == 0 && named->access.group == 0));
}

TEST_CASE("memif options: a secret is not shown")
{
    CHECK(without_secret("net_memif0,role=server") == "net_memif0,role=server");
    CHECK(without_secret("net_memif0,secret=word") == "net_memif0,secret=...");
    CHECK(without_secret("net_memif0,secret=a,id=3,secret=,secret=b,id=4") ==
          "net_memif0,secret=...,id=3,secret=...,secret=...,id=4");
}

TEST_CASE("memif options: what is wrong is named")
{
    const auto message = [](const std::string& arguments) {
        const auto options = parse_options("net_memif0," + arguments);
        REQUIRE_FALSE(options);
        return options.error().message;
    };
    CHECK(message("rolle=server")
              .find("no argument `rolle'; expected one of bsize, id, mac, region-limit, role") !=
          std::string::npos);
    CHECK(message("role=boss") == "argument `role': expected `server' or `client', found `boss'");
    CHECK(message("rsize=15") == "argument `rsize': expected a number from 1 to 14, found `15'");
    CHECK(message("rsize=") == "argument `rsize': expected a number from 1 to 14, found `'");
    CHECK(message("rsize") == "argument `rsize': expected a number from 1 to 14, found `'");
    CHECK(message("bsize=63") ==
          "argument `bsize': expected a number from 64 to 65535, found `63'");
    CHECK(message("id=-1") == "argument `id': expected a number from 0 to 4294967295, found `-1'");
    CHECK(message("socket-abstract=maybe") ==
          "argument `socket-abstract': expected `yes' or `no', found `maybe'");
    CHECK(message("socket-owner=no-such-one") ==
          "argument `socket-owner': there is no user `no-such-one'");
    CHECK(message("socket-group=4294967295") ==
          "argument `socket-group': there is no group `4294967295'");
    CHECK(message("socket-mode=1777") ==
          "argument `socket-mode': expected an octal number from 0 to 777, found `1777'");
    CHECK(message("socket-mode=rw") ==
          "argument `socket-mode': expected an octal number from 0 to 777, found `rw'");
    CHECK(message("region-limit=0")
              .starts_with("argument `region-limit': expected a number from 1 to 1048576"));
    CHECK(message("socket=").find("expected a path of 1 to 107 bytes") != std::string::npos);
    CHECK(message("secret=" + std::string(25, 'x')) ==
          "argument `secret': expected at most 24 bytes, found 25");
    CHECK(message("zero-copy=yes").find("weft copies frames") != std::string::npos);
    CHECK(message("mac=nonsense").starts_with("argument `mac': "));
    CHECK(message("").find("no argument `'") != std::string::npos);
}
