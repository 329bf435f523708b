opelog_fuzzer(exec_event ${CMAKE_CURRENT_LIST_DIR}/exec_event_fuzz.cc opelog_record)
