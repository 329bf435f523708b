#!/bin/bash
# The Debian package builds and holds what it must, with modes that are safe before postinst has run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cpack -G DEB --config build/release/CPackConfig.cmake -B "$work" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
deb=$(echo "$work"/*.deb)
dpkg-deb --info "$deb"
dpkg-deb --contents "$deb" > "$work/list"
cat "$work/list"
failed=0
want() { # MODE OWNER PATH
  grep -qE "^$1 $2 .* \./$3\$" "$work/list" || { echo "missing or wrong: $1 $2 $3"; failed=1; }
}
want -rwxr-xr-x root/root usr/sbin/opelogd
want -rwxr-xr-x root/root usr/bin/opelog
want -rwxr-xr-x root/root usr/bin/opelog-shell
want -rwxr-xr-x root/root usr/lib/opelog/opelog-waiter
want -rwxr-xr-x root/root usr/lib/opelog/opelog-setup
want -rw-r--r-- root/root etc/opelog/opelog.yaml
want -rw-r--r-- root/root usr/lib/systemd/system/opelogd.service
want -rw-r--r-- root/root usr/lib/systemd/system/opelogd.socket
want -rw-r--r-- root/root usr/lib/systemd/system/opelog-sessions.target
want -rw-r--r-- root/root usr/lib/systemd/system/opelog-index.service
want -rw-r--r-- root/root usr/lib/systemd/system/opelog-index.timer
want -rw-r--r-- root/root usr/lib/systemd/system/opelog-retain.service
want -rw-r--r-- root/root usr/lib/systemd/system/opelog-retain.timer
want -rw-r--r-- root/root usr/lib/systemd/system/opelog-metrics.timer
want -rw-r--r-- root/root usr/lib/systemd/catalog/opelog.catalog
want -rw-r--r-- root/root usr/lib/systemd/system/session-.scope.d/50-opelog.conf
want -rw-r--r-- root/root usr/lib/sysusers.d/opelog.conf
if grep -E '^-..[sS]|^-.....[sS]' "$work/list"; then echo "a set-id file in the archive: groups do not exist at unpack"; failed=1; fi
dpkg-deb -e "$deb" "$work/control"
for script in postinst prerm postrm; do sh -n "$work/control/$script" || failed=1; done
grep -qx /etc/opelog/opelog.yaml "$work/control/conffiles" || { echo "the policy is no conffile"; failed=1; }
exit $failed
