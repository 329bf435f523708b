opelog_fuzzer(timing ${CMAKE_CURRENT_LIST_DIR}/timing_fuzz.cc opelog_format)
