#!/bin/bash
# tidy.sh ROOM: the short list of .clang-tidy over what the clang build compiles of one room.
# The clang build's commands, so that every flag is known to clang; where sources are compiled as one, they are
# looked at as one (diagnostics name the source all the same). "N warnings generated" is noise.
set -euo pipefail
build=build/check-asan
mapfile -t files < <(python3 - "$build" "$PWD/src/$1" <<'P'
import json, os, sys
build, room = sys.argv[1:]
for entry in json.load(open(f"{build}/compile_commands.json")):
    path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
    inside = path.startswith(room + "/") or f"/src/{os.path.basename(room)}/CMakeFiles/" in path
    if inside and path.endswith((".cc", ".c", ".cxx")):
        print(path)
P
)
[ ${#files[@]} -gt 0 ] || { echo "src/$1 is not in the clang build"; exit 1; }
printf '%s\n' "${files[@]}" | sort -u | tr '\n' '\0' |
  xargs -0 -n 8 clang-tidy-14 -p "$build" --quiet 2> >(grep -v ' generated\.$' >&2)
