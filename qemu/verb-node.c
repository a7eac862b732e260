// Nodes come, run and go: up, node add, start, status, down.
// SPDX-License-Identifier: Apache-2.0
#include "qemu/verbs.h"

#include "base/file.h"
#include "base/json.h"
#include "qemu/probe.h"
#include <errno.h>
#include <stdarg.h>

int verb_failed(const struct diag *diag)
{
	fprintf(stderr, "hearth-lab: %s\n", diag_text(diag));
	return 1;
}

int verb_misused(const char *format, ...)
{
	va_list list;
	fprintf(stderr, "hearth-lab: ");
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, "; see --help\n");
	return 2;
}

static const struct node_option {
	const char *option, *key;
} node_options[] = {
	{"--boot", "boot"},
	{"--firmware", "firmware"},
	{"--iso", "iso"},
	{"--pxe-url", "pxeUrl"},
	{"--kernel", "kernel"},
	{"--initrd", "initrd"},
	{"--cmdline", "cmdline"},
	{"--memory", "memoryMib"},
	{"--cpus", "cpus"},
	{"--disk", "disk"},
	{"--number", "number"},
	{"--clock", "clock"},
	{"--smbios-seed", "smbiosSeed"},
	{"--serial", "serial"},
	{"--uuid", "uuid"},
	{"--forward", "forward"},
	{"--nic", "nic"},
};

static const char *key_of_option(const char *option)
{
	for (size_t i = 0; i < N_ELEMENTS(node_options); i++)
		if (str_equal(option, node_options[i].option))
			return node_options[i].key;
	return NULL;
}

static int free_number(const struct lab *lab, const char *name, unsigned *ret, struct diag *reterr)
{
	struct lab_node **nodes;
	size_t n;
	int r = lab_nodes(lab, &nodes, &n, reterr);
	if (r < 0)
		return r;
	unsigned number = 11; // 1-10 are left for what is no node: gateways, a region in a machine
	for (size_t i = 0; i < n; i++) // they come ordered by number
		if (str_equal(nodes[i]->name, name)) {
			number = nodes[i]->number;
			break;
		} else if (nodes[i]->number == number) {
			number++;
		}
	lab_spec_done(nodes, n);
	*ret = number;
	return 0;
}

int verb_node(const struct lab *lab, int argc, char *argv[])
{
	struct diag diag = {0};
	int r = 0;

	if (argc < 3 || !str_equal(argv[1], "add"))
		return verb_misused("node: use node add NAME [OPTIONS]");
	if (lab_node_pid(lab, argv[2]) > 0)
		return verb_misused("node add: %s runs; cut its power first", argv[2]);
	CLEANUP(lab_node_freep) struct lab_node *node = lab_node_new(argv[2]);
	if (!node)
		return 1;
	for (int i = 3; i < argc; i += 2) {
		const char *key = key_of_option(argv[i]);
		if (!key || i + 1 == argc)
			return verb_misused("node add: %s %s", argv[i], key ? "needs a value" : "is no option");
		r = lab_node_set(node, key, argv[i + 1], &diag);
		if (r < 0)
			return verb_failed(&diag);
	}
	if (node->number == 0)
		r = free_number(lab, node->name, &node->number, &diag);
	if (r == 0)
		r = lab_node_keep(lab, node, &diag);
	return r < 0 ? verb_failed(&diag) : 0;
}

int verb_start(const struct lab *lab, int argc, char *argv[])
{
	struct diag diag = {0};
	if (argc < 2)
		return verb_misused("start: name a node");
	for (int i = 1; i < argc; i++) {
		CLEANUP(lab_node_freep) struct lab_node *node = NULL;
		int r = lab_node_load(lab, argv[i], &node, &diag);
		if (r == 0)
			r = lab_node_start(lab, node, &diag);
		if (r < 0)
			return verb_failed(&diag);
	}
	return 0;
}

int verb_up(const struct lab *lab, int argc, char *argv[])
{
	AUTO_FREE char *text = NULL;
	struct lab_node **nodes;
	struct diag diag = {0};
	size_t n, n_nodes;

	if (argc != 2)
		return verb_misused("up: name one spec file");
	int r = file_read(argv[1], LAB_SPEC_BYTES, &text, &n, &diag);
	if (r == 0)
		r = lab_spec_parse(text, n, argv[1], &nodes, &n_nodes, &diag);
	if (r < 0)
		return verb_failed(&diag);
	for (size_t i = 0; r == 0 && i < n_nodes; i++) {
		if (lab_node_pid(lab, nodes[i]->name) > 0)
			continue;
		r = lab_node_keep(lab, nodes[i], &diag);
		if (r == 0)
			r = lab_node_start(lab, nodes[i], &diag);
	}
	lab_spec_done(nodes, n_nodes);
	return r < 0 ? verb_failed(&diag) : 0;
}

static void print_json(const struct lab *lab, struct lab_node *const *nodes, size_t n, const struct lab_accel *accel)
{
	struct json_out out = {0};
	json_out_object_begin(&out);
	json_out_member(&out, "folder", lab->folder);
	json_out_member_int(&out, "segmentPort", lab->segment_port);
	json_out_member(&out, "accel", accel->accel);
	json_out_key(&out, "nodes");
	json_out_array_begin(&out);
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *console = lab_path(lab, nodes[i]->name, LAB_FILE_CONSOLE_LOG);
		json_out_object_begin(&out);
		json_out_member(&out, "name", nodes[i]->name);
		json_out_member_int(&out, "number", nodes[i]->number);
		json_out_member_int(&out, "pid", lab_node_pid(lab, nodes[i]->name));
		json_out_member(&out, "boot", lab_boot_name(nodes[i]->boot));
		json_out_member(&out, "firmware", lab_firmware_name(nodes[i]->firmware));
		json_out_member(&out, "consoleLog", console);
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	json_out_object_end(&out);
	AUTO_FREE char *text = json_out_take(&out);
	if (text)
		puts(text);
}

int verb_status(const struct lab *lab, int argc, char *argv[])
{
	struct diag diag = {0};
	struct lab_accel accel;
	struct lab_node **nodes;
	size_t n;

	bool is_json = argc == 2 && str_equal(argv[1], "--json");
	if (argc > 1 && !is_json)
		return verb_misused("status: takes only --json");
	int r = lab_accel_find(lab->folder, &accel, &diag);
	if (r == 0)
		r = lab_nodes(lab, &nodes, &n, &diag);
	if (r < 0)
		return verb_failed(&diag);
	if (is_json) {
		print_json(lab, nodes, n, &accel);
	} else {
		printf("lab %s\n%s\n\n%-16s %6s %8s %-6s %-4s %6s %4s\n", lab->folder, accel.why, "NODE", "NUMBER",
			"PID", "BOOT", "FW", "MEMORY", "CPUS");
		for (size_t i = 0; i < n; i++) {
			AUTO_FREE char *pid = str_format("%d", (int)lab_node_pid(lab, nodes[i]->name));
			printf("%-16s %6u %8s %-6s %-4s %6u %4u\n", nodes[i]->name, nodes[i]->number,
				str_equal(pid, "0") ? "off" : pid, lab_boot_name(nodes[i]->boot),
				lab_firmware_name(nodes[i]->firmware), nodes[i]->memory_mib, nodes[i]->cpus);
		}
	}
	lab_spec_done(nodes, n);
	return 0;
}

int verb_down(const struct lab *lab, int argc, char *argv[])
{
	struct diag diag = {0};
	struct lab_node **nodes;
	size_t n;

	if (argc != 1)
		return verb_misused("down: takes no argument");
	int r = lab_nodes(lab, &nodes, &n, &diag);
	if (r < 0)
		return verb_failed(&diag);
	for (size_t i = 0; i < n; i++) {
		int r_cut = lab_node_cut(lab, nodes[i]->name, &diag);
		if (r_cut < 0)
			r = verb_failed(&diag);
	}
	lab_spec_done(nodes, n);
	return r;
}
