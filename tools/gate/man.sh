#!/bin/bash
# Each manual page was made and is clean for man.
set -euo pipefail
shopt -s nullglob
pages=(docs/man/*.scd)
[ ${#pages[@]} -gt 0 ] || { echo "skipped: no manual pages yet"; exit 77; }
failed=0
for page in "${pages[@]}"; do
  made=build/release/man/$(basename "${page%.scd}")
  [ -s "$made" ] || { echo "$page: $made was not made"; failed=1; continue; }
  if command -v man >/dev/null; then
    said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$made" 2>&1 >/dev/null)
    [ -z "$said" ] || { echo "$page: $said"; failed=1; }
  fi
done
exit $failed
