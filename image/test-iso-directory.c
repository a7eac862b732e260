// SPDX-License-Identifier: Apache-2.0
#include "image/iso-directory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SECTOR = 2048, SECTORS = 32, ROOT = 18, FOLDER = 19, FILE_AT = 20 };

struct image {
	uint8_t bytes[SECTORS * SECTOR];
};

static int read_image(void *user, uint64_t offset, void *ret, size_t n)
{
	const struct image *image = user;

	if (offset > sizeof(image->bytes) || n > sizeof(image->bytes) - offset)
		return -EIO;
	memcpy(ret, image->bytes + offset, n);
	return 0;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++) {
		p[i] = (uint8_t)(v >> 8 * i);
		p[7 - i] = p[i];
	}
}

// One directory record at @p; returns its length. @rock: a Rock Ridge name or NULL.
static size_t put_record(uint8_t *p, const char *name, const char *rock, uint32_t sector, uint32_t size, uint8_t flags)
{
	size_t n = strlen(name), length = 33 + n + (n % 2 == 0);

	put32(p + 2, sector);
	put32(p + 10, size);
	p[25] = flags;
	p[32] = (uint8_t)n;
	memcpy(p + 33, name, n);
	if (rock) {
		memcpy(p + length, "NM", 2);
		p[length + 2] = (uint8_t)(5 + strlen(rock));
		p[length + 3] = 1;
		memcpy(p + length + 5, rock, strlen(rock));
		length += 5 + strlen(rock);
	}
	length += length % 2;
	p[0] = (uint8_t)length;
	return length;
}

static void image_make(struct image *image, const char *rock_folder, const char *rock_file, uint8_t file_flags)
{
	uint8_t *pvd = image->bytes + 16 * SECTOR;

	memset(image, 0, sizeof(*image));
	pvd[0] = 1;
	memcpy(pvd + 1, "CD001", 5);
	pvd[129] = SECTOR / 256;
	put32(pvd + 156 + 2, ROOT);
	put32(pvd + 156 + 10, SECTOR);
	pvd[156] = 34;
	pvd[156 + 25] = 2;
	uint8_t *p = image->bytes + ROOT * SECTOR;
	p += put_record(p, "BOOT", NULL, FILE_AT, 5, 0);
	put_record(p, "HEARTH", rock_folder, FOLDER, SECTOR, 2);
	p = image->bytes + FOLDER * SECTOR;
	p += put_record(p, "IMAGE.JSO;1", NULL, FILE_AT + 1, 7, 0);
	put_record(p, "SEED.YAM;1", rock_file, FILE_AT, 65536, file_flags);
}

static int find(struct image *image, const char *path, struct iso_extent *ret)
{
	struct iso_source source = { .read = read_image, .user = image };

	return iso_find(&source, path, ret, NULL);
}

static void finds_a_file_by_rock_ridge_or_plain_name(void **state)
{
	static struct image image;
	struct iso_extent extent = { 0 };

	image_make(&image, "hearth", "seed.yaml", 0);
	assert_int_equal(find(&image, "hearth/seed.yaml", &extent), 0);
	assert_int_equal(extent.offset, FILE_AT * SECTOR);
	assert_int_equal(extent.size, 65536);
	image_make(&image, NULL, NULL, 0);
	assert_int_equal(find(&image, "hearth/seed.yam", &extent), 0);
	assert_int_equal(extent.offset, FILE_AT * SECTOR);
}

static void says_what_is_not_there(void **state)
{
	static struct image image;
	struct iso_extent extent = { 0 };

	image_make(&image, "hearth", "seed.yaml", 0);
	assert_int_equal(find(&image, "hearth/seed", &extent), -ENOENT);
	assert_int_equal(find(&image, "hearth", &extent), -ENOENT);       // a folder
	assert_int_equal(find(&image, "boot/seed.yaml", &extent), -ENOENT); // a file is no folder
	assert_int_equal(find(&image, "other/seed.yaml", &extent), -ENOENT);
}

static void refuses_damaged_images(void **state)
{
	static struct image image;
	struct iso_extent extent = { 0 };

	image_make(&image, "hearth", "seed.yaml", 0x80);
	assert_int_equal(find(&image, "hearth/seed.yaml", &extent), -ENOTSUP); // goes on in another extent
	image_make(&image, "hearth", "seed.yaml", 0);
	image.bytes[16 * SECTOR + 3] = 'X';
	assert_int_equal(find(&image, "hearth/seed.yaml", &extent), -EINVAL);
	image_make(&image, "hearth", "seed.yaml", 0);
	put32(image.bytes + 16 * SECTOR + 156 + 2, 1000000); // the root lies behind the end
	assert_int_equal(find(&image, "hearth/seed.yaml", &extent), -EINVAL);
	image_make(&image, "hearth", "seed.yaml", 0);
	image.bytes[ROOT * SECTOR] = 20; // shorter than any record
	assert_int_equal(find(&image, "hearth/seed.yaml", &extent), -EINVAL);
	image_make(&image, "hearth", "seed.yaml", 0);
	image.bytes[ROOT * SECTOR + 32] = 200; // the name is longer than its record
	assert_int_equal(find(&image, "hearth/seed.yaml", &extent), -EINVAL);
	image_make(&image, "hearth", "seed.yaml", 0);
	image.bytes[16 * SECTOR + 129] = 2; // blocks of 512 bytes
	assert_int_equal(find(&image, "hearth/seed.yaml", &extent), -EINVAL);
	image_make(&image, "hearth", "seed.yaml", 0);
	put32(image.bytes + 16 * SECTOR + 156 + 10, 0x7fffffff); // a folder of 2 GiB
	assert_int_equal(find(&image, "hearth/seed.yaml", &extent), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_file_by_rock_ridge_or_plain_name),
		cmocka_unit_test(says_what_is_not_there),
		cmocka_unit_test(refuses_damaged_images),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
