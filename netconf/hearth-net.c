// hearth-net: the network of this machine from a netplan document: look, change, try, confirm, undo.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/command.h"

#include "base/log.h"

#include <errno.h>
#include <getopt.h>

enum { DEFAULT_TIMEOUT_SEC = 30, MAX_TIMEOUT_SEC = TRIAL_MAX_SEC };

int fail(const struct diag *diag, int error)
{
	fprintf(stderr, "hearth-net: %s\n", diag->message[0] ? diag_text(diag) : strerror(-error));
	return EXIT_FAILED;
}

static const struct {
	const char *name;
	int (*run)(const struct arguments *);
	const char *help;
} commands[] = {
	{"plan", run_plan, "print what apply would change, in order, and what of it stops traffic"},
	{"diff", run_diff, "print how the kernel differs from the document"},
	{"show", run_show, "print the kernel's network as a netplan document"},
	{"apply", run_apply, "make the kernel and systemd-networkd so; it is the confirmed network then"},
	{"try", run_try, "apply, and undo it unless somebody confirms it in time"},
	{"confirm", run_confirm, "what is on trial stands"},
	{"revert", run_revert, "what is on trial is undone now"},
	{"recover", run_recover, "undo what a kill or a power cut left (at a start)"},
};

static void print_help(void)
{
	puts("hearth-net: the network of this machine from a netplan document\n");
	puts("  hearth-net COMMAND [--file FILE] [--timeout SEC] [--json] [--without-networkd] [--state DIR]\n");
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	puts("\n  --file FILE          this document instead of those in /etc/netplan, /run/netplan, /lib/netplan\n"
	     "  --timeout SEC        of try: undone after so many seconds (1-86400; 30)\n"
	     "  --boot               of recover: with nothing to undo, apply the last confirmed network\n"
	     "  --json               output for programs\n"
	     "  --without-networkd   kernel only: no files, no DHCP, no resolv.conf\n"
	     "  --state DIR          where the journal and the confirmed network are kept\n\n"
	     "Exit status: 0 done, 1 failed, 2 wrong use, 3 not confirmed and undone, 4 not confirmed and not undone,\n"
	     "5 nothing is on trial.");
}

static bool parse_timeout(const char *text, uint64_t *ret_sec)
{
	char *end;
	errno = 0;
	unsigned long long sec = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || sec < 1 || sec > MAX_TIMEOUT_SEC)
		return false;
	*ret_sec = sec;
	return true;
}

int main(int argc, char *argv[])
{
	static const struct option known[] = {{"file", required_argument, NULL, 'f'}, {"json", no_argument, NULL, 'j'},
		{"without-networkd", no_argument, NULL, 'w'}, {"state", required_argument, NULL, 's'},
		{"timeout", required_argument, NULL, 't'}, {"boot", no_argument, NULL, 'b'}, {"help", no_argument, NULL, 'h'}, {0}};
	struct arguments arguments = {.timeout_sec = DEFAULT_TIMEOUT_SEC};
	arguments.trial = (struct trial){.who = "hearth-net", .options = &arguments.options};
	log_open("hearth-net");
	for (int c; (c = getopt_long(argc, argv, "f:jh", known, NULL)) >= 0;) {
		switch (c) {
		case 'f':
			arguments.file = optarg;
			break;
		case 'j':
			arguments.json = true;
			break;
		case 'w':
			arguments.options.without_networkd = true;
			break;
		case 's':
			if (optarg[0] != '/') {
				fprintf(stderr, "hearth-net: --state: must be an absolute path, not \"%s\"\n", optarg);
				return EXIT_USAGE;
			}
			arguments.trial.folder = optarg;
			break;
		case 't':
			if (!parse_timeout(optarg, &arguments.timeout_sec)) {
				fprintf(stderr, "hearth-net: --timeout: must be 1-%d, not \"%s\"\n", MAX_TIMEOUT_SEC, optarg);
				return EXIT_USAGE;
			}
			break;
		case 'b':
			arguments.boot = true;
			break;
		case 'h':
			print_help();
			return EXIT_DONE;
		default:
			return EXIT_USAGE; // getopt said what is wrong
		}
	}
	for (size_t i = 0; optind + 1 == argc && i < N_ELEMENTS(commands); i++)
		if (str_equal(argv[optind], commands[i].name))
			return commands[i].run(&arguments);
	fprintf(stderr, "hearth-net: name one command: plan, diff, show, apply, try, confirm, revert or recover (--help tells "
			"more)\n");
	return EXIT_USAGE;
}
