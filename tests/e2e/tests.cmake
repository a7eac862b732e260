# Whole machines in QEMU. One after the other: each needs both cores.
foreach(scenario line kill bootstrap enrol disk clock)
	hearth_script_test(e2e/${scenario} e2e 2400 e2e/test-${scenario}.py)
	set_tests_properties(e2e/${scenario} PROPERTIES RUN_SERIAL TRUE)
endforeach()
