# How every folder of src/ is built: one static library per folder, tests beside the code, one set of warnings.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Precompiled headers are hashed by content, not by time, so that a fresh clone still hits the cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_NOHASHDIR=1
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE_PROGRAM})
endif()

add_library(kaapi_options INTERFACE)
target_compile_options(kaapi_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these inside its own and Boost's headers at -O2 (GCC bugs 105329, 105562).
  target_compile_options(kaapi_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
target_include_directories(kaapi_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(kaapi_options INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_VISIBILITY SPDLOG_FMT_EXTERNAL)
target_link_libraries(kaapi_options INTERFACE Threads::Threads)

if(KAAPI_SANITIZE STREQUAL "address")
  set(sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=undefined)
elseif(KAAPI_SANITIZE STREQUAL "thread")
  set(sanitize_flags -fsanitize=thread)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences, which the sanitizer does not see; what they order is also under locks.
    target_compile_options(kaapi_options INTERFACE -Wno-tsan)
  endif()
elseif(NOT KAAPI_SANITIZE STREQUAL "")
  message(FATAL_ERROR "KAAPI_SANITIZE must be empty, address or thread, not '${KAAPI_SANITIZE}'")
endif()
if(sanitize_flags)
  # Less optimised than what is delivered: a quarter less to compile, and better backtraces.
  add_compile_options(${sanitize_flags} -O1)
  add_link_options(${sanitize_flags})
endif()

# kaapi_library(NAME SOURCES ... LINK ...): a floor's static library `kaapi_NAME`.
function(kaapi_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(kaapi_${name} STATIC ${arg_SOURCES})
  target_link_libraries(kaapi_${name} PUBLIC kaapi_options ${arg_LINK})
  target_precompile_headers(kaapi_${name} REUSE_FROM kaapi_pch)
endfunction()

# kaapi_test(NAME SOURCES ... LINK ...): one GoogleTest program, run by `./test unit` through ctest.
function(kaapi_test name)
  cmake_parse_arguments(arg "" "TIMEOUT_S" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE kaapi_options ${arg_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM kaapi_pch)
  if(NOT arg_TIMEOUT_S)
    set(arg_TIMEOUT_S 60)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT ${arg_TIMEOUT_S})
endfunction()
