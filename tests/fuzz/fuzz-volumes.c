// fuzzes: agent
// What hearth-volumes reads from disks and STATE, and what it and hearthd tell each other.
// SPDX-License-Identifier: Apache-2.0
#include "agent/volumes-exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct volume_record record, again;
	struct volumes_wanted wanted CLEANUP(volumes_wanted_done) = { 0 };
	struct volumes_answer answer CLEANUP(volumes_answer_done) = { 0 };
	char label[VOLUME_LABEL_BYTES] = { 0 };
	memcpy(label, bytes, n_bytes < sizeof(label) ? n_bytes : sizeof(label));
	(void)volume_label_decode(label, &record);
	if (volume_record_parse((const char *)bytes, n_bytes, &record, NULL) == 0 && volume_label_encode(&record, label) == 0) {
		if (volume_label_decode(label, &again) < 0 || !str_equal(record.node, again.node) || record.bytes != again.bytes)
			abort(); // what was written must be known again
		if (strchr(record.name, '/') || !record.name[0])
			abort(); // it becomes part of paths
	}
	if (volumes_wanted_parse((const char *)bytes, n_bytes, &wanted, NULL) == 0)
		for (size_t i = 0; i < wanted.n; i++)
			if (!volume_name_valid(wanted.wishes[i].name))
				abort();
	(void)volumes_answer_parse((const char *)bytes, n_bytes, "x", &answer, NULL);
	return 0;
}
