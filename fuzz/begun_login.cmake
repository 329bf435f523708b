opelog_fuzzer(begun_login ${CMAKE_CURRENT_LIST_DIR}/begun_login_fuzz.cc opelog_record)
