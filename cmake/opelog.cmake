# What every target of the project shares: language level, warnings, libraries by room.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(VTERM REQUIRED IMPORTED_TARGET vterm)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)

add_library(opelog_options INTERFACE)
target_compile_options(opelog_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wno-sign-conversion $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  # g++ 12 warns falsely about std::variant moved at -O2 (GCC bug 105562 and its kin); clang-tidy and UBSan look for the real ones.
  $<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-maybe-uninitialized>
  $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2> -fstack-protector-strong)
target_include_directories(opelog_options INTERFACE "${CMAKE_SOURCE_DIR}/src")
target_compile_definitions(opelog_options INTERFACE _GNU_SOURCE OPELOG_VERSION="${PROJECT_VERSION}")

set(OPELOG_TEST_PREFIX "" CACHE STRING "Put before every test's name, so that two builds' tests can be told apart")
set(OPELOG_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined")
if(OPELOG_SANITIZE)
  add_compile_options(-fsanitize=${OPELOG_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${OPELOG_SANITIZE})
  if(OPELOG_SANITIZE MATCHES address)
    # A loader's relocations would be a third of the start of each program, of which the tests start thousands.
    add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-no-pie>)
  endif()
endif()
if(OPELOG_BUILD_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# For a build from nothing (./try, ./check): headers are read and templates made once for several sources. Off for
# everyday work, where one changed source should cost one source; and there a forgotten include shows.
option(OPELOG_UNITY "Compile several sources of a room as one" OFF)
# One unit for each room: what all of its sources include is read once, and other rooms keep the second core busy.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 100)
if(OPELOG_UNITY)
  # g++ takes every source but the main one for a header there.
  target_compile_options(opelog_options INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
endif()

# opelog_room(NAME SOURCES... [DEPENDS rooms and libraries]): one static library per room.
function(opelog_room name)
  cmake_parse_arguments(R "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(opelog_${name} STATIC ${R_SOURCES})
  set_target_properties(opelog_${name} PROPERTIES UNITY_BUILD ${OPELOG_UNITY})
  target_link_libraries(opelog_${name} PUBLIC ${R_DEPENDS} PRIVATE opelog_options)
  target_include_directories(opelog_${name} PUBLIC "${CMAKE_SOURCE_DIR}/src")
endfunction()

# opelog_test(ROOM FILE... [DEPENDS ...]): tests/ROOM/*_test.cc in one runner, each test a ctest entry; each suite
# (ROOM.Suite) where AddressSanitizer makes the start of a runner longer than most tests.
function(opelog_test room)
  cmake_parse_arguments(T "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${room}_test ${T_SOURCES})
  set_target_properties(${room}_test PROPERTIES UNITY_BUILD ${OPELOG_UNITY})
  target_link_libraries(${room}_test PRIVATE opelog_options ${T_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
  # Test code gains nothing from the optimiser and would cost ./check minutes; what it tests is built as released.
  target_compile_options(${room}_test PRIVATE -O0 -U_FORTIFY_SOURCE)
  if(NOT OPELOG_UNITY)
    target_precompile_headers(${room}_test PRIVATE <gtest/gtest.h> <gmock/gmock.h>)
  endif()
  set(sample 1)
  if(OPELOG_SANITIZE)
    set(sample 7)
    # In test code itself undefined behaviour is not looked for: that took a quarter of its compilation.
    target_compile_options(${room}_test PRIVATE -fno-sanitize=undefined)
  endif()
  # Tests of thousands of like cases take samples of them under the sanitizers; all run in the release build
  # (of what starts a program for each, a part: the test says which).
  target_compile_definitions(${room}_test PRIVATE OPELOG_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    OPELOG_SAMPLE=${sample})
  if(OPELOG_SANITIZE MATCHES address)
    set(runner "${CMAKE_CURRENT_BINARY_DIR}/${room}_test")
    configure_file("${CMAKE_SOURCE_DIR}/cmake/suites.cmake.in" "${CMAKE_CURRENT_BINARY_DIR}/suites.cmake" @ONLY)
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${CMAKE_CURRENT_BINARY_DIR}/suites.cmake")
  else()
    gtest_discover_tests(${room}_test TEST_PREFIX "${OPELOG_TEST_PREFIX}"
      DISCOVERY_TIMEOUT 300 DISCOVERY_MODE PRE_TEST)
  endif()
endfunction()

# opelog_fuzzer(NAME SOURCE DEPENDS...): a libFuzzer program; its corpus lies in fuzz/corpus/NAME.
function(opelog_fuzzer name source)
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE opelog_options ${ARGN})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
