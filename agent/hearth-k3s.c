// hearth-k3s: run one of K3s' own commands that hearthd ordered, and say how it ended. hearthd starts its unit, so that a
// command goes on when hearthd is restarted, outside of hearthd's sandbox, and holds up nothing else.
// SPDX-License-Identifier: Apache-2.0
#include "agent/root-path.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "k3s/command-run.h"
#include <errno.h>
#include <getopt.h>

struct settings {
	const char *root;
	unsigned timeout_sec; // 0: what the command has
};

static int order_load(const char *root, struct k3s_command *ret, struct diag *reterr)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	int r = file_read(root_path(root, RUN_K3S_COMMAND).text, K3S_COMMAND_MAX_BYTES, &text, &n, reterr);
	if (r == 0)
		r = k3s_command_parse(text, n, ret, reterr);
	if (text)
		crypto_wipe(text, n);
	return r;
}

static int run(const struct settings *settings, struct diag *reterr)
{
	struct k3s_command command CLEANUP(k3s_command_done) = { 0 };
	char sentence[K3S_COMMAND_SENTENCE_MAX];
	int r = order_load(settings->root, &command, reterr);
	if (r < 0)
		return r;
	bool done = k3s_command_run(&command, root_path(settings->root, RUN_PAYLOAD "/bin/k3s").text, settings->root,
		settings->timeout_sec, sentence);
	if (done)
		log_notice("%s: done%s%s", command.id, *sentence ? ": " : "", sentence);
	else
		log_warning("%s: %s", command.id, sentence);
	char *answer AUTO_FREE = k3s_command_answer_format(command.id, done, sentence);
	return answer ? file_write_volatile(root_path(settings->root, RUN_K3S_COMMAND_DONE).text, answer, strlen(answer), 0600, reterr)
		      : -ENOMEM;
}

static const char help[] =
	"hearth-k3s: run the command of K3s that hearthd ordered (started by hearthd)\n"
	"\n"
	"It reads " RUN_K3S_COMMAND " and answers in " RUN_K3S_COMMAND_DONE ".\n"
	"\n"
	"  --root DIR      everything below this folder (tests)\n"
	"  --timeout SEC   stop a command that takes longer; each has its own limit\n";

// 0 go on, 1 help was asked for, 2 wrong use.
static int parse_options(int argc, char *argv[], struct settings *settings)
{
	static const struct option options[] = { { "root", required_argument, NULL, 'r' }, { "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		char *end = NULL;
		unsigned long sec;
		switch (option) {
		case 'r':
			settings->root = optarg;
			break;
		case 't':
			sec = strtoul(optarg, &end, 10);
			if (*end || sec == 0 || sec > 86400) {
				fprintf(stderr, "hearth-k3s: --timeout must be 1-86400, not \"%s\"\n", optarg);
				return 2;
			}
			settings->timeout_sec = (unsigned)sec;
			break;
		case 'h':
			return 1;
		default:
			return 2;
		}
	}
	if (optind < argc || strlen(settings->root) > 200) {
		fprintf(stderr, "hearth-k3s: takes no arguments, and a --root of at most 200 bytes\n");
		return 2;
	}
	return 0;
}

int main(int argc, char *argv[])
{
	struct settings settings = { .root = "" };
	struct diag diag = { 0 };
	log_open("hearth-k3s");
	int parsed = parse_options(argc, argv, &settings);
	if (parsed == 1)
		fputs(help, stdout);
	if (parsed)
		return parsed == 1 ? 0 : 2;
	int r = run(&settings, &diag);
	if (r < 0)
		log_error("%s", diag.message[0] ? diag_text(&diag) : strerror(-r));
	return r < 0 ? 1 : 0;
}
