// hearth-image layout-add and bootstrap: what goes into the OCI layout that a region serves at /v2.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/log.h"
#include "base/oci.h"
#include "image/artifact.h"
#include "image/command.h"

#include <errno.h>
#include <getopt.h>

#define TYPE_EMPTY "application/vnd.oci.empty.v1+json"
#define TYPE_PAYLOAD "application/vnd.hearth.payload.v1.erofs"

struct options {
	const char *subject, *layout, *name, *tag;
	int64_t created_sec;
};

static int options_read(int argc, char *argv[], struct options *ret)
{
	static const struct option known[] = { { "layout", 1, NULL, 'l' }, { "name", 1, NULL, 'n' }, { "tag", 1, NULL, 't' },
		{ "created", 1, NULL, 'c' }, { 0 } };
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (c) {
		case 'l': ret->layout = optarg; break;
		case 'n': ret->name = optarg; break;
		case 't': ret->tag = optarg; break;
		case 'c': ret->created_sec = strtoll(optarg, NULL, 10); break;
		default: return -EINVAL;
		}
	if (optind != argc - 1 || !ret->layout || !ret->name || !ret->tag)
		return -EINVAL;
	ret->subject = argv[optind];
	return 0;
}

// An artifact manifest with one layer (OCI image specification 1.1, "Guidelines for Artifact Usage").
static char *manifest_json(const char *layer, uint64_t size, const char *empty)
{
	struct json_out out = { 0 };

	json_out_object_begin(&out);
	json_out_member_int(&out, "schemaVersion", 2);
	json_out_member(&out, "mediaType", OCI_TYPE_MANIFEST);
	json_out_member(&out, "artifactType", TYPE_PAYLOAD);
	json_out_key(&out, "config");
	json_out_object_begin(&out);
	json_out_member(&out, "mediaType", TYPE_EMPTY);
	json_out_member(&out, "digest", empty);
	json_out_member_int(&out, "size", 2);
	json_out_object_end(&out);
	json_out_key(&out, "layers");
	json_out_array_begin(&out);
	json_out_object_begin(&out);
	json_out_member(&out, "mediaType", TYPE_PAYLOAD);
	json_out_member(&out, "digest", layer);
	json_out_member_int(&out, "size", (int64_t)size);
	json_out_object_end(&out);
	json_out_array_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static int layout_add(const struct options *options, char ret_layer[static OCI_DIGEST_TEXT], struct diag *reterr)
{
	char empty[OCI_DIGEST_TEXT], digest[OCI_DIGEST_TEXT];
	uint64_t size = 0;
	int rc = oci_layout_init(options->layout, reterr);

	if (rc == 0)
		rc = oci_layout_add_blob_file(options->layout, options->subject, ret_layer, &size, reterr);
	if (rc == 0)
		rc = oci_layout_add_blob(options->layout, "{}", 2, empty, reterr);
	if (rc < 0)
		return rc;
	AUTO_FREE char *manifest = manifest_json(ret_layer, size, empty);
	if (!manifest)
		return -ENOMEM;
	rc = oci_layout_add_blob(options->layout, manifest, strlen(manifest), digest, reterr);
	return rc < 0 ? rc : oci_layout_tag(options->layout, options->name, options->tag, digest, OCI_TYPE_MANIFEST,
			strlen(manifest), reterr);
}

int command_layout_add(int argc, char *argv[])
{
	struct options options = { 0 };
	struct diag diag = { 0 };
	char digest[OCI_DIGEST_TEXT];

	if (options_read(argc, argv, &options) < 0)
		return command_usage("layout-add FILE --layout DIR --name N --tag T");
	int rc = layout_add(&options, digest, &diag);
	if (rc < 0) {
		log_error("%s", *diag.message ? diag_text(&diag) : strerror(-rc));
		return 1;
	}
	printf("%s\n", digest);
	return 0;
}

int command_bootstrap(int argc, char *argv[])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct options options = { .created_sec = epoch ? strtoll(epoch, NULL, 10) : 0 };
	struct diag diag = { 0 };
	char digest[OCI_DIGEST_TEXT];

	if (argc > 1 && strcmp(argv[1], "compose") == 0)
		return command_bootstrap_compose(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		return command_bootstrap_check(argc - 1, argv + 1);
	if (options_read(argc, argv, &options) < 0)
		return command_usage("bootstrap FOLDER --layout DIR --name N --tag T [--created SEC]");
	struct artifact_request request = { .folder = options.subject, .layout = options.layout, .name = options.name,
		.tag = options.tag, .created_sec = options.created_sec };
	int rc = artifact_pack(&request, digest, &diag);
	if (rc < 0) {
		log_error("%s", *diag.message ? diag_text(&diag) : strerror(-rc));
		return 1;
	}
	printf("%s\n", digest);
	return 0;
}
