// What only looks: plan, diff and show.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/tell.h"

#include "netconf/diff.h"
#include "netconf/show.h"

#include "base/yaml.h"

#include <errno.h>

static int load_plan(const struct arguments *arguments, struct network **ret_network, struct plan **ret_plan,
	struct diag *reterr)
{
	int error = load_network(arguments, ret_network, NULL, reterr);
	return error < 0 ? error : netconf_plan(*ret_network, &arguments->options, ret_plan, reterr);
}

static int print_list(const char *key, const char *json, const struct plan *plan)
{
	struct json_out out = {0};
	json_out_object_begin(&out);
	json_out_member(&out, "result", "done");
	json_out_key(&out, key);
	json_out_raw(&out, json);
	tell_notes(&out, plan, NULL);
	json_out_object_end(&out);
	return tell_json(&out) ? EXIT_DONE : EXIT_FAILED;
}

int run_plan(const struct arguments *arguments)
{
	CLEANUP(network_freep) struct network *network = NULL;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct diag diag = {0};
	int error = load_plan(arguments, &network, &plan, &diag);
	if (error < 0)
		return tell_failure(arguments, &diag, error);
	AUTO_FREE char *text = arguments->json ? plan_json(plan) : plan_text(plan);
	if (!text)
		return tell_failure(arguments, &diag, -ENOMEM);
	if (arguments->json)
		return print_list("changes", text, plan);
	AUTO_FREE char *taken = plan_taken_over(plan);
	tell_plan_notes(plan);
	printf("%s%s%s%s", text, plan_n_changes(plan) ? "" : "nothing to change\n", taken ? taken : "", taken ? "\n" : "");
	return EXIT_DONE;
}

int run_diff(const struct arguments *arguments)
{
	CLEANUP(network_freep) struct network *network = NULL;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct diag diag = {0};
	int error = load_plan(arguments, &network, &plan, &diag);
	if (error < 0)
		return tell_failure(arguments, &diag, error);
	AUTO_FREE char *text = arguments->json ? diff_json(network, plan->kernel, plan) : diff_text(network, plan->kernel, plan);
	if (!text)
		return tell_failure(arguments, &diag, -ENOMEM);
	if (arguments->json)
		return print_list("differences", text, plan);
	(void)fputs(text, stdout);
	return EXIT_DONE;
}

static int print_json(const struct arguments *arguments, const char *yaml)
{
	CLEANUP(value_freep) struct value *value = NULL;
	struct json_out out = {0};
	struct diag diag = {0};
	int error = yaml_parse(yaml, strlen(yaml), TRIAL_MAX_DOCUMENT, "show", &value, &diag);
	if (error < 0)
		return tell_failure(arguments, &diag, error);
	json_out_value(&out, value);
	return tell_json(&out) ? EXIT_DONE : EXIT_FAILED;
}

int run_show(const struct arguments *arguments)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	struct diag diag = {0};
	int error = kernel_read(KERNEL_LINKS | KERNEL_ADDRESSES | KERNEL_ROUTES | KERNEL_RULES, &kernel, &diag);
	if (error < 0)
		return tell_failure(arguments, &diag, error);
	(void)kernel_read_wireguard(kernel, NULL); // without root: those links are left out, and the document says so
	AUTO_FREE char *text = show_text(kernel, NULL);
	if (!text)
		return tell_failure(arguments, &diag, -ENOMEM);
	if (arguments->json)
		return print_json(arguments, text);
	(void)fputs(text, stdout);
	return EXIT_DONE;
}
