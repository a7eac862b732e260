// fuzzes: k3s
// What hearthd and hearth-k3s tell each other, and what a command of K3s wrote before it failed: no order reaches outside of
// its folder, and no message holds the secret. Also the note of restores on STATE.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/command.h"
#include "k3s/restore.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static const struct k3s_command rotate = {.id = "j-1", .kind = K3S_COMMAND_ROTATE, .new_token = "5ec2e7"};
	struct k3s_command command CLEANUP(k3s_command_done) = {0};
	struct k3s_command_answer answer CLEANUP(k3s_command_answer_done) = {0};
	char *text AUTO_FREE = strndup((const char *)bytes, n_bytes);
	struct restore_note note;
	char line[320];

	if (!text)
		return 0;
	k3s_command_last_line(&rotate, text, line);
	if (strstr(line, rotate.new_token) || strchr(line, '\n'))
		abort();
	if (restore_note_parse((const char *)bytes, n_bytes, &note, NULL) == 0 &&
		(note.restored < 0 || note.tries > RESTORE_MAX_NUMBER || !memchr(note.why, '\0', sizeof(note.why))))
		abort();
	(void)k3s_command_answer_parse((const char *)bytes, n_bytes, &answer, NULL);
	if (k3s_command_parse((const char *)bytes, n_bytes, &command, NULL) == 0) {
		struct k3s_command_line argv CLEANUP(k3s_command_line_done) = {0};
		if (k3s_command_line(&command, "k3s", "", &argv) < 0)
			return 0;
		for (size_t i = 0; argv.argv[i]; i++)
			if (strstr(argv.argv[i], "/../"))
				abort();
	}
	return 0;
}
