// SPDX-License-Identifier: Apache-2.0
#include "k3s/restore-database.h"
#include "base/file.h"
#include "k3s/unpack.h"
#include <errno.h>
#include <sys/stat.h>

static char *aside_of(const char *server, int64_t number)
{
	return str_format("%s/db-before-restore-%lld", server, (long long)number);
}

/* Set aside, not removed: it is the last trace of the old cluster until this server votes in the new one. A name that is there
 * already is of a power cut after the rename: what is in its old place then is nobody's. */
int restore_database_put_aside(const char *server, int64_t number)
{
	char *db AUTO_FREE = str_format("%s/db", server), *aside AUTO_FREE = aside_of(server, number);
	char *back AUTO_FREE = str_format("%s/db/snapshots", server), *kept AUTO_FREE = str_format("%s/snapshots", aside ? aside : "");

	if (!db || !aside || !back || !kept)
		return -ENOMEM;
	if (!file_exists(aside) && rename(db, aside) < 0)
		return errno == ENOENT ? 0 : -errno; // a server that never had one
	if (mkdir(db, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (rename(kept, back) < 0 && errno != ENOENT) // it has none, or has them back already
		return -errno;
	return 0;
}

int restore_database_forget(const char *server, int64_t number)
{
	char *aside AUTO_FREE = aside_of(server, number);

	return aside ? unpack_remove(aside) : -ENOMEM;
}
