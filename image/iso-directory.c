// SPDX-License-Identifier: Apache-2.0
#include "image/iso-directory.h"

#include <errno.h>
#include <strings.h>

enum {
	SECTOR = 2048,
	DIRECTORY_MAX = 1 << 20, // 1 MiB of records: some ten thousand files in one folder
	NAME_MAX_BYTES = 255,
	FLAG_FOLDER = 0x02,
	FLAG_MULTI_EXTENT = 0x80,
};

// Numbers are stored in both byte orders; the little-endian one comes first (ECMA-119 7.3.3).
static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// The Rock Ridge name ("NM" entries) in a record's system use area; false when there is none.
static bool rock_ridge_name(const uint8_t *record, char ret[static NAME_MAX_BYTES + 1])
{
	size_t length = record[0], at = 33u + record[32] + (record[32] % 2 == 0), n = 0;
	bool found = false;

	while (at + 4 <= length && record[at + 2] >= 4 && at + record[at + 2] <= length) {
		const uint8_t *entry = record + at;
		if (entry[0] == 'N' && entry[1] == 'M' && entry[2] >= 5) {
			size_t n_part = entry[2] - 5u;
			if (n + n_part > NAME_MAX_BYTES)
				return false;
			memcpy(ret + n, entry + 5, n_part);
			n += n_part;
			found = true;
		}
		at += entry[2];
	}
	ret[n] = '\0';
	return found;
}

static bool record_has_name(const uint8_t *record, const char *name, size_t n_name)
{
	char text[NAME_MAX_BYTES + 1];
	size_t n = record[32];

	if (rock_ridge_name(record, text))
		return strlen(text) == n_name && memcmp(text, name, n_name) == 0;
	for (size_t i = 0; i < record[32]; i++) // "NAME.EXT;1", and "NAME.;1" for a name without extension
		if (record[33 + i] == ';') {
			n = i;
			break;
		}
	if (n > 0 && record[33 + n - 1] == '.')
		n--;
	return n == n_name && strncasecmp((const char *)record + 33, name, n) == 0;
}

/* One component in one folder. @ret_record: 34 bytes and more, as they stand. */
static int folder_find(const struct iso_source *source, const struct iso_extent *folder, const char *name, size_t n_name,
	uint8_t ret_record[static 256])
{
	uint8_t sector[SECTOR];

	if (folder->size > DIRECTORY_MAX)
		return -EINVAL;
	for (uint64_t done = 0; done < folder->size; done += SECTOR) {
		int rc = source->read(source->user, folder->offset + done, sector, SECTOR);
		if (rc < 0)
			return rc;
		for (size_t at = 0; at + 34 <= SECTOR && sector[at] != 0;) { // records never cross sectors
			size_t length = sector[at];
			if (length < 34 || at + length > SECTOR || 33u + sector[at + 32] > length)
				return -EINVAL;
			if (record_has_name(sector + at, name, n_name)) {
				memset(ret_record, 0, 256);
				memcpy(ret_record, sector + at, length);
				return 0;
			}
			at += length;
		}
	}
	return -ENOENT;
}

static struct iso_extent record_extent(const uint8_t *record)
{
	// the extent's first sectors may be an extended attribute record
	return (struct iso_extent){ .offset = ((uint64_t)u32(record + 2) + record[1]) * SECTOR, .size = u32(record + 10) };
}

int iso_find(const struct iso_source *source, const char *path, struct iso_extent *ret, struct diag *reterr)
{
	uint8_t sector[SECTOR], record[256] = { 0 };
	int rc = source->read(source->user, 16 * SECTOR, sector, SECTOR);

	if (rc < 0 || sector[0] != 1 || memcmp(sector + 1, "CD001", 5) != 0)
		return diag_set(reterr, -EINVAL, "", "is no ISO 9660 image");
	if (sector[128] + 256 * sector[129] != SECTOR)
		return diag_set(reterr, -EINVAL, "", "must have blocks of 2048 bytes");
	memcpy(record, sector + 156, 34);
	for (const char *part = path; *part;) {
		size_t n = strcspn(part, "/");
		struct iso_extent folder = record_extent(record);
		if (!(record[25] & FLAG_FOLDER))
			return diag_set(reterr, -ENOENT, path, "is not in this image");
		rc = folder_find(source, &folder, part, n, record);
		if (rc == -ENOENT)
			return diag_set(reterr, rc, path, "is not in this image");
		if (rc < 0)
			return diag_set(reterr, -EINVAL, path, "cannot be looked up: the image is damaged");
		part += n + (part[n] == '/');
	}
	if (record[25] & FLAG_FOLDER)
		return diag_set(reterr, -ENOENT, path, "is a folder in this image");
	if (record[25] & FLAG_MULTI_EXTENT)
		return diag_set(reterr, -ENOTSUP, path, "must be stored in one piece");
	*ret = record_extent(record);
	return 0;
}
