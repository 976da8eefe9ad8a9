# Language, warnings, sanitizers, and the identity of this build.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(KBENCH_PRESET "custom" CACHE STRING "Name of the preset, recorded in every result")
set(KBENCH_SANITIZE "" CACHE STRING "address, thread, or empty")
option(KBENCH_TIDY "Run clang-tidy beside the compiler, warnings as errors" OFF)
option(KBENCH_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)

add_compile_options(-Wall -Wextra -Wshadow -Wno-missing-field-initializers -Werror)
# Whether what a mutex guards is touched under it only (base/mutex.h).
add_compile_options($<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
if(KBENCH_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(KBENCH_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
endif()
if(KBENCH_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # a fuzzer is led by what it sees of the libraries
endif()
if(KBENCH_TIDY)
  set(CMAKE_CXX_CLANG_TIDY clang-tidy --quiet --warnings-as-errors=*)
endif()

execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} describe --always --dirty --abbrev=12
                OUTPUT_VARIABLE KBENCH_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT KBENCH_COMMIT)
  set(KBENCH_COMMIT "unknown")
endif()
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} show -s --format=%cI HEAD
                OUTPUT_VARIABLE KBENCH_COMMIT_DATE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT KBENCH_COMMIT_DATE)
  set(KBENCH_COMMIT_DATE "unknown")
endif()
