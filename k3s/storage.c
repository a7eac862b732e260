// Rendering. Every name is checked before it goes into YAML, so nothing has to be quoted twice.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/storage.h"
#include <errno.h>
#include <stdarg.h>

#define CLASS_FILE STAGE_OWN_PREFIX "class.yaml"
#define LOCAL_PATH_FOLDER "/var/lib/rancher/k3s/storage" // K3s' own, on STATE
#define LOCAL_PATH_IMAGE "rancher/local-path-provisioner:v0.0.37"
#define HELPER_IMAGE "rancher/mirrored-library-busybox:1.37.0"

bool storage_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < STORAGE_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n &&
	       !strchr("-.", name[0]) && !strchr("-.", name[n - 1]) && !strstr(name, "..");
}

static bool path_valid(const char *path)
{
	return path[0] == '/' && strlen(path) < 1024 && !strstr(path, "..") &&
	       path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")] == '\0';
}

int storage_volume_name(const struct storage_volume *volume, char ret[static STORAGE_NAME_MAX])
{
	int n = snprintf(ret, STORAGE_NAME_MAX, "hearth-%s-%s", volume->node, volume->name);

	return n < STORAGE_NAME_MAX && storage_name_valid(ret) ? 0 : -EINVAL;
}

// ---- files

static int extra_add(struct stage_extras *extras, const char *name, char *text_take)
{
	struct stage_extra *extra = &extras->items[extras->n];

	*extra = (struct stage_extra){.name = strdup(name), .text = text_take};
	extras->n++; // half-built ones are freed, too
	return extra->name && extra->text ? 0 : -ENOMEM;
}

static char *class_text(const struct storage *storage)
{
	bool is_static = storage->kind == STORAGE_STATIC;

	return str_format("apiVersion: storage.k8s.io/v1\n"
			  "kind: StorageClass\n"
			  "metadata:\n"
			  "  name: \"%s\"\n"
			  "  annotations:\n"
			  "%s"
			  "    storageclass.kubernetes.io/is-default-class: \"true\"\n"
			  "provisioner: %s\n"
			  "volumeBindingMode: WaitForFirstConsumer\n"
			  "reclaimPolicy: %s\n",
		storage->class_name, is_static ? "" : "    defaultVolumeType: local\n",
		is_static ? "kubernetes.io/no-provisioner" : "rancher.io/local-path", is_static ? "Retain" : "Delete");
}

static char *volume_text(const struct storage *storage, const struct storage_volume *volume, const char *name)
{
	return str_format("apiVersion: v1\n"
			  "kind: PersistentVolume\n"
			  "metadata:\n"
			  "  name: \"%s\"\n"
			  "  labels:\n"
			  "    " STORAGE_LABEL ": \"%s\"\n"
			  "spec:\n"
			  "  capacity:\n"
			  "    storage: \"%llu\"\n"
			  "  volumeMode: Filesystem\n"
			  "  accessModes: [ReadWriteOnce]\n"
			  "  persistentVolumeReclaimPolicy: Retain\n"
			  "  storageClassName: \"%s\"\n"
			  "  local:\n"
			  "    path: \"%s\"\n"
			  "  nodeAffinity:\n"
			  "    required:\n"
			  "      nodeSelectorTerms:\n"
			  "      - matchExpressions:\n"
			  "        - key: kubernetes.io/hostname\n"
			  "          operator: In\n"
			  "          values: [\"%s\"]\n",
		name, volume->name, (unsigned long long)volume->bytes, storage->class_name, volume->path, volume->node);
}

// A file for each: K3s takes away what vanishes from a file, and a volume must never be taken away.
static int volume_add(const struct storage *storage, const struct storage_volume *volume, struct stage_extras *extras,
	struct diag *reterr)
{
	char name[STORAGE_NAME_MAX], *file AUTO_FREE = NULL;

	if (storage_volume_name(volume, name) < 0 || strlen(volume->name) > 63)
		return diag_set(reterr, -EINVAL, "storage.all", "hearth-%s-%s is no name for a volume", volume->node,
			volume->name);
	if (strlen(name) > 180) // it becomes the name of a file and of K3s' Addon
		return diag_set(reterr, -EINVAL, "storage.all", "%s: must have at most 180 characters", name);
	if (!path_valid(volume->path) || volume->bytes == 0)
		return diag_set(reterr, -EINVAL, "storage.all", "%s: must have a path and a size", name);
	file = str_format(STAGE_OWN_VOLUME_PREFIX "%s.yaml", name + strlen("hearth-"));
	if (!file)
		return -ENOMEM;
	for (char *c = file; c < file + strlen(file) - strlen(".yaml"); c++)
		if (*c == '.')
			*c = '-'; // K3s cuts an Addon's name at the first dot
	for (size_t i = 0; i < extras->n; i++)
		if (str_equal(extras->items[i].name, file))
			return diag_set(reterr, -EINVAL, "storage.all",
				"two volumes would be called %s: another name for one of them in cluster.yaml mends it", name);
	return extra_add(extras, file, volume_text(storage, volume, name));
}

// ---- local-path: the objects K3s' own manifest has, under the same names

static char *provisioner_text(void)
{
	return str_format(
		"apiVersion: v1\n"
		"kind: ServiceAccount\n"
		"metadata: {name: local-path-provisioner-service-account, namespace: kube-system}\n"
		"---\n"
		"apiVersion: rbac.authorization.k8s.io/v1\n"
		"kind: ClusterRole\n"
		"metadata: {name: local-path-provisioner-role}\n"
		"rules:\n"
		"- {apiGroups: [\"\"], resources: [nodes, persistentvolumeclaims, configmaps, pods/log], verbs: [get, list, watch]}\n"
		"- {apiGroups: [\"\"], resources: [endpoints, persistentvolumes, pods], verbs: [\"*\"]}\n"
		"- {apiGroups: [\"\"], resources: [events], verbs: [create, patch]}\n"
		"- {apiGroups: [storage.k8s.io], resources: [storageclasses], verbs: [get, list, watch]}\n"
		"---\n"
		"apiVersion: rbac.authorization.k8s.io/v1\n"
		"kind: ClusterRoleBinding\n"
		"metadata: {name: local-path-provisioner-bind}\n"
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: local-path-provisioner-role}\n"
		"subjects:\n"
		"- {kind: ServiceAccount, name: local-path-provisioner-service-account, namespace: kube-system}\n"
		"---\n"
		"apiVersion: v1\n"
		"kind: ConfigMap\n"
		"metadata: {name: local-path-config, namespace: kube-system}\n"
		"data:\n"
		"  config.json: |-\n"
		"    {\"nodePathMap\": [{\"node\": \"DEFAULT_PATH_FOR_NON_LISTED_NODES\", \"paths\": [\"" LOCAL_PATH_FOLDER "\"]}]}\n"
		"  setup: |-\n"
		"    #!/bin/sh\n"
		"    set -eu\n"
		"    mkdir -m 0777 -p \"${VOL_DIR}\"\n"
		"    chmod 700 \"${VOL_DIR}/..\"\n"
		"  teardown: |-\n"
		"    #!/bin/sh\n"
		"    set -eu\n"
		"    rm -rf \"${VOL_DIR}\"\n"
		"  helperPod.yaml: |-\n"
		"    apiVersion: v1\n"
		"    kind: Pod\n"
		"    metadata:\n"
		"      name: helper-pod\n"
		"    spec:\n"
		"      containers:\n"
		"      - name: helper-pod\n"
		"        image: " HELPER_IMAGE "\n"
		"        imagePullPolicy: IfNotPresent\n"
		"---\n"
		"apiVersion: apps/v1\n"
		"kind: Deployment\n"
		"metadata: {name: local-path-provisioner, namespace: kube-system}\n"
		"spec:\n"
		"  revisionHistoryLimit: 0\n"
		"  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}\n"
		"  selector: {matchLabels: {app: local-path-provisioner}}\n"
		"  template:\n"
		"    metadata: {labels: {app: local-path-provisioner}}\n"
		"    spec:\n"
		"      priorityClassName: system-node-critical\n"
		"      serviceAccountName: local-path-provisioner-service-account\n"
		"      tolerations:\n"
		"      - {key: CriticalAddonsOnly, operator: Exists}\n"
		"      - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}\n"
		"      - {key: node-role.kubernetes.io/master, operator: Exists, effect: NoSchedule}\n"
		"      containers:\n"
		"      - name: local-path-provisioner\n"
		"        image: " LOCAL_PATH_IMAGE "\n"
		"        imagePullPolicy: IfNotPresent\n"
		"        command: [local-path-provisioner, start, --config, /etc/config/config.json]\n"
		"        volumeMounts: [{name: config-volume, mountPath: /etc/config/}]\n"
		"        env:\n"
		"        - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}\n"
		"      volumes:\n"
		"      - {name: config-volume, configMap: {name: local-path-config}}\n");
}

int storage_render(const struct storage *storage, struct stage_extras **ret, struct diag *reterr)
{
	struct stage_extras *extras CLEANUP(stage_extras_freep) = calloc(1, sizeof(*extras));
	size_t max = storage ? storage->n_volumes + 2 : 1;
	int r = 0;

	if (!extras || !(extras->items = calloc(max, sizeof(*extras->items))))
		return -ENOMEM;
	if (storage) {
		if (!storage_name_valid(storage->class_name))
			return diag_set(reterr, -EINVAL, "storage.class", "must be a name in lower case, not \"%s\"",
				storage->class_name);
		r = extra_add(extras, CLASS_FILE, class_text(storage));
		if (r == 0 && storage->kind == STORAGE_LOCAL_PATH)
			r = extra_add(extras, STAGE_OWN_PREFIX "local-path.yaml", provisioner_text());
		for (size_t i = 0; r == 0 && storage->kind == STORAGE_STATIC && i < storage->n_volumes; i++)
			r = volume_add(storage, &storage->volumes[i], extras, reterr);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(extras);
	return 0;
}

// ---- advice

static const char *volume_node(const struct value *volume)
{
	const struct value *terms = value_path(volume, "spec", "nodeAffinity", "required", "nodeSelectorTerms", NULL);
	const struct value *first = terms && terms->type == VALUE_ARRAY && terms->n ? &terms->items[0] : NULL;
	const struct value *rules = value_find(first, "matchExpressions");
	const struct value *values = rules && rules->type == VALUE_ARRAY && rules->n ? value_find(&rules->items[0], "values") : NULL;

	return values && values->type == VALUE_ARRAY && values->n ? value_text(&values->items[0]) : NULL;
}

static bool node_listed(const struct value *nodes, const char *name)
{
	const struct value *items = value_find(nodes, "items");

	for (size_t i = 0; items && items->type == VALUE_ARRAY && i < items->n; i++)
		if (str_equal(value_text(value_path(&items->items[i], "metadata", "name", NULL)), name))
			return true;
	return false;
}

static void say(char sentence[static 512], const char *format, ...) PRINTF_LIKE(2, 3);
static void say(char sentence[static 512], const char *format, ...)
{
	size_t n = strlen(sentence);
	va_list args;

	if (n > 0 && n < 500)
		n += (size_t)snprintf(sentence + n, 512 - n, "; ");
	va_start(args, format);
	(void)vsnprintf(sentence + n, 512 - n, format, args); // cut is fine for people
	va_end(args);
}

void storage_advice(const struct value *volumes, const struct value *nodes, char sentence[static 512])
{
	const struct value *items = value_find(volumes, "items"), *known = value_find(nodes, "items");

	sentence[0] = '\0';
	for (size_t i = 0; items && items->type == VALUE_ARRAY && i < items->n; i++) {
		const struct value *volume = &items->items[i];
		const char *name = value_text(value_path(volume, "metadata", "name", NULL));
		const char *phase = value_text(value_path(volume, "status", "phase", NULL)), *node = volume_node(volume);
		const char *claim = value_text(value_path(volume, "spec", "claimRef", "name", NULL));

		if (!name || !value_path(volume, "metadata", "labels", STORAGE_LABEL, NULL))
			continue; // not ours
		if (str_equal(phase, "Released"))
			say(sentence, "volume %.80s still holds the data of the deleted claim %.60s: whoever owns that data decides "
				"(docs/agent.md, Volumes)", name, claim ? claim : "?");
		else if (str_equal(phase, "Failed"))
			say(sentence, "volume %.80s has failed: see `kubectl describe pv`", name);
		if (node && known && !node_listed(nodes, node))
			say(sentence, "volume %.80s is on node %.60s, which is not in the cluster: it is left alone until an admin "
				"deletes it", name, node);
	}
}
