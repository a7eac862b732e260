// hearthd: the node agent. main() is the start-up order; the work is in agent.c.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/log.h"
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

static const char help[] =
	"hearthd: the Hearth node agent (started by systemd)\n"
	"\n"
	"  --root DIR     use DIR/run, DIR/state, ... instead of the real ones (for tests; leaves the clock alone)\n"
	"  --no-network   leave network, payload and K3s alone (for tests)\n"
	"  --network-deadline SEC   an assigned network has so long to prove itself (2-3600; 30), else it is undone\n"
	"  --debug        say more\n"
	"  --help         this text\n"
	"  --version      the version\n";

static unsigned parse_deadline(const char *text)
{
	char *end;
	errno = 0;
	unsigned long sec = strtoul(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && sec >= 2 && sec <= 3600)
		return (unsigned)sec;
	fprintf(stderr, "hearthd: --network-deadline: must be 2-3600, not \"%s\"\n", text);
	exit(2);
}

static int parse_options(int argc, char *argv[], struct agent_options *ret)
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "no-network", no_argument, NULL, 'n' },
		{ "network-deadline", required_argument, NULL, 't' },
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	*ret = (struct agent_options){ .root = "" };
	for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (c) {
		case 'r':
			ret->root = optarg;
			break;
		case 'n':
			ret->without_network = true;
			break;
		case 't':
			ret->network_deadline_sec = parse_deadline(optarg);
			break;
		case 'd':
			log_set_level(LOG_DEBUG);
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		case 'v':
			puts("hearthd " HEARTH_VERSION);
			exit(0);
		default:
			exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "hearthd: takes no arguments, not \"%s\"\n", argv[optind]);
		exit(2);
	}
	return strlen(ret->root) < 200 ? 0 : -ENAMETOOLONG; // root_path() has room for it
}

static int run(const struct agent_options *options)
{
	sd_event *event = NULL;
	struct agent *agent = NULL;
	sigset_t mask;
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL); // valid arguments: cannot fail
	(void)signal(SIGPIPE, SIG_IGN);
	int r = sd_event_default(&event);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(event, true);
	if (r >= 0)
		r = agent_new(event, options, &agent);
	if (r >= 0) {
		(void)sd_notify(false, "READY=1"); // not under systemd: nobody to tell
		r = sd_event_loop(event);
	}
	agent_free(agent);
	sd_event_unref(event);
	return r;
}

int main(int argc, char *argv[])
{
	struct agent_options options;
	log_open("hearthd");
	(void)mallopt(M_ARENA_MAX, 1); // curl's resolver threads would bring arenas of their own; refused, it only costs memory
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 10);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 10); // what an answer took goes back, too, not only with the next tick;
	(void)mallopt(M_TOP_PAD, 16 << 10);        // else 128 KiB are kept
	int r = parse_options(argc, argv, &options);
	if (r >= 0)
		r = run(&options);
	if (r < 0)
		log_error("%s", strerror(-r));
	return r < 0 ? 1 : 0;
}
