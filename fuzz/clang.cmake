# SPDX-License-Identifier: Apache-2.0
# What clang 14 needs that g++ 12 does not, and libFuzzer's instrumentation.
if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
  target_include_directories(weft_options SYSTEM BEFORE INTERFACE ${CMAKE_CURRENT_LIST_DIR}/clang)
endif()
# DPDK's headers are C; and g++ does not warn of a constant that is named for its reader only.
target_compile_options(weft_options INTERFACE -Wno-deprecated-volatile -Wno-unused-const-variable)
if(WEFT_SANITIZE MATCHES "address")
  target_compile_definitions(weft_options INTERFACE __SANITIZE_ADDRESS__=1) # as g++ says it
endif()
if(WEFT_FUZZ)
  target_compile_options(weft_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
