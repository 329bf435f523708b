opelog_fuzzer(enrolled ${CMAKE_CURRENT_LIST_DIR}/enrolled_fuzz.cc opelog_core)
