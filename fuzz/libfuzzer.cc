// SPDX-License-Identifier: Apache-2.0
// Called by libFuzzer before the first input.
#include "fuzz/start.hh"

extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    return weft::fuzz::start() ? 0 : 1;
}
