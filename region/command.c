// SPDX-License-Identifier: Apache-2.0
#include "region/command.h"

#include "base/json.h"
#include "base/utf8.h"
#include "region/admin-socket.h"

#include <errno.h>

int command_failed(const struct diag *diag, int error)
{
	fprintf(stderr, "hearth-region: %s\n",
		diag->message[0] ? diag_text(diag) : strerror(-error));
	return 1;
}

int command_wrong_use(const char *sentence)
{
	fprintf(stderr, "hearth-region: %s (see hearth-region --help)\n", sentence);
	return 2;
}

void command_make_printable(struct value *value)
{
	if (value->type == VALUE_STRING)
		utf8_make_printable(value->text);
	for (size_t i = 0; i < value->n; i++)
		command_make_printable(&value->items[i]);
}

void command_print_json(const struct value *value)
{
	struct json_out out = { 0 };
	json_out_value(&out, value);
	AUTO_FREE char *text = json_out_take(&out);
	printf("%s\n", text ? text : "null");
}

char *command_socket(const struct command_options *options)
{
	if (options->socket)
		return strdup(options->socket);
	if (str_equal(options->dir, "/var/lib/hearth-region"))
		return strdup("/run/hearth-region/admin.sock");
	return str_format("%s/admin.sock", options->dir);
}

int command_ask(const struct command_options *options, const char *call, char *args_json_take,
	struct value **ret)
{
	CLEANUP(secret_text_free) char *args = args_json_take;
	AUTO_FREE char *path = command_socket(options);
	struct diag diag = { 0 };
	int r = args && path ? admin_ask(path, call, args, ret, &diag) : -ENOMEM;
	return r < 0 ? command_failed(&diag, r) : 0;
}
