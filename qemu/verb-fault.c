// What happens to machines: power and cables.
// SPDX-License-Identifier: Apache-2.0
#include "qemu/verbs.h"

#include "base/time.h"
#include <errno.h>

enum { OFF_TIMEOUT_SEC = 90 }; // systemd's own limit for units that do not stop

// The power button, and the guest helper where there is one (a node of ours has no logind to hear the button).
static int power_off(const struct lab *lab, const char *name, struct diag *reterr)
{
	char *const argv[] = {(char *)"systemctl", (char *)"--no-block", (char *)"poweroff", NULL};
	struct guest_answer answer = {0};

	int r = lab_node_qmp(lab, name, "system_powerdown", NULL, reterr);
	if (r < 0)
		return r;
	(void)lab_node_exec(lab, name, argv, 10, &answer, NULL); // the button alone may do
	guest_answer_done(&answer);
	uint64_t deadline_usec = time_boot_usec() + OFF_TIMEOUT_SEC * USEC_PER_SEC;
	while (lab_node_pid(lab, name) > 0) {
		if (time_boot_usec() > deadline_usec)
			return diag_set(reterr, -ETIMEDOUT, name, "did not power off in %d s; cut its power",
				OFF_TIMEOUT_SEC);
		(void)usleep(100000);
	}
	return 0;
}

int verb_power(const struct lab *lab, int argc, char *argv[])
{
	struct diag diag = {0};
	int r;

	if (argc != 3)
		return verb_misused("power: use power NAME off|cut|on|reset");
	CLEANUP(lab_node_freep) struct lab_node *node = NULL;
	r = lab_node_load(lab, argv[1], &node, &diag);
	if (r < 0)
		return verb_failed(&diag);
	if (str_equal(argv[2], "on"))
		r = lab_node_start(lab, node, &diag);
	else if (str_equal(argv[2], "cut"))
		r = lab_node_cut(lab, node->name, &diag);
	else if (str_equal(argv[2], "reset"))
		r = lab_node_qmp(lab, node->name, "system_reset", NULL, &diag);
	else if (str_equal(argv[2], "off"))
		r = lab_node_pid(lab, node->name) > 0 ? power_off(lab, node->name, &diag) : 0;
	else
		return verb_misused("power: must be off, cut, on or reset, not \"%s\"", argv[2]);
	return r < 0 ? verb_failed(&diag) : 0;
}

int verb_cable(const struct lab *lab, int argc, char *argv[])
{
	struct diag diag = {0};
	const char *nic = argc == 4 ? argv[3] : "segment";

	if (argc < 3 || argc > 4 || (!str_equal(argv[2], "up") && !str_equal(argv[2], "down")))
		return verb_misused("cable: use cable NAME up|down [uplink|segment|nicN]");
	bool numbered = str_starts(nic, "nic") && nic[3] >= '0' && nic[3] < '0' + LAB_MAX_NICS && !nic[4];
	if (!numbered && !str_equal(nic, "uplink") && !str_equal(nic, "segment"))
		return verb_misused("cable: must be uplink, segment or nic0 to nic%d, not \"%s\"", LAB_MAX_NICS - 1, nic);
	AUTO_FREE char *arguments =
		str_format("{\"name\":\"%s\",\"up\":%s}", nic, str_equal(argv[2], "up") ? "true" : "false");
	if (!arguments)
		return 1;
	int r = lab_node_qmp(lab, argv[1], "set_link", arguments, &diag);
	return r < 0 ? verb_failed(&diag) : 0;
}
