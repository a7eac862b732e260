// hearth-image build and check.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "image/build.h"
#include "image/command.h"
#include "image/k3s-payload.h"
#include "image/run.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <locale.h>
#include <sys/stat.h>

int command_usage(const char *line)
{
	fprintf(stderr, "hearth-image: use: hearth-image %s\n", line);
	return 2;
}

static const char use[] =
	"build RECIPE --out DIR [--payload DIR | --k3s FILE] [--bin DIR] [--overlays DIR] [--report FILE]";

struct options {
	const char *recipe, *out, *payload, *k3s, *bin, *overlays, *report;
};

static int options_read(int argc, char *argv[], struct options *ret)
{
	static const struct option known[] = { { "out", 1, NULL, 'o' }, { "payload", 1, NULL, 'p' },
		{ "k3s", 1, NULL, 'k' }, { "bin", 1, NULL, 'b' },
		{ "overlays", 1, NULL, 'l' }, { "report", 1, NULL, 'r' }, { 0 } };
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (c) {
		case 'o': ret->out = optarg; break;
		case 'p': ret->payload = optarg; break;
		case 'k': ret->k3s = optarg; break;
		case 'b': ret->bin = optarg; break;
		case 'l': ret->overlays = optarg; break;
		case 'r': ret->report = optarg; break;
		default: return -EINVAL;
		}
	if (optind != argc - 1 || !ret->out || (ret->payload && ret->k3s))
		return -EINVAL;
	ret->recipe = argv[optind];
	return 0;
}

static char *cache_folder(void)
{
	const char *cache = getenv("HEARTH_CACHE"), *home = getenv("HOME");

	return cache ? str_format("%s/image", cache) : str_format("%s/.cache/hearth/image", home ? home : "/root");
}

// The folder of this program: our other programs lie beside it.
static char *own_folder(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return NULL;
	path[n] = '\0';
	return strdup(dirname(path));
}

static int lists_write(const struct build *build, struct diag *reterr)
{
	AUTO_FREE char *lock = str_format("%s/packages.lock", build->base);
	AUTO_FREE char *to = str_format("%s/packages.lock", build->out);
	AUTO_FREE char *sums = str_format("%s/SHA256SUMS", build->out);
	CLEANUP(words_done) struct words names = { 0 }, lines = { 0 };
	int rc = lock && to && sums ? file_link_or_copy(lock, to, reterr) : -ENOMEM;

	if (rc == 0)
		rc = words_add_many(&names, (const char *const[]){ "cmdline", "hearth.iso", "image.json", "packages.lock",
			"pxe/boot.ipxe", "pxe/root.img", "stage1.img", "vmlinuz", NULL });
	if (rc == 0)
		rc = words_add_format(&names, "root-%s.erofs", build->root_sha256);
	if (rc == 0 && *build->payload_sha256)
		rc = words_add_format(&names, "payload-%s.erofs", build->payload_sha256);
	words_sort(&names);
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		AUTO_FREE char *path = str_format("%s/%s", build->out, names.items[i]);
		char hex[SHA256_HEX + 1];
		rc = path ? sha256_file(path, hex, reterr) : -ENOMEM;
		if (rc == 0)
			rc = words_add_format(&lines, "%s  %s\n", hex, names.items[i]);
	}
	if (rc < 0)
		return rc;
	AUTO_FREE char *text = words_join(&lines, "");
	return text ? file_write_volatile(sums, text, strlen(text), 0644, reterr) : -ENOMEM;
}

// Root and payload files of an earlier build in the same folder would only confuse.
static int old_files_remove(const char *out, struct diag *reterr)
{
	AUTO_FREE char *shell = str_format("cd \"$1\" && rm -f root-*.erofs payload-*.erofs hearth.iso && rm -rf pxe");

	return shell ? run_program((const char *const[]){ "sh", "-c", shell, "-", out, NULL }, reterr) : -ENOMEM;
}

static int report_write(const struct build *build, const char *path, struct diag *reterr)
{
	struct json_out out = { 0 };

	json_out_object_begin(&out);
	json_out_member_int(&out, "isoBytes", (int64_t)build->iso_bytes);
	json_out_member_int(&out, "stage1Bytes", (int64_t)build->stage1_bytes);
	json_out_member_int(&out, "rootBytes", (int64_t)build->root_bytes);
	json_out_member_int(&out, "payloadBytes", (int64_t)build->payload_bytes);
	json_out_member(&out, "rootSha256", build->root_sha256);
	json_out_object_end(&out);
	AUTO_FREE char *text = json_out_take(&out);
	return text ? file_write_volatile(path, text, strlen(text), 0644, reterr) : -ENOMEM;
}

static int build_all(struct build *build, const struct options *options, struct diag *reterr)
{
	AUTO_FREE char *folder = NULL;
	int rc = build_base(build, reterr);

	if (rc == 0)
		rc = build_kernel(build, reterr);
	if (rc == 0)
		rc = build_root(build, reterr);
	if (rc == 0 && options->k3s) {
		folder = str_format("%s/k3s-payload.%d", build->cache, (int)getpid());
		rc = folder ? k3s_payload_from_file(options->k3s, NULL, "k3s-binary", NULL, folder, reterr) : -ENOMEM;
	} else if (rc == 0 && !options->payload && k3s_release_wanted(&build->recipe->k3s)) {
		folder = str_format("%s/k3s-payload.%d", build->cache, (int)getpid());
		rc = folder ? k3s_release_payload(&build->recipe->k3s, build->cache, folder, reterr) : -ENOMEM;
	}
	if (rc == 0 && (folder || options->payload))
		rc = build_payload(build, folder ? folder : options->payload, reterr);
	if (folder)
		(void)remove_tree(folder, NULL); // a left-over copy harms nobody
	if (rc == 0)
		rc = build_stage1(build, reterr);
	if (rc == 0)
		rc = build_iso(build, reterr);
	if (rc == 0)
		rc = build_pxe(build, reterr);
	if (rc == 0)
		rc = lists_write(build, reterr);
	if (rc == 0 && options->report)
		rc = report_write(build, options->report, reterr);
	return rc;
}

int command_build(int argc, char *argv[])
{
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	CLEANUP(build_done) struct build build = { 0 };
	AUTO_FREE char *cache = cache_folder();
	AUTO_FREE char *bin = own_folder();
	struct options options = { 0 };
	struct diag diag = { 0 };

	if (options_read(argc, argv, &options) < 0)
		return command_usage(use);
	AUTO_FREE char *at = strdup(options.recipe);
	AUTO_FREE char *overlays = at ? str_format("%s/../../overlays", dirname(at)) : NULL;
	if (!cache || !bin || !overlays)
		return 1;
	(void)setlocale(LC_CTYPE, "C.UTF-8"); // file names are UTF-8; C.UTF-8 is part of libc
	setenv("TZ", "UTC", 1); // tools that write times of day
	setenv("LC_ALL", "C.UTF-8", 1);
	umask(022);
	build = (struct build){ .overlays = options.overlays ? options.overlays : overlays,
		.bin = options.bin ? options.bin : bin, .cache = cache, .out = options.out };
	int rc = recipe_load(options.recipe, &recipe, &diag);
	if (rc == 0)
		rc = file_make_folders(cache, 0755);
	if (rc == 0)
		rc = file_make_folders(options.out, 0755);
	if (rc == 0)
		rc = old_files_remove(options.out, &diag);
	build.recipe = recipe;
	if (rc == 0)
		rc = build_all(&build, &options, &diag);
	if (rc < 0) {
		fputc('\n', stderr);
		log_error("%s", *diag.message ? diag_text(&diag) : strerror(-rc));
		return 1;
	}
	struct stat st = { 0 };
	AUTO_FREE char *kernel = str_format("%s/vmlinuz", options.out);
	if (kernel)
		(void)stat(kernel, &st);
	printf("%s: ISO %.1f MB, kernel + stage 1 %.1f MB, root %.1f MB, payload %.1f MB (%s)\n", options.out,
		(double)build.iso_bytes / 1e6, (double)((uint64_t)st.st_size + build.stage1_bytes) / 1e6,
		(double)build.root_bytes / 1e6, (double)build.payload_bytes / 1e6,
		build.kubernetes ? build.kubernetes : "no Kubernetes inside");
	return 0;
}

int command_check(int argc, char *argv[])
{
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	struct diag diag = { 0 };

	if (argc != 2 || argv[1][0] == '-')
		return command_usage("check RECIPE");
	if (recipe_load(argv[1], &recipe, &diag) < 0) {
		log_error("%s", diag_text(&diag));
		return 1;
	}
	AUTO_FREE char *sources = words_join(&recipe->seed_sources, ", ");
	AUTO_FREE char *overlays = words_join(&recipe->overlays, ", ");
	printf("%s: Debian %s, kernel %s, %zu packages, overlays %s\nseed from: %s; STATE disk: %s; CNI: %s%s\n",
		recipe->name, recipe->suite, recipe->kernel, recipe->packages.n, overlays ? overlays : "", sources ? sources : "",
		recipe->state_disk, recipe->cni, recipe->lab ? "; lab: commands from the host are obeyed" : "");
	return 0;
}
