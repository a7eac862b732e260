// hearth-image payload: a payload folder from a K3s release, fetched by version, URL and SHA-256, or from a local file.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/log.h"
#include "image/build.h"
#include "image/command.h"
#include "image/k3s-release.h"

#include <errno.h>
#include <getopt.h>

enum { OPTION_MIRROR = 1000, OPTION_IMAGES_MIRROR };

static int set(char **into, const char *text)
{
	free(*into);
	return (*into = strdup(text)) ? 0 : -ENOMEM;
}

// --images takes a URL or a file: what has a scheme is fetched.
static int images_set(struct k3s_release *release, const char *text)
{
	return strstr(text, "://") ? words_add(&release->images.urls, text) : set(&release->images.path, text);
}

static int option_take(int option, const char *text, struct k3s_release *ret, const char **ret_out)
{
	char *end;

	switch (option) {
	case 'o': *ret_out = text; return 0;
	case 'k': return set(&ret->binary.path, text);
	case 'v': return set(&ret->version, text);
	case 'u': return words_add(&ret->binary.urls, text);
	case 's': return set(&ret->binary.sha256, text);
	case 'i': return images_set(ret, text);
	case 'h': return set(&ret->images.sha256, text);
	case 'c': return set(&ret->ca, text);
	case 't':
		ret->stall_sec = (unsigned)strtoul(text, &end, 10);
		return *text >= '1' && *text <= '9' && !*end ? 0 : -EINVAL;
	case OPTION_MIRROR: return ret->binary.urls.n ? words_add(&ret->binary.urls, text) : -EINVAL;
	case OPTION_IMAGES_MIRROR: return ret->images.urls.n ? words_add(&ret->images.urls, text) : -EINVAL;
	default: return -EINVAL;
	}
}

static int options_read(int argc, char *argv[], struct k3s_release *ret, const char **ret_out)
{
	static const struct option known[] = { { "out", 1, NULL, 'o' }, { "k3s", 1, NULL, 'k' }, { "version", 1, NULL, 'v' },
		{ "url", 1, NULL, 'u' }, { "sha256", 1, NULL, 's' }, { "images", 1, NULL, 'i' },
		{ "images-sha256", 1, NULL, 'h' }, { "mirror", 1, NULL, OPTION_MIRROR },
		{ "images-mirror", 1, NULL, OPTION_IMAGES_MIRROR }, { "ca", 1, NULL, 'c' }, { "stall-sec", 1, NULL, 't' }, { 0 } };
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (option_take(c, optarg, ret, ret_out) < 0)
			return -EINVAL;
	return optind == argc && *ret_out && k3s_release_wanted(ret) ? 0 : -EINVAL;
}

int command_payload(int argc, char *argv[])
{
	CLEANUP(k3s_release_done) struct k3s_release release = { 0 };
	const char *cache = getenv("HEARTH_CACHE"), *home = getenv("HOME"), *out = NULL;
	AUTO_FREE char *image = cache ? str_format("%s/image", cache) : str_format("%s/.cache/hearth/image", home ? home : "/root");
	struct diag diag = { 0 };

	if (options_read(argc, argv, &release, &out) < 0)
		return command_usage("payload --out DIR (--k3s FILE | --version V --url URL [--mirror URL]...) [--sha256 HEX]\n"
				     "    [--images FILE|URL [--images-mirror URL]... [--images-sha256 HEX]] [--ca FILE] [--stall-sec N]\n"
				     "What is fetched needs its SHA-256; mirrors are asked in order when the place before fails.");
	int rc = k3s_release_check(&release, &diag);
	if (rc == 0 && file_exists(out))
		rc = diag_set(&diag, -EEXIST, out, "must not exist yet");
	if (rc == 0)
		rc = image ? k3s_release_payload(&release, image, out, &diag) : -ENOMEM;
	if (rc < 0) {
		log_error("%s", *diag.message ? diag_text(&diag) : strerror(-rc));
		return 1;
	}
	printf("%s\n", out);
	return 0;
}
