// SPDX-License-Identifier: Apache-2.0
#include "qemu/node.h"

#include "base/json.h"
#include "base/yaml.h"
#include <ctype.h>
#include <errno.h>

static const char *const boot_names[] = {
	[LAB_BOOT_ISO] = "iso", [LAB_BOOT_PXE] = "pxe", [LAB_BOOT_DISK] = "disk", [LAB_BOOT_KERNEL] = "kernel"};
static const char *const firmware_names[] = {[LAB_FIRMWARE_BIOS] = "bios", [LAB_FIRMWARE_UEFI] = "uefi"};

static const char *const nic_names[] = {[LAB_NIC_UPLINK] = "uplink", [LAB_NIC_UPLINK6] = "uplink6",
	[LAB_NIC_SEGMENT] = "segment", [LAB_NIC_NOWHERE] = "nowhere", [LAB_NIC_USB] = "usb", [LAB_NIC_WIRE] = "wire"};
enum { WIRE_PATH_MAX = 100 }; // with ".nic" it is a unix socket's name

const char *lab_nic_name(enum lab_nic_kind kind)
{
	return nic_names[kind];
}

const char *lab_boot_name(enum lab_boot boot)
{
	return boot_names[boot];
}

const char *lab_firmware_name(enum lab_firmware firmware)
{
	return firmware_names[firmware];
}

struct lab_node *lab_node_new(const char *name)
{
	struct lab_node *node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->boot = LAB_BOOT_DISK;
	node->firmware = LAB_FIRMWARE_BIOS;
	node->memory_mib = 2048;
	node->cpus = 2;
	node->name = strdup(name);
	return node->name ? node : lab_node_free(node);
}

struct lab_node *lab_node_free(struct lab_node *node)
{
	if (!node)
		return NULL;
	for (size_t i = 0; i < node->n_disks; i++) {
		free(node->disks[i].file);
		free(node->disks[i].serial);
	}
	for (size_t i = 0; i < node->n_nics; i++)
		free(node->nics[i].path);
	free(node->name);
	free(node->iso);
	free(node->pxe_url);
	free(node->kernel);
	free(node->initrd);
	free(node->cmdline);
	free(node->clock);
	free(node->smbios_seed);
	free(node->serial);
	free(node->uuid);
	free(node);
	return NULL;
}

// ---- one option as text --------------------------------------------------------------------------------------------

static int parse_number(const char *key, const char *text, uint64_t min, uint64_t max, uint64_t *ret,
	struct diag *reterr)
{
	uint64_t number = 0;
	size_t n = strlen(text);
	bool good = n > 0 && n <= 18;
	for (size_t i = 0; good && i < n; i++) {
		good = isdigit((unsigned char)text[i]);
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	if (!good || number < min || number > max)
		return diag_set(reterr, -EINVAL, key, "must be %llu-%llu, not \"%s\"", (unsigned long long)min,
			(unsigned long long)max, text);
	*ret = number;
	return 0;
}

static int parse_word(const char *key, const char *text, const char *const names[], size_t n, unsigned *ret,
	struct diag *reterr)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(text, names[i])) {
			*ret = (unsigned)i;
			return 0;
		}
	return diag_set(reterr, -EINVAL, key, "must be %s, not \"%s\"",
		n == 2 ? "bios or uefi" : "iso, pxe, disk or kernel", text);
}

// "4G", "512M": true and the size; anything else is the name of a file.
static bool parse_size(const char *text, uint64_t *ret_bytes)
{
	char *end;
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	unsigned shift = *end == 'G' ? 30 : *end == 'M' ? 20 : 0;
	if (errno || !shift || end[1] || number == 0 || number > (UINT64_C(1) << 44) >> shift)
		return false;
	*ret_bytes = (uint64_t)number << shift;
	return true;
}

static int add_disk(struct lab_node *node, const char *text, struct diag *reterr)
{
	if (node->n_disks == LAB_MAX_DISKS)
		return diag_set(reterr, -E2BIG, "disks", "must be at most %d", LAB_MAX_DISKS);
	const char *serial = strstr(text, ",serial=");
	AUTO_FREE char *what = serial ? strndup(text, (size_t)(serial - text)) : strdup(text);
	if (!what)
		return -ENOMEM;
	struct lab_disk disk = {0};
	if (!parse_size(what, &disk.size_bytes)) {
		if (!what[0])
			return diag_set(reterr, -EINVAL, "disks", "a disk must be a file or a size such as 4G");
		disk.file = TAKE_PTR(what);
	}
	if (serial) {
		disk.serial = strdup(serial + strlen(",serial="));
		if (!disk.serial) {
			free(disk.file);
			return -ENOMEM;
		}
	}
	node->disks[node->n_disks++] = disk;
	return 0;
}

static int add_forward(struct lab_node *node, const char *text, struct diag *reterr)
{
	if (node->n_forwards == LAB_MAX_FORWARDS)
		return diag_set(reterr, -E2BIG, "forwards", "must be at most %d", LAB_MAX_FORWARDS);
	const char *colon = strchr(text, ':');
	AUTO_FREE char *host = colon ? strndup(text, (size_t)(colon - text)) : NULL;
	if (!host)
		return diag_set(reterr, -EINVAL, "forwards", "must be HOSTPORT:GUESTPORT, not \"%s\"", text);
	uint64_t host_port, guest_port;
	int r = parse_number("forwards", host, 1, 65535, &host_port, reterr);
	if (r < 0)
		return r;
	r = parse_number("forwards", colon + 1, 1, 65535, &guest_port, reterr);
	if (r < 0)
		return r;
	node->forwards[node->n_forwards++] =
		(struct lab_forward){.host_port = (uint16_t)host_port, .guest_port = (uint16_t)guest_port};
	return 0;
}

static int add_nic(struct lab_node *node, const char *text, struct diag *reterr)
{
	static const char wire[] = "wire=";
	struct lab_nic nic = {LAB_NIC_WIRE, NULL};
	if (node->n_nics == LAB_MAX_NICS)
		return diag_set(reterr, -E2BIG, "nics", "must be at most %d", LAB_MAX_NICS);
	if (str_starts(text, wire)) {
		const char *path = text + strlen(wire);
		if (path[0] != '/' || strlen(path) > WIRE_PATH_MAX)
			return diag_set(reterr, -EINVAL, "nics", "a wire must be an absolute path of at most %d bytes, not \"%s\"",
				WIRE_PATH_MAX, path);
		nic.path = strdup(path);
		if (!nic.path)
			return -ENOMEM;
	} else {
		unsigned kind = 0;
		while (kind < LAB_NIC_WIRE && !str_equal(text, nic_names[kind]))
			kind++;
		if (kind == LAB_NIC_WIRE)
			return diag_set(reterr, -EINVAL, "nics",
				"must be uplink, uplink6, segment, nowhere, usb or wire=PATH, not \"%s\"", text);
		nic.kind = (enum lab_nic_kind)kind;
	}
	node->nics[node->n_nics++] = nic;
	return 0;
}

static int set_text(char **where, const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*where);
	*where = copy;
	return 0;
}

static const struct text_key {
	const char *key;
	size_t offset;
} text_keys[] = {
	{"iso", offsetof(struct lab_node, iso)},
	{"pxeUrl", offsetof(struct lab_node, pxe_url)},
	{"kernel", offsetof(struct lab_node, kernel)},
	{"initrd", offsetof(struct lab_node, initrd)},
	{"cmdline", offsetof(struct lab_node, cmdline)},
	{"clock", offsetof(struct lab_node, clock)},
	{"smbiosSeed", offsetof(struct lab_node, smbios_seed)},
	{"serial", offsetof(struct lab_node, serial)},
	{"uuid", offsetof(struct lab_node, uuid)},
};

static const char *const known_keys[] = {"name", "number", "boot", "firmware", "memoryMib", "cpus", "disks", "forwards", "nics",
	"iso", "pxeUrl", "kernel", "initrd", "cmdline", "clock", "smbiosSeed", "serial", "uuid", NULL};

int lab_node_set(struct lab_node *node, const char *key, const char *text, struct diag *reterr)
{
	uint64_t number = 0;
	unsigned word = 0;
	int r;

	for (size_t i = 0; i < N_ELEMENTS(text_keys); i++)
		if (str_equal(key, text_keys[i].key))
			return set_text((char **)((char *)node + text_keys[i].offset), text);
	if (str_equal(key, "disk"))
		return add_disk(node, text, reterr);
	if (str_equal(key, "forward"))
		return add_forward(node, text, reterr);
	if (str_equal(key, "nic"))
		return add_nic(node, text, reterr);
	if (str_equal(key, "boot")) {
		r = parse_word(key, text, boot_names, N_ELEMENTS(boot_names), &word, reterr);
		if (r == 0)
			node->boot = (enum lab_boot)word;
		return r;
	}
	if (str_equal(key, "firmware")) {
		r = parse_word(key, text, firmware_names, N_ELEMENTS(firmware_names), &word, reterr);
		if (r == 0)
			node->firmware = (enum lab_firmware)word;
		return r;
	}
	unsigned *where = str_equal(key, "number") ? &node->number
		: str_equal(key, "memoryMib")      ? &node->memory_mib
		: str_equal(key, "cpus")           ? &node->cpus
						   : NULL;
	if (!where) {
		const char *nearest = value_nearest(key, known_keys);
		return diag_set(reterr, -EINVAL, key, "is no key of a node%s%s%s", nearest ? "; did you mean \"" : "",
			nearest ? nearest : "", nearest ? "\"?" : "");
	}
	r = parse_number(key, text, 1, where == &node->memory_mib ? 1 << 20 : 250, &number, reterr);
	if (r == 0)
		*where = (unsigned)number;
	return r;
}

// ---- rules across fields -------------------------------------------------------------------------------------------

static bool name_valid(const char *name)
{
	size_t n = strlen(name);
	if (n == 0 || n > LAB_NAME_MAX || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) && name[i] != '-')
			return false;
	return true;
}

static bool clock_valid(const char *text)
{
	static const char form[] = "0000-00-00T00:00:00";
	size_t n = strlen(text);
	if (n != 10 && n != 19)
		return false;
	for (size_t i = 0; i < n; i++)
		if (form[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
			return false;
	return true;
}

static bool uuid_valid(const char *text)
{
	if (strlen(text) != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

// Texts become values of QEMU options: a comma is doubled there, but nobody doubles a line break.
static int check_texts(const struct lab_node *node, struct diag *reterr)
{
	for (size_t i = 0; i < N_ELEMENTS(text_keys); i++) {
		const char *text = *(char *const *)((const char *)node + text_keys[i].offset);
		if (!text)
			continue;
		if (!text[0])
			return diag_set(reterr, -EINVAL, text_keys[i].key, "must not be empty");
		for (const char *c = text; *c; c++)
			if ((unsigned char)*c < 0x20)
				return diag_set(reterr, -EINVAL, text_keys[i].key, "must not hold control characters");
	}
	return 0;
}

int lab_node_validate(const struct lab_node *node, struct diag *reterr)
{
	if (!name_valid(node->name))
		return diag_set(reterr, -EINVAL, "name", "must be 1-%d of a-z, 0-9 and -, not \"%s\"", LAB_NAME_MAX,
			node->name);
	if (node->number < 1 || node->number > 250)
		return diag_set(reterr, -EINVAL, "number", "must be 1-250, not \"%u\"", node->number);
	if (node->cpus < 1 || node->cpus > 250)
		return diag_set(reterr, -EINVAL, "cpus", "must be 1-250, not \"%u\"", node->cpus);
	if (node->memory_mib < 128)
		return diag_set(reterr, -EINVAL, "memoryMib", "must be at least 128, not \"%u\"", node->memory_mib);
	int r = check_texts(node, reterr);
	if (r < 0)
		return r;
	switch (node->boot) {
	case LAB_BOOT_ISO:
		if (!node->iso)
			return diag_set(reterr, -EINVAL, "iso", "is required with boot: iso");
		break;
	case LAB_BOOT_PXE:
		if (!node->pxe_url)
			return diag_set(reterr, -EINVAL, "pxeUrl", "is required with boot: pxe");
		break;
	case LAB_BOOT_DISK:
		if (node->n_disks == 0)
			return diag_set(reterr, -EINVAL, "disks", "one is required with boot: disk");
		break;
	case LAB_BOOT_KERNEL:
		if (!node->kernel)
			return diag_set(reterr, -EINVAL, "kernel", "is required with boot: kernel");
		break;
	}
	bool once[LAB_NIC_WIRE + 1] = {0};
	for (size_t i = 0; i < node->n_nics; i++) {
		enum lab_nic_kind kind = node->nics[i].kind;
		if (kind <= LAB_NIC_SEGMENT && once[kind])
			return diag_set(reterr, -EINVAL, "nics", "must name %s once", nic_names[kind]);
		once[kind] = true;
	}
	if (node->boot == LAB_BOOT_PXE && node->n_nics && !once[LAB_NIC_UPLINK])
		return diag_set(reterr, -EINVAL, "nics", "must name uplink with boot: pxe");
	if (node->n_forwards && node->n_nics && !once[LAB_NIC_UPLINK])
		return diag_set(reterr, -EINVAL, "nics", "must name uplink with forwards");
	if (node->pxe_url && !str_starts(node->pxe_url, "http://") && !str_starts(node->pxe_url, "tftp://"))
		return diag_set(reterr, -EINVAL, "pxeUrl", "must be http:// or tftp://, not \"%s\"", node->pxe_url);
	if ((node->initrd || node->cmdline) && !node->kernel)
		return diag_set(reterr, -EINVAL, "kernel", "is required with initrd or cmdline");
	if (node->clock && !clock_valid(node->clock))
		return diag_set(reterr, -EINVAL, "clock", "must be YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, not \"%s\"",
			node->clock);
	if (node->uuid && !uuid_valid(node->uuid))
		return diag_set(reterr, -EINVAL, "uuid", "must be a UUID, not \"%s\"", node->uuid);
	for (size_t i = 0; i < node->n_disks; i++)
		if (node->disks[i].serial && (!node->disks[i].serial[0] || strlen(node->disks[i].serial) > 20))
			return diag_set(reterr, -EINVAL, "disks", "a serial must have 1-20 characters, not \"%s\"",
				node->disks[i].serial);
	return 0;
}

// ---- decode and format ---------------------------------------------------------------------------------------------

static int decode_disk(const struct value *value, struct lab_node *node, struct diag *reterr)
{
	static const char *const keys[] = {"file", "size", "serial", NULL};
	int r = value_only_keys(value, "disks", keys, reterr);
	if (r < 0)
		return r;
	const char *file = value_text(value_find(value, "file")), *size = value_text(value_find(value, "size"));
	const char *serial = value_text(value_find(value, "serial"));
	uint64_t size_bytes;
	if (!file == !size)
		return diag_set(reterr, -EINVAL, "disks", "each needs either file or size");
	if (size && !parse_size(size, &size_bytes))
		return diag_set(reterr, -EINVAL, "disks", "size must be a number with M or G, not \"%s\"", size);
	AUTO_FREE char *text = str_format("%s%s%s", file ? file : size, serial ? ",serial=" : "", serial ? serial : "");
	return text ? add_disk(node, text, reterr) : -ENOMEM;
}

static int decode_member(const char *key, const struct value *value, struct lab_node *node, struct diag *reterr)
{
	bool is_disks = str_equal(key, "disks"), is_nics = str_equal(key, "nics");
	if (!is_disks && !is_nics && !str_equal(key, "forwards")) {
		const char *text = value_text(value);
		if (!text)
			return diag_set(reterr, -EINVAL, key, "must be a plain value");
		return str_equal(key, "name") ? 0 : lab_node_set(node, key, text, reterr);
	}
	if (value->type != VALUE_ARRAY)
		return diag_set(reterr, -EINVAL, key, "must be a list");
	for (size_t i = 0; i < value->n; i++) {
		const char *text = value_text(&value->items[i]);
		int r = is_disks ? value->items[i].type == VALUE_OBJECT
				? decode_disk(&value->items[i], node, reterr)
				: diag_set(reterr, -EINVAL, key, "each must have file or size")
			: !text  ? diag_set(reterr, -EINVAL, key, is_nics ? "each must be a word"
									  : "each must be HOSTPORT:GUESTPORT")
			: is_nics ? add_nic(node, text, reterr)
				  : add_forward(node, text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

int lab_node_decode(const struct value *value, struct lab_node **ret, struct diag *reterr)
{
	if (!value || value->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "nodes", "each must be a mapping");
	int r = value_only_keys(value, "nodes", known_keys, reterr);
	if (r < 0)
		return r;
	const char *name = value_text(value_find(value, "name"));
	if (!name)
		return diag_set(reterr, -EINVAL, "name", "is required");
	CLEANUP(lab_node_freep) struct lab_node *node = lab_node_new(name);
	if (!node)
		return -ENOMEM;
	for (size_t i = 0; i < value->n; i++) {
		r = decode_member(value->keys[i], &value->items[i], node, reterr);
		if (r < 0)
			return r;
	}
	r = lab_node_validate(node, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(node);
	return 0;
}

char *lab_node_format(const struct lab_node *node)
{
	struct json_out out = {0};
	json_out_object_begin(&out);
	json_out_member(&out, "name", node->name);
	json_out_member_int(&out, "number", node->number);
	json_out_member(&out, "boot", lab_boot_name(node->boot));
	json_out_member(&out, "firmware", lab_firmware_name(node->firmware));
	json_out_member_int(&out, "memoryMib", node->memory_mib);
	json_out_member_int(&out, "cpus", node->cpus);
	json_out_key(&out, "disks");
	json_out_array_begin(&out);
	for (size_t i = 0; i < node->n_disks; i++) {
		const struct lab_disk *disk = &node->disks[i];
		json_out_object_begin(&out);
		if (disk->file) {
			json_out_member(&out, "file", disk->file);
		} else {
			AUTO_FREE char *size = str_format("%lluM", (unsigned long long)(disk->size_bytes >> 20));
			json_out_member(&out, "size", size);
		}
		if (disk->serial)
			json_out_member(&out, "serial", disk->serial);
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	json_out_key(&out, "forwards");
	json_out_array_begin(&out);
	for (size_t i = 0; i < node->n_forwards; i++) {
		AUTO_FREE char *forward =
			str_format("%u:%u", node->forwards[i].host_port, node->forwards[i].guest_port);
		json_out_string(&out, forward);
	}
	json_out_array_end(&out);
	json_out_key(&out, "nics");
	json_out_array_begin(&out);
	for (size_t i = 0; i < node->n_nics; i++) {
		const struct lab_nic *nic = &node->nics[i];
		AUTO_FREE char *text =
			str_format("%s%s%s", nic_names[nic->kind], nic->path ? "=" : "", nic->path ? nic->path : "");
		json_out_string(&out, text);
	}
	json_out_array_end(&out);
	for (size_t i = 0; i < N_ELEMENTS(text_keys); i++) {
		const char *text = *(char *const *)((const char *)node + text_keys[i].offset);
		if (text)
			json_out_member(&out, text_keys[i].key, text);
	}
	json_out_object_end(&out);
	return json_out_take(&out);
}

void lab_spec_done(struct lab_node **nodes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lab_node_free(nodes[i]);
	free(nodes);
}

static int check_unique(struct lab_node *const *nodes, size_t n, struct diag *reterr)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++) {
			if (str_equal(nodes[i]->name, nodes[j]->name))
				return diag_set(reterr, -EINVAL, "nodes", "two are named \"%s\"", nodes[i]->name);
			if (nodes[i]->number == nodes[j]->number)
				return diag_set(reterr, -EINVAL, "nodes", "\"%s\" and \"%s\" have the number %u",
					nodes[j]->name, nodes[i]->name, nodes[i]->number);
		}
	return 0;
}

int lab_spec_parse(const char *text, size_t n, const char *name, struct lab_node ***ret_nodes, size_t *ret_n,
	struct diag *reterr)
{
	static const char *const keys[] = {"version", "nodes", NULL};
	CLEANUP(value_freep) struct value *spec = NULL;
	int64_t version;
	int r = yaml_parse(text, n, LAB_SPEC_BYTES, name, &spec, reterr);
	if (r < 0)
		return r;
	r = value_only_keys(spec, "lab", keys, reterr);
	if (r < 0)
		return r;
	r = value_int(value_find(spec, "version"), "version", 1, 1, &version, reterr);
	if (r < 0)
		return r;
	const struct value *list = value_find(spec, "nodes");
	if (!list || list->type != VALUE_ARRAY || list->n == 0 || list->n > LAB_MAX_NODES)
		return diag_set(reterr, -EINVAL, "nodes", "must be a list of 1-%d", LAB_MAX_NODES);
	struct lab_node **nodes = calloc(list->n, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	size_t n_nodes = 0;
	for (; n_nodes < list->n; n_nodes++) {
		r = lab_node_decode(&list->items[n_nodes], &nodes[n_nodes], reterr);
		if (r < 0)
			goto fail;
	}
	r = check_unique(nodes, n_nodes, reterr);
	if (r < 0)
		goto fail;
	*ret_nodes = nodes;
	*ret_n = n_nodes;
	return 0;
fail:
	lab_spec_done(nodes, n_nodes);
	return r;
}
