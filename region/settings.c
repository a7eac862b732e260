// SPDX-License-Identifier: Apache-2.0
#include "region/settings.h"

static void put_object(struct json_out *out, const char *key, const struct value *object)
{
	json_out_key(out, key);
	if (object && object->type == VALUE_OBJECT) {
		json_out_value(out, object);
		return;
	}
	json_out_object_begin(out);
	json_out_object_end(out);
}

// Names that follow from cluster.yaml; another one is another certificate, and K3s starts anew for it.
static void put_names(struct json_out *out, const struct cluster_config *config)
{
	char location[5];
	naming_location(&config->naming, location);
	AUTO_FREE char *dns = str_format("api.%s.%s", location, config->domain);
	json_out_key(out, "tlsSan");
	json_out_array_begin(out);
	json_out_string(out, dns ? dns : config->domain);
	for (size_t i = 0; i < config->n_tls_sans; i++)
		json_out_string(out, config->tls_sans[i]);
	json_out_array_end(out);
}

char *settings_newest(const struct cluster_config *config, const char *name)
{
	const struct value *own = value_find(config->node_overrides, name);
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_key(&out, "payload");
	if (config->payload_repository && config->payload_digest) {
		json_out_object_begin(&out);
		json_out_member(&out, "repository", config->payload_repository);
		json_out_member(&out, "digest", config->payload_digest);
		json_out_object_end(&out);
	} else {
		json_out_null(&out);
	}
	json_out_member(&out, "profile", config->k3s_profile ? config->k3s_profile : "documented");
	put_object(&out, "overrides", config->overrides);
	if (own && own->type == VALUE_OBJECT)
		put_object(&out, "nodeOverrides", own);
	put_names(&out, config);
	json_out_object_end(&out);
	return json_out_take(&out);
}

void settings_put_k3s(const struct value *settings, struct json_out *out)
{
	const char *profile = value_text(value_find(settings, "profile"));
	json_out_member(out, "profile", profile ? profile : "documented");
	put_object(out, "overrides", value_find(settings, "overrides"));
	if (value_find(settings, "nodeOverrides"))
		put_object(out, "nodeOverrides", value_find(settings, "nodeOverrides"));
}

void settings_put_names(const struct value *settings, struct json_out *out)
{
	const struct value *names = value_find(settings, "tlsSan");
	for (size_t i = 0; names && names->type == VALUE_ARRAY && i < names->n; i++)
		if (value_text(&names->items[i]))
			json_out_string(out, value_text(&names->items[i]));
}

void settings_put_payload(const struct value *settings, struct json_out *out)
{
	json_out_key(out, "payload");
	json_out_value(out, value_find(settings, "payload"));
}

bool settings_payload_fits(const struct value *settings, const char *payload_sha256)
{
	const char *digest = value_text(value_path(settings, "payload", "digest", NULL));
	return !digest || (str_starts(digest, "sha256:") &&
				  str_equal(digest + strlen("sha256:"), payload_sha256));
}
