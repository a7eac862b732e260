// hearth-image bootstrap compose and check; packing is command-layout.c's.
// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "image/command.h"
#include "image/compose.h"
#include "image/images.h"

#include <errno.h>
#include <getopt.h>

struct options {
	const char *subject, *out, *cluster_config, *tree, *images;
};

static int options_read(int argc, char *argv[], struct options *ret)
{
	static const struct option known[] = { { "out", 1, NULL, 'o' }, { "cluster-config", 1, NULL, 'c' },
		{ "tree", 1, NULL, 't' }, { "images", 1, NULL, 'i' }, { 0 } };
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (c) {
		case 'o': ret->out = optarg; break;
		case 'c': ret->cluster_config = optarg; break;
		case 't': ret->tree = optarg; break;
		case 'i': ret->images = optarg; break;
		default: return -EINVAL;
		}
	if (optind != argc - 1)
		return -EINVAL;
	ret->subject = argv[optind];
	return 0;
}

static void lines_out(const char *label, const struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		printf("%s: %s\n", label, words->items[i]);
}

// Images that the bootstrap needs; with a folder those that it lacks are problems.
static int images_report(const struct bundle *bundle, const char *folder, struct words *problems, struct diag *reterr)
{
	CLEANUP(words_done) struct words needed = { 0 };
	CLEANUP(words_done) struct words there = { 0 };
	int rc = images_of_bundle(bundle, &needed);

	if (rc == 0 && folder)
		rc = images_of_folder(folder, &there, reterr);
	for (size_t i = 0; i < needed.n && rc == 0; i++) {
		printf("image: %s\n", needed.items[i]);
		if (folder && !words_has(&there, needed.items[i]))
			rc = words_add_format(problems, "the image %s is not in %s", needed.items[i], folder);
	}
	return rc;
}

// 0, or 1 when there are problems; negative errno when something cannot be read.
static int judge(struct bundle *bundle, const struct cluster_facts *facts, const struct options *options,
	const struct composed *composed, struct diag *reterr)
{
	CLEANUP(preflight_done) struct preflight preflight = { 0 };
	int rc = preflight_check(bundle, facts, options->tree, &preflight, reterr);

	if (rc == 0)
		rc = images_report(bundle, options->images, &preflight.problems, reterr);
	if (rc < 0)
		return rc;
	if (composed) {
		lines_out("override", &composed->overrides);
		lines_out("advice", &composed->advice);
		lines_out("problem", &composed->problems);
	}
	lines_out("advice", &preflight.advice);
	lines_out("problem", &preflight.problems);
	return preflight.problems.n > 0 || (composed && composed->problems.n > 0);
}

static int failed(int rc, const struct diag *diag)
{
	log_error("%s", *diag->message ? diag_text(diag) : strerror(-rc));
	return 1;
}

static int run_compose(const struct options *options)
{
	CLEANUP(cluster_facts_done) struct cluster_facts facts = { 0 };
	CLEANUP(composed_freep) struct composed *composed = NULL;
	CLEANUP(bundle_done) struct bundle bundle = { 0 };
	struct diag diag = { 0 };
	int rc = cluster_facts_load(options->cluster_config, &facts, &diag);

	if (rc == 0)
		rc = compose(options->subject, &facts, &composed, &diag);
	if (rc == 0)
		rc = composed_bundle(composed, &bundle, &diag);
	if (rc == 0)
		rc = judge(&bundle, &facts, options, composed, &diag);
	if (rc > 0) {
		log_error("nothing is written: the problems above would keep this bootstrap from coming up");
		return 1;
	}
	if (rc == 0)
		rc = composed_write(composed, options->out, &diag);
	return rc < 0 ? failed(rc, &diag) : 0;
}

static int run_check(const struct options *options)
{
	CLEANUP(cluster_facts_done) struct cluster_facts facts = { 0 };
	CLEANUP(bundle_done) struct bundle bundle = { 0 };
	struct diag diag = { 0 };
	int rc = cluster_facts_load(options->cluster_config, &facts, &diag);

	if (rc == 0)
		rc = bundle_load(&bundle, options->subject, &diag);
	if (rc == 0)
		rc = judge(&bundle, &facts, options, NULL, &diag);
	return rc < 0 ? failed(rc, &diag) : rc;
}

int command_bootstrap_compose(int argc, char *argv[])
{
	struct options options = { 0 };

	if (options_read(argc, argv, &options) < 0 || !options.out)
		return command_usage("bootstrap compose RECIPE.yaml --out FOLDER [--cluster-config FILE] [--tree FOLDER] [--images FOLDER]");
	return run_compose(&options);
}

int command_bootstrap_check(int argc, char *argv[])
{
	struct options options = { 0 };

	if (options_read(argc, argv, &options) < 0 || options.out)
		return command_usage("bootstrap check FOLDER [--cluster-config FILE] [--tree FOLDER] [--images FOLDER]");
	return run_check(&options);
}
