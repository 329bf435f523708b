opelog_fuzzer(kept_session ${CMAKE_CURRENT_LIST_DIR}/kept_session_fuzz.cc opelog_record opelog_seal)
