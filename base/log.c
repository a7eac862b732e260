// Where log lines go: the journal when systemd connected our stderr to it, else stderr.
// SPDX-License-Identifier: Apache-2.0
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "base/log.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

static const char *log_program = "hearth";
static int log_max_priority = LOG_INFO;
static bool log_to_journal;

// $JOURNAL_STREAM is "device:inode" of the stream systemd made (systemd.exec(5)); a child with another stderr is not meant.
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
		st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

void log_open(const char *program)
{
	log_program = program;
	log_to_journal = stderr_is_journal();
}

void log_set_level(int max_priority)
{
	log_max_priority = max_priority;
}

void log_write(int priority, const char *format, ...)
{
	char text[2048];
	va_list args;

	if (priority > log_max_priority)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); // a line that is too long is cut
	va_end(args);
	utf8_make_printable(text); // one line per entry, whatever machines call themselves
	if (log_to_journal && sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, "SYSLOG_IDENTIFIER=%s",
				      log_program, NULL) >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", log_program, text); // nowhere left to say that stderr fails
}
