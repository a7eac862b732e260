// hearth-lab: machines in QEMU on virtual networks that need no root.
// SPDX-License-Identifier: Apache-2.0
#include "qemu/verbs.h"

#include <signal.h>

static const struct verb verbs[] = {
	{"up", "SPEC.yaml", "add and start every node of a spec", verb_up},
	{"node", "add NAME [OPTIONS]", "add a node, or change one that is off", verb_node},
	{"start", "NAME...", "power on", verb_start},
	{"power", "NAME off|cut|on|reset", "press the button, pull the plug, switch on, reset", verb_power},
	{"cable", "NAME up|down [uplink|segment|nicN]", "plug or pull a network cable (segment)", verb_cable},
	{"console", "NAME [--log]", "what the serial console said, then attach to it", verb_console},
	{"wait", "NAME --console REGEX [--timeout SEC]", "wait for a line of the serial console, print it", verb_wait},
	{"screendump", "NAME FILE.png", "a picture of the screen", verb_screendump},
	{"exec", "NAME [--timeout SEC] -- CMD...", "run a command in the guest (lab recipe)", verb_exec},
	{"status", "[--json]", "the nodes and what runs", verb_status},
	{"down", "", "pull every plug", verb_down},
};

static void print_help(void)
{
	puts("hearth-lab [--lab DIR] COMMAND\n\n"
	     "Boots machines in QEMU: two NICs each (or those that --nic names), an uplink (10.0.2.2 is this\n"
	     "host) and a segment between the nodes of one lab. A lab is a folder (default: $HEARTH_CACHE/lab).\n");
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
		printf("  %-11s%-38s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
	puts("\nOptions of node add:\n"
	     "  --boot iso|pxe|disk|kernel  --firmware bios|uefi  --memory MIB  --cpus N  --number N\n"
	     "  --iso FILE  --pxe-url URL  --kernel FILE  --initrd FILE  --cmdline TEXT\n"
	     "  --disk FILE|SIZE[,serial=TEXT]  --smbios-seed FILE  --clock YYYY-MM-DD[THH:MM:SS]\n"
	     "  --serial TEXT  --uuid UUID  --forward HOSTPORT:GUESTPORT\n"
	     "  --nic uplink|uplink6|segment|nowhere|usb|wire=PATH (as often as there are NICs; else uplink and segment)");
}

static char *default_folder(void)
{
	const char *cache = getenv("HEARTH_CACHE"), *home = getenv("HOME");
	return cache ? str_format("%s/lab", cache) : str_format("%s/.cache/hearth/lab", home ? home : "/root");
}

int main(int argc, char *argv[])
{
	struct lab lab = {0};
	struct diag diag = {0};
	int first = 1;

	if (argc > 1 && (str_equal(argv[1], "--help") || str_equal(argv[1], "-h"))) {
		print_help();
		return 0;
	}
	AUTO_FREE char *folder = argc > 2 && str_equal(argv[1], "--lab") ? strdup(argv[2]) : default_folder();
	if (argc > 2 && str_equal(argv[1], "--lab"))
		first = 3;
	if (argc <= first)
		return verb_misused("name a command");
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++) {
		if (!str_equal(argv[first], verbs[i].name))
			continue;
		if (!folder || lab_open(folder, &lab, &diag) < 0)
			return verb_failed(&diag);
		int exit_code = verbs[i].run(&lab, argc - first, argv + first);
		lab_done(&lab);
		return exit_code;
	}
	return verb_misused("\"%s\" is no command", argv[first]);
}
