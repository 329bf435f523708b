# opelog_bpf(TARGET ROOM NAME): compiles src/ROOM/NAME.bpf.c for the kernel and gives TARGET the header
# "ROOM/NAME.skel.h", which holds the object and what libbpf needs to load it. Always by clang: g++ 12 makes no BPF.
find_program(BPF_CLANG NAMES clang-14 clang REQUIRED)
find_program(BPFTOOL bpftool PATHS /usr/sbin /sbin REQUIRED)
pkg_check_modules(BPF REQUIRED IMPORTED_TARGET libbpf>=1.0)

function(opelog_bpf target room name)
  set(source "${CMAKE_SOURCE_DIR}/src/${room}/${name}.bpf.c")
  set(work "${CMAKE_BINARY_DIR}/generated/${room}")
  set(header "${work}/${name}.skel.h")
  # PT_REGS and the like are never used, but bpf_tracing.h wants to know the machine.
  string(REGEX REPLACE "x86_64|amd64" "x86" machine "${CMAKE_SYSTEM_PROCESSOR}")
  string(REGEX REPLACE "aarch64" "arm64" machine "${machine}")
  add_custom_command(OUTPUT "${header}"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${work}"
    # -g: the types, without which nothing could be adapted to the running kernel; `gen object` drops the rest.
    COMMAND ${BPF_CLANG} -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_${machine} -Wall -Wextra -Wno-unused-parameter -Werror
            -I "${CMAKE_SOURCE_DIR}/src" -c "${source}" -o "${work}/${name}.raw.o"
    COMMAND ${BPFTOOL} gen object "${work}/${name}.bpf.o" "${work}/${name}.raw.o"
    COMMAND ${BPFTOOL} gen skeleton "${work}/${name}.bpf.o" name ${name} > "${header}"
    DEPENDS "${source}" "${CMAKE_SOURCE_DIR}/src/${room}/exec_ring.h" "${CMAKE_SOURCE_DIR}/src/${room}/exec_maps.h"
    COMMENT "Building BPF object ${room}/${name}.bpf.o" VERBATIM)
  target_sources(${target} PRIVATE "${header}")
  target_include_directories(${target} SYSTEM PRIVATE "${CMAKE_BINARY_DIR}/generated")
  target_link_libraries(${target} PUBLIC PkgConfig::BPF)
endfunction()
