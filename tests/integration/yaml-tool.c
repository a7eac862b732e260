// yaml-tool FILE...: every document of every file as one line of JSON, or "refused: " and why.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/json.h"
#include "base/manifest.h"
#include "base/yaml.h"

static int show(const char *path)
{
	char *text AUTO_FREE = NULL;
	const char *document;
	size_t n = 0, cursor = 0, n_document;
	struct diag diag = {0};

	if (file_read(path, MANIFEST_MAX_BYTES, &text, &n, &diag) < 0) {
		fprintf(stderr, "%s\n", diag_text(&diag));
		return 1;
	}
	while (manifest_split(text, n, &cursor, &document, &n_document) > 0) {
		struct value *value CLEANUP(value_freep) = NULL;
		struct json_out out = {0};
		char *json AUTO_FREE = NULL;

		if (yaml_parse(document, n_document, MANIFEST_MAX_BYTES, path, &value, &diag) < 0) {
			printf("refused: %s\n", diag_text(&diag));
			continue;
		}
		json_out_value(&out, value);
		json = json_out_take(&out);
		if (!json)
			return 1;
		printf("%s\n", json);
	}
	return 0;
}

int main(int argc, char *argv[])
{
	int result = 0;

	for (int i = 1; i < argc && result == 0; i++)
		result = show(argv[i]);
	return result;
}
