#!/bin/bash
# tidy.sh ROOM: the short list of .clang-tidy over one room's sources.
set -euo pipefail
mapfile -t files < <(find "src/$1" -name '*.cc' -o -name '*.c' | sort)
[ ${#files[@]} -gt 0 ] || { echo "src/$1 has no sources yet"; exit 77; }
# The clang build's commands, so that every flag is known to clang. "N warnings generated" is noise.
printf '%s\0' "${files[@]}" | xargs -0 -n 8 clang-tidy-14 -p build/check-asan --quiet 2> >(grep -v ' generated\.$' >&2)
