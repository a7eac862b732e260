# The stand-in's own unit tests: Go's runner, in the tool root.
add_test(NAME flux-source/unit COMMAND ${CMAKE_CURRENT_LIST_DIR}/test)
set_tests_properties(flux-source/unit PROPERTIES LABELS unit TIMEOUT 600)
