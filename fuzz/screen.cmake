opelog_fuzzer(screen ${CMAKE_CURRENT_LIST_DIR}/screen_fuzz.cc opelog_replay)
