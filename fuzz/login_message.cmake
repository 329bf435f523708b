opelog_fuzzer(login_message ${CMAKE_CURRENT_LIST_DIR}/login_message_fuzz.cc opelog_record)
