// hearth-region init: CA, keys, ranges, administrator, first token and seed; then the next commands
// to type. SPDX-License-Identifier: Apache-2.0
#include "region/admin.h"
#include "region/command.h"
#include "region/session.h"

#include "base/file.h"
#include "base/time.h"
#include "region/clock.h"

#include <errno.h>
#include <sys/stat.h>

enum { CA_SEC = 20 * 365 * 86400, FIRST_TOKEN_SEC = 86400 };

static int write_file(
	const char *dir, const char *name, const char *text, mode_t mode, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/%s", dir, name);
	return path ? file_write_atomic(path, text, strlen(text), mode, reterr) : -ENOMEM;
}

static int read_config(
	const char *path, char **ret_text, struct cluster_config **ret, struct diag *reterr)
{
	AUTO_FREE char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	size_t n;
	if (!folder)
		return -ENOMEM;
	if (slash)
		*slash = '\0';
	if (str_equal(path, "defaults")) {
		*ret_text = strdup(cluster_config_defaults);
		return *ret_text ? cluster_config_parse(*ret_text, strlen(*ret_text), "defaults",
					   NULL, ret, reterr)
				 : -ENOMEM;
	}
	int r = file_read(path, 256 << 10, ret_text, &n, reterr);
	return r < 0 ? r
		     : cluster_config_parse(*ret_text, n, path, slash ? folder : ".", ret, reterr);
}

// A file named by a relative path goes beside the copy of cluster.yaml, so that it still finds it.
static int copy_beside(
	const char *dir, const char *what, const char *file, const char *text, struct diag *reterr)
{
	if (file[0] == '/' || str_starts(file, "-----BEGIN "))
		return 0;
	if (strstr(file, ".."))
		return diag_set(reterr, -EINVAL, what,
			"a relative path may not contain .., not \"%s\"", file);
	AUTO_FREE char *path = str_format("%s/%s", dir, file);
	char *slash = path ? strrchr(path, '/') : NULL;
	if (!slash)
		return -ENOMEM;
	*slash = '\0';
	int r = file_make_folders(path, 0755);
	return r < 0 ? r : write_file(dir, file, text, 0644, reterr);
}

static int copy_signing_keys(
	const char *dir, const struct cluster_config *config, struct diag *reterr)
{
	int r = 0;
	for (size_t i = 0; r >= 0 && i < config->n_signing_keys; i++)
		r = copy_beside(dir, "signingKeys", config->signing_key_files[i],
			config->signing_keys[i], reterr);
	return r;
}

// The same for the CAs of registries.
static int copy_registry_cas(
	const char *dir, const struct cluster_config *config, struct diag *reterr)
{
	for (size_t i = 0; i < config->registries.n_configs; i++) {
		const struct config_registry *registry = &config->registries.configs[i];
		if (!registry->ca_file)
			continue;
		int r = copy_beside(
			dir, "registries.configs.ca", registry->ca_file, registry->ca_pem, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_ca(struct region *region, struct diag *reterr)
{
	CLEANUP(secret_text_free) char *key_pem = NULL;
	int64_t now_sec = time_wall_msec() / 1000;
	AUTO_FREE char *name = str_format("Hearth region %s", region->config->name);
	int r = key_generate(&region->ca_key);
	if (r < 0 || !name)
		return r < 0 ? r : -ENOMEM;
	const struct cert_request request = { .usage = CERT_USAGE_CA,
		.common_name = name,
		.not_before_sec = now_sec - 3600,
		.not_after_sec = now_sec + CA_SEC };
	if ((r = cert_issue(&request, NULL, region->ca_key, &region->ca_pem, reterr)) < 0 ||
		(r = key_to_pem(region->ca_key, &key_pem)) < 0 ||
		(r = write_file(region->dir, "ca.key", key_pem, 0600, reterr)) < 0)
		return r;
	return write_file(region->dir, "ca.crt", region->ca_pem, 0644, reterr);
}

static int make_seal_key(struct region *region, struct diag *reterr)
{
	char hex[2 * sizeof(region->seal_key) + 2];
	crypto_random(region->seal_key, sizeof(region->seal_key));
	hex_encode(region->seal_key, sizeof(region->seal_key), hex);
	(void)snprintf(hex + 64, 2, "\n");
	int r = write_file(region->dir, "seal.key", hex, 0600, reterr);
	crypto_wipe(hex, sizeof(hex));
	return r;
}

static void random_hex(size_t n_bytes, char *ret)
{
	uint8_t random[32];
	crypto_random(random, n_bytes);
	hex_encode(random, n_bytes, ret);
	crypto_wipe(random, sizeof(random));
}

// "xxxxx-xxxxx-xxxxx-xxxxx" of letters that are not mistaken for each other: 100 bits.
static void make_password(char ret[static 24])
{
	static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz234567890";
	uint8_t random[23];
	crypto_random(random, sizeof(random));
	for (size_t i = 0; i < 23; i++)
		ret[i] = i % 6 == 5 ? '-' : alphabet[random[i] & 31];
	ret[23] = '\0';
}

static int make_secrets(struct region *region, struct diag *reterr)
{
	static const char *const names[] = { "token", "agent-token", "pull" };
	char hex[65];
	int r = 0;
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(names); i++) {
		random_hex(32, hex);
		r = region_secret_put(region, names[i], hex);
	}
	crypto_wipe(hex, sizeof(hex));
	return r < 0 ? diag_set(reterr, r, "secrets", "cannot be stored: %s", strerror(-r)) : 0;
}

static int fill_store(struct region *region, const char *password, struct diag *reterr)
{
	struct cluster cluster = { 0 };
	char epoch[17], hash[PASSWORD_HASH_TEXT];
	(void)snprintf(cluster.name, sizeof(cluster.name), "%s", region->config->name);
	random_hex(8, epoch);
	int r = password_hash(password, hash);
	if (r < 0 || (r = store_meta_set(region->store, "epoch", epoch)) < 0 ||
		(r = store_meta_set(region->store, "adminPassword", hash)) < 0 ||
		(r = store_meta_set_int(region->store, "lastTimeSec", region_now_sec(region))) <
			0 ||
		(r = store_cluster_put(region->store, &cluster)) < 0)
		return diag_set(reterr, r, "region.db", "cannot be filled: %s", strerror(-r));
	return make_secrets(region, reterr);
}

static int make_first_seed(struct region *region, struct diag *reterr)
{
	CLEANUP(secret_text_free) char *text = NULL;
	char token[64];
	struct cert_facts facts;
	int r = cert_facts_from_pem(region->ca_pem, &facts, reterr);
	if (r < 0)
		return r;
	pin_format(facts.spki_sha256, region->ca_pin);
	cert_facts_done(&facts);
	if ((r = token_make(region, "init", "server", "", 1, FIRST_TOKEN_SEC, token, reterr)) < 0 ||
		(r = seed_text(region, NULL, token, &text, reterr)) < 0)
		return r;
	crypto_wipe(token, sizeof(token));
	return write_file(region->dir, "seed.yaml", text, 0600, reterr);
}

static int init_region(
	struct region *region, const char *config_path, const char *password, struct diag *reterr)
{
	AUTO_FREE char *text = NULL, *db = str_format("%s/region.db", region->dir),
		       *making = str_format("%s/region.db.new", region->dir);
	int r = db && making ? 0 : -ENOMEM;
	if (r < 0 || (r = clock_check(region_now_sec(region), clock_build_sec, 0, 0, reterr)) < 0 ||
		(r = read_config(config_path, &text, &region->config, reterr)) < 0)
		return r;
	if (file_exists(db))
		return diag_set(reterr, -EEXIST, region->dir, "there is a region already");
	if ((r = file_make_folders(region->dir, 0700)) < 0)
		return diag_set(reterr, r, region->dir, "cannot be made: %s", strerror(-r));
	(void)unlink(making); // of an init that was interrupted: nothing ever used it
	if ((r = write_file(region->dir, "cluster.yaml", text, 0644, reterr)) < 0 ||
		(r = copy_signing_keys(region->dir, region->config, reterr)) < 0 ||
		(r = copy_registry_cas(region->dir, region->config, reterr)) < 0 ||
		(r = make_ca(region, reterr)) < 0 ||
		(r = region_server_certificate(region, reterr)) < 0 ||
		(r = make_seal_key(region, reterr)) < 0 ||
		(r = store_open(making, true, &region->store, reterr)) < 0 ||
		(r = fill_store(region, password, reterr)) < 0 ||
		(r = make_first_seed(region, reterr)) < 0)
		return r;
	if ((r = store_commit(region->store)) < 0)
		return diag_set(reterr, r, making, "cannot be written: %s", strerror(-r));
	region->store =
		store_close(region->store); // folds the journal into the file: it can move now
	if (rename(making, db) < 0)
		return diag_set(reterr, -errno, db, "cannot be put in place: %s", strerror(errno));
	return 0;
}

static void print_next(const struct region *region, const char *password)
{
	const char *dir = region->dir;
	char option[512] = "";
	if (!str_equal(dir, "/var/lib/hearth-region"))
		(void)snprintf(option, sizeof(option), " --dir %s", dir);
	printf("Region for cluster %s made in %s.\n\n", region->config->name, dir);
	printf("  pin of its CA    %s\n", region->ca_pin);
	printf("  page             %s/  (user admin)\n", region->config->urls[0]);
	printf("  password         %s   (shown once, write it down)\n", password);
	printf("  first seed       %s/seed.yaml   (one node, role server, 24 hours)\n\n", dir);
	printf("Next:\n");
	printf("  hearth-region serve%s\n", option);
	printf("  hearth-image seed IMAGE.iso %s/seed.yaml     then boot the first machine from "
	       "it\n",
		dir);
	printf("  hearth-region seed%s --no-token --out seed.yaml   a seed for machines approved "
	       "by code\n",
		option);
	printf("  hearth-region list%s\n", option);
	printf("  hearth-region approve%s NODE CODE\n", option);
	printf("  hearth-region kubeconfig%s %s\n", option, region->config->name);
}

int cmd_init(const struct command_options *options)
{
	struct region region = { .dir = options->dir, .wake_fd = -1 };
	struct diag diag = { 0 };
	char password[24];
	if (!options->cluster_config)
		return command_wrong_use("init needs --cluster-config cluster.yaml (or defaults)");
	make_password(password);
	int r = init_region(&region, options->cluster_config, password, &diag);
	if (r >= 0)
		print_next(&region, password);
	crypto_wipe(password, sizeof(password));
	region_unload(&region);
	return r < 0 ? command_failed(&diag, r) : 0;
}
