// SPDX-License-Identifier: Apache-2.0
#include "qemu/qmp.h"

#include "base/json.h"
#include "base/time.h"
#include "qemu/line.h"
#include <errno.h>

enum { QMP_LINE_BYTES = 1 << 20 };

static int exchange(struct line_reader *reader, const char *command, const char *arguments_json,
	uint64_t deadline_usec, struct value **ret_value, struct diag *reterr)
{
	AUTO_FREE char *line = arguments_json
		? str_format("{\"execute\":\"%s\",\"arguments\":%s}\n", command, arguments_json)
		: str_format("{\"execute\":\"%s\"}\n", command);
	if (!line)
		return -ENOMEM;
	int r = line_write(reader->fd, line, strlen(line), deadline_usec);
	while (r == 0) {
		CLEANUP(value_freep) struct value *answer = NULL;
		char *text;
		size_t n;
		r = line_read(reader, deadline_usec, &text, &n);
		if (r < 0)
			break;
		if (n > 0 && text[n - 1] == '\r')
			n--;
		r = json_parse(text, n, QMP_LINE_BYTES, &answer, reterr);
		if (r < 0)
			return r;
		const char *problem = value_text(value_path(answer, "error", "desc", NULL));
		if (problem)
			return diag_set(reterr, -EREMOTEIO, command, "QEMU: %s", problem);
		if (!value_find(answer, "return"))
			continue; // greeting or event
		if (ret_value)
			*ret_value = TAKE_PTR(answer);
		return 0;
	}
	return diag_set(reterr, r, command, "QEMU gave no answer: %s", strerror(-r));
}

int qmp_run(const char *socket_path, const char *command, const char *arguments_json, unsigned timeout_sec,
	struct value **ret_value, struct diag *reterr)
{
	AUTO_CLOSE int fd = unix_connect(socket_path);
	if (fd < 0)
		return diag_set(reterr, fd, socket_path, "QEMU cannot be reached: %s", strerror(-fd));
	struct line_reader reader = {.fd = fd, .max_bytes = QMP_LINE_BYTES};
	uint64_t deadline_usec = time_boot_usec() + timeout_sec * USEC_PER_SEC;
	int r = exchange(&reader, "qmp_capabilities", NULL, deadline_usec, NULL, reterr);
	if (r == 0)
		r = exchange(&reader, command, arguments_json, deadline_usec, ret_value, reterr);
	line_reader_done(&reader);
	return r;
}
