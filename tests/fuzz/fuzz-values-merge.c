// fuzzes: image
// Two YAML documents, cut at the first "---" line: merged and written, what comes out is read back.
// SPDX-License-Identifier: Apache-2.0
#include "base/manifest.h"
#include "base/yaml.h"
#include "image/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	CLEANUP(value_freep) struct value *into = NULL, *from = NULL, *again = NULL, *twice = NULL;
	const char *first, *second;
	size_t cursor = 0, n_first, n_second;

	if (n_bytes > 16 << 10 || manifest_split((const char *)bytes, n_bytes, &cursor, &first, &n_first) <= 0 ||
		manifest_split((const char *)bytes, n_bytes, &cursor, &second, &n_second) <= 0)
		return 0;
	if (yaml_parse(first, n_first, 0, "first", &into, NULL) < 0 || yaml_parse(second, n_second, 0, "second", &from, NULL) < 0 ||
		into->type != VALUE_OBJECT || from->type != VALUE_OBJECT || tree_merge(into, from) < 0)
		return 0;
	AUTO_FREE char *yaml = tree_to_yaml(into);
	if (!yaml || yaml_parse(yaml, strlen(yaml), 0, "written", &again, NULL) < 0)
		abort();
	AUTO_FREE char *same = tree_to_yaml(again);
	if (!same || yaml_parse(same, strlen(same), 0, "again", &twice, NULL) < 0 || !value_equal(again, twice))
		abort();
	return 0;
}
