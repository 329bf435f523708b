opelog_fuzzer(proc_text ${CMAKE_CURRENT_LIST_DIR}/proc_text_fuzz.cc opelog_record)
