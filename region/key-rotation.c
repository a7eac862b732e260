// SPDX-License-Identifier: Apache-2.0
#include "region/key-rotation.h"

const char *key_rotation_state_name(int64_t state)
{
	switch ((enum key_rotation_state)state) {
	case KEY_ROTATION_WAITING:
		return "waiting";
	case KEY_ROTATION_PREPARING:
		return "preparing";
	case KEY_ROTATION_PEERS:
		return "peers";
	case KEY_ROTATION_SWITCHING:
		return "switching";
	case KEY_ROTATION_DONE:
		return "done";
	case KEY_ROTATION_STOPPING:
		return "stopping";
	case KEY_ROTATION_GIVEN_UP:
		return "given up";
	}
	return "?";
}

const char *key_rotation_sentence(int64_t state)
{
	switch ((enum key_rotation_state)state) {
	case KEY_ROTATION_WAITING:
		return "waits for its turn, or for the node to be heard";
	case KEY_ROTATION_PREPARING:
		return "the node makes its next key";
	case KEY_ROTATION_PEERS:
		return "the peers take the next key";
	case KEY_ROTATION_SWITCHING:
		return "the node was told to switch to it";
	case KEY_ROTATION_DONE:
		return "the node uses its new key";
	case KEY_ROTATION_STOPPING:
		return "the node is told to keep its key; its peers have both until it says that it does";
	case KEY_ROTATION_GIVEN_UP:
		return "it was given up, and the node keeps its key: hearth-region audit says why";
	}
	return "";
}

enum key_rotation_state key_rotation_next(const struct key_rotation_facts *facts)
{
	switch (facts->state) {
	case KEY_ROTATION_WAITING:
		return facts->is_heard && !facts->other_goes_on ? KEY_ROTATION_PREPARING
								: KEY_ROTATION_WAITING;
	case KEY_ROTATION_PEERS:
		// Two that switch at once would not know each other until the region told them.
		if (!facts->is_heard || facts->other_switches)
			return KEY_ROTATION_PEERS;
		return facts->n_missing == 0 || facts->state_sec >= KEY_ROTATION_PEERS_SEC
			       ? KEY_ROTATION_SWITCHING
			       : KEY_ROTATION_PEERS;
	case KEY_ROTATION_PREPARING: // nobody knows of a next key yet
		if (!facts->is_heard)
			return KEY_ROTATION_WAITING;
		return facts->state_sec >= facts->give_up_sec ? KEY_ROTATION_GIVEN_UP : KEY_ROTATION_PREPARING;
	case KEY_ROTATION_SWITCHING: // it may have switched a moment ago
		return facts->is_heard && facts->state_sec >= facts->give_up_sec ? KEY_ROTATION_STOPPING
										 : KEY_ROTATION_SWITCHING;
	case KEY_ROTATION_DONE:
	case KEY_ROTATION_STOPPING:
	case KEY_ROTATION_GIVEN_UP:
		break;
	}
	return facts->state;
}

// A key that was switched to and is not proven is left again: the node is told so.
static enum key_report judge_stopping(const struct key_report_facts *facts)
{
	if (str_equal(facts->current, facts->announced))
		return facts->proven ? KEY_REPORT_DONE : KEY_REPORT_NOTHING;
	return str_equal(facts->current, facts->recorded) && !facts->next ? KEY_REPORT_KEPT : KEY_REPORT_NOTHING;
}

enum key_report key_report_judge(const struct key_report_facts *facts)
{
	bool announced = facts->announced[0] != '\0';
	if (facts->state == KEY_ROTATION_STOPPING)
		return judge_stopping(facts);
	if (announced && str_equal(facts->current, facts->announced))
		return KEY_REPORT_DONE;
	if (!str_equal(facts->current, facts->recorded))
		return facts->proven ? KEY_REPORT_OTHER : KEY_REPORT_NOTHING;
	if (str_equal(facts->next, facts->recorded)) // two peers of one key: who is told that refuses all of it
		return KEY_REPORT_NOTHING;
	if (facts->state == KEY_ROTATION_PREPARING)
		return facts->next ? KEY_REPORT_PREPARED : KEY_REPORT_NOTHING;
	if (!announced || str_equal(facts->next, facts->announced))
		return KEY_REPORT_NOTHING;
	return facts->next ? KEY_REPORT_PREPARED : KEY_REPORT_LOST;
}
