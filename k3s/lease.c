// The rule of the Lease, pure, and the loop that applies it every LEASE_RENEW_SEC.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/lease.h"
#include "base/json.h"
#include "base/time.h"
#include "base/timer.h"
#include <errno.h>
#include <time.h>

static void copy_text(char *to, size_t size, const struct value *from)
{
	const char *text = value_text(from);

	snprintf(to, size, "%s", text ? text : "");
}

static void copy_note(char to[static LEASE_NOTE_MAX], const struct value *lease)
{
	const char *text = value_text(value_path(lease, "metadata", "annotations", LEASE_NOTE, NULL));

	snprintf(to, LEASE_NOTE_MAX, "%s", text && strlen(text) < LEASE_NOTE_MAX ? text : "");
}

const char *lease_note_newest(enum lease_action action, const char *own, const char *seen)
{
	return !*seen || (action == LEASE_RENEW && *own) ? own : seen;
}

enum lease_action lease_step(struct lease_seen *seen, const struct value *lease, const char *self, uint64_t now_usec)
{
	struct lease_seen now = {.since_usec = now_usec};

	if (!lease) {
		*seen = now;
		return LEASE_CREATE;
	}
	copy_text(now.holder, sizeof(now.holder), value_path(lease, "spec", "holderIdentity", NULL));
	copy_text(now.renewed, sizeof(now.renewed), value_path(lease, "spec", "renewTime", NULL));
	copy_text(now.version, sizeof(now.version), value_path(lease, "metadata", "resourceVersion", NULL));
	copy_note(now.note, lease);
	if (str_equal(now.holder, seen->holder) && str_equal(now.renewed, seen->renewed) && *seen->version)
		now.since_usec = seen->since_usec;
	*seen = now;
	if (str_equal(now.holder, self))
		return LEASE_RENEW;
	if (!*now.holder || now_usec - now.since_usec >= LEASE_DURATION_SEC * USEC_PER_SEC)
		return LEASE_TAKE;
	return LEASE_WAIT;
}

struct lease {
	struct kube *kube;
	sd_event_source *timer;
	char *name, *self, *path;
	struct lease_seen seen;
	int64_t transitions;
	uint64_t asked_usec;      // when the round under way began
	uint64_t held_until_usec; // 0: not held
	bool told_held, watching;
	char note[LEASE_NOTE_MAX], own[LEASE_NOTE_MAX]; // the one that counts; what was set and is not written yet, or ""
	bool under_way, note_read, note_set; // a round; another note was read, or set too late for it
	lease_changed_t on_changed;
	void *user;
};

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

bool lease_held(const struct lease *lease)
{
	return time_boot_usec() < lease->held_until_usec;
}

const char *lease_holder(const struct lease *lease)
{
	return lease_held(lease) ? lease->self : lease->seen.holder;
}

const char *lease_note(const struct lease *lease)
{
	return lease->note;
}

void lease_set_note(struct lease *lease, const char *note)
{
	if (strlen(note) >= sizeof(lease->note) || str_equal(note, lease->note))
		return;
	snprintf(lease->note, sizeof(lease->note), "%s", note);
	snprintf(lease->own, sizeof(lease->own), "%s", note);
	lease->note_set = lease->under_way;
	if (lease_held(lease) && !lease->under_way)
		(void)timer_arm(lease->timer, 0); // else with the next renewal
}

void lease_set_watching(struct lease *lease, bool watching)
{
	lease->watching = watching;
	if (watching)
		lease->held_until_usec = 0;
}

// One round is over: tell what changed, come again.
static void round_end(struct lease *lease)
{
	bool held = lease_held(lease), note_read = lease->note_read, note_set = lease->note_set;

	lease->under_way = lease->note_read = lease->note_set = false;
	if (timer_arm(lease->timer, held && note_set ? 0 : LEASE_RENEW_SEC * USEC_PER_SEC) < 0)
		held = false; // without a timer nobody renews
	if (held != lease->told_held || note_read) {
		lease->told_held = held;
		lease->on_changed(lease, lease->user);
	}
}

static void format_micro_time(char buffer[static LEASE_TEXT])
{
	int64_t now_msec = time_wall_msec();
	time_t sec = (time_t)(now_msec / 1000);
	struct tm tm;

	if (!gmtime_r(&sec, &tm))
		memset(&tm, 0, sizeof(tm));
	snprintf(buffer, LEASE_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03d000Z", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now_msec % 1000));
}

static char *lease_json(const struct lease *lease, bool first, const char *acquired)
{
	struct json_out out = {0};
	char now[LEASE_TEXT];

	format_micro_time(now);
	json_out_object_begin(&out);
	json_out_member(&out, "apiVersion", "coordination.k8s.io/v1");
	json_out_member(&out, "kind", "Lease");
	json_out_key(&out, "metadata");
	json_out_object_begin(&out);
	json_out_member(&out, "name", lease->name);
	json_out_member(&out, "namespace", "kube-system");
	if (!first)
		json_out_member(&out, "resourceVersion", lease->seen.version);
	if (*lease->note) {
		json_out_key(&out, "annotations");
		json_out_object_begin(&out);
		json_out_member(&out, LEASE_NOTE, lease->note);
		json_out_object_end(&out);
	}
	json_out_object_end(&out);
	json_out_key(&out, "spec");
	json_out_object_begin(&out);
	json_out_member(&out, "holderIdentity", lease->self);
	json_out_member_int(&out, "leaseDurationSeconds", LEASE_DURATION_SEC);
	json_out_member(&out, "acquireTime", acquired ? acquired : now);
	json_out_member(&out, "renewTime", now);
	json_out_member_int(&out, "leaseTransitions", lease->transitions);
	json_out_object_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static void on_written(const struct kube_answer *answer, void *user)
{
	struct lease *lease = user;

	if (answer->error == 0) {
		lease->held_until_usec = lease->watching ? 0 : lease->asked_usec + LEASE_DURATION_SEC * USEC_PER_SEC;
		if (!lease->note_set)
			*lease->own = '\0';
		// what we wrote ourselves is no news at the next look
		(void)lease_step(&lease->seen, answer->object, lease->self, time_boot_usec());
	}
	round_end(lease);
}

static void on_read(const struct kube_answer *answer, void *user)
{
	struct lease *lease = user;
	const struct value *transitions;
	char *json AUTO_FREE = NULL;
	const char *acquired = NULL;
	enum lease_action action;
	const char *note;
	int r = 0;

	if (answer->error < 0 && answer->error != -ENOENT) {
		round_end(lease);
		return;
	}
	action = lease_step(&lease->seen, answer->object, lease->self, time_boot_usec());
	note = lease_note_newest(action, lease->own, lease->seen.note);
	if (!str_equal(note, lease->note)) {
		snprintf(lease->note, sizeof(lease->note), "%s", note);
		lease->note_read = true;
	}
	if (!str_equal(note, lease->own))
		*lease->own = '\0'; // who holds it knows more
	lease->note_set = false; // what is written now has it
	transitions = value_path(answer->object, "spec", "leaseTransitions", NULL);
	lease->transitions = 0;
	if (transitions)
		(void)value_int(transitions, "leaseTransitions", 0, INT32_MAX, &lease->transitions, NULL); // 0 is fine
	if (lease->watching)
		action = LEASE_WAIT;
	if (action == LEASE_RENEW)
		acquired = value_text(value_path(answer->object, "spec", "acquireTime", NULL));
	else
		lease->held_until_usec = 0;
	switch (action) {
	case LEASE_WAIT:
		round_end(lease);
		return;
	case LEASE_CREATE:
		json = lease_json(lease, true, NULL);
		r = json ? kube_request(lease->kube, "POST", LEASES, json, on_written, lease) : -ENOMEM;
		break;
	case LEASE_TAKE:
		lease->transitions++;
		json = lease_json(lease, false, NULL);
		r = json ? kube_request(lease->kube, "PUT", lease->path, json, on_written, lease) : -ENOMEM;
		break;
	case LEASE_RENEW:
		json = lease_json(lease, false, acquired);
		r = json ? kube_request(lease->kube, "PUT", lease->path, json, on_written, lease) : -ENOMEM;
		break;
	}
	if (r < 0)
		round_end(lease);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct lease *lease = user;

	lease->asked_usec = time_boot_usec();
	lease->under_way = true;
	if (kube_get(lease->kube, lease->path, on_read, lease) < 0)
		round_end(lease);
	return 0;
}

int lease_new(sd_event *event, struct kube *kube, const char *name, const char *self, lease_changed_t on_changed,
	void *user, struct lease **ret)
{
	struct lease *lease CLEANUP(lease_freep) = calloc(1, sizeof(*lease));
	int r;

	if (!lease)
		return -ENOMEM;
	lease->kube = kube;
	lease->on_changed = on_changed;
	lease->user = user;
	lease->name = strdup(name);
	lease->self = strdup(self);
	lease->path = str_format("%s/%s", LEASES, name);
	if (!lease->name || !lease->self || !lease->path)
		return -ENOMEM;
	r = sd_event_add_time_relative(event, &lease->timer, CLOCK_BOOTTIME, 0, 0, on_timer, lease);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(lease);
	return 0;
}

struct lease *lease_free(struct lease *lease)
{
	if (!lease)
		return NULL;
	kube_forget(lease->kube, lease);
	sd_event_source_disable_unref(lease->timer);
	free(lease->name);
	free(lease->self);
	free(lease->path);
	free(lease);
	return NULL;
}
