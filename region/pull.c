// SPDX-License-Identifier: Apache-2.0
#include "region/pull.h"

bool pull_credential_fits(const struct region *region, const char *authorization)
{
	AUTO_FREE uint8_t *given = NULL;
	CLEANUP(secret_text_free) char *wanted = NULL;
	size_t n;
	if (!authorization || strncasecmp(authorization, "Basic ", 6) != 0 ||
		base64_decode(authorization + 6, &given, &n) < 0)
		return false;
	wanted = str_format("%s:%s", region->pull_user, region->pull_password);
	bool fits = wanted && n == strlen(wanted) && crypto_equal(given, wanted, n);
	crypto_wipe(given, n);
	return fits;
}
