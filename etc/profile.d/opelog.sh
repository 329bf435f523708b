# opelog: interactive logins of recorded users continue in a recorded shell.
#
# The weakest of the hooks: the user's shell is already running when this is read. See /usr/share/doc/opelog/docs/login-hooks.md.
# Asks opelogd first; whoever is not recorded, or is already, notices nothing. The program's absence (package
# removed) is no error. OPELOG_HOOK holds the pid of a shell that came from here and must not go round again.
case $- in
*i*)
  if [ "${OPELOG_HOOK-}" != "$$" ] && [ -x /usr/bin/opelog-shell ] && /usr/bin/opelog-shell --query; then
    exec /usr/bin/opelog-shell --hook
  fi
  ;;
esac
