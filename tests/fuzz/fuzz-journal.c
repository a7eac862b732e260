// fuzzes: netconf
// The journal that undoes a change of the network: whatever is in it, it is refused or it is known again when written.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct journal journal CLEANUP(journal_done) = {0}, again CLEANUP(journal_done) = {0};
	if (journal_decode((const char *)bytes, n_bytes, &journal, NULL) < 0) {
		if (journal.before || journal.protocols.n || journal.strangers || journal.files.n || journal.resolv)
			abort(); // a refused one leaves nothing that could be undone to
		return 0;
	}
	for (size_t i = 0; i < journal.files.n; i++)
		if (strstr(journal.files.files[i].name, "/../") || journal.files.files[i].name[0] == '/')
			abort(); // it becomes part of a path
	AUTO_FREE char *text = journal_encode(&journal);
	if (!text || journal_decode(text, strlen(text), &again, NULL) < 0)
		abort();
	AUTO_FREE char *twice = journal_encode(&again);
	if (!str_equal(text, twice))
		abort();
	return 0;
}
