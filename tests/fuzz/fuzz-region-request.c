// fuzzes: region
// Everything that a stranger's request makes the region decode: JSON bodies, registry paths, forms.
// SPDX-License-Identifier: Apache-2.0
#include "region/body.h"
#include "region/cidr.h"
#include "region/form.h"
#include "region/kubeconfig.h"
#include "region/oci-path.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	CLEANUP(value_freep) struct value *document = NULL;
	AUTO_FREE char *text = strndup((const char *)bytes, n_bytes);
	struct enrolment_body enrolment;
	struct enrolment_change change;
	struct status_body status;
	struct cluster_body cluster;
	struct oci_path path;
	struct cidr cidr;
	struct diag diag = { 0 };
	const char *csr;
	if (!text)
		return 0;
	AUTO_FREE char *code = form_value(text, "code"), *kubeconfig = NULL;
	AUTO_FREE char *warning = kubeconfig_warning(text, 0);
	(void)kubeconfig_make(text, "cluster", "https://10.66.0.1:6443", &kubeconfig, &diag);
	(void)kubeconfig_check(text, "CA", 0, &diag);
	(void)kubeconfig_is_newer(text, text);
	(void)oci_path_parse(text, &path);
	(void)cidr_parse(text, "fuzz", true, &cidr, &diag);
	if (json_parse((const char *)bytes, n_bytes, 0, &document, &diag) < 0)
		return 0;
	(void)enrolment_body_decode(document, &enrolment, &diag);
	(void)enrolment_change_decode(document, &change, &diag);
	(void)status_body_decode(document, &status, &diag);
	(void)cluster_body_decode(document, &cluster, &diag);
	(void)renew_body_decode(document, &csr, &diag);
	(void)oci_index_find(document, "hearth/bootstrap", "v1");
	(void)oci_manifest_type(document);
	return 0;
}
