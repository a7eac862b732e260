// hearth-volumes: make and mount the local volumes that hearthd wants, and say how it went. Runs to its end each time; hearthd
// starts it, so that a slow mkfs holds up nothing else. Nothing is ever unmade: a volume that no assignment names any more
// stays mounted, with a remark.
// SPDX-License-Identifier: Apache-2.0
#include "agent/disk-program.h"
#include "agent/root-path.h"
#include "agent/volumes-exchange.h"
#include "base/file.h"
#include "base/log.h"
#include <errno.h>

static struct volume_wish wishes[VOLUMES_MAX];
static struct volume_result results[VOLUMES_MAX];
static struct volume_record records[VOLUME_MAX_KEPT];

static bool is_wanted(const struct volumes_wanted *wanted, const char *name)
{
	for (size_t i = 0; i < wanted->n; i++)
		if (str_equal(wanted->wishes[i].name, name))
			return true;
	return false;
}

// What was ready once and is not named now: pods of the cluster may still use it.
static size_t keep_the_rest(const struct volumes_wanted *wanted, const struct volume_owner *owner, size_t n)
{
	size_t n_records = owner->durable ? volume_records_load(records, VOLUME_MAX_KEPT) : 0;
	for (size_t i = 0; i < n_records; i++) {
		const struct volume_record *record = &records[i];
		struct volume_result *result = &results[n];
		if (is_wanted(wanted, record->name))
			continue;
		wishes[n] = (struct volume_wish){ .name = record->name, .source = record->source, .bytes = record->bytes,
			.serial = record->source == VOLUME_ON_DISK ? record->serial : NULL };
		volume_keep(&wishes[n++], owner, result);
		if (result->ready)
			(void)snprintf(result->sentence, sizeof(result->sentence), "volume %s is not named by the assignment any more; it is "
				"kept, with its data: name it in cluster.yaml again, or reinstall this node to be rid of it", record->name);
	}
	return n;
}

static int run(struct diag *reterr)
{
	struct volumes_wanted wanted CLEANUP(volumes_wanted_done) = { 0 };
	char *text AUTO_FREE = NULL, device[128];
	size_t n_text = 0, n = 0;
	int r = file_read(RUN_VOLUMES_WANTED, VOLUMES_MAX_BYTES, &text, &n_text, reterr);
	if (r == 0)
		r = volumes_wanted_parse(text, n_text, &wanted, reterr);
	if (r == 0 && (r = file_make_folders(VOLUME_FOLDER, 0755)) < 0)
		r = diag_set(reterr, r, VOLUME_FOLDER, "cannot be made: %s", strerror(-r));
	if (r < 0)
		return r;
	disk_boot_device(device, sizeof(device));
	struct volume_owner owner = { .cluster = wanted.cluster, .node = wanted.node, .durable = wanted.durable,
		.boot_device = device[0] ? device : NULL };
	for (; n < wanted.n; n++) {
		wishes[n] = wanted.wishes[n];
		volume_keep(&wishes[n], &owner, &results[n]);
	}
	n = keep_the_rest(&wanted, &owner, n);
	for (size_t i = 0; i < n; i++)
		if (results[i].sentence[0])
			log_warning("%s", results[i].sentence);
	char *answer AUTO_FREE = volumes_answer_format(text, wishes, results, n);
	return answer ? file_write_volatile(RUN_VOLUMES, answer, strlen(answer), 0644, reterr) : -ENOMEM;
}

static const char help[] =
	"hearth-volumes: make and mount the local volumes of this node (started by hearthd)\n"
	"\n"
	"It reads " RUN_VOLUMES_WANTED " and answers in " RUN_VOLUMES ".\n";

int main(int argc, char *argv[])
{
	struct diag diag = { 0 };
	log_open("hearth-volumes");
	if (argc >= 2 && (str_equal(argv[1], "--help") || str_equal(argv[1], "-h"))) {
		fputs(help, stdout);
		return 0;
	}
	if (argc > 1) {
		fprintf(stderr, "hearth-volumes: takes no arguments\n");
		return 2;
	}
	int r = run(&diag);
	if (r < 0)
		log_error("%s", diag.message[0] ? diag_text(&diag) : strerror(-r));
	return r < 0 ? 1 : 0;
}
