# SPDX-License-Identifier: Apache-2.0
# What plugins need: a daemon that gives them its functions and knows its ABI, and a package to build them with.
include(${CMAKE_CURRENT_LIST_DIR}/weftHeaders.cmake)
include(CMakePackageConfigHelpers)

# Debian's place for what belongs to one architecture, whatever the prefix.
if(CMAKE_LIBRARY_ARCHITECTURE)
  set(WEFT_LIBDIR lib/${CMAKE_LIBRARY_ARCHITECTURE})
else()
  set(WEFT_LIBDIR ${CMAKE_INSTALL_LIBDIR})
endif()
set(WEFT_PLUGIN_DIR ${WEFT_LIBDIR}/weft/plugins)
set(WEFT_INCLUDE_DIR ${CMAKE_INSTALL_INCLUDEDIR}/weft)

weft_public_headers(public_headers ${CMAKE_SOURCE_DIR})
list(TRANSFORM public_headers PREPEND ${CMAKE_SOURCE_DIR}/ OUTPUT_VARIABLE public_header_files)
add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/plugin_abi.cc
    COMMAND ${CMAKE_COMMAND} -D WEFT_ROOT=${CMAKE_SOURCE_DIR} -D WEFT_OUTPUT=${CMAKE_BINARY_DIR}/plugin_abi.cc
            -P ${CMAKE_CURRENT_LIST_DIR}/weftHeaders.cmake
    DEPENDS ${public_header_files} ${CMAKE_CURRENT_LIST_DIR}/weftHeaders.cmake
    COMMENT "Naming the ABI for plugins")
target_sources(weft_daemon PRIVATE ${CMAKE_BINARY_DIR}/plugin_abi.cc)
set_source_files_properties(${CMAKE_SOURCE_DIR}/daemon/plugins.cc PROPERTIES
    COMPILE_DEFINITIONS WEFT_PLUGIN_DIR="${WEFT_PLUGIN_DIR}")
target_link_libraries(weft_daemon PUBLIC ${CMAKE_DL_LIBS})
set_target_properties(weftd PROPERTIES ENABLE_EXPORTS ON)

# What the daemon was compiled with and its plugins must be too.
set(WEFT_PLUGIN_OPTIONS)
set(WEFT_PLUGIN_DEFINITIONS)
if(WEFT_SANITIZE)
  set(WEFT_PLUGIN_OPTIONS "-fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer")
endif()
if(WEFT_CHECK_VERDICTS)
  set(WEFT_PLUGIN_DEFINITIONS WEFT_CHECK_VERDICTS=1)
endif()
configure_package_config_file(
    ${CMAKE_CURRENT_LIST_DIR}/weftConfig.cmake.in ${CMAKE_BINARY_DIR}/weftConfig.cmake
    INSTALL_DESTINATION ${WEFT_LIBDIR}/cmake/weft PATH_VARS WEFT_INCLUDE_DIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/weftConfigVersion.cmake COMPATIBILITY ExactVersion)

foreach(header IN LISTS public_headers)
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${WEFT_INCLUDE_DIR}/${folder})
endforeach()
install(FILES ${CMAKE_BINARY_DIR}/weftConfig.cmake ${CMAKE_BINARY_DIR}/weftConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/weftHeaders.cmake
        DESTINATION ${WEFT_LIBDIR}/cmake/weft)
