// SPDX-License-Identifier: Apache-2.0
#include "k3s/health.h"
#include "base/json.h"

// One line of @text, short, harmless.
static void copy_line(const char *text, char ret[static 120])
{
	size_t n = text ? strcspn(text, "\r\n") : 0;

	snprintf(ret, 120, "%.*s", (int)(n < 119 ? n : 119), text ? text : "");
	for (char *c = ret; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			*c = '?';
}

void etcd_health_sentence(int status, const char *body, char ret[static HEALTH_SENTENCE_MAX])
{
	struct value *document CLEANUP(value_freep) = NULL;
	char reason[120] = "";

	*ret = '\0';
	if (status == 0) {
		snprintf(ret, HEALTH_SENTENCE_MAX, "etcd does not answer yet");
		return;
	}
	if (body && json_parse(body, strlen(body), 64 << 10, &document, NULL) == 0) {
		if (status == 200 && str_equal(value_text(value_find(document, "health")), "true"))
			return;
		copy_line(value_text(value_find(document, "reason")), reason);
	}
	snprintf(ret, HEALTH_SENTENCE_MAX, "etcd is not healthy: %s", *reason ? reason : "it gives no reason");
}

void kubelet_health_sentence(int status, const char *body, char ret[static HEALTH_SENTENCE_MAX])
{
	char reason[120];

	*ret = '\0';
	if (status == 200)
		return;
	copy_line(body, reason);
	if (status == 0)
		snprintf(ret, HEALTH_SENTENCE_MAX, "the kubelet does not answer yet");
	else
		snprintf(ret, HEALTH_SENTENCE_MAX, "the kubelet is not healthy: %s", *reason ? reason : "it gives no reason");
}

void health_look_take(struct health_look *look, const char *sentence)
{
	if (look->known && str_equal(look->said, sentence)) {
		look->n = 0;
		return;
	}
	look->n = look->n && str_equal(look->next, sentence) ? look->n + 1 : 1;
	snprintf(look->next, sizeof(look->next), "%s", sentence);
	if (look->known && look->n < HEALTH_LOOKS)
		return;
	memcpy(look->said, look->next, sizeof(look->said));
	look->known = true;
	look->n = 0;
}

const char *health_looks_sentence(const struct health_look *etcd, const struct health_look *kubelet)
{
	if (etcd && (!etcd->known || *etcd->said))
		return etcd->known ? etcd->said : NULL;
	return *kubelet->said ? kubelet->said : NULL;
}
