# SPDX-License-Identifier: Apache-2.0
hearth_script_test(netconf/kernel vm 300 vm/netconf netconf)
hearth_script_test(netconf/netplan vm 600 vm/netconf netplan)
hearth_script_test(image/stage1 vm 900 vm/stage1)
hearth_script_test(qemu/lab vm 600 vm/lab)
