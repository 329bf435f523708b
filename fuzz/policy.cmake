opelog_fuzzer(policy ${CMAKE_CURRENT_LIST_DIR}/policy_fuzz.cc opelog_core)
