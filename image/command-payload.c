// hearth-image payload: a payload folder from a K3s release, fetched by version, URL and SHA-256, or from a local file.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/log.h"
#include "image/build.h"
#include "image/command.h"
#include "image/fetch.h"
#include "image/k3s-payload.h"

#include <errno.h>
#include <getopt.h>

struct options {
	const char *out, *k3s, *version, *url, *sha256, *images, *images_sha256;
};

static int options_read(int argc, char *argv[], struct options *ret)
{
	static const struct option known[] = { { "out", 1, NULL, 'o' }, { "k3s", 1, NULL, 'k' }, { "version", 1, NULL, 'v' },
		{ "url", 1, NULL, 'u' }, { "sha256", 1, NULL, 's' }, { "images", 1, NULL, 'i' },
		{ "images-sha256", 1, NULL, 'h' }, { 0 } };
	const char **into[] = { ['o'] = &ret->out, ['k'] = &ret->k3s, ['v'] = &ret->version, ['u'] = &ret->url,
		['s'] = &ret->sha256, ['i'] = &ret->images, ['h'] = &ret->images_sha256 };
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == '?')
			return -EINVAL;
		*into[c] = optarg;
	}
	bool fetched = ret->version && ret->url && ret->sha256;
	if (optind != argc || !ret->out || !(ret->k3s ? !ret->url : fetched) || (!ret->images != !ret->images_sha256 && !ret->k3s))
		return -EINVAL;
	return 0;
}

static int fetched(const struct options *options, const char *url, const char *sha256_hex, char **ret_path, struct diag *reterr)
{
	const char *cache = getenv("HEARTH_CACHE"), *home = getenv("HOME"), *slash = strrchr(url, '/');
	AUTO_FREE char *image = cache ? str_format("%s/image", cache) : str_format("%s/.cache/hearth/image", home ? home : "/root");
	AUTO_FREE char *folder = image ? str_format("%s/k3s-%.16s", image, sha256_hex) : NULL;
	AUTO_FREE char *path = folder ? str_format("%s/%s", folder, slash && slash[1] ? slash + 1 : options->version) : NULL;
	int rc = path ? file_make_folders(folder, 0755) : -ENOMEM;

	if (rc == 0)
		rc = fetch_file(url, sha256_hex, path, reterr);
	if (rc == 0)
		rc = cache_prune(image, "k3s-", folder, reterr);
	if (rc == 0)
		*ret_path = TAKE_PTR(path);
	return rc;
}

// A local file whose hash was given has to have it.
static int local_check(const char *path, const char *sha256_hex, struct diag *reterr)
{
	char hex[SHA256_HEX + 1];
	int rc = path && sha256_hex ? sha256_file(path, hex, reterr) : 0;

	if (rc < 0 || !path || !sha256_hex || str_equal(hex, sha256_hex))
		return rc;
	return diag_set(reterr, -EBADMSG, path, "must have the SHA-256 %s, but has %s: refused", sha256_hex, hex);
}

static int make(const struct options *options, struct diag *reterr)
{
	AUTO_FREE char *k3s = NULL;
	AUTO_FREE char *images = NULL;
	int rc = 0;

	if (file_exists(options->out))
		return diag_set(reterr, -EEXIST, options->out, "must not exist yet");
	if (options->k3s) {
		rc = local_check(options->k3s, options->sha256, reterr);
		if (rc == 0)
			rc = local_check(options->images, options->images_sha256, reterr);
		if (rc < 0)
			return rc;
		return k3s_payload_from_file(options->k3s, options->version, options->images, options->out, reterr);
	}
	rc = fetched(options, options->url, options->sha256, &k3s, reterr);
	if (rc == 0 && options->images)
		rc = fetched(options, options->images, options->images_sha256, &images, reterr);
	return rc < 0 ? rc : k3s_payload_from_file(k3s, options->version, images, options->out, reterr);
}

int command_payload(int argc, char *argv[])
{
	struct options options = { 0 };
	struct diag diag = { 0 };

	if (options_read(argc, argv, &options) < 0)
		return command_usage("payload --out DIR (--k3s FILE [--sha256 HEX] [--images FILE [--images-sha256 HEX]] | --version V --url URL --sha256 HEX "
				     "[--images URL --images-sha256 HEX])");
	int rc = make(&options, &diag);
	if (rc < 0) {
		log_error("%s", *diag.message ? diag_text(&diag) : strerror(-rc));
		return 1;
	}
	printf("%s\n", options.out);
	return 0;
}
