opelog_fuzzer(name ${CMAKE_CURRENT_LIST_DIR}/name_fuzz.cc opelog_format)
