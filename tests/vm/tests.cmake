# SPDX-License-Identifier: Apache-2.0
hearth_script_test(netconf/kernel vm 300 vm/netconf)
