// How a node is told to QEMU, what a spec may say, and the lines of the guest port.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qemu/argv.h"
#include "qemu/guest-request.h"
#include "qemu/probe.h"
#include "qemu/process.h"
#include <errno.h>

static const struct lab_machine machine = {.folder = "/lab/a,b/n1", .accel = "tcg,thread=multi", .cpu = "qemu64",
	.segment_port = 12345, .ovmf_code = "/ovmf.fd"};

static bool has(const struct argv *argv, const char *text)
{
	for (size_t i = 0; i < argv->n; i++)
		if (strstr(argv->items[i], text))
			return true;
	return false;
}

static bool has_pair(const struct argv *argv, const char *option, const char *value)
{
	for (size_t i = 0; i + 1 < argv->n; i++)
		if (str_equal(argv->items[i], option) && str_equal(argv->items[i + 1], value))
			return true;
	return false;
}

static struct lab_node *parse_one(const char *spec)
{
	struct lab_node **nodes, *node;
	struct diag diag = {0};
	size_t n;
	int r = lab_spec_parse(spec, strlen(spec), "lab.yaml", &nodes, &n, &diag);
	if (r < 0)
		fail_msg("%s", diag_text(&diag));
	assert_int_equal(n, 1);
	node = nodes[0];
	free(nodes);
	return node;
}

static void iso_node_boots_from_its_cd_and_only_uplink_and_segment_are_there(void **state)
{
	CLEANUP(lab_node_freep) struct lab_node *node = parse_one(
		"version: 1\nnodes:\n  - {name: n1, number: 17, boot: iso, iso: '/x,y.iso', disks: [{size: 4G}]}\n");
	struct argv argv;
	assert_int_equal(lab_argv_render(node, &machine, &argv), 0);
	assert_true(has_pair(&argv, "-accel", "tcg,thread=multi"));
	assert_true(has_pair(&argv, "-cpu", "qemu64"));
	assert_true(has(&argv, "file=/x,,y.iso")); // a comma of a value is doubled
	assert_true(has_pair(&argv, "-device", "ide-cd,drive=cd,bootindex=0"));
	assert_true(has_pair(&argv, "-netdev", "user,id=uplink,net=10.0.2.0/24"));
	assert_true(has_pair(&argv, "-netdev", "socket,id=segment,mcast=230.0.0.1:12345,localaddr=127.0.0.1"));
	assert_true(has_pair(&argv, "-device", "virtio-net-pci,netdev=segment,mac=52:54:77:00:00:11,romfile="));
	assert_true(has_pair(&argv, "-device", "virtio-blk-pci,drive=disk0,serial=n1-disk0"));
	assert_true(has(&argv, "file=/lab/a,,b/n1/disk0.raw"));
	assert_true(has_pair(&argv, "-pidfile", "/lab/a,b/n1/pid")); // no option list: not doubled
	assert_true(has_pair(&argv, "-device", "virtserialport,bus=ports.0,chardev=guest,name=hearth.lab"));
	assert_false(has(&argv, "pflash"));
	argv_done(&argv);
}

static void pxe_node_gets_a_boot_file_and_a_network_rom(void **state)
{
	CLEANUP(lab_node_freep) struct lab_node *node = parse_one(
		"version: 1\nnodes:\n  - {name: n2, number: 18, boot: pxe, pxeUrl: 'http://10.0.2.2:7080/boot/boot.ipxe',"
		" forwards: ['16443:6443']}\n");
	struct argv argv;
	assert_int_equal(lab_argv_render(node, &machine, &argv), 0);
	assert_true(has_pair(&argv, "-netdev",
		"user,id=uplink,net=10.0.2.0/24,bootfile=http://10.0.2.2:7080/boot/boot.ipxe,"
		"hostfwd=tcp:127.0.0.1:16443-:6443"));
	assert_true(has_pair(&argv, "-device", "virtio-net-pci,netdev=uplink,mac=52:54:76:00:00:12,bootindex=0"));
	argv_done(&argv);
}

static void a_node_has_the_nics_it_names_and_no_others(void **state)
{
	CLEANUP(lab_node_freep) struct lab_node *node = parse_one("version: 1\nnodes:\n  - {name: n5, number: 17, boot: kernel,"
								  " kernel: /k, nics: [uplink6, 'wire=/w,1', usb, nowhere]}\n");
	struct argv argv;
	assert_int_equal(lab_argv_render(node, &machine, &argv), 0);
	assert_true(has_pair(&argv, "-netdev", "user,id=nic0,ipv4=off,ipv6=on,ipv6-net=fd76::/64,ipv6-host=fd76::2"));
	assert_true(has_pair(&argv, "-device", "virtio-net-pci,netdev=nic0,mac=52:54:78:00:00:11,romfile="));
	assert_true(has_pair(&argv, "-netdev",
		"dgram,id=nic1,local.type=unix,local.path=/w,,1.nic,remote.type=unix,remote.path=/w,,1"));
	assert_true(has_pair(&argv, "-netdev", "hubport,id=nic2,hubid=2"));
	assert_true(has_pair(&argv, "-device", "usb-net,bus=usb2.0,netdev=nic2,mac=52:54:78:00:02:11"));
	assert_true(has_pair(&argv, "-netdev", "hubport,id=nic3,hubid=3"));
	assert_false(has(&argv, "id=uplink"));
	assert_false(has(&argv, "id=segment"));
	argv_done(&argv);
}

static void uefi_node_has_its_own_variables_and_the_seed_stays_out_of_argv(void **state)
{
	CLEANUP(lab_node_freep) struct lab_node *node = parse_one(
		"version: 1\nnodes:\n  - {name: n3, number: 1, boot: kernel, kernel: /k, initrd: /i, cmdline: 'a=b,c',"
		" firmware: uefi, clock: 1970-01-01, smbiosSeed: /secret/seed.yaml}\n");
	struct argv argv;
	assert_int_equal(lab_argv_render(node, &machine, &argv), 0);
	assert_true(has_pair(&argv, "-drive", "if=pflash,format=raw,unit=0,readonly=on,file=/ovmf.fd"));
	assert_true(has_pair(&argv, "-drive", "if=pflash,format=raw,unit=1,file=/lab/a,,b/n1/vars.fd"));
	assert_true(has_pair(&argv, "-rtc", "base=1970-01-01T00:00:00"));
	assert_true(has_pair(&argv, "-append", "a=b,c"));
	assert_true(has_pair(&argv, "-smbios", "type=11,path=/lab/a,,b/n1/seed.smbios"));
	assert_false(has(&argv, "/secret/seed.yaml"));
	argv_done(&argv);
}

static void spec_refuses_what_cannot_be_meant(void **state)
{
	static const struct {
		const char *spec, *expected;
	} cases[] = {
		{"version: 2\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k}]", "version"},
		{"version: 1\nnodes: []", "nodes"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: iso}]", "iso"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: pxe}]", "pxeUrl"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: pxe, pxeUrl: 'https://x'}]", "pxeUrl"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: disk}]", "disks"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: floppy}]", "boot"},
		{"version: 1\nnodes: [{name: a, number: 251, boot: kernel, kernel: /k}]", "number"},
		{"version: 1\nnodes: [{name: A, number: 1, boot: kernel, kernel: /k}]", "name"},
		{"version: 1\nnodes: [{name: '../a', number: 1, boot: kernel, kernel: /k}]", "name"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, memory: 1}]", "memory"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, clock: now}]", "clock"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, uuid: 1}]", "uuid"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, disks: [{size: 4}]}]", "size"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, disks: [{size: 4G, file: /f}]}]",
			"disks"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, forwards: ['1:2:3']}]", "forwards"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, nics: [wifi]}]", "uplink6"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, nics: [wire=here]}]", "absolute"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, nics: [segment, segment]}]", "once"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, nics: [{a: b}]}]", "word"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: pxe, pxeUrl: 'http://x', nics: [segment]}]", "uplink"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k, nics: [usb], forwards: ['1:2']}]", "uplink"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k},"
		 "{name: a, number: 2, boot: kernel, kernel: /k}]",
			"two are named"},
		{"version: 1\nnodes: [{name: a, number: 1, boot: kernel, kernel: /k},"
		 "{name: b, number: 1, boot: kernel, kernel: /k}]",
			"number 1"},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct lab_node **nodes;
		struct diag diag = {0};
		size_t n;
		int r = lab_spec_parse(cases[i].spec, strlen(cases[i].spec), "lab.yaml", &nodes, &n, &diag);
		if (r != -EINVAL || !strstr(diag_text(&diag), cases[i].expected))
			fail_msg("%s: %d %s", cases[i].spec, r, diag_text(&diag));
	}
}

static void node_survives_being_written_and_read(void **state)
{
	CLEANUP(lab_node_freep) struct lab_node *node = parse_one(
		"version: 1\nnodes:\n  - {name: n4, number: 9, boot: disk, firmware: uefi, memoryMib: 3072, cpus: 1,"
		" disks: [{size: 512M, serial: S1}, {file: /d.qcow2}], forwards: ['1:2'], nics: [uplink, nowhere, 'wire=/a b'], serial: 'A \"B\"'}\n");
	AUTO_FREE char *first = lab_node_format(node);
	AUTO_FREE char *spec = str_format("{\"version\":1,\"nodes\":[%s]}", first);
	CLEANUP(lab_node_freep) struct lab_node *again = parse_one(spec);
	AUTO_FREE char *second = lab_node_format(again);
	assert_string_equal(first, second);
	assert_int_equal(again->disks[0].size_bytes, UINT64_C(512) << 20);
	assert_string_equal(again->serial, "A \"B\"");
}

static void request_and_answer_survive_the_wire(void **state)
{
	char *args[] = {(char *)"sh", (char *)"-c", (char *)"echo \"a\"\n\x01", NULL};
	struct guest_request request = {.id = 7, .timeout_sec = 9, .n_args = 3, .args = args}, read;
	AUTO_FREE char *line = guest_request_format(&request);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1); // one line, whatever is in it
	assert_int_equal(guest_request_parse(line, strlen(line) - 1, &read, NULL), 0);
	assert_int_equal(read.id, 7);
	assert_int_equal(read.timeout_sec, 9);
	assert_int_equal(read.n_args, 3);
	assert_string_equal(read.args[2], args[2]);
	assert_null(read.args[3]);
	guest_request_done(&read);

	struct guest_answer answer = {.id = 7, .exit = 3, .out = (char *)"o\n", .err = (char *)"", .is_cut = true}, back;
	AUTO_FREE char *text = guest_answer_format(&answer);
	assert_int_equal(guest_answer_parse(text, strlen(text) - 1, &back, NULL), 0);
	assert_int_equal(back.id, 7);
	assert_int_equal(back.exit, 3);
	assert_string_equal(back.out, "o\n");
	assert_true(back.is_cut);
	guest_answer_done(&back);
}

static void bad_requests_are_refused_with_their_id_when_it_can_be_read(void **state)
{
	static const struct {
		const char *line;
		int64_t id;
	} cases[] = {
		{"", -1},
		{"[]", -1},
		{"{\"id\":1}", 1},
		{"{\"id\":1,\"argv\":[]}", 1},
		{"{\"id\":1,\"argv\":[1]}", 1},
		{"{\"id\":-1,\"argv\":[\"a\"]}", -1},
		{"{\"id\":1,\"argv\":[\"a\"],\"timeoutSec\":0}", 1},
		{"{\"id\":1,\"argv\":[\"a\"],\"shell\":true}", 1},
		{"{\"id\":1,\"argv\":[\"a\"]} x", -1},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct guest_request request;
		struct diag diag = {0};
		assert_int_equal(guest_request_parse(cases[i].line, strlen(cases[i].line), &request, &diag), -EINVAL);
		assert_int_equal(request.id, cases[i].id);
		assert_true(diag.message[0] != '\0');
	}
}

static void programs_are_caught_timed_and_cut(void **state)
{
	struct process_result result;
	char *const both[] = {(char *)"sh", (char *)"-c", (char *)"echo out; echo err >&2; exit 5", NULL};
	assert_int_equal(process_run(both, 10, &result), 0);
	assert_int_equal(result.status, 5);
	assert_string_equal(result.out.text, "out\n");
	assert_string_equal(result.err.text, "err\n");
	process_result_done(&result);

	char *const slow[] = {(char *)"sh", (char *)"-c", (char *)"echo x; sleep 60 & wait", NULL};
	assert_int_equal(process_run(slow, 1, &result), 0);
	assert_int_equal(result.status, PROCESS_EXIT_TIMEOUT);
	assert_string_equal(result.out.text, "x\n");
	process_result_done(&result);

	char *const much[] = {(char *)"head", (char *)"-c", (char *)"3000000", (char *)"/dev/zero", NULL};
	assert_int_equal(process_run(much, 20, &result), 0);
	assert_int_equal(result.status, 0);
	assert_int_equal(result.out.n, PROCESS_OUTPUT_MAX);
	assert_true(result.out.is_cut);
	process_result_done(&result);

	char *const missing[] = {(char *)"hearth-no-such-program", NULL};
	assert_int_equal(process_run(missing, 10, &result), 0);
	assert_int_equal(result.status, PROCESS_EXIT_NO_PROGRAM);
	process_result_done(&result);
}

static void probe_guest_is_a_boot_sector(void **state)
{
	uint8_t sector[PROBE_SECTOR_BYTES];
	probe_sector(sector);
	assert_int_equal(sector[0], 0xfa); // cli
	assert_int_equal(sector[510], 0x55);
	assert_int_equal(sector[511], 0xaa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iso_node_boots_from_its_cd_and_only_uplink_and_segment_are_there),
		cmocka_unit_test(pxe_node_gets_a_boot_file_and_a_network_rom),
		cmocka_unit_test(a_node_has_the_nics_it_names_and_no_others),
		cmocka_unit_test(uefi_node_has_its_own_variables_and_the_seed_stays_out_of_argv),
		cmocka_unit_test(spec_refuses_what_cannot_be_meant),
		cmocka_unit_test(node_survives_being_written_and_read),
		cmocka_unit_test(request_and_answer_survive_the_wire),
		cmocka_unit_test(bad_requests_are_refused_with_their_id_when_it_can_be_read),
		cmocka_unit_test(programs_are_caught_timed_and_cut),
		cmocka_unit_test(probe_guest_is_a_boot_sector),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
