# Debian packages kbench, kbench-agent and kbench-server: `make deb`, into build/PRESET/packages.
# Dependencies are those that dpkg-shlibdeps reads off the programs.
find_package(Python3 COMPONENTS Interpreter REQUIRED)

set(packaging ${CMAKE_SOURCE_DIR}/cmake/packaging)
set(KBENCH_UNITS /lib/systemd/system)  # where Debian 12's own tools look for units

# The version grows with every commit, so that an upgrade is one; it names the commit, too.
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} rev-list --count HEAD
                OUTPUT_VARIABLE commits OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(commits)
  string(REPLACE "-" "." commit ${KBENCH_COMMIT})
  set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION}+git${commits}.${commit})
else()
  set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
endif()

# kbench_package(NAME COMPONENT component PROGRAMS ... [SUMMARY text] [SCRIPTS file...])
function(kbench_package name)
  cmake_parse_arguments(ARG "" "COMPONENT;SUMMARY" "PROGRAMS;SCRIPTS" ${ARGN})
  install(TARGETS ${ARG_PROGRAMS} RUNTIME DESTINATION bin COMPONENT ${ARG_COMPONENT})
  set(pages)
  foreach(program IN LISTS ARG_PROGRAMS)
    set(page ${CMAKE_BINARY_DIR}/man/${program}.1.gz)
    add_custom_command(
      OUTPUT ${page}
      COMMAND Python3::Interpreter -B ${packaging}/manpage.py $<TARGET_FILE:${program}>
              ${packaging}/man/${program}.man ${PROJECT_VERSION} ${KBENCH_COMMIT_DATE} ${page}
      DEPENDS ${program} ${packaging}/manpage.py ${packaging}/man/${program}.man VERBATIM)
    list(APPEND pages ${page})
  endforeach()
  add_custom_target(${name}-man DEPENDS ${pages})
  add_dependencies(kbench-packaged ${ARG_PROGRAMS} ${name}-man)
  install(FILES ${pages} DESTINATION share/man/man1 COMPONENT ${ARG_COMPONENT})
  install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION share/doc/${name} RENAME copyright
          COMPONENT ${ARG_COMPONENT})
  string(TOUPPER ${ARG_COMPONENT} upper)
  list(TRANSFORM ARG_SCRIPTS PREPEND ${packaging}/${ARG_COMPONENT}/)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION ${ARG_SUMMARY} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${ARG_SCRIPTS} PARENT_SCOPE)
endfunction()

# A unit with its user, for a daemon's package.
function(kbench_service name component)
  install(FILES ${packaging}/${component}/${name}.service DESTINATION ${KBENCH_UNITS}
          COMPONENT ${component})
  install(FILES ${packaging}/${component}/${name}.sysusers DESTINATION lib/sysusers.d
          RENAME ${name}.conf COMPONENT ${component})
endfunction()

file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/man)
add_custom_target(kbench-packaged)

kbench_package(kbench COMPONENT controller PROGRAMS kbench kbench-conform kbench-kv kbench-observe
  SCRIPTS postrm
  SUMMARY "Benchmark of Kinetic key-value servers: the controller
 Plans campaigns, has kbench-agent on many hosts carry them out, and reports where the time of a request
 goes: client stack, network or server.")
install(FILES ${packaging}/controller/kbench.bash-completion
        DESTINATION share/bash-completion/completions RENAME kbench COMPONENT controller)
foreach(program IN ITEMS kbench-conform kbench-kv kbench-observe)
  install(CODE "execute_process(COMMAND ${CMAKE_COMMAND} -E create_symlink kbench
    \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/bash-completion/completions/${program})"
    COMPONENT controller)
endforeach()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/playbooks DESTINATION share/kbench COMPONENT controller)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/campaigns DESTINATION share/doc/kbench/examples
        COMPONENT controller)

kbench_package(kbench-agent COMPONENT agent PROGRAMS kbench-agent
  SCRIPTS postinst prerm postrm conffiles
  SUMMARY "Benchmark of Kinetic key-value servers: a client host's load
 Waits for a controller (package kbench) and makes the load that it asks for, with limits of its own.")
kbench_service(kbench-agent agent)
install(FILES ${packaging}/agent/agent.toml DESTINATION /etc/kbench COMPONENT agent)

kbench_package(kbench-server COMPONENT server PROGRAMS kbench-server
  SCRIPTS postinst prerm postrm conffiles
  SUMMARY "Benchmark of Kinetic key-value servers: the reference server
 A whole Kinetic server with a known, chosen service time, which records how long each request was in it.")
kbench_service(kbench-server server)
install(FILES ${packaging}/server/kbench-server.default DESTINATION /etc/default
        RENAME kbench-server COMPONENT server)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME kbench)
set(CPACK_PACKAGE_VENDOR kbench)
set(CPACK_PACKAGE_CONTACT "kbench developers <kbench@localhost>")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL controller agent server)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_AGENT_PACKAGE_DEPENDS systemd)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS systemd)
set(CPACK_DEBIAN_CONTROLLER_PACKAGE_RECOMMENDS "ansible-core, kbench-agent, kbench-server")  # for --inventory, --local
set(CPACK_DEBIAN_CONTROLLER_PACKAGE_SUGGESTS "ansible, openssl, bash-completion")
include(CPack)

# Only the programs and their pages are built for it, not the tests. Packages of other commits go.
add_custom_target(deb
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${CMAKE_BINARY_DIR}/packages
  COMMAND ${CMAKE_CPACK_COMMAND} --config ${CMAKE_BINARY_DIR}/CPackConfig.cmake
  DEPENDS kbench-packaged USES_TERMINAL VERBATIM)
add_dependencies(deb kbench-packaged)
