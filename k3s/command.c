// SPDX-License-Identifier: Apache-2.0
#include "k3s/command.h"
#include "base/crypto.h"
#include "base/json.h"
#include "k3s/snapshots.h"
#include <errno.h>

// A snapshot of a large database on a slow disk, or to an object store; a restore starts etcd and writes all of it.
enum { SNAPSHOT_TIMEOUT_SEC = 900, RESTORE_TIMEOUT_SEC = 1800, ROTATE_TIMEOUT_SEC = 120 };
enum { ID_MAX = 40, FOLDER_MAX = 255, TOKEN_MAX = 256 };

static const char *const kinds[] = {[K3S_COMMAND_SNAPSHOT] = "etcd-snapshot", [K3S_COMMAND_RESTORE] = "restore",
	[K3S_COMMAND_ROTATE] = "rotate-token"};

static bool is_plain(const char *text, size_t max, const char *also)
{
	size_t n = 0;

	for (; text[n]; n++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", text[n]) && !strchr(also, text[n]))
			return false;
	return n > 0 && n <= max;
}

int k3s_command_check(const struct k3s_command *command, struct diag *reterr)
{
	bool needs_folder = command->kind != K3S_COMMAND_ROTATE;

	if (!command->id || !is_plain(command->id, ID_MAX, ""))
		return diag_set(reterr, -EINVAL, "id", "must be letters, digits and dashes");
	if (needs_folder && (!command->folder || *command->folder != '/' || !is_plain(command->folder, FOLDER_MAX, "/._") ||
				    strstr(command->folder, "..")))
		return diag_set(reterr, -EINVAL, "folder", "must be an absolute path of letters, digits, dash, dot, underscore");
	if (command->kind == K3S_COMMAND_RESTORE && (!command->snapshot || !snapshot_name_valid(command->snapshot)))
		return diag_set(reterr, -EINVAL, "snapshot", "must be the name of a snapshot's file");
	if (command->kind == K3S_COMMAND_ROTATE && (!command->new_token || !is_plain(command->new_token, TOKEN_MAX, "")))
		return diag_set(reterr, -EINVAL, "newToken", "must be letters, digits and dashes (it is not shown here)");
	return 0;
}

int k3s_command_parse(const char *text, size_t n, struct k3s_command *ret, struct diag *reterr)
{
	struct k3s_command command CLEANUP(k3s_command_done) = {0};
	const char *kind;
	size_t i = 0;
	int r = json_parse(text, n, K3S_COMMAND_MAX_BYTES, &command.document, reterr);

	if (r < 0)
		return r;
	kind = value_text(value_find(command.document, "kind"));
	while (i < N_ELEMENTS(kinds) && !str_equal(kind, kinds[i]))
		i++;
	if (i == N_ELEMENTS(kinds))
		return diag_set(reterr, -EINVAL, "kind", "must be etcd-snapshot, restore or rotate-token");
	command.kind = (enum k3s_command_kind)i;
	command.id = value_text(value_find(command.document, "id"));
	command.folder = value_text(value_find(command.document, "folder"));
	command.snapshot = value_text(value_find(command.document, "snapshot"));
	command.new_token = value_text(value_find(command.document, "newToken"));
	if ((r = k3s_command_check(&command, reterr)) < 0)
		return r;
	*ret = command;
	command.document = NULL;
	return 0;
}

void k3s_command_done(struct k3s_command *command)
{
	char *token = command->document ? (char *)value_text(value_find(command->document, "newToken")) : NULL;

	if (token)
		crypto_wipe(token, strlen(token));
	value_free(command->document);
	*command = (struct k3s_command){0};
}

char *k3s_command_format(const struct k3s_command *command)
{
	struct json_out out = {0};

	json_out_object_begin(&out);
	json_out_member(&out, "id", command->id);
	json_out_member(&out, "kind", kinds[command->kind]);
	if (command->folder)
		json_out_member(&out, "folder", command->folder);
	if (command->snapshot)
		json_out_member(&out, "snapshot", command->snapshot);
	if (command->new_token)
		json_out_member(&out, "newToken", command->new_token);
	json_out_object_end(&out);
	return json_out_take(&out);
}

// ---- the command line

void k3s_command_snapshot_base(const struct k3s_command *command, char ret[static 64])
{
	const char *id = command->id;

	ret[0] = '\0';
	if (command->kind == K3S_COMMAND_SNAPSHOT)
		snprintf(ret, 64, "hearth-%s", str_starts(id, "j-") ? id + 2 : id);
}

int k3s_command_line(const struct k3s_command *command, const char *program, const char *root, struct k3s_command_line *ret)
{
	struct k3s_command_line line = {.argv = {program}};
	char base[64];

	switch (command->kind) {
	case K3S_COMMAND_SNAPSHOT: // folder and compression are read from config.yaml
		k3s_command_snapshot_base(command, base);
		line.text = strdup(base);
		line.name = "k3s etcd-snapshot save";
		line.timeout_sec = SNAPSHOT_TIMEOUT_SEC;
		line.argv[1] = "etcd-snapshot";
		line.argv[2] = "save";
		line.argv[3] = "--name";
		line.argv[4] = line.text;
		break;
	case K3S_COMMAND_RESTORE: // etcd-s3: a configured object store would be asked for the name instead
		line.text = str_format("--cluster-reset-restore-path=%s%s/%s", root, command->folder, command->snapshot);
		line.name = "k3s server --cluster-reset";
		line.timeout_sec = RESTORE_TIMEOUT_SEC;
		line.argv[1] = "server";
		line.argv[2] = "--cluster-reset";
		line.argv[3] = line.text;
		line.argv[4] = "--etcd-s3=false";
		break;
	case K3S_COMMAND_ROTATE: // K3s knows no other way for the new one; it takes it out of its title at once
		line.text = strdup(command->new_token);
		line.name = "k3s token rotate";
		line.timeout_sec = ROTATE_TIMEOUT_SEC;
		line.argv[1] = "token";
		line.argv[2] = "rotate";
		line.argv[3] = "--new-token";
		line.argv[4] = line.text;
		break;
	}
	if (!line.text)
		return -ENOMEM;
	*ret = line;
	return 0;
}

void k3s_command_line_done(struct k3s_command_line *line)
{
	if (line->text)
		crypto_wipe(line->text, strlen(line->text));
	free(line->text);
	*line = (struct k3s_command_line){0};
}

// ---- how it ended

static void hide(char *text, const char *secret)
{
	for (char *at = text; secret && *secret && (at = strstr(at, secret));)
		memset(at, '*', strlen(secret));
}

void k3s_command_last_line(const struct k3s_command *command, const char *output, char ret[static 320])
{
	const char *line = "";
	size_t n_line = 0;

	for (const char *at = output; *at;) {
		size_t n = strcspn(at, "\n");
		if (strspn(at, " \t\r") < n) {
			line = at;
			n_line = n;
		}
		at += n + (at[n] == '\n');
	}
	char *whole AUTO_FREE = strndup(line, n_line);
	ret[0] = '\0';
	if (!whole)
		return;
	hide(whole, command->new_token); // before it is cut
	snprintf(ret, 320, "%.319s", whole);
	for (char *c = ret; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
}

int k3s_command_answer_parse(const char *text, size_t n, struct k3s_command_answer *ret, struct diag *reterr)
{
	struct k3s_command_answer answer CLEANUP(k3s_command_answer_done) = {0};
	int r = json_parse(text, n, K3S_COMMAND_MAX_BYTES, &answer.document, reterr);

	if (r < 0 || (r = value_string(value_find(answer.document, "id"), "id", &answer.id, reterr)) < 0 ||
		(r = value_string(value_find(answer.document, "sentence"), "sentence", &answer.sentence, reterr)) < 0 ||
		(r = value_bool(value_find(answer.document, "done"), "done", &answer.done, reterr)) < 0)
		return r;
	*ret = answer;
	answer.document = NULL;
	return 0;
}

void k3s_command_answer_done(struct k3s_command_answer *answer)
{
	value_free(answer->document);
	*answer = (struct k3s_command_answer){0};
}

char *k3s_command_answer_format(const char *id, bool done, const char *sentence)
{
	struct json_out out = {0};

	json_out_object_begin(&out);
	json_out_member(&out, "id", id);
	json_out_member_bool(&out, "done", done);
	json_out_member(&out, "sentence", sentence);
	json_out_object_end(&out);
	return json_out_take(&out);
}
