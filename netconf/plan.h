// Desired and actual become an ordered list of changes. Pure: no kernel, no files, no clock. The order never drops
// what stays: links, WireGuard settings, addresses and routes come before anything is removed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/mark.h"
#include "netconf/networkd.h"

enum change_type { // in the order in which they are done, but for CHANGE_LINK_MASTER and CHANGE_LINK_REMOVE
	CHANGE_LINK_RENAME = 1,
	CHANGE_LINK_REPLACE, // one that cannot become what is wanted (a VLAN's id, a VRF's table): all of them go, and are
	CHANGE_LINK_CREATE,  // made with the others, what others stand on first; with all options, but a bond's primary
	CHANGE_WIREGUARD,
	CHANGE_LINK_OPTIONS, // of a bond, a bridge or a bridge's port; of a port once it is one
	CHANGE_LINK_MASTER,  // becomes a port of another link, or, before all options, of none
	CHANGE_LINK_SET,
	/* Remove first what comes back with another prefix, as IPv6 has an address once, or on another link: else the kernel asks
	 * there whether somebody has it, and hears itself; and what is the first IPv4 address of its subnet and shall not be. */
	CHANGE_ADDRESS_REPREFIX,
	CHANGE_ADDRESS_ADD,
	CHANGE_ROUTE_ADD, // of IPv4 before others of the same destination and metric: the kernel goes by the first
	CHANGE_ROUTE_REPLACE,
	CHANGE_RULE_ADD,
	CHANGE_PEERS,
	CHANGE_RULE_REMOVE,
	CHANGE_ROUTE_REMOVE,
	CHANGE_ADDRESS_REMOVE,
	CHANGE_LINK_REMOVE,  // but before everything when it is in the way of what is made or gets its name
	CHANGE_FILE_WRITE,
	CHANGE_FILE_REMOVE,
	CHANGE_NETWORKD, // reload, or restart when networkd.conf changed
};
struct change {
	enum change_type type;
	char name[IFNAMSIZ];  // the link, by its name after the plan; "" for routes without one and for files
	int link_index;       // 0: not there yet
	uint8_t protocol;     // of an address, a route or a rule that comes: Hearth's, but of what is undone
	bool has_failed;      // plan_note_failure()
	bool goes_before;     // of an address or a route that goes: before routes come, one of which the kernel would take with it, or for it
	const struct declaration *declaration; // borrowed from the network; NULL for removals
	union {
		struct {
			char old_name[IFNAMSIZ];
			bool has_other_name; // the new one is another name (altname) of the same link now
		};
		bool is_in_the_way; // of a link that is removed
		struct wireguard_settings wireguard;
		struct {
			char name[IFNAMSIZ]; // "": none
			int index;           // 0: not there yet, or none
			bool has_mac;        // of a bridge for which the document has none
			uint8_t mac[6];
		} parent;                    // of a link that is made: what a VLAN stands on
		struct {
			uint32_t mtu; // 0: as it is
			bool up, down, has_mac;
			bool no_kernel_ra; // of a link that comes up: router advertisements are networkd's, or unwanted
			bool sets_ra, takes_ra; // accept-ra as it is said, where the kernel does otherwise
			bool joins_bond;        // a MAC that a port has before it joins
			uint8_t mac[6];
		} set;
		struct {
			enum link_option_kind kind;
			struct link_options values; // only what differs
			bool has_primary, has_arp_targets; // of a bond: the declaration's, be it none
			bool needs_down, needs_no_ports;   // the kernel takes it only so: traffic is lost for a moment
			char primary[IFNAMSIZ];            // the link that the declaration's primary is
			int primary_index;                 // 0: not known yet
		} options;
		struct {
			char name[IFNAMSIZ]; // "": of none
			int index;           // 0: not there yet, or none
			bool needs_down;     // a bond takes only a port that is down
			bool is_up;          // it is up now, so what flows through it stops
		} master;
		struct {
			struct rule rule;
			bool is_twin; // one that stays moves behind another one that goes: see plan-rules.c
		};
		struct {
			struct address address;
			bool moves, steps_back; // of one that is removed first: to another link; behind the first of its subnet
		};
		struct {
			struct route route;
			bool is_last; // of one that comes: behind others of its key
		};
		struct peer_plan peers;
		struct {
			char *name, *content;
		} file;
		bool restart;
	};
};
enum { PLAN_MAX_NOTES = 50, PLAN_MAX_FAILURES = 20 }; // one bad link can take thousands of routes with it: the first ones say what is wrong
struct plan_outcome {
	bool is_begun; // from here on the machine may have another network than before
	size_t n_done, n_failed;
	size_t n_left; // not begun because others had failed: what takes something away comes last
	struct diag *failures; // the first PLAN_MAX_FAILURES of n_failed, in the order of the changes; NULL: none
};
struct plan {
	struct change *changes;
	size_t n, n_room;
	struct plan_outcome outcome; // after netconf_apply_plan()
	struct marks marks;          // done behind all changes
	char *waits_for;     // a sentence: a route is left out until its source address is known to be nobody else's; NULL: none
	bool waits_in_vain;  // ... and it is somebody else's, or its place is
	bool comes_in_two;   // a bridge gets the MAC of a port that has none yet, or its MTU changes behind all: what is left is known then
	bool is_half;        // it was applied but for that, and for all that is taken away
	char **notes;          // sentences: what the document declares and the machine does not have; PLAN_MAX_NOTES at most
	size_t n_notes;
	struct kernel *kernel; // kept alive for those who borrow from it; may be NULL
};
const char *change_word(enum change_type type);                             // "address-add"
const char *change_format(const struct change *change, char *buffer, size_t n_buffer); // a sentence
/* Note that @change of @plan failed by @error, with @words of the kernel or networkd ("": none): where the document declares it,
 * what was to be done, why not. A second failure of one change is none. Returns @error. */
int plan_note_failure(struct plan *plan, struct change *change, int error, const char *words);
// What became of @plan is what became of @second, which did the rest of it, too.
void plan_add_outcome(struct plan *plan, struct plan *second);
// @error, with the first failure in @reterr, and how many there are behind it. 0 stays 0.
int plan_tell_failures(const struct plan *plan, int error, struct diag *reterr);
// Does traffic that flows now stop, if only for a moment?
bool change_drops_traffic(const struct change *change);

struct plan_input {
	const struct network *network; // keys loaded
	const struct kernel *kernel;   // sorted; WireGuard devices of declared links read
	bool has_files;                // false: leave networkd and its files alone
	const struct config_files *files; // what is there now
	bool owes_reload;
	bool without_taking_over; // what others made stays theirs; and what was beside it comes back: this is the way back
	int64_t now_sec; // wall time, for handshakes
};
/* -EEXIST: what the plan needs is taken by something that is not ours; -EINVAL; -ENOMEM. */
int plan_make(const struct plan_input *input, struct plan **ret, struct diag *reterr);
