opelog_fuzzer(ledger ${CMAKE_CURRENT_LIST_DIR}/ledger_fuzz.cc opelog_verdict)
