// SPDX-License-Identifier: Apache-2.0
// What makes a shared object a plugin: WEFT_PLUGIN in one of its files. Everything else (nodes,
// processes, commands, configuration sections, init functions) it registers as the daemon's own
// modules do.
#pragma once

#include <cstddef>
#include <cstdint>

// What must be the same in the daemon and in a plugin, because both access the same structures
// directly: the headers that they were compiled with (WEFT_HEADERS is a hash of them), the
// compiler, DPDK, and the instrumentation of the code.
#define WEFT_PLUGIN_ABI                                                                            \
    "weft " WEFT_VERSION ", headers " WEFT_HEADERS ", g++ " WEFT_TEXT_OF(                          \
        __GNUC__) ", DPDK " WEFT_TEXT_OF(RTE_VER_YEAR) "." WEFT_TEXT_OF(RTE_VER_MONTH)             \
        WEFT_PLUGIN_FATES WEFT_PLUGIN_SANITIZER
#define WEFT_TEXT_OF(macro) WEFT_TEXT_OF_(macro)
#define WEFT_TEXT_OF_(value) #value
#if WEFT_CHECK_VERDICTS
#define WEFT_PLUGIN_FATES ", checked fates"
#else
#define WEFT_PLUGIN_FATES ""
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WEFT_PLUGIN_SANITIZER ", AddressSanitizer"
#elif defined(__SANITIZE_THREAD__)
#define WEFT_PLUGIN_SANITIZER ", ThreadSanitizer"
#else
#define WEFT_PLUGIN_SANITIZER ""
#endif

// Used once in each plugin, at namespace scope, with three literals: WEFT_PLUGIN("dscp-counter",
// "1.0.0", "Counts ..."). The name is that of the file without .so: lower-case letters, digits and
// hyphens, beginning with a letter. The plugin's configuration keys begin with it.
#define WEFT_PLUGIN(name, version, description)                                                    \
    WEFT_PLUGIN_NOTE(WEFT_PLUGIN_ABI "\0" name "\0" version "\0" description)
#define WEFT_PLUGIN_NOTE(text)                                                                     \
    [[gnu::section(".note.weft"), gnu::used]] alignas(                                             \
        4) static constexpr ::weft::plugin_note<sizeof(text)>                                      \
        weft_plugin_note                                                                           \
    {                                                                                              \
        {},                                                                                        \
        {                                                                                          \
            text                                                                                   \
        }                                                                                          \
    }

namespace weft {

inline constexpr uint32_t plugin_note_type = 1;
inline constexpr char plugin_note_owner[] = "weft";
inline constexpr size_t max_plugin_note = 4096; // bytes of text

// An ELF note (gABI, "Note Section"), which the daemon reads from the file before any of the
// plugin's code runs. Its text is ABI, name, version and description, each ended by a NUL. An
// aggregate, so that it is read-only data.
template <size_t text_size>
struct plugin_note {
    static_assert(text_size <= max_plugin_note);

    struct {
        uint32_t owner_bytes = sizeof plugin_note_owner;
        uint32_t text_bytes = text_size;
        uint32_t type = plugin_note_type;
        char owner[8]{"weft"};
    } head;
    char text[(text_size + 3) / 4 * 4];
};

} // namespace weft
