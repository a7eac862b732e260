// Clocks, UTC text and backoff.
// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "base/crypto.h"

#include <errno.h>
#include <time.h>

uint64_t time_boot_usec(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &now); // cannot fail on any kernel we run on
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

int64_t time_wall_msec(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail on any kernel we run on
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *time_format_utc(int64_t wall_sec, char buffer[static 32])
{
	time_t time = (time_t)wall_sec;
	struct tm tm;

	if (!gmtime_r(&time, &tm) || strftime(buffer, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		memcpy(buffer, "?", 2);
	return buffer;
}

int time_parse_utc(const char *text, int64_t *ret_wall_sec)
{
	struct tm tm = { 0 };
	char again[32];
	int n = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		    &tm.tm_min, &tm.tm_sec, &n) != 6 || n != 20 || text[n])
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	int64_t sec = timegm(&tm);
	// 30 February and its like come back as another text.
	if (strcmp(time_format_utc(sec, again), text) != 0)
		return -EINVAL;
	*ret_wall_sec = sec;
	return 0;
}

uint64_t time_backoff_usec(unsigned attempt, uint64_t base_usec, uint64_t cap_usec)
{
	uint64_t limit = cap_usec, random;

	if (attempt < 64 && base_usec <= cap_usec >> attempt)
		limit = base_usec << attempt;
	crypto_random(&random, sizeof(random));
	return limit == UINT64_MAX ? random : random % (limit + 1);
}
