# Whole machines in QEMU.
foreach(scenario line cluster kill bootstrap flux enrol disk volumes storage clock)
	hearth_script_test(e2e/${scenario} e2e 2400 e2e/test-${scenario}.py)
endforeach()
# Cheap machines of one core, mostly one at a time.
set_tests_properties(e2e/enrol e2e/disk e2e/volumes e2e/clock PROPERTIES PROCESSORS 1)
# integration/flux asks the same controller without a machine, in every run: ./hearth test -L on-demand
set_tests_properties(e2e/flux PROPERTIES LABELS "e2e;on-demand")
