opelog_fuzzer(inotify ${CMAKE_CURRENT_LIST_DIR}/inotify_fuzz.cc opelog_watch)
