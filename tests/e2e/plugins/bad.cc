// SPDX-License-Identifier: Apache-2.0
// Plugins that go wrong before they register anything.
#if defined(variant_other_abi)
#undef WEFT_HEADERS
#define WEFT_HEADERS "0123456789abcdef"
#endif
#include "graph/plugin.hh"

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <unistd.h>

#if defined(variant_other_abi)
WEFT_PLUGIN("other-abi", "1.0", "Was built with other headers");
const int ended = (abort(), 0); // must not run, not even for a trial
#elif defined(variant_misnamed)
WEFT_PLUGIN("somebody-else", "1.0", "Is in a file of another name");
#elif defined(variant_missing_symbol)
WEFT_PLUGIN("missing-symbol", "1.0", "Calls what nobody has");
extern int nobody_has_this();
const int answer = nobody_has_this();
#elif defined(variant_throwing)
WEFT_PLUGIN("throwing", "1.0", "Throws in a constructor");
const int thrown = []() -> int { throw std::runtime_error{"no licence for flux"}; }();
#elif defined(variant_crashing)
WEFT_PLUGIN("crashing", "1.0", "Crashes in a constructor");
const int crashed = raise(SIGSEGV);
#elif defined(variant_leaving)
WEFT_PLUGIN("leaving", "1.0", "Ends the process in a constructor");
const int left = (_exit(7), 0);
#endif
