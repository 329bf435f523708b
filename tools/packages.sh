# Debian packages that the project needs, in one place for ./try and ./check (sourced by both).

# What these packages bring, before other programs of the same names.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

# To build what is installed.
PACKAGES_BUILD="cmake ninja-build g++ pkg-config git libuv1-dev libyaml-cpp-dev libspdlog-dev nlohmann-json3-dev
  libcli11-dev libsystemd-dev libssl-dev libbpf-dev bpftool clang-14 musl-dev libvterm-dev libsqlite3-dev libre2-dev libzstd-dev zlib1g-dev libarchive-dev scdoc dpkg-dev file"
# To run it in a private host: the real sshd, users, flags, replay.
PACKAGES_RUN="python3 openssh-server openssh-client passwd e2fsprogs util-linux mount bsdutils procps"
# To test it: the other compiler, the checkers, the programs that operators use, and those that play exports.
PACKAGES_CHECK="libgtest-dev libgmock-dev clang clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev llvm-14 ccache
  iproute2 systemd python3-seccomp logrotate zstd rsync vim less sudo tmux zsh expect man-db strace asciinema tlog
  libfaketime btrfs-progs"
# To test it on a whole machine (./check --host).
PACKAGES_HOST="debootstrap systemd-container rsync"

# packages_missing NAME…: prints those that are not installed.
packages_missing() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# packages_install NAME…: installs those that are missing, shows what it does. Starts no service.
packages_install() {
  local missing=()
  mapfile -t missing < <(packages_missing "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "missing packages: ${missing[*]}" >&2
    echo "run as root, or: sudo apt-get install ${missing[*]}" >&2
    return 1
  fi
  echo "+ apt-get install ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local holds_services=
  if [ -d /run/systemd/system ] && [ ! -e /usr/sbin/policy-rc.d ]; then
    # A package that brings a service (openssh-server) must not start it on this machine for our sake.
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    holds_services=1
  fi
  local failed=0
  apt-get -q -o DPkg::Lock::Timeout=120 update || failed=1
  # An index that cannot be renewed may still be good enough: the installation decides.
  if apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"; then
    failed=0
  else
    failed=1
  fi
  [ -z "$holds_services" ] || rm -f /usr/sbin/policy-rc.d
  if [ -n "$holds_services" ] && [[ " ${missing[*]} " == *" openssh-server "* ]]; then
    systemctl disable ssh.service >/dev/null 2>&1 || true
    echo "(openssh-server is installed, but neither started nor enabled on this machine)"
  fi
  [ $failed = 0 ] || echo "installing packages failed" >&2
  return $failed
}
