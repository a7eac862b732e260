// Cleanup idiom, array and ownership helpers shared by every file. No policy here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define TAKE_PTR(ptr)                                                                              \
	({                                                                                         \
		__typeof__(ptr) *take_p_ = &(ptr), take_v_ = *take_p_;                             \
		*take_p_ = NULL;                                                                   \
		take_v_;                                                                           \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *take_p_ = &(fd), take_v_ = *take_p_;                                          \
		*take_p_ = -1;                                                                     \
		take_v_;                                                                           \
	})
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define CLEANUP(function) __attribute__((cleanup(function)))

// For types with `struct x *x_free(struct x *)`: DEFINE_CLEANUP(x) gives x_freep for CLEANUP(x_freep).
#define DEFINE_CLEANUP(name)                                                                       \
	static inline void name##_freep(struct name **p)                                           \
	{                                                                                          \
		if (*p)                                                                            \
			name##_free(*p);                                                           \
	}

static inline void util_freep(void *p)
{
	free(*(void **)p);
}
static inline void util_closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); // nothing to be done about a failing close of a borrowed read end
}
static inline void util_fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}
#define AUTO_FREE CLEANUP(util_freep)
#define AUTO_CLOSE CLEANUP(util_closep)
#define AUTO_FCLOSE CLEANUP(util_fclosep)

static inline bool str_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}
static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}
// "%s"-format into a new string; NULL when out of memory. The caller frees.
char *str_format(const char *format, ...) PRINTF_LIKE(1, 2);
// *field becomes a copy of @text, or NULL when @text is NULL or "", or when out of memory. What it was is freed.
void str_set(char **field, const char *text);
// qsort() for what is mostly in order already: then it is only looked through. @n may be 0.
void sort_items(void *items, size_t n, size_t size, int (*compare)(const void *, const void *));
