# Sourced by ./check and ./try. In a chroot "/" is no mount point, and nobody can make mounts private to him there,
# which the private hosts and many tests do. There the caller starts itself again where "/" is one.
#
# root_mount "$0" "$@": returns at once on an ordinary machine, else never.
root_mount() {
  local rc
  [ -z "${OPELOG_ROOT_MOUNT:-}" ] || return 0
  ! unshare --mount true 2>/dev/null || return 0
  root=$(mktemp -d /run/opelog-root.XXXXXX)
  trap 'rmdir "$root"' EXIT
  rc=0
  OPELOG_ROOT_MOUNT=1 unshare --mount --propagation unchanged sh -ec '
    root=$1; shift
    mount --make-rprivate /run 2>/dev/null || true
    mount --rbind / "$root"
    mount --make-rprivate "$root"
    exec chroot "$root" env -C "$PWD" "$@"' sh "$root" "$@" || rc=$?
  exit $rc
}
