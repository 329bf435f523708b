opelog_fuzzer(passwd_entry ${CMAKE_CURRENT_LIST_DIR}/passwd_entry_fuzz.cc opelog_shim)
