opelog_fuzzer(control_message ${CMAKE_CURRENT_LIST_DIR}/control_message_fuzz.cc opelog_record)
