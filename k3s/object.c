// When an object of a stage is ready, by its kind, and where it lives in the API. Pure.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/object.h"
#include "base/time.h"
#include <errno.h>
#include <stdarg.h>

static int64_t number_at(const struct value *object, const char *section, const char *key, int64_t otherwise)
{
	int64_t number = otherwise;
	const struct value *value = value_path(object, section, key, NULL);

	if (value && value_int(value, key, INT64_MIN, INT64_MAX, &number, NULL) < 0)
		return otherwise;
	return number;
}

// "True", "False", "Unknown" or NULL; *ret_message the condition's message or "".
static const char *condition(const struct value *live, const char *type, const char **ret_message)
{
	const struct value *conditions = value_path(live, "status", "conditions", NULL);

	*ret_message = "";
	for (size_t i = 0; conditions && conditions->type == VALUE_ARRAY && i < conditions->n; i++) {
		const struct value *item = &conditions->items[i];
		const char *message = value_text(value_find(item, "message"));

		if (!str_equal(value_text(value_find(item, "type")), type))
			continue;
		*ret_message = message ? message : "";
		return value_text(value_find(item, "status"));
	}
	return NULL;
}

static bool say(char sentence[static 512], const struct manifest_object *wanted, const char *format, ...)
	PRINTF_LIKE(3, 4);
static bool say(char sentence[static 512], const struct manifest_object *wanted, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(sentence, 512, "%.40s %.60s: %s", wanted->kind, wanted->name, text);
	return false;
}

static bool in_group(const struct manifest_object *wanted, const char *group)
{
	size_t n = strlen(group);

	return strncmp(wanted->api_version, group, n) == 0 && wanted->api_version[n] == '/';
}

static bool observed(const struct value *live)
{
	return number_at(live, "status", "observedGeneration", 0) >= number_at(live, "metadata", "generation", 0);
}

static bool deployment_ready(const struct manifest_object *wanted, const struct value *live, bool one_is_enough,
	char sentence[static 512])
{
	int64_t replicas = number_at(live, "spec", "replicas", 1);
	int64_t updated = number_at(live, "status", "updatedReplicas", 0);
	int64_t available = number_at(live, "status", "availableReplicas", 0);

	if (!observed(live))
		return say(sentence, wanted, "its controller has not seen it yet");
	if (one_is_enough && replicas > 1)
		replicas = 1;
	if (updated < replicas || available < replicas)
		return say(sentence, wanted, "%lld of %lld replicas are available", (long long)available,
			(long long)replicas);
	return true;
}

static bool stateful_set_ready(const struct manifest_object *wanted, const struct value *live,
	char sentence[static 512])
{
	int64_t replicas = number_at(live, "spec", "replicas", 1);
	int64_t ready = number_at(live, "status", "readyReplicas", 0);
	int64_t updated = number_at(live, "status", "updatedReplicas", 0);
	const struct value *partition = value_path(live, "spec", "updateStrategy", "rollingUpdate", "partition", NULL);
	int64_t kept = 0; // replicas that keep the old version on purpose

	if (str_equal(value_text(value_path(live, "spec", "updateStrategy", "type", NULL)), "OnDelete") ||
		(partition && value_int(partition, "partition", 0, INT32_MAX, &kept, NULL) < 0))
		kept = replicas;
	if (!observed(live) || ready < replicas)
		return say(sentence, wanted, "%lld of %lld replicas are ready", (long long)ready, (long long)replicas);
	if (updated < replicas - kept)
		return say(sentence, wanted, "%lld of %lld replicas are updated", (long long)updated,
			(long long)(replicas - kept));
	return true;
}

static bool daemon_set_ready(const struct manifest_object *wanted, const struct value *live, char sentence[static 512])
{
	int64_t desired = number_at(live, "status", "desiredNumberScheduled", 0);
	int64_t ready = number_at(live, "status", "numberReady", 0);
	int64_t updated = number_at(live, "status", "updatedNumberScheduled", 0);

	if (!observed(live))
		return say(sentence, wanted, "its controller has not seen it yet");
	if (ready < desired || updated < desired)
		return say(sentence, wanted, "%lld of %lld pods are ready", (long long)ready, (long long)desired);
	return true;
}

// A volume whose claim was deleted (Released) was there for it: whether it is given away again is a person's decision.
static bool volume_ready(const struct manifest_object *wanted, const struct value *live, char sentence[static 512])
{
	const char *phase = value_text(value_path(live, "status", "phase", NULL));
	const char *message = value_text(value_path(live, "status", "message", NULL));

	if (str_equal(phase, "Available") || str_equal(phase, "Bound") || str_equal(phase, "Released"))
		return true;
	return say(sentence, wanted, "is %s%s%s", phase ? phase : "not looked at yet", message ? ": " : "", message ? message : "");
}

static bool condition_ready(const struct manifest_object *wanted, const struct value *live, const char *type,
	bool required, char sentence[static 512])
{
	const char *message;
	const char *status = condition(live, type, &message);

	if (!status && !required)
		return true;
	if (!str_equal(status, "True"))
		return say(sentence, wanted, "is not %s yet%s%s", type, *message ? ": " : "", message);
	return true;
}

// Objects of Flux that only hold settings: no controller looks at them, they never get a status.
static bool static_in_flux(const struct manifest_object *wanted, const struct value *live)
{
	if (in_group(wanted, "source.toolkit.fluxcd.io") && str_equal(wanted->kind, "HelmRepository"))
		return str_equal(value_text(value_path(live, "spec", "type", NULL)), "oci");
	return in_group(wanted, "notification.toolkit.fluxcd.io") &&
	       (str_equal(wanted->kind, "Alert") || str_equal(wanted->kind, "Provider"));
}

bool object_ready(const struct manifest_object *wanted, const struct value *live, bool one_is_enough,
	char sentence[static 512])
{
	const char *message;

	sentence[0] = '\0';
	if (!live)
		return say(sentence, wanted, "is not there yet");
	if (in_group(wanted, "apps") && str_equal(wanted->kind, "Deployment"))
		return deployment_ready(wanted, live, one_is_enough, sentence);
	if (in_group(wanted, "apps") && str_equal(wanted->kind, "StatefulSet"))
		return stateful_set_ready(wanted, live, sentence);
	if (in_group(wanted, "apps") && str_equal(wanted->kind, "DaemonSet"))
		return daemon_set_ready(wanted, live, sentence);
	if (str_equal(wanted->kind, "CustomResourceDefinition"))
		return condition_ready(wanted, live, "Established", true, sentence);
	if (in_group(wanted, "batch") && str_equal(wanted->kind, "Job")) {
		if (str_equal(condition(live, "Failed", &message), "True"))
			return say(sentence, wanted, "has failed: %s", message);
		return condition_ready(wanted, live, "Complete", true, sentence);
	}
	if (str_equal(wanted->api_version, "v1") && str_equal(wanted->kind, "Pod"))
		return condition_ready(wanted, live, "Ready", true, sentence);
	if (str_equal(wanted->api_version, "v1") && str_equal(wanted->kind, "Namespace")) {
		if (!str_equal(value_text(value_path(live, "status", "phase", NULL)), "Active"))
			return say(sentence, wanted, "is not Active");
		return true;
	}
	if (str_equal(wanted->api_version, "v1") && str_equal(wanted->kind, "PersistentVolume"))
		return volume_ready(wanted, live, sentence);
	// Flux' sources and kustomizations always get a Ready condition; others may have one
	return condition_ready(wanted, live, "Ready",
		strstr(wanted->api_version, ".toolkit.fluxcd.io/") && !static_in_flux(wanted, live), sentence);
}

bool object_is_workload(const struct manifest_object *wanted)
{
	return in_group(wanted, "apps") || in_group(wanted, "batch") ||
	       (str_equal(wanted->api_version, "v1") && str_equal(wanted->kind, "Pod"));
}

bool object_exists(const struct manifest_object *wanted, const struct value *live, char sentence[static 512])
{
	sentence[0] = '\0';
	return live || say(sentence, wanted, "is not there yet");
}

bool object_is_daemon_set(const struct manifest_object *wanted)
{
	return in_group(wanted, "apps") && str_equal(wanted->kind, "DaemonSet");
}

static bool owned_by(const struct value *pod, const struct manifest_object *wanted)
{
	const struct value *owners = value_path(pod, "metadata", "ownerReferences", NULL);

	for (size_t i = 0; owners && owners->type == VALUE_ARRAY && i < owners->n; i++)
		if (str_equal(value_text(value_find(&owners->items[i], "kind")), "DaemonSet") &&
			str_equal(value_text(value_find(&owners->items[i], "name")), wanted->name))
			return true;
	return false;
}

bool daemon_set_ready_here(const struct manifest_object *wanted, const struct value *pods, const char *node,
	char sentence[static 512])
{
	const struct value *items = value_find(pods, "items");
	const char *message;

	sentence[0] = '\0';
	for (size_t i = 0; items && items->type == VALUE_ARRAY && i < items->n; i++) {
		const struct value *pod = &items->items[i];

		if (!owned_by(pod, wanted) ||
			!str_equal(value_text(value_path(pod, "spec", "nodeName", NULL)), node))
			continue;
		if (value_path(pod, "metadata", "deletionTimestamp", NULL))
			continue; // on its way out: the one after it counts
		if (str_equal(condition(pod, "Ready", &message), "True"))
			return true;
		return say(sentence, wanted, "its pod on %s is not Ready%s%s", node, *message ? ": " : "", message);
	}
	return say(sentence, wanted, "has no pod on %s yet", node);
}

static bool made_before(const struct value *object, int64_t wall_sec)
{
	const char *text = value_text(value_path(object, "metadata", "creationTimestamp", NULL));
	int64_t made_sec;

	return text && time_parse_utc(text, &made_sec) == 0 && made_sec < wall_sec;
}

bool object_predates(const struct manifest_object *wanted, const struct value *live, int64_t wall_sec)
{
	const struct value *items = value_find(live, "items");

	for (size_t i = 0; items && items->type == VALUE_ARRAY && i < items->n; i++)
		if (owned_by(&items->items[i], wanted) && made_before(&items->items[i], wall_sec))
			return true;
	return made_before(live, wall_sec);
}

char *object_discovery_path(const char *api_version)
{
	return strchr(api_version, '/') ? str_format("/apis/%s", api_version) : str_format("/api/%s", api_version);
}

static const struct value *resource_find(const struct value *resource_list, const char *kind)
{
	const struct value *resources = value_find(resource_list, "resources");

	for (size_t i = 0; resources && resources->type == VALUE_ARRAY && i < resources->n; i++) {
		const char *name = value_text(value_find(&resources->items[i], "name"));

		// "deployments/status" is of the same kind, but no object of its own
		if (name && !strchr(name, '/') && str_equal(value_text(value_find(&resources->items[i], "kind")), kind))
			return &resources->items[i];
	}
	return NULL;
}

static bool path_safe(const char *text)
{
	return *text && !strpbrk(text, "/?#% \t\r\n") && *text != '.';
}

int object_path(const struct manifest_object *wanted, const struct value *resource_list, char **ret)
{
	const struct value *resource = resource_find(resource_list, wanted->kind);
	char *base AUTO_FREE = object_discovery_path(wanted->api_version);
	const char *plural = value_text(value_find(resource, "name"));
	bool namespaced = false;

	if (!resource || !plural)
		return -ENOENT;
	if (!base)
		return -ENOMEM;
	if (value_bool(value_find(resource, "namespaced"), "namespaced", &namespaced, NULL) < 0)
		return -EINVAL;
	if (!path_safe(wanted->name) || (wanted->namespace && !path_safe(wanted->namespace)))
		return -EINVAL;
	if (namespaced)
		*ret = str_format("%s/namespaces/%s/%s/%s", base, wanted->namespace ? wanted->namespace : "default",
			plural, wanted->name);
	else
		*ret = str_format("%s/%s/%s", base, plural, wanted->name);
	return *ret ? 0 : -ENOMEM;
}
