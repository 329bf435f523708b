opelog_fuzzer(proc_connector ${CMAKE_CURRENT_LIST_DIR}/proc_connector_fuzz.cc opelog_record)
