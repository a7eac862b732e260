// hearth-net: the network of this machine from a netplan document: look, change, try, confirm, undo.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/tell.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>

enum { DEFAULT_TIMEOUT_SEC = 30, MAX_TIMEOUT_SEC = TRIAL_MAX_SEC };

// Options that say how to reach the machine's network and state are for all: scripts give them to each command.
enum takes { TAKES_FILE = 1, TAKES_TIMEOUT = 2, TAKES_BOOT = 4 };

static const struct command {
	const char *name;
	int (*run)(const struct arguments *);
	unsigned takes; // bits of enum takes
	const char *help;
} commands[] = {
	{"plan", run_plan, TAKES_FILE, "print what apply would change, in order, and what of it stops traffic"},
	{"diff", run_diff, TAKES_FILE, "print how the kernel differs from the document"},
	{"show", run_show, 0, "print the kernel's network as a netplan document"},
	{"apply", run_apply, TAKES_FILE, "make the kernel and systemd-networkd so; it is the confirmed network then"},
	{"try", run_try, TAKES_FILE | TAKES_TIMEOUT, "apply, and undo it unless somebody confirms it in time"},
	{"confirm", run_confirm, 0, "what is on trial stands"},
	{"revert", run_revert, 0, "what is on trial is undone now"},
	{"recover", run_recover, TAKES_BOOT, "undo what a kill or a power cut left (at a start)"},
};

static void print_help(void)
{
	puts("hearth-net: the network of this machine from a netplan document\n");
	puts("  hearth-net COMMAND [--file FILE] [--timeout SEC] [--json] [--without-networkd] [--state DIR]\n");
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	puts("\n  --file FILE          of plan, diff, apply, try: this document (-: stdin) instead of those in /run/netplan,\n"
	     "                       /etc/netplan and /lib/netplan\n"
	     "  --timeout SEC        of try: undone after so many seconds (1-86400; 30)\n"
	     "  --boot               of recover: with nothing to undo, apply the last confirmed network\n"
	     "  --json               the end as one JSON object on stdout\n"
	     "  --without-networkd   kernel only: no files, no DHCP, no resolv.conf\n"
	     "  --state DIR          where the journal and the confirmed network are kept\n"
	     "  --version\n\n"
	     "Exit status: 0 done, 1 failed and nothing changed, 2 wrong use, 3 undone (not confirmed, or a change failed), 4 the same\n"
	     "but not undone, 5 nothing is on trial, 6 partly done: some changes of apply failed.");
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

// Before the options are read: wrong ones are told so, too.
static bool wants_json(char *const *argv)
{
	bool wants = false;
	while (*++argv && !str_equal(*argv, "--")) {
		bool is_short = (*argv)[0] == '-' && (*argv)[1] != '-';
		wants |= str_equal(*argv, "--json") || (is_short && memchr(*argv, 'j', strcspn(*argv, "f"))); // -f has a value
	}
	return wants;
}

// Is @word a long option with the value that it does not take ("--json=1")?
static bool has_value(const struct option *option, const char *word)
{
	const char *sign = str_starts(word, "--") ? strchr(word, '=') : NULL;
	return sign && option->has_arg == no_argument && strncmp(option->name, word + 2, (size_t)(sign - word) - 2) == 0;
}

/* @word: the last one that getopt_long() was done with, which one of several short options in one word is not: optopt is that
 * one, and 0 for a long one that is unknown. */
static int tell_wrong_option(bool json, const struct option known[], const char *word, bool lacks_value)
{
	char name[3] = {'-', (char)optopt, '\0'};
	bool is_long = lacks_value ? str_starts(word, "--") : optopt == 0;
	if (lacks_value)
		return tell_wrong_use(json, "%s needs a value (--help tells more)", is_long ? word : name);
	for (; known->name; known++)
		if (known->val == optopt && has_value(known, word))
			return tell_wrong_use(json, "--%s takes no value (--help tells more)", known->name);
	return tell_wrong_use(json, "unknown option \"%s\" (--help tells more)", is_long ? word : name);
}

static int run(const struct arguments *arguments, const char *name, unsigned given)
{
	for (size_t i = 0; i < N_ELEMENTS(commands); i++) {
		const struct command *command = &commands[i];
		if (!str_equal(name, command->name))
			continue;
		if (given & ~command->takes & TAKES_FILE)
			return tell_wrong_use(arguments->json, "%s takes no --file: plan, diff, apply and try do", name);
		if (given & ~command->takes & TAKES_TIMEOUT)
			return tell_wrong_use(arguments->json, "%s takes no --timeout: try does", name);
		if (given & ~command->takes & TAKES_BOOT)
			return tell_wrong_use(arguments->json, "%s takes no --boot: recover does", name);
		return command->run(arguments);
	}
	return tell_wrong_use(arguments->json, "unknown command \"%s\": must be plan, diff, show, apply, try, confirm, revert or "
					       "recover", name);
}

// Without it the lock or the guard's pipe would have the place of a closed stdout, and what is printed would go there.
static void open_standard_files(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR); // for whoever is started, too
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

int main(int argc, char *argv[])
{
	static const struct option known[] = {{"file", required_argument, NULL, 'f'}, {"json", no_argument, NULL, 'j'},
		{"without-networkd", no_argument, NULL, 'w'}, {"state", required_argument, NULL, 's'},
		{"timeout", required_argument, NULL, 't'}, {"boot", no_argument, NULL, 'b'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'}, {0}};
	struct arguments arguments = {.timeout_sec = DEFAULT_TIMEOUT_SEC, .json = wants_json(argv)};
	unsigned given = 0;
	arguments.trial = (struct trial){.who = "hearth-net", .options = &arguments.options};
	open_standard_files();
	log_open("hearth-net");
	opterr = 0; // told below
	for (int c; (c = getopt_long(argc, argv, ":f:jh", known, NULL)) >= 0;) {
		switch (c) {
		case 'f':
			arguments.file = optarg;
			given |= TAKES_FILE;
			break;
		case 'j':
			arguments.json = true;
			break;
		case 'w':
			arguments.options.without_networkd = true;
			break;
		case 's':
			if (optarg[0] != '/')
				return tell_wrong_use(arguments.json, "--state: must be an absolute path, not \"%s\"", optarg);
			arguments.trial.folder = optarg;
			break;
		case 't':
			if (!parse_timeout(optarg, &arguments.timeout_sec))
				return tell_wrong_use(arguments.json, "--timeout: must be 1-%d, not \"%s\"", MAX_TIMEOUT_SEC, optarg);
			given |= TAKES_TIMEOUT;
			break;
		case 'b':
			arguments.boot = true;
			given |= TAKES_BOOT;
			break;
		case 'h':
			print_help();
			return EXIT_DONE;
		case 'v':
			puts("hearth-net " HEARTH_VERSION);
			return EXIT_DONE;
		case ':':
		default:
			return tell_wrong_option(arguments.json, known, argv[optind - 1], c == ':');
		}
	}
	if (optind + 1 != argc)
		return tell_wrong_use(arguments.json, "name one command: plan, diff, show, apply, try, confirm, revert or recover (--help "
						      "tells more)");
	return run(&arguments, argv[optind], given);
}
