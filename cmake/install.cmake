# Where everything goes. The paths are compiled into the programs (the shim believes no environment), so they are
# absolute here; DESTDIR puts the tree elsewhere. After an installation from source run /usr/lib/opelog/opelog-setup.
set(doc /usr/share/doc/opelog)

if(TARGET opelogd)
  install(TARGETS opelogd RUNTIME DESTINATION /usr/sbin)
endif()
foreach(program opelog opelog-shell)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION /usr/bin)
  endif()
endforeach()
if(TARGET opelog-waiter)
  install(TARGETS opelog-waiter RUNTIME DESTINATION /usr/lib/opelog)
endif()
install(PROGRAMS units/opelog-setup DESTINATION /usr/lib/opelog)

install(FILES units/opelogd.service units/opelogd.socket units/opelogd-control.socket units/opelog-sessions.target
  units/opelog-index.service units/opelog-index.timer units/opelog-metrics.service units/opelog-metrics.timer units/opelog-retain.service units/opelog-retain.timer
  DESTINATION /usr/lib/systemd/system)
install(FILES units/session-scope.conf DESTINATION /usr/lib/systemd/system/session-.scope.d RENAME 50-opelog.conf)
install(FILES units/opelog.catalog DESTINATION /usr/lib/systemd/catalog)
install(FILES units/opelog.sysusers.conf DESTINATION /usr/lib/sysusers.d RENAME opelog.conf)
install(FILES units/opelog.tmpfiles.conf DESTINATION /usr/lib/tmpfiles.d RENAME opelog.conf)

# An administrator's files are never overwritten by an installation from source; dpkg asks by itself.
foreach(pair "etc/opelog.yaml;/etc/opelog" "etc/logrotate.d/opelog;/etc/logrotate.d")
  list(GET pair 0 file)
  list(GET pair 1 folder)
  get_filename_component(name "${file}" NAME)
  install(CODE "
    if(NOT EXISTS \"\$ENV{DESTDIR}${folder}/${name}\")
      file(INSTALL DESTINATION \"${folder}\" TYPE FILE FILES \"${CMAKE_SOURCE_DIR}/${file}\")
    endif()")
endforeach()

install(FILES etc/opelog.yaml LICENSE CHANGELOG.md DESTINATION ${doc})
if(EXISTS "${CMAKE_SOURCE_DIR}/README.md")
  install(FILES README.md DESTINATION ${doc})
endif()
install(DIRECTORY etc/examples DESTINATION ${doc} USE_SOURCE_PERMISSIONS)
install(DIRECTORY docs DESTINATION ${doc} PATTERN "man" EXCLUDE)
install(FILES completion/opelog.bash DESTINATION /usr/share/bash-completion/completions RENAME opelog)
install(FILES completion/_opelog DESTINATION /usr/share/zsh/vendor-completions)
# Hooks are examples too: which one a host uses is its administrator's choice (docs/login-hooks.md).
foreach(hooks profile.d ssh)
  if(EXISTS "${CMAKE_SOURCE_DIR}/etc/${hooks}")
    install(DIRECTORY etc/${hooks} DESTINATION ${doc}/examples)
  endif()
endforeach()
install(FILES cmake/deb/copyright DESTINATION ${doc})

# Manual pages are written in scdoc: docs/man/NAME.SECTION.scd.
file(GLOB pages CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/docs/man/*.scd")
find_program(SCDOC scdoc)
if(pages AND NOT SCDOC)
  message(STATUS "scdoc not found: no manual pages")
elseif(pages)
  foreach(page ${pages})
    get_filename_component(name "${page}" NAME_WLE)
    string(REGEX REPLACE ".*\\." "" section "${name}")
    set(made "${CMAKE_BINARY_DIR}/man/${name}")
    add_custom_command(OUTPUT "${made}"
      COMMAND ${CMAKE_COMMAND} -E make_directory "${CMAKE_BINARY_DIR}/man"
      COMMAND ${SCDOC} < "${page}" > "${made}"
      DEPENDS "${page}" VERBATIM)
    list(APPEND made_pages "${made}")
    install(FILES "${made}" DESTINATION /usr/share/man/man${section})
  endforeach()
  add_custom_target(man ALL DEPENDS ${made_pages})
endif()

include("${CMAKE_SOURCE_DIR}/cmake/deb/package.cmake")
