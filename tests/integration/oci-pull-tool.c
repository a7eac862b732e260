// The k3s library's bootstrap as a program, for tests/integration/oci-pull: packs an artifact, or runs the bootstrap
// against a registry and an API server until a sentence (or the steady state) is reached, or fetches one blob.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "image/artifact.h"
#include "k3s/bootstrap.h"
#include "k3s/bootstrap-cache.h"
#include "k3s/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>

static struct {
	const char *url, *repository, *digest, *ca, *kubeconfig, *manifests, *work, *cache, *until, *self;
	const char *username, *password, *blob_path, *tag, *unpack, *mirror;
	unsigned timeout_sec, come_back_sec;
	size_t n_keys;
	char *keys[COSIGN_MAX_KEYS];
	struct json_out variables;
} options = {.timeout_sec = 20, .self = "node-1", .cache = ""};

static bool reached;

static void on_changed(const struct bootstrap_status *status, void *user)
{
	sd_event *event = user;

	printf("%s | %s | %s | %d | %s\n", bootstrap_phase_text(status->phase), stage_folder(status->stage),
		status->holder ? "holder" : "watcher", status->error, status->sentence);
	(void)fflush(stdout); // the script reads it while we run
	reached = options.until ? strstr(status->sentence, options.until) != NULL : status->phase == BOOTSTRAP_STEADY;
	if (reached)
		(void)sd_event_exit(event, 0); // cannot fail while the loop runs
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *user)
{
	return sd_event_exit(sd_event_source_get_event(source), 3);
}

static int die(const char *what, int error, const struct diag *diag)
{
	fprintf(stderr, "oci-pull-tool: %s: %s\n", what, *diag->message ? diag_text(diag) : strerror(-error));
	return 1;
}

static int run(sd_event *event, struct kube *kube, const char *ca, const struct value *variables)
{
	struct http_client *client CLEANUP(http_client_freep) = NULL;
	struct bootstrap *bootstrap CLEANUP(bootstrap_freep) = NULL;
	struct diag diag = {0};
	int r = http_client_new(event, &(struct http_trust_config){.trust = HTTP_TRUST_CA, .ca_pem = ca}, &client);
	const struct oci_source sources[] = {
		{.client = client, .url = options.mirror, .repository = options.repository},
		{.client = client, .url = options.url, .repository = options.repository, .username = options.username,
			.password = options.password},
	};

	if (r == 0)
		r = bootstrap_new(
			&(struct bootstrap_config){.event = event, .kube = kube,
				.sources = options.mirror ? sources : sources + 1, .n_sources = options.mirror ? 2 : 1,
				.digest = options.digest, .tag = options.tag, .look_sec = 1,
				.come_back_sec = options.come_back_sec, .variables = variables,
				.key_pems = (const char *const *)options.keys, .n_keys = options.n_keys,
				.self = options.self, .manifests_folder = options.manifests,
				.work_folder = options.work, .cache_folder = options.cache,
				.max_backoff_usec = USEC_PER_SEC, .prune_sec = 2, .on_changed = on_changed,
				.user = event},
			&bootstrap, &diag);
	if (r == 0)
		r = sd_event_add_time_relative(event, NULL, CLOCK_BOOTTIME, options.timeout_sec * USEC_PER_SEC, 0,
			on_timeout, NULL);
	if (r < 0)
		return die("bootstrap", r, &diag);
	r = sd_event_loop(event);
	return r < 0 ? die("loop", r, &diag) : r;
}

static void on_blob(const struct oci_fetched *fetched, void *user)
{
	printf("%s\n", fetched->error < 0 ? diag_text(fetched->diag) : fetched->digest);
	(void)sd_event_exit(user, fetched->error == 0 ? 0 : 1); // cannot fail while the loop runs
}

// One blob into a file.
static int command_blob(void)
{
	struct http_client *client CLEANUP(http_client_freep) = NULL;
	sd_event *event CLEANUP(sd_event_unrefp) = NULL;
	char *ca AUTO_FREE = NULL;
	struct diag diag = {0};
	int r = file_read(options.ca, 64 << 10, &ca, NULL, &diag);

	if (r == 0)
		r = sd_event_default(&event);
	if (r >= 0)
		r = http_client_new(event, &(struct http_trust_config){.trust = HTTP_TRUST_CA, .ca_pem = ca}, &client);
	if (r >= 0)
		r = oci_fetch_blob_file(
			&(struct oci_source){.client = client, .url = options.url, .repository = options.repository,
				.username = options.username, .password = options.password},
			options.digest, options.blob_path, 8 << 20, NULL, on_blob, event, NULL);
	return r < 0 ? die("blob", r, &diag) : sd_event_loop(event);
}

// Pull, verify and unpack, without a cluster: what tests/bench measures.
struct unpack_run {
	sd_event *event;
	struct oci_source source;
	struct oci_layer layer;
	char *path;
	int result;
};

static void unpack_end(struct unpack_run *run, int error, const struct diag *diag)
{
	run->result = error < 0 ? die("pull", error, diag) : 0;
	(void)sd_event_exit(run->event, run->result); // cannot fail while the loop runs
}

static void on_unpack_layer(const struct oci_fetched *fetched, void *user)
{
	struct unpack_run *run = user;
	int fd AUTO_CLOSE = fetched->error < 0 ? -1 : open(run->path, O_RDONLY | O_CLOEXEC);
	struct diag diag = {0};

	if (fetched->error < 0)
		unpack_end(run, fetched->error, fetched->diag);
	else
		unpack_end(run, fd < 0 ? -errno : unpack_tar_gz_fd(fd, options.unpack, NULL, &diag), &diag);
}

static void on_unpack_checked(const struct cosign_checked *checked, void *user)
{
	struct unpack_run *run = user;
	struct diag diag = {0};
	int r = checked->error;

	if (r == 0)
		r = oci_fetch_blob_file(&run->source, run->layer.digest, run->path, run->layer.size, NULL, on_unpack_layer, run,
			NULL);
	if (r < 0)
		unpack_end(run, r, checked->error < 0 ? checked->diag : &diag);
}

static void on_unpack_manifest(const struct oci_fetched *fetched, void *user)
{
	struct unpack_run *run = user;
	struct diag diag = {0};
	int r = fetched->error;

	if (r == 0)
		r = bootstrap_layer(fetched->bytes, fetched->n, &run->layer, &diag);
	if (r == 0)
		r = cosign_check_start(&run->source, options.digest, (const char *const *)options.keys, options.n_keys,
			on_unpack_checked, run, NULL);
	if (r < 0)
		unpack_end(run, r, fetched->error < 0 ? fetched->diag : &diag);
}

static int command_unpack(void)
{
	struct http_client *client CLEANUP(http_client_freep) = NULL;
	sd_event *event CLEANUP(sd_event_unrefp) = NULL;
	char *ca AUTO_FREE = NULL, *path AUTO_FREE = str_format("%s.layer", options.unpack);
	struct unpack_run run = {.path = path};
	struct diag diag = {0};
	int r = path ? file_read(options.ca, 64 << 10, &ca, NULL, &diag) : -ENOMEM;

	if (r == 0)
		r = sd_event_default(&event);
	if (r >= 0)
		r = http_client_new(event, &(struct http_trust_config){.trust = HTTP_TRUST_CA, .ca_pem = ca}, &client);
	run.event = event;
	run.source = (struct oci_source){.client = client, .url = options.url, .repository = options.repository};
	if (r >= 0)
		r = oci_fetch_manifest(&run.source, options.digest, on_unpack_manifest, &run, NULL);
	if (r >= 0)
		r = sd_event_loop(event);
	return r < 0 ? die("unpack", r, &diag) : r;
}

static int command_run(void)
{
	struct kubeconfig *kubeconfig CLEANUP(kubeconfig_freep) = NULL;
	struct kube *kube CLEANUP(kube_freep) = NULL;
	struct value *variables CLEANUP(value_freep) = NULL;
	sd_event *event CLEANUP(sd_event_unrefp) = NULL;
	char *ca AUTO_FREE = NULL, *text AUTO_FREE = NULL;
	struct diag diag = {0};
	int r = sd_event_default(&event);

	json_out_object_end(&options.variables);
	text = json_out_take(&options.variables);
	if (r >= 0)
		r = text ? json_parse(text, strlen(text), 0, &variables, &diag) : -ENOMEM;
	if (r >= 0)
		r = file_read(options.ca, 64 << 10, &ca, NULL, &diag);
	if (r >= 0)
		r = kubeconfig_load(options.kubeconfig, &kubeconfig, &diag);
	if (r >= 0)
		r = kube_new(event, kubeconfig, &kube, &diag);
	return r < 0 ? die("start", r, &diag) : run(event, kube, ca, variables);
}

static int command_pack(char *argv[])
{
	char digest[OCI_DIGEST_TEXT];
	struct diag diag = {0};
	int r = artifact_pack(
		&(struct artifact_request){.folder = argv[0], .layout = argv[1], .name = argv[2], .tag = argv[3]},
		digest, &diag);

	if (r < 0)
		return die("pack", r, &diag);
	puts(digest);
	return 0;
}

static int option_take(int option)
{
	char *equals;
	struct diag diag = {0};
	int r;

	switch (option) {
	case 'M':
		options.mirror = optarg;
		return 0;
	case 'u':
		options.url = optarg;
		return 0;
	case 'r':
		options.repository = optarg;
		return 0;
	case 'd':
		options.digest = optarg;
		return 0;
	case 'c':
		options.ca = optarg;
		return 0;
	case 'k':
		if (options.n_keys == COSIGN_MAX_KEYS)
			return -1;
		r = file_read(optarg, 64 << 10, &options.keys[options.n_keys++], NULL, &diag);
		return r < 0 ? -die("key", r, &diag) : 0;
	case 'K':
		options.kubeconfig = optarg;
		return 0;
	case 'm':
		options.manifests = optarg;
		return 0;
	case 'w':
		options.work = optarg;
		return 0;
	case 'C':
		options.cache = optarg;
		return 0;
	case 'v':
		equals = strchr(optarg, '=');
		if (!equals)
			return -1;
		*equals = '\0';
		json_out_member(&options.variables, optarg, equals + 1);
		return 0;
	case 't':
		options.timeout_sec = (unsigned)strtoul(optarg, NULL, 10);
		return 0;
	case 's':
		options.self = optarg;
		return 0;
	case 'U':
		options.until = optarg;
		return 0;
	case 'x':
		options.unpack = optarg;
		return 0;
	case 'T':
		options.tag = optarg;
		return 0;
	case 'B':
		options.come_back_sec = (unsigned)strtoul(optarg, NULL, 10);
		return 0;
	case 'o':
		options.blob_path = optarg;
		return 0;
	case 'a':
		equals = strchr(optarg, ':');
		if (!equals)
			return -1;
		*equals = '\0';
		options.username = optarg;
		options.password = equals + 1;
		return 0;
	default:
		return -1;
	}
}

int main(int argc, char *argv[])
{
	int option, r;

	if (argc == 6 && str_equal(argv[1], "pack"))
		return command_pack(argv + 2);
	json_out_object_begin(&options.variables);
	while ((option = getopt(argc, argv, "u:M:r:d:c:k:K:m:w:C:v:t:s:U:a:o:T:B:x:")) != -1)
		if (option_take(option) < 0) {
			fprintf(stderr, "usage: oci-pull-tool pack FOLDER LAYOUT NAME TAG | -u URL [-M MIRROR] -r REPOSITORY -d DIGEST | -T TAG "
					"-c CA -k KEY -K KUBECONFIG -m MANIFESTS -w WORK [-C CACHE] [-v NAME=VALUE] "
					"[-B COME-BACK-SEC] [-U SENTENCE] [-t SEC] [-s SELF] [-a USER:PASSWORD] | -u URL -r REPOSITORY -d DIGEST "
					"-c CA -o PATH [-a USER:PASSWORD] | -u URL -r REPOSITORY -d DIGEST -c CA -k KEY "
					"-x FOLDER\n");
			return 2;
		}
	r = options.blob_path ? command_blob() : options.unpack ? command_unpack() : command_run();
	for (size_t i = 0; i < options.n_keys; i++)
		free(options.keys[i]);
	return r;
}
