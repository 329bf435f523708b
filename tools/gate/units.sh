#!/bin/bash
# systemd understands the units (in a tree of their own, where the programs exist), and none is less confined than
# docs/privileges.md states.
set -euo pipefail
command -v systemd-analyze >/dev/null || { echo "skipped: no systemd-analyze here"; exit 77; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root cmake --install build/release --prefix /usr >/dev/null
mkdir -p "$root/bin" "$root/etc" && cp -p /bin/kill "$root/bin/kill" 2>/dev/null || : > "$root/bin/kill"
chmod 755 "$root/bin/kill"
for unit in opelogd.service opelogd.socket opelogd-control.socket opelog-sessions.target \
  opelog-index.service opelog-index.timer opelog-retain.service opelog-retain.timer \
  opelog-metrics.service opelog-metrics.timer; do
  # Units of the system itself (sysinit.target, …) are missing in that tree; only complaints about ours count.
  systemd-analyze verify --root="$root" --recursive-errors=no --man=no "$root/usr/lib/systemd/system/$unit" 2>&1 |
    grep -E "opelog" | grep -vE "Failed to (add|create) .*(target|slice)" || true
done > "$root/said"
cat "$root/said"
failed=0
[ ! -s "$root/said" ] || failed=1
stated=$(sed -n 's/^| `\([a-z-]*\.service\)` | \([0-9]*\)\.\([0-9]\) |.*/\1 \2\3/p' docs/privileges.md)
for unit in units/*.service; do
  most=$(awk -v unit="${unit#units/}" '$1 == unit { print $2 }' <<< "$stated")
  [ -n "$most" ] || { echo "docs/privileges.md does not state how exposed ${unit#units/} is"; failed=1; continue; }
  # Tenths. A hundredth more than the threshold fails already.
  systemd-analyze security --offline=yes --no-pager --threshold="$((10#$most))" "$unit" > "$root/report" 2>&1 ||
    { cat "$root/report"; echo "${unit#units/}: docs/privileges.md states $((10#$most)) tenths"; failed=1; }
  sed -n 's/^.*\(Overall exposure.*[0-9]\) .*/\1/p' "$root/report"
done
exit $failed
