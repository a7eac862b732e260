# SPDX-License-Identifier: Apache-2.0
hearth_script_test(netconf/kernel vm 900 vm/netconf netconf)
hearth_script_test(netconf/netplan vm 900 vm/netconf netplan)
hearth_script_test(netconf/real vm 2700 vm/netconf-real) # beside networkd, with real peers
add_executable(mesh-nat vm/mesh-nat/mesh-nat.c)
target_link_libraries(mesh-nat PRIVATE lib-agent)
add_executable(mesh-nat-region vm/mesh-nat/region-side.c)
target_link_libraries(mesh-nat-region PRIVATE lib-region)
# Most of its two minutes are waits of WireGuard and of the rules themselves.
hearth_script_test(netconf/mesh vm 900 vm/netconf mesh)
set_tests_properties(netconf/mesh PROPERTIES LABELS "vm;on-demand")
hearth_script_test(netconf/reference vm 2700 vm/netconf-reference) # beside netplan
hearth_script_test(netconf/faults vm 1800 vm/netconf-faults --seed 1)
# Three boots of a Debian guest.
hearth_script_test(netconf/boot vm 1800 vm/hearth-net-boot)
set_tests_properties(netconf/boot PROPERTIES LABELS "vm;on-demand")
hearth_script_test(image/stage1 vm 900 vm/stage1)
hearth_script_test(qemu/lab vm 600 vm/lab)
