# SPDX-License-Identifier: Apache-2.0
# Installs the service: the unit with the path that weftd was installed to, the first
# configuration, and the page that explains both.
install(FILES ${CMAKE_SOURCE_DIR}/docs/deploy.md ${CMAKE_SOURCE_DIR}/conf/router.yaml
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/weft)

# A unit names absolute paths, which are known when the prefix is: at the time of installing. Below
# /usr and /usr/local systemd finds it by itself.
install(CODE "set(weft_source \"${CMAKE_SOURCE_DIR}\")
set(weft_build \"${CMAKE_BINARY_DIR}\")
set(weft_sbin \"${CMAKE_INSTALL_SBINDIR}\")
set(weft_doc \"${CMAKE_INSTALL_DATAROOTDIR}/doc/weft\")")
install(CODE [[
file(READ "${weft_source}/systemd/weft.service" unit)
string(REPLACE "/usr/sbin/" "${CMAKE_INSTALL_PREFIX}/${weft_sbin}/" unit "${unit}")
string(REPLACE "/usr/share/doc/weft/" "${CMAKE_INSTALL_PREFIX}/${weft_doc}/" unit "${unit}")
file(WRITE "${weft_build}/weft.service" "${unit}")
file(INSTALL "${weft_build}/weft.service" DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/system")
]])

# The administrator's file is never overwritten. It stands in /etc whatever the prefix is.
install(CODE [[
if(EXISTS "$ENV{DESTDIR}/etc/weft/weft.yaml")
  message(STATUS "Kept: $ENV{DESTDIR}/etc/weft/weft.yaml")
else()
  file(INSTALL "${weft_source}/conf/weft.yaml" DESTINATION "/etc/weft")
endif()
]])
