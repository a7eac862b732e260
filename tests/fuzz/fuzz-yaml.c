// fuzzes: base
// Whatever yaml_parse() takes must be a tree that JSON can say.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	CLEANUP(value_freep) struct value *value = NULL, *again = NULL;
	struct json_out out = { 0 };
	struct diag diag = { 0 };

	if (yaml_parse((const char *)bytes, n_bytes, 0, "input", &value, &diag) < 0) {
		if (!*diag.message)
			abort(); // every refusal has its sentence
		return 0;
	}
	json_out_value(&out, value);
	AUTO_FREE char *text = json_out_take(&out);
	if (!text || json_parse(text, strlen(text), 0, &again, &diag) < 0 || !value_equal(value, again))
		abort();
	return 0;
}
