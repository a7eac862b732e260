// Cilium as the platform documents it and as bare metal needs it: the values of its chart, the objects that bring it, and
// reading back what somebody rendered. Pure.
// Sources: PLATFORM-TECH-STACK, "Cilium"; Cilium's Helm reference and upgrade notes, 1.15 to 1.20.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/manifest.h"
#include "image/bootstrap-recipe.h"
#include "image/chart.h"
#include "image/cluster-facts.h"

/* hearthd waits for these, too, before the object's stage is ready (k3s/stage-waits.h): a HelmChart is there long before
 * what its job installs. */
#define WAITS_FOR "hearth.openova.io/waits-for"

struct cilium_request {
	const struct bootstrap_recipe *recipe;
	const struct cluster_facts *facts;
	int version;                       // chart_version_number(), -1: unknown
	const struct value *chart_values;  // of the chart; NULL: unknown
};
/* The values: documented, of bare metal, and the recipe's over them. What the recipe overrides of the documented ones goes
 * to @overrides, what is only worth knowing to @advice.
 * -EINVAL: a key that Cilium of that version renamed or dropped, or a contradiction without `override: true`. */
int cilium_values(const struct cilium_request *request, struct value **ret, struct words *overrides,
	struct words *advice, struct diag *reterr);

/* HelmChart (helm.cattle.io/v1) kube-system/cilium with the chart inside, for K3s' helm controller; a HelmRelease of the
 * same name and namespace adopts what it installs. */
int cilium_helm_chart(const struct chart *chart, const struct value *values, struct value **ret);
// CiliumLoadBalancerIPPool and CiliumL2AnnouncementPolicy; version as above.
int cilium_l2_objects(const struct bootstrap_recipe *recipe, int version, struct value **ret_pool,
	struct value **ret_policy);
/* Rendered manifests against the values: one line in @problems for each difference. */
int cilium_rendered_check(const struct manifest *rendered, const struct value *values, struct words *problems);
// Version of rendered manifests by their helm.sh/chart labels; -1: they have none.
int cilium_rendered_version(const struct manifest *rendered);
