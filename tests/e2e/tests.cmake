# Whole machines in QEMU.
foreach(scenario line cluster kill bootstrap flux enrol disk volumes storage clock rack trial)
	hearth_script_test(e2e/${scenario} e2e 2400 e2e/test-${scenario}.py)
endforeach()
# Kubernetes gets slow enough for its own time-outs when other machines run beside it: what waits may, and no more.
set_tests_properties(e2e/line e2e/cluster e2e/kill e2e/bootstrap e2e/storage PROPERTIES PROCESSORS 3 COST 250)
# The same as e2e/cluster with a worker.
hearth_script_test(e2e/cluster-worker e2e 3000 e2e/test-cluster.py worker)
set_tests_properties(e2e/cluster-worker PROPERTIES PROCESSORS 3 LABELS "e2e;on-demand")
# Each machine has its own network; nothing of it depends on what else a change is about.
hearth_script_test(e2e/rack-networks e2e 2400 e2e/test-rack.py networks)
set_tests_properties(e2e/rack-networks PROPERTIES LABELS "e2e;on-demand")
# The same as e2e/trial with fifty networks in place of ten.
hearth_script_test(e2e/trial-long e2e 3600 e2e/test-trial.py long)
set_tests_properties(e2e/trial-long PROPERTIES LABELS "e2e;on-demand")
# What only a real K3s can tell: they skip without ./hearth test --k3s FILE, and are counted at its end.
foreach(what snapshot restore tokens)
	hearth_script_test(e2e/k3s-${what} e2e 3600 e2e/test-k3s.py ${what})
	set_tests_properties(e2e/k3s-${what} PROPERTIES LABELS "e2e;k3s")
endforeach()
# integration/flux asks the same controller without a machine, in every run.
set_tests_properties(e2e/flux PROPERTIES LABELS "e2e;on-demand")
