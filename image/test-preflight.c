// What would hang: the known deadlocks of the cloud bootstrap (platform-stack.md, last section), and others like them.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/images.h"
#include "image/preflight.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CNI "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: net, namespace: kube-system}\nspec: {template: {spec: {hostNetwork: true}}}\n"
#define CLASS "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: own, annotations: {storageclass.kubernetes.io/is-default-class: \"true\"}}\n"
#define CRD(group, kind)                                                                                                            \
	"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x." group "}\nspec: {group: " group ", names: {kind: " kind "}}\n"
#define FLUX                                                                                                                        \
	CRD("kustomize.toolkit.fluxcd.io", "Kustomization") "---\n" CRD("source.toolkit.fluxcd.io", "GitRepository") "---\n"        \
	CRD("helm.toolkit.fluxcd.io", "HelmRelease") "---\n" POD("kustomize-controller")
#define POD(name) "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " name ", namespace: flux-system}\nspec: {template: {spec: {containers: [{name: a, image: a}]}}}\n"
#define SOURCE(more) "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: p, namespace: flux-system}\nspec: {url: x" more "}\n"
#define SECRET "apiVersion: v1\nkind: Secret\nmetadata: {name: git, namespace: flux-system}\n"
#define KUSTOMIZATION(name, more) "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: " name ", namespace: flux-system}\nspec: {prune: true" more "}\n"
#define CLAIM(more) "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: a}\nspec: {resources: {requests: {storage: 10Gi}}" more "}\n"
#define RELEASE(name, chart, more) "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: " name ", namespace: a}\nspec: {chart: {spec: {chart: " chart "}}" more "}\n"

static const struct cluster_facts bare = { .known = true, .servers = 1, .storage_kind = "none" };
static const struct cluster_facts with_volumes = { .known = true, .servers = 1, .storage_kind = "static", .storage_class = "hearth-local",
	.n_volumes = 1, .largest_bytes = 512ull << 20 };

struct part {
	unsigned stage;
	const char *text;
};
enum { MAX_PARTS = 8 };

// @says NULL: nothing would hang.
static void expect(const struct cluster_facts *facts, const struct part parts[], const char *tree, const char *says)
{
	CLEANUP(bundle_done) struct bundle bundle = { 0 };
	CLEANUP(preflight_done) struct preflight preflight = { 0 };
	struct diag diag = { 0 };
	bool said = false;

	for (size_t i = 0; i < MAX_PARTS && parts[i].text; i++)
		if (bundle_add(&bundle, parts[i].stage, 0, bundle_stage_folder(parts[i].stage), parts[i].text, strlen(parts[i].text),
			    &diag) < 0)
			fail_msg("%s", diag_text(&diag));
	assert_int_equal(preflight_check(&bundle, facts, tree, &preflight, &diag), 0);
	for (size_t i = 0; i < preflight.problems.n; i++)
		said = said || (says && strstr(preflight.problems.items[i], says));
	if (!says && preflight.problems.n > 0)
		fail_msg("not expected: %s", preflight.problems.items[0]);
	if (says && !said)
		fail_msg("expected \"%s\", not \"%s\"", says, preflight.problems.n ? preflight.problems.items[0] : "(nothing)");
}

static void a_good_one_comes_up(void **state)
{
	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_STORAGE, CLASS }, { BUNDLE_FLUX, FLUX },
			      { BUNDLE_SECRETS, SECRET }, { BUNDLE_SYNC, SOURCE(", secretRef: {name: git}") }, { BUNDLE_SYNC, CLAIM("") },
			      { BUNDLE_SYNC, KUSTOMIZATION("a", "") "---\n" KUSTOMIZATION("b", ", dependsOn: [{name: a}]") } }, NULL, NULL);
}

static void deadlock_1_no_default_class_before_flux(void **state)
{
	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX } }, NULL,
		"a default StorageClass must exist before Flux starts");
	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX }, { BUNDLE_SYNC, CLASS } }, NULL,
		"a default StorageClass must exist before Flux starts"); // the class of a component that Flux brings
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX } }, NULL, NULL);
}

static void deadlock_2_pods_that_wait_for_a_later_network(void **state)
{
	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CRDS, POD("provisioner") }, { BUNDLE_CNI, CNI } }, NULL,
		"Deployment provisioner would wait for a network, and the stage that brings it waits for this one");
	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_STORAGE, POD("provisioner") } }, NULL, NULL);
}

static void deadlock_3_cilium_by_flux(void **state)
{
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_FLUX, FLUX }, { BUNDLE_SYNC, RELEASE("cilium", "cilium", "") } }, NULL,
		"Cilium would come by Flux, whose pods wait for a network");
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_FLUX, FLUX } }, NULL, "would wait for a network for ever");
}

static void deadlock_4_a_source_without_its_secret(void **state)
{
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
				      { BUNDLE_SYNC, SOURCE(", secretRef: {name: git}") } }, NULL,
		"GitRepository p needs the Secret flux-system/git, which 40-secrets does not make");
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
				      { BUNDLE_SYNC, SOURCE(", secretRef: {name: git}") "---\n" SECRET } }, NULL,
		"comes with it or later: it must be in 40-secrets");
}

static char root[] = "/tmp/test-preflight-XXXXXX";

static void put(const char *name, const char *text)
{
	AUTO_FREE char *path = str_format("%s/%s", root, name), *folder = strdup(path);

	*strrchr(folder, '/') = '\0';
	assert_int_equal(file_make_folders(folder, 0700), 0);
	assert_int_equal(file_write_volatile(path, text, strlen(text), 0600, NULL), 0);
}

static void deadlock_5_a_folder_that_is_not_in_the_tree(void **state)
{
	const struct part parts[MAX_PARTS] = { { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
		{ BUNDLE_SYNC, KUSTOMIZATION("kit", ", path: ./kit") "---\n" KUSTOMIZATION("other", ", path: ./gone") } };

	put("kit/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
	expect(&with_volumes, parts, root, "Kustomization other wants the folder ./gone, which the source does not have");
	expect(&with_volumes, parts, NULL, NULL); // without a tree nothing is known of it
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
				      { BUNDLE_SYNC, KUSTOMIZATION("kit", ", path: ./kit/../../etc") } }, root, "which the source does not have");
}

static void kinds_before_their_objects_in_the_tree(void **state)
{
	put("kit/crd.yaml", CRD("x.example", "Thing"));
	put("config/thing.yaml", "apiVersion: x.example/v1\nkind: Thing\nmetadata: {name: t}\n");
	put("config/patch.yaml", "just: a patch\n");
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
				      { BUNDLE_SYNC, KUSTOMIZATION("kit", ", path: kit") "---\n" KUSTOMIZATION("config", ", path: config") } },
		root, "Kustomization config does not depend on it");
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
				      { BUNDLE_SYNC, KUSTOMIZATION("kit", ", path: kit") "---\n" KUSTOMIZATION("config",
						      ", path: config, dependsOn: [{name: kit}]") } },
		root, NULL);
	put("all/kustomizations.yaml", KUSTOMIZATION("inner", ", path: ./config"));
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
				      { BUNDLE_SYNC, KUSTOMIZATION("kit", ", path: kit") "---\n" KUSTOMIZATION("outer", ", path: all") } },
		root, "Kustomization inner does not depend on it"); // those that the source itself holds, too
}

static void kinds_before_their_objects_in_the_stages(void **state)
{
	static const char thing[] = "apiVersion: x.example/v1\nkind: Thing\nmetadata: {name: t}\n";

	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_STORAGE, thing }, { BUNDLE_SYNC, CRD("x.example", "Thing") } },
		NULL, "Thing t is of a kind whose CRD comes in a later stage");
	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_STORAGE, thing } }, NULL, "no stage brings the CRD of Thing t");
	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CRDS, CRD("x.example", "Thing") }, { BUNDLE_CNI, CNI }, { BUNDLE_STORAGE, thing } },
		NULL, NULL);
}

static void circles_and_unknown_names(void **state)
{
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
				      { BUNDLE_SYNC, KUSTOMIZATION("a", ", dependsOn: [{name: c}]") "---\n" KUSTOMIZATION("b",
						      ", dependsOn: [{name: a}]") "---\n" KUSTOMIZATION("c", ", dependsOn: [{name: b}]") } },
		NULL, "Kustomization a depends on itself in a circle");
	expect(&with_volumes, (struct part[MAX_PARTS]){ { BUNDLE_CNI, CNI }, { BUNDLE_FLUX, FLUX },
				      { BUNDLE_SYNC, KUSTOMIZATION("a", ", dependsOn: [{name: gone}]") } }, NULL,
		"Kustomization a depends on gone, which is nowhere");
}

static void claims_and_their_volumes(void **state)
{
	static const char set[] = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: a}\nspec: {volumeClaimTemplates: "
				  "[{spec: {resources: {requests: {storage: 1Gi}}}}]}\n";
	const struct {
		const struct cluster_facts *facts;
		const char *text, *says;
	} rows[] = {
		{ &with_volumes, CLAIM(""), "PersistentVolumeClaim a/data would have no volume: it wants 10Gi, and the largest of storage.volumes has 512Mi" },
		{ &with_volumes, CLAIM(", storageClassName: fast"), "no stage makes the StorageClass fast" },
		{ &with_volumes, CLAIM(", storageClassName: \"\""), "no PersistentVolume without one has 10Gi" },
		{ &with_volumes, CLAIM(", storageClassName: \"\"") "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v}\nspec: {capacity: {storage: 20Gi}}\n", NULL },
		{ &with_volumes, set, "a volumeClaimTemplate of StatefulSet a/db would have no volume: it wants 1Gi" },
		{ &bare, set, "it names no StorageClass, and there is no default one" },
		{ &with_volumes, RELEASE("git", "gitea", ""), "HelmRelease a/git would have no volume: it wants 10Gi" },
		{ &with_volumes, RELEASE("git", "gitea", ", values: {persistence: {size: 256Mi}}"), NULL },
		{ &with_volumes, RELEASE("git", "gitea", ", values: {persistence: {enabled: false}}"), NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		expect(rows[i].facts, (struct part[MAX_PARTS]){ { BUNDLE_CRDS, CRD("helm.toolkit.fluxcd.io", "HelmRelease") },
					      { BUNDLE_CNI, CNI }, { BUNDLE_SYNC, rows[i].text } }, NULL, rows[i].says);
	assert_int_equal(quantity_bytes("10Gi"), 10ull << 30);
	assert_int_equal(quantity_bytes("500M"), 500000000);
	assert_int_equal(quantity_bytes("1.5Gi"), 0);
	assert_int_equal(quantity_bytes("x"), 0);
}

static void cilium_looks_for_the_gateway_api_once(void **state)
{
	static const char chart[] = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: cilium, namespace: kube-system}\n"
				    "spec:\n  valuesContent: |\n    gatewayAPI:\n      enabled: true\n";
	const struct cluster_facts own = { .known = true, .own_cni = true, .servers = 1, .storage_kind = "none" };

	expect(&bare, (struct part[MAX_PARTS]){ { BUNDLE_CRDS, CRD("gateway.networking.k8s.io", "Gateway") }, { BUNDLE_CNI, chart } }, NULL,
		"10-crds must bring the Gateway API's GatewayClass");
	expect(&own, (struct part[MAX_PARTS]){ { BUNDLE_CNI, chart } }, NULL, "say k3s.cni: none");
}

static void images_are_named_in_full(void **state)
{
	static const struct {
		const char *name, *full;
	} rows[] = { { "busybox", "docker.io/library/busybox:latest" }, { "rancher/x:v1", "docker.io/rancher/x:v1" },
		{ "quay.io/cilium/cilium:v1.16.5@sha256:ab", "quay.io/cilium/cilium:v1.16.5" }, { "localhost:5000/a", "localhost:5000/a:latest" },
		{ "quay.io/a/b@sha256:ab", "quay.io/a/b@sha256:ab" } };
	CLEANUP(bundle_done) struct bundle bundle = { 0 };
	CLEANUP(words_done) struct words images = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO_FREE char *full = image_full_name(rows[i].name);
		assert_string_equal(full, rows[i].full);
	}
	assert_int_equal(bundle_add(&bundle, BUNDLE_FLUX, 0, "flux.yaml", FLUX, strlen(FLUX), NULL), 0);
	assert_int_equal(images_of_bundle(&bundle, &images), 0);
	assert_int_equal(images.n, 1);
	assert_string_equal(images.items[0], "docker.io/library/a:latest");
}

static int root_make(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int root_drop(void **state)
{
	AUTO_FREE char *command = str_format("rm -r %s", root);

	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one_comes_up),
		cmocka_unit_test(deadlock_1_no_default_class_before_flux),
		cmocka_unit_test(deadlock_2_pods_that_wait_for_a_later_network),
		cmocka_unit_test(deadlock_3_cilium_by_flux),
		cmocka_unit_test(deadlock_4_a_source_without_its_secret),
		cmocka_unit_test(deadlock_5_a_folder_that_is_not_in_the_tree),
		cmocka_unit_test(kinds_before_their_objects_in_the_tree),
		cmocka_unit_test(kinds_before_their_objects_in_the_stages),
		cmocka_unit_test(circles_and_unknown_names),
		cmocka_unit_test(claims_and_their_volumes),
		cmocka_unit_test(cilium_looks_for_the_gateway_api_once),
		cmocka_unit_test(images_are_named_in_full),
	};

	return cmocka_run_group_tests(tests, root_make, root_drop);
}
