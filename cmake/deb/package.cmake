# The Debian package: `cpack -G DEB` in a build directory. Maintainer scripts lie beside this file.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME opelog)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "The opelog team <opelog@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "records what operators do on a Linux host")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"opelog records the sessions of operators who log in over ssh: who, when, from
where, and what was on the screen. Recordings belong to root, are append-only
from their first byte and are played by plain scriptreplay.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "passwd, debianutils, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "openssh-server, logrotate")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "bsdutils (>= 1:2.35)")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${CMAKE_CURRENT_LIST_DIR}/conffiles" "${CMAKE_CURRENT_LIST_DIR}/postinst" "${CMAKE_CURRENT_LIST_DIR}/prerm"
  "${CMAKE_CURRENT_LIST_DIR}/postrm")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
include(CPack)
