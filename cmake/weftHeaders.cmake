# SPDX-License-Identifier: Apache-2.0
# The headers that plugins are compiled with, and the hash of them that is a part of the ABI's name. The daemon's build
# and a plugin's both compute it, each from the headers that it compiles.

# All of graph/ but the fibers, which are behind graph/process/process.hh.
function(weft_public_headers list root)
  file(GLOB_RECURSE found RELATIVE ${root} ${root}/base/*.hh ${root}/graph/*.hh
       ${root}/control/*.hh ${root}/nodes/interface/*.hh
       ${root}/nodes/fib/*.hh)
  list(FILTER found EXCLUDE REGEX "/fiber")
  list(SORT found)
  set(${list} ${found} PARENT_SCOPE)
endfunction()

function(weft_headers_hash variable root)
  weft_public_headers(headers ${root})
  set(sums)
  foreach(header IN LISTS headers)
    file(SHA256 ${root}/${header} sum)
    string(APPEND sums "${sum} ${header}\n")
  endforeach()
  string(SHA256 all "${sums}")
  string(SUBSTRING ${all} 0 16 all)
  set(${variable} ${all} PARENT_SCOPE)
endfunction()

# cmake -D WEFT_ROOT=... -D WEFT_OUTPUT=... -P weftHeaders.cmake: the daemon's own ABI, as a source.
if(CMAKE_SCRIPT_MODE_FILE AND WEFT_OUTPUT)
  weft_headers_hash(hash ${WEFT_ROOT})
  file(WRITE ${WEFT_OUTPUT} "#define WEFT_HEADERS \"${hash}\"
#include \"daemon/plugin_file.hh\"
#include \"graph/plugin.hh\"

std::string_view weft::plugin_abi() noexcept
{
    return WEFT_PLUGIN_ABI;
}
")
endif()
