# SPDX-License-Identifier: Apache-2.0
# Installs the man pages weftd(8), weftctl(1) and weft.yaml(5), as the programs themselves say: their --help, and the
# registered keys of the configuration.
install(CODE "set(weft_build \"${CMAKE_BINARY_DIR}\")
set(weft_version \"${PROJECT_VERSION}\")
set(weft_man \"${CMAKE_INSTALL_MANDIR}\")")
install(CODE [[
function(weft_said to)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  set(${to} "${text}" PARENT_SCOPE)
endfunction()

# A page that shows what `PROGRAM --help' prints.
function(weft_man_page program section title see)
  weft_said(help "${weft_build}/${program}" --help)
  string(REPLACE "\\" "\\e" help "${help}")
  string(REPLACE "-" "\\-" help "${help}")
  string(TOUPPER "${program}" name)
  file(WRITE "${weft_build}/${program}.${section}"
".TH ${name} ${section} \"\" \"weft ${weft_version}\" \"weft\"
.SH NAME
${program} \\- ${title}
.SH SYNOPSIS AND OPTIONS
.nf
${help}.fi
.SH SEE ALSO
${see}
")
endfunction()

weft_man_page(weftd 8 "vector packet-processing router daemon" ".BR weftctl (1),\n.BR weft.yaml (5)")
weft_man_page(weftctl 1 "command line of a running weftd" ".BR weftd (8)")
weft_said(page "${weft_build}/weftd" --page weft.yaml.5)
file(WRITE "${weft_build}/weft.yaml.5" "${page}")
foreach(page weftd.8 weftctl.1 weft.yaml.5)
  string(REGEX REPLACE ".*\\." "" section "${page}")
  file(INSTALL "${weft_build}/${page}" DESTINATION "${CMAKE_INSTALL_PREFIX}/${weft_man}/man${section}")
endforeach()
]])
