# kbench_library(NAME SOURCES ... DEPS ...)          a room's static library
# kbench_test(NAME SOURCES ... DEPS ... LABELS ...)  one gtest program = one ctest test
# kbench_fuzz(NAME SOURCES ... DEPS ... CORPUS dir)  libFuzzer target; without libFuzzer the same
#                                                    code replays its corpus and mutations of it
include(GoogleTest)

function(kbench_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
  set_property(GLOBAL APPEND PROPERTY KBENCH_LIBRARIES ${name})
endfunction()

function(kbench_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
endfunction()

# What these tests cannot judge beside others is in a file that tests/CMakeLists.txt shows at the end.
set(KBENCH_NOT_JUDGED ${CMAKE_BINARY_DIR}/not_judged.txt)
function(kbench_may_not_judge)
  set_property(TEST ${ARGV} APPEND PROPERTY FIXTURES_REQUIRED not_judged)
  set_property(TEST ${ARGV} APPEND PROPERTY ENVIRONMENT_MODIFICATION
               KBENCH_NOT_JUDGED=set:${KBENCH_NOT_JUDGED})
endfunction()

function(kbench_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  # For what hangs: several times what a test needs beside others.
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(KBENCH_SANITIZE)
    math(EXPR ARG_TIMEOUT "5 * ${ARG_TIMEOUT}")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE KBENCH_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             KBENCH_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
  kbench_may_not_judge(${name})
endfunction()

function(kbench_fuzz name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPS" ${ARGN})
  if(KBENCH_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND ${name} -runs=20000 -max_total_time=20 ${ARG_CORPUS})
  else()
    add_executable(${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME ${name} COMMAND ${name} ${ARG_CORPUS})
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()
