// SPDX-License-Identifier: Apache-2.0
// What stands ready before the first input: an EAL, and no log.
#include "fuzz/start.hh"

#include "tests/eal.hh"

#include <spdlog/spdlog.h>

bool weft::fuzz::start()
{
    spdlog::set_level(spdlog::level::off);
    return test::start_eal();
}
