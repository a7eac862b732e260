// What undoes a change of the network, written and synced before the first change. It holds the state that was, not the
// changes that were made: undoing is to plan from whatever is there to what was, so it can be begun again at any time.
// Encoding and decoding are pure; the file is a checked one (base/file.h). Private keys are never in it: its document
// names copies beside it (trial-kernel.c).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/networkd.h"
#include "netconf/protocols.h"

#define JOURNAL_NAME "journal"
enum {
	JOURNAL_VERSION = 1,
	JOURNAL_MAX_BYTES = 16 << 20,     // a document of 65,536 routes fits
	JOURNAL_MAX_FILES = 2048,         // networkd has a few files per link
	JOURNAL_MAX_STRANGERS = 4096,
};

struct journal_stranger { // a virtual link that was not ours
	char name[IFNAMSIZ], alias[32];
};
struct journal_other_name { // of a link that gets it as its name
	char link[IFNAMSIZ], name[IFNAMSIZ];
};
struct journal_ra { // a link that takes router advertisements by another rule than a document has words for
	char name[IFNAMSIZ];
	uint8_t accept_ra;
};
struct journal {
	char who[32];       // the program that made it
	char boot_id[37];   // of the kernel whose state it holds; "" never fits
	int64_t wall_sec;   // when it was begun, for people
	uint64_t deadline_usec; // CLOCK_BOOTTIME; 0: it stands or falls with the program that made it
	char tried[65];     // SHA-256 of the document that is tried, hex
	char *before;       // the kernel's network before, a netplan document
	struct protocol_table protocols; // whose its addresses, routes and rules were; an older journal says nothing of it
	struct journal_stranger *strangers;
	size_t n_strangers;
	struct journal_other_name *other_names; // an older journal has none
	size_t n_other_names;
	struct journal_ra *ras;
	size_t n_ras;       // an older journal has none
	bool has_files;     // the next two are known
	struct config_files files; // ours for networkd
	char *resolv;       // resolv.conf; NULL: there was none
};
void journal_done(struct journal *journal);
char *journal_encode(const struct journal *journal); // JSON; NULL: out of memory; the caller frees
/* Strict. -EINVAL with what is wrong; -ENOMEM. @ret is empty after a failure. */
int journal_decode(const char *text, size_t n, struct journal *ret, struct diag *reterr);

/* Durable once it returns. */
int journal_save(const char *folder, const struct journal *journal, struct diag *reterr);
// -ENOENT: there is none. -EBADMSG: it is damaged, or not one this program knows: it is never trusted.
int journal_load(const char *folder, struct journal *ret, struct diag *reterr);
/* A damaged one goes out of the way, never deleted, once the network is right without it. @ret_name: its name then, the caller
 * frees. */
int journal_set_aside(const char *folder, char **ret_name, struct diag *reterr);
// As journal_load(), to look only: the checksum is left to who acts on it.
int journal_peek(const char *folder, struct journal *ret);
int journal_remove(const char *folder); // durable; none there is success
