# Whole machines in QEMU. One after the other: each needs both cores.
foreach(scenario line enrol disk clock)
	hearth_script_test(e2e/${scenario} e2e 2400 e2e/test-${scenario}.py)
	set_tests_properties(e2e/${scenario} PROPERTIES RUN_SERIAL TRUE)
endforeach()

# Too long for every run: ./hearth test -C Long -L e2e
foreach(scenario bootstrap cni)
	add_test(NAME e2e/${scenario} COMMAND ${CMAKE_CURRENT_LIST_DIR}/test-${scenario}.py CONFIGURATIONS Long)
	set_tests_properties(e2e/${scenario} PROPERTIES LABELS e2e TIMEOUT 2400 RUN_SERIAL TRUE
		ENVIRONMENT "HEARTH_BIN=${CMAKE_BINARY_DIR}/bin;HEARTH_TOP=${CMAKE_SOURCE_DIR}")
endforeach()
