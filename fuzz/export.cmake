opelog_fuzzer(export ${CMAKE_CURRENT_LIST_DIR}/export_fuzz.cc opelog_replay)
