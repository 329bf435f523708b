opelog_fuzzer(stored ${CMAKE_CURRENT_LIST_DIR}/stored_fuzz.cc opelog_stored)
