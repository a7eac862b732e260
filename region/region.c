// SPDX-License-Identifier: Apache-2.0
#include "region/region.h"

#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "base/utf8.h"
#include "region/clock.h"
#include "region/key-rotation-run.h"
#include "region/mesh-offer.h"
#include "region/mesh-reach.h"
#include "region/rollout-run.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/eventfd.h>

enum {
	FORGET_SEC = 86400,
	KEEP_AUDIT = 100000, // some 20 MB: a stranger's requests do not fill the disk
	KEEP_REMOVALS = 5000, // as many as a segment has nodes: more is longer than everything
	MAX_PEM = 64 << 10,
	NODE_CERT_SEC = 30 * 86400,
	SERVER_CERT_SEC = 90 * 86400,
	BACKDATE_SEC = 3600
};

static int load_file(const char *dir, const char *name, char **ret, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/%s", dir, name);
	return path ? file_read(path, MAX_PEM, ret, NULL, reterr) : -ENOMEM;
}

static int load_key(
	const char *dir, const char *name, struct key **ret, char **ret_pem, struct diag *reterr)
{
	CLEANUP(secret_text_free) char *pem = NULL;
	int r = load_file(dir, name, &pem, reterr);
	if (r < 0 || (r = key_from_pem(pem, ret, reterr)) < 0)
		return r;
	if (ret_pem)
		*ret_pem = TAKE_PTR(pem);
	return 0;
}

static int use_server_certificate(struct region *region, struct diag *reterr)
{
	struct cert_facts facts;
	int r = cert_facts_from_pem(region->server_pem, &facts, reterr);
	if (r < 0)
		return r;
	memcpy(region->server_sha256, facts.sha256, sizeof(facts.sha256));
	region->server_not_before_sec = facts.not_before_sec;
	region->server_not_after_sec = facts.not_after_sec;
	cert_facts_done(&facts);
	return 0;
}

static int load_keys(struct region *region, struct diag *reterr)
{
	AUTO_FREE char *seal_path = str_format("%s/seal.key", region->dir);
	CLEANUP(secret_text_free) char *seal = NULL;
	struct cert_facts facts;
	size_t n = 0;
	int r = load_file(region->dir, "ca.crt", &region->ca_pem, reterr);
	if (r < 0 || (r = load_key(region->dir, "ca.key", &region->ca_key, NULL, reterr)) < 0 ||
		(r = load_file(region->dir, "server.crt", &region->server_pem, reterr)) < 0 ||
		(r = load_key(region->dir, "server.key", &region->server_key,
			 &region->server_key_pem, reterr)) < 0)
		return r;
	r = seal_path ? file_read(seal_path, 256, &seal, &n, reterr) : -ENOMEM;
	if (r < 0)
		return r;
	if (n != 65 || seal[64] != '\n')
		return diag_set(
			reterr, -EBADMSG, seal_path, "must hold 64 hex digits and a newline");
	seal[64] = '\0';
	if (hex_decode(seal, region->seal_key, sizeof(region->seal_key)) < 0)
		return diag_set(
			reterr, -EBADMSG, seal_path, "must hold 64 hex digits and a newline");
	if ((r = cert_facts_from_pem(region->ca_pem, &facts, reterr)) < 0)
		return r;
	memcpy(region->ca_sha256, facts.sha256, sizeof(facts.sha256));
	pin_format(facts.spki_sha256, region->ca_pin);
	region->ca_spki = TAKE_PTR(facts.spki);
	region->n_ca_spki = facts.n_spki;
	cert_facts_done(&facts);
	return use_server_certificate(region, reterr);
}

static int load_config(struct region *region, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/cluster.yaml", region->dir), *text = NULL;
	size_t n;
	int r = path ? file_read(path, 256 << 10, &text, &n, reterr) : -ENOMEM;
	return r < 0 ? r
		     : cluster_config_parse(
			       text, n, "cluster.yaml", region->dir, &region->config, reterr);
}

// What nodes already live by may not change under them.
static int check_same_cluster(struct region *region, struct diag *reterr)
{
	AUTO_FREE char *before = NULL;
	char mesh[CIDR_TEXT], pod[CIDR_TEXT], service[CIDR_TEXT], now[256];
	cidr_format(&region->config->mesh, mesh);
	cidr_format(&region->config->pod, pod);
	cidr_format(&region->config->service, service);
	(void)snprintf(now, sizeof(now), "%s mesh %s pod %s service %s", region->config->name, mesh,
		pod, service);
	int r = store_meta_get(region->store, "cluster", &before);
	if (r == -ENOENT)
		return store_meta_set(region->store, "cluster", now);
	if (r >= 0 && !str_equal(before, now))
		return diag_set(reterr, -EINVAL, "cluster.yaml",
			"name and ranges may not change once nodes live by them: \"%s\", "
			"but this region was made with \"%s\"",
			now, before);
	return r;
}

static int load_clock(struct region *region, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/clock.accepted", region->dir), *text = NULL;
	int64_t now_sec = time_wall_msec() / 1000, accepted_sec = 0;
	if (!path)
		return -ENOMEM;
	if (file_read(path, 64, &text, NULL, NULL) >= 0)
		accepted_sec = strtoll(text, NULL, 10);
	int r = clock_check(now_sec, clock_build_sec,
		store_meta_int(region->store, "lastTimeSec", 0), accepted_sec, reterr);
	if (r < 0)
		return r;
	if (accepted_sec) {
		region_audit(region, "local", "clock accept", "", "a person accepted the clock");
		(void)file_remove(path); // used; a stale one is worth nothing after an hour anyway
	}
	int64_t before_sec = store_meta_int(region->store, "lastTimeSec", now_sec);
	region->loaded_sec = now_sec;
	region->away_sec = before_sec < now_sec ? now_sec - before_sec : 0;
	region->last_time_sec = now_sec;
	return store_meta_set_int(region->store, "lastTimeSec", now_sec);
}

int region_load(struct region *region, const char *dir, struct diag *reterr)
{
	AUTO_FREE char *db = str_format("%s/region.db", dir), *epoch = NULL;
	*region = (struct region){ .dir = dir, .wake_fd = -1, .started_usec = time_boot_usec() };
	region->offers = calloc(1, sizeof(*region->offers));
	if (!db || !region->offers || pthread_mutex_init(&region->lock, NULL) != 0)
		return -ENOMEM;
	int r = store_open(db, false, &region->store, reterr);
	if (r < 0 || (r = load_config(region, reterr)) < 0 || (r = load_keys(region, reterr)) < 0 ||
		(r = load_clock(region, reterr)) < 0 ||
		(r = check_same_cluster(region, reterr)) < 0)
		return r;
	if ((r = store_meta_get(region->store, "epoch", &epoch)) < 0)
		return diag_set(reterr, r, db, "holds no epoch: init did not end");
	(void)snprintf(region->epoch, sizeof(region->epoch), "%s", epoch);
	region->pull_user = str_format("pull-%s", region->config->name);
	if ((r = region_secret_get(region, "pull", &region->pull_password)) < 0)
		return diag_set(reterr, r, db,
			"the pull credential cannot be unsealed: seal.key does not fit this "
			"database");
	region->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (region->wake_fd < 0 || !region->pull_user)
		return -ENOMEM;
	if ((r = rollout_loaded(region)) < 0)
		return r;
	int64_t age = region->last_time_sec - region->server_not_before_sec;
	if ((age > SERVER_CERT_SEC / 3 * 2 ||
		    region->last_time_sec < region->server_not_before_sec) &&
		(r = region_server_certificate(region, reterr)) < 0)
		return r;
	return store_commit(region->store);
}

void region_unload(struct region *region)
{
	region->store = store_close(region->store);
	if (region->offers)
		mesh_offers_done(region->offers);
	free(region->offers);
	region->offers = NULL;
	mesh_sights_done(&region->sights);
	region->config = cluster_config_free(region->config);
	region->ca_key = key_free(region->ca_key);
	region->server_key = key_free(region->server_key);
	secret_text_free(&region->server_key_pem);
	secret_text_free(&region->pull_password);
	crypto_wipe(region->seal_key, sizeof(region->seal_key));
	free(region->pull_user);
	free(region->ca_pem);
	free(region->server_pem);
	free(region->ca_spki);
	free(region->fetches.list);
	if (region->wake_fd >= 0)
		(void)close(
			region->wake_fd); // nothing to be done about a failing close of an eventfd
	region->wake_fd = -1;
}

void region_wake(struct region *region, const char *topic)
{
	if (str_equal(topic, "cluster"))
		region->wake_all = true;
	for (struct request *request = region->waiting; request; request = request->next)
		if (str_equal(request->topic, topic))
			request->due = true;
	if (region->wake_fd >= 0)
		(void)eventfd_write(region->wake_fd, 1); // full counter: it is readable already
}

void region_audit(struct region *region, const char *actor, const char *action, const char *subject,
	const char *format, ...)
{
	struct audit audit = { .time_sec = region_now_sec(region) };
	AUTO_FREE char *detail = NULL;
	va_list arguments;
	va_start(arguments, format);
	if (vasprintf(&detail, format, arguments) < 0)
		detail = NULL;
	va_end(arguments);
	if (detail)
		utf8_make_printable(detail); // it may repeat what a machine calls itself
	(void)snprintf(audit.actor, sizeof(audit.actor), "%s", actor);
	(void)snprintf(audit.action, sizeof(audit.action), "%s", action);
	(void)snprintf(audit.subject, sizeof(audit.subject), "%s", subject);
	audit.detail = detail;
	int r = store_audit_add(region->store, &audit);
	if (r < 0)
		log_error("audit entry \"%s\" could not be written: %s", action, strerror(-r));
	log_notice("%s: %s %s: %s", actor, action, subject, detail ? detail : "");
}

int64_t region_now_sec(const struct region *region)
{
	(void)region; // one clock for all; the parameter keeps callers honest about whose time it
		      // is
	return time_wall_msec() / 1000;
}

int64_t region_silence_sec(const struct region *region, const struct node *node)
{
	int64_t silence_sec = region_now_sec(region) - node->seen_sec;
	return node->seen_sec < region->loaded_sec ? silence_sec - region->away_sec : silence_sec;
}

int region_check_clock(struct region *region, struct diag *reterr)
{
	return clock_check(
		region_now_sec(region), clock_build_sec, region->last_time_sec, 0, reterr);
}

void region_tick(struct region *region)
{
	struct diag diag = { 0 };
	if (region_check_clock(region, &diag) < 0) {
		log_error("%s", diag_text(&diag));
		return;
	}
	region->last_time_sec = region_now_sec(region);
	int r = mesh_reach_step(region);
	if (r < 0)
		log_error("endpoints of the mesh could not be withdrawn: %s", strerror(-r));
	r = membership_step(region);
	if (r < 0)
		log_error("jobs and rollout could not go on: %s", strerror(-r));
	r = key_rotation_step(region);
	if (r < 0)
		log_error("rotations of WireGuard keys could not go on: %s", strerror(-r));
	r = store_meta_set_int(region->store, "lastTimeSec", region->last_time_sec);
	if (r < 0)
		log_error("the time could not be remembered: %s", strerror(-r));
	r = store_enrolment_prune(region->store, region->last_time_sec - FORGET_SEC);
	if (r < 0)
		log_error("old enrolments could not be forgotten: %s", strerror(-r));
	r = store_removal_prune(region->store, KEEP_REMOVALS);
	if (r < 0)
		log_error("old removals of the mesh could not be forgotten: %s", strerror(-r));
	r = store_audit_prune(region->store, KEEP_AUDIT);
	if (r < 0)
		log_error("old audit entries could not be forgotten: %s", strerror(-r));
}

void secret_text_free(char **text)
{
	if (*text)
		crypto_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static void secret_id(const struct region *region, const char *name, char ret[static 160])
{
	(void)snprintf(ret, 160, "%s/%s", region->config->name, name);
}

int region_secret_put(struct region *region, const char *name, const char *text)
{
	struct secret secret = { .rotate = 0 };
	AUTO_FREE uint8_t *sealed = NULL;
	AUTO_FREE char *base64 = NULL;
	size_t n;
	secret_id(region, name, secret.id);
	int r = seal_bytes(region->seal_key, secret.id, text, strlen(text), &sealed, &n);
	if (r < 0)
		return r;
	base64 = base64_encode(sealed, n);
	if (!base64)
		return -ENOMEM;
	secret.sealed = base64;
	return store_secret_put(region->store, &secret);
}

int region_secret_remove(struct region *region, const char *name)
{
	char id[160];
	secret_id(region, name, id);
	return store_secret_remove(region->store, id);
}

int region_secret_get(struct region *region, const char *name, char **ret)
{
	char id[160];
	CLEANUP(secret_freep) struct secret *secret = NULL;
	AUTO_FREE uint8_t *sealed = NULL, *plain = NULL;
	size_t n_sealed, n_plain;
	secret_id(region, name, id);
	int r = store_secret_get(region->store, id, &secret);
	if (r < 0)
		return r;
	if (!secret->sealed || (r = base64_decode(secret->sealed, &sealed, &n_sealed)) < 0)
		return -EBADMSG;
	if ((r = unseal_bytes(region->seal_key, id, sealed, n_sealed, &plain, &n_plain)) < 0)
		return r;
	*ret = strndup((const char *)plain, n_plain);
	crypto_wipe(plain, n_plain);
	return *ret ? 0 : -ENOMEM;
}

int region_secret_is_doubtful(struct region *region, const char *name, bool *ret)
{
	char id[160];
	CLEANUP(secret_freep) struct secret *secret = NULL;
	secret_id(region, name, id);
	int r = store_secret_get(region->store, id, &secret);
	*ret = r >= 0 && secret->rotate;
	return r == -ENOENT ? 0 : r;
}

int region_node_certificate(struct region *region, struct node *node, const uint8_t *spki,
	size_t n_spki, struct diag *reterr)
{
	int r = region_check_clock(region, reterr);
	if (r < 0)
		return r;
	int64_t now_sec = region_now_sec(region);
	struct cert_request request = { .usage = CERT_USAGE_CLIENT,
		.common_name = node->name,
		.organisation = node->id,
		.spki = spki,
		.n_spki = n_spki,
		.not_before_sec = now_sec - BACKDATE_SEC,
		.not_after_sec = now_sec + NODE_CERT_SEC };
	char *pem;
	if ((r = cert_issue(&request, region->ca_pem, region->ca_key, &pem, reterr)) < 0)
		return r;
	free(node->certificate);
	node->certificate = pem;
	return 0;
}

static int server_certificate_save(
	struct region *region, const char *cert, const struct key *key, struct diag *reterr)
{
	CLEANUP(secret_text_free) char *key_pem = NULL;
	AUTO_FREE char *key_path = str_format("%s/server.key", region->dir),
		       *cert_path = str_format("%s/server.crt", region->dir);
	int r = key_to_pem(key, &key_pem);
	if (r < 0 || !key_path || !cert_path)
		return -ENOMEM;
	if ((r = file_write_atomic(key_path, key_pem, strlen(key_pem), 0600, reterr)) < 0 ||
		(r = file_write_atomic(cert_path, cert, strlen(cert), 0644, reterr)) < 0)
		return r;
	secret_text_free(&region->server_key_pem);
	region->server_key_pem = TAKE_PTR(key_pem);
	return 0;
}

int region_server_certificate(struct region *region, struct diag *reterr)
{
	const struct cluster_config *config = region->config;
	char hosts[CONFIG_MAX_URLS][300];
	const char *sans[CONFIG_MAX_URLS + 3] = { NULL };
	size_t n = 0;
	AUTO_FREE char *pem = NULL;
	// The key stays the region's when the certificate fails: hello goes on with the present
	// one.
	int r = region->server_key ? 0 : key_generate(&region->server_key);
	if (r < 0)
		return r;
	const struct key *key = region->server_key;
	for (size_t i = 0; i < config->n_urls; i++) {
		cluster_url_host(config->urls[i], hosts[i], sizeof(hosts[i]));
		sans[n++] = hosts[i];
	}
	sans[n++] = "127.0.0.1";
	sans[n++] = "localhost";
	int64_t now_sec = region_now_sec(region);
	struct cert_request request = { .usage = CERT_USAGE_SERVER,
		.common_name = hosts[0],
		.sans = sans,
		.not_before_sec = now_sec - BACKDATE_SEC,
		.not_after_sec = now_sec + SERVER_CERT_SEC };
	AUTO_FREE uint8_t *spki = NULL;
	size_t n_spki;
	if ((r = key_spki(key, &spki, &n_spki)) < 0)
		return r;
	request.spki = spki;
	request.n_spki = n_spki;
	if ((r = cert_issue(&request, region->ca_pem, region->ca_key, &pem, reterr)) < 0 ||
		(r = server_certificate_save(region, pem, key, reterr)) < 0)
		return r;
	free(region->server_pem);
	region->server_pem = TAKE_PTR(pem);
	return use_server_certificate(region, reterr);
}

int region_cluster(struct region *region, struct cluster **ret)
{
	return store_cluster_get(region->store, region->config->name, ret);
}

int region_mesh_changed(struct region *region, struct node *node)
{
	int64_t generation = store_next_generation(region->store);
	if (generation < 0)
		return (int)generation;
	int r = store_removal_forget(region->store, node->wg_public);
	if (r < 0)
		return r;
	node->mesh_generation = generation;
	region_wake(region, "cluster");
	return 0;
}

int region_mesh_remove(struct region *region, const char *public_key)
{
	struct mesh_removal removal = { .generation = store_next_generation(region->store) };
	if (removal.generation < 0)
		return (int)removal.generation;
	(void)snprintf(removal.public_key, sizeof(removal.public_key), "%s", public_key);
	(void)snprintf(removal.cluster, sizeof(removal.cluster), "%s", region->config->name);
	region_wake(region, "cluster");
	return store_removal_put(region->store, &removal);
}
