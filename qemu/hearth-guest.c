// hearth-guest: in a guest of the lab, runs what the lab asks for on the virtio-serial port hearth.lab. Lab and dev
// recipes only: whoever holds the port's other end is root here.
// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "base/time.h"
#include "qemu/guest-request.h"
#include "qemu/line.h"
#include "qemu/process.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

static const char default_port[] = "/dev/virtio-ports/hearth.lab";

static void answer_line(int fd, const char *line, size_t n)
{
	struct guest_request request;
	struct process_result result = {0};
	struct diag diag = {0};
	struct guest_answer answer = {0};

	int r = guest_request_parse(line, n, &request, &diag);
	if (r == 0) {
		r = process_run(request.args, request.timeout_sec, &result);
		if (r < 0)
			(void)diag_set(&diag, r, request.args[0], "cannot be started: %s", strerror(-r));
	}
	answer.id = request.id;
	answer.exit = r < 0 ? PROCESS_EXIT_NO_PROGRAM : result.status;
	answer.out = result.out.text; // both borrowed
	answer.err = r < 0 ? (char *)diag_text(&diag) : result.err.text;
	answer.is_cut = result.out.is_cut || result.err.is_cut;
	AUTO_FREE char *text = guest_answer_format(&answer);
	if (!text || line_write(fd, text, strlen(text), time_boot_usec() + 30 * USEC_PER_SEC) < 0)
		log_warning("an answer could not be given; the lab will have gone away");
	process_result_done(&result);
	guest_request_done(&request);
}

/* Without somebody at the other end, reading gives the end of the stream at once: look again a little later. The port
 * stays open, so that nothing written right after a connection is lost. */
static int serve(const char *port)
{
	AUTO_CLOSE int fd = open(port, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	struct line_reader reader = {.fd = fd, .max_bytes = GUEST_REQUEST_BYTES};
	for (;;) {
		char *line;
		size_t n;
		int r = line_read(&reader, USEC_NEVER, &line, &n);
		if (r == 0 && n > 0)
			answer_line(fd, line, n);
		else if (r == -EPIPE)
			(void)usleep(50000);
		else if (r < 0 && r != -E2BIG) {
			line_reader_done(&reader);
			return r;
		}
	}
}

int main(int argc, char *argv[])
{
	const char *port = default_port;
	if (argc == 2 && str_equal(argv[1], "--help")) {
		printf("hearth-guest [PORT]: answer the lab on PORT (default %s)\n", default_port);
		return 0;
	}
	if (argc > 2) {
		fprintf(stderr, "hearth-guest: at most one argument, the port; see --help\n");
		return 2;
	}
	if (argc == 2)
		port = argv[1];
	log_open("hearth-guest");
	(void)signal(SIGPIPE, SIG_IGN); // a lab that goes away is an error of write()
	for (int last_error = 0;;) {
		int r = serve(port);
		if (r != last_error)
			log_warning("%s: %s; trying again", port, strerror(-r));
		last_error = r;
		(void)usleep(500000);
	}
}
