opelog_fuzzer(journal ${CMAKE_CURRENT_LIST_DIR}/journal_fuzz.cc opelog_daemon)
