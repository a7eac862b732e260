// SPDX-License-Identifier: Apache-2.0
#include "agent/machine.h"
#include "base/file.h"
#include "base/json.h"
#include <ctype.h>
#include <dirent.h>

static void read_line(const char *path, char *ret, size_t n)
{
	char *text AUTO_FREE = NULL;
	ret[0] = '\0';
	if (file_read(path, 4096, &text, NULL, NULL) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	size_t end = strlen(text);
	while (end > 0 && isspace((unsigned char)text[end - 1]))
		text[--end] = '\0';
	(void)snprintf(ret, n, "%s", text); // a cut serial number is a hint like a whole one
}

static bool says_nothing(const char *serial) // what vendors write when they forgot
{
	static const char *const words[] = { "Not Specified", "To Be Filled By O.E.M.", "Default string", "None", "0" };
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (strcasecmp(serial, words[i]) == 0)
			return true;
	return false;
}

void machine_load(struct machine *ret)
{
	*ret = (struct machine){ 0 };
	read_line("/sys/class/dmi/id/product_serial", ret->serial, sizeof(ret->serial));
	if (says_nothing(ret->serial))
		ret->serial[0] = '\0';
	read_line("/sys/class/dmi/id/product_uuid", ret->uuid, sizeof(ret->uuid));
	for (char *c = ret->uuid; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	read_line("/sys/class/dmi/id/product_name", ret->product, sizeof(ret->product));
	read_line("/sys/class/dmi/id/sys_vendor", ret->vendor, sizeof(ret->vendor));
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE), cpus = sysconf(_SC_NPROCESSORS_ONLN);
	ret->memory_bytes = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
	ret->n_cpus = cpus > 0 ? (unsigned)cpus : 0;
}

static void add_nics(struct json_out *out, const struct netconf_links *links)
{
	json_out_array_begin(out);
	for (size_t i = 0; links && i < links->n; i++) {
		const struct netconf_link *link = &links->links[i];
		if (!link->wired)
			continue;
		json_out_object_begin(out);
		json_out_member(out, "name", link->name);
		json_out_member(out, "mac", link->permanent_mac[0] ? link->permanent_mac : link->mac);
		json_out_member(out, "driver", link->driver);
		json_out_member_bool(out, "carrier", link->carrier);
		json_out_key(out, "addresses");
		json_out_array_begin(out);
		for (size_t j = 0; j < link->n_addresses; j++)
			if (link->addresses[j].global)
				json_out_string(out, link->addresses[j].text);
		json_out_array_end(out);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

static void add_disk(struct json_out *out, const char *name)
{
	char path[512], serial[64], sectors[32];
	(void)snprintf(path, sizeof(path), "/sys/block/%s/size", name); // names of block devices are short
	read_line(path, sectors, sizeof(sectors));
	(void)snprintf(path, sizeof(path), "/sys/block/%s/device/serial", name);
	read_line(path, serial, sizeof(serial));
	if (!serial[0]) {
		(void)snprintf(path, sizeof(path), "/sys/block/%s/serial", name);
		read_line(path, serial, sizeof(serial));
	}
	json_out_object_begin(out);
	json_out_member(out, "name", name);
	json_out_member(out, "serial", serial);
	json_out_member_int(out, "bytes", (int64_t)strtoull(sectors, NULL, 10) * 512);
	json_out_object_end(out);
}

static void add_disks(struct json_out *out)
{
	json_out_array_begin(out);
	DIR *dir = opendir("/sys/block");
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		static const char *const not_disks[] = { ".", "loop", "ram", "sr", "fd", "dm-", "md", "zram" };
		bool skip = false;
		for (size_t i = 0; i < N_ELEMENTS(not_disks); i++)
			skip = skip || str_starts(entry->d_name, not_disks[i]);
		if (!skip)
			add_disk(out, entry->d_name);
	}
	if (dir)
		(void)closedir(dir); // read only
	json_out_array_end(out);
}

char *machine_facts_json(const struct machine *machine, const struct image_facts *image,
	const struct netconf_links *links, const char *mesh_candidates)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "serial", machine->serial);
	json_out_member(&out, "uuid", machine->uuid);
	json_out_member(&out, "product", machine->product);
	json_out_member(&out, "vendor", machine->vendor);
	json_out_member(&out, "firmware", image->firmware);
	json_out_member_bool(&out, "unauthenticatedBoot", image->unauthenticated);
	json_out_member_int(&out, "memoryBytes", (int64_t)machine->memory_bytes);
	json_out_member_int(&out, "cpus", machine->n_cpus);
	json_out_key(&out, "nics");
	add_nics(&out, links);
	if (mesh_candidates) {
		json_out_key(&out, "meshCandidates");
		json_out_raw(&out, mesh_candidates);
	}
	json_out_key(&out, "disks");
	add_disks(&out);
	json_out_key(&out, "lldp");
	json_out_array_begin(&out);
	json_out_array_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

void machine_own_memory(uint64_t *ret_private_dirty_kib, uint64_t *ret_pss_kib)
{
	char *text AUTO_FREE = NULL;
	*ret_private_dirty_kib = *ret_pss_kib = 0;
	if (file_read("/proc/self/smaps_rollup", 16384, &text, NULL, NULL) < 0)
		return;
	const char *dirty = strstr(text, "\nPrivate_Dirty:"), *pss = strstr(text, "\nPss:");
	if (dirty)
		*ret_private_dirty_kib = strtoull(dirty + strlen("\nPrivate_Dirty:"), NULL, 10);
	if (pss)
		*ret_pss_kib = strtoull(pss + strlen("\nPss:"), NULL, 10);
}
