# The double's own unit tests: Go's runner, in the tool root, with the module cache of the build.
add_test(NAME k3s-double/unit COMMAND ${CMAKE_CURRENT_LIST_DIR}/test)
set_tests_properties(k3s-double/unit PROPERTIES LABELS unit TIMEOUT 1500 RUN_SERIAL TRUE) # it may compile for minutes
