#!/bin/bash
# fuzz.sh NAME: the target on its seeds, then a second of new inputs (FUZZ_SECONDS: more). A crash leaves its input in build/.
set -euo pipefail
name=$1 work=build/check-asan/fuzz-work-$1
program=$(find build/check-asan -type f -name "fuzz_$name" -perm -u+x | head -1)
[ -n "$program" ] || { echo "fuzz_$name was not built"; exit 1; }
mkdir -p "$work" "fuzz/corpus/$name"
exec "$program" -max_total_time="${FUZZ_SECONDS:-1}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
  -artifact_prefix="$work/crash-" "$work" "fuzz/corpus/$name"
