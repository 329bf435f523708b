opelog_fuzzer(sanitize ${CMAKE_CURRENT_LIST_DIR}/sanitize_fuzz.cc opelog_replay)
