// fuzzes: k3s
// What the API answers to a job: any object at any step leads to a question of its own API paths, a wait, or an end.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void play(enum job_kind kind, const struct value *object)
{
	static const int statuses[] = {200, 404, 429, 200, 409, 500, 200, 0, 201, 403};
	struct job *job CLEANUP(job_freep) = NULL;

	if (job_new(kind, "s2", "s1", 1700000000, &job) < 0)
		abort();
	for (size_t i = 0; i < 40; i++) {
		struct job_question question;
		unsigned wait_sec = 0;

		if (!job_next(job, &question, &wait_sec)) {
			if (!wait_sec && job_state(job) == JOB_RUNNING)
				abort(); // it neither asks nor waits
			if (job_state(job) == JOB_DONE ? *job_sentence(job) != '\0' : *job_sentence(job) == '\0')
				abort(); // a wait without a reason
			if (!wait_sec)
				return;
			continue;
		}
		if (strncmp(question.path, "/api/v1/", 8) != 0 || strstr(question.path, "..") || strchr(question.path, ' '))
			abort();
		job_take(job, &(struct job_answer){.status = statuses[i % N_ELEMENTS(statuses)], .object = object});
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct value *value CLEANUP(value_freep) = NULL;

	if (json_parse((const char *)bytes, n_bytes, 0, &value, NULL) < 0)
		return 0;
	play(JOB_FORGET_NODE, value);
	play(JOB_DRAIN, value);
	play(JOB_UNCORDON, value);
	return 0;
}
