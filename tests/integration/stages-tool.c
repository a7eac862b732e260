// stages-tool FOLDER VARIABLES.json SECRETS.json OUT: lay the stage folders of a bootstrap as hearthd would, all at once; a
// stage that is blocked is said and not laid.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/stages.h"

int main(int argc, char *argv[])
{
	struct value *variables CLEANUP(value_freep) = NULL, *secrets CLEANUP(value_freep) = NULL;
	struct stages *stages CLEANUP(stages_freep) = NULL;
	struct diag diag = {0};
	int r;

	if (argc != 5)
		return 2;
	r = json_load(argv[2], 0, &variables, &diag);
	if (r == 0)
		r = json_load(argv[3], 0, &secrets, &diag);
	if (r == 0)
		r = stages_load(argv[1], variables, secrets, &stages, &diag);
	for (size_t i = 0; r >= 0 && i < N_STAGES; i++) {
		if (stages->of[i].blocked)
			printf("%s: %s\n", stage_folder((enum stage_id)i), stages->of[i].blocked);
		else
			r = stage_files_apply(argv[4], stages, (enum stage_id)i, 45, &diag);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", diag_text(&diag));
	return r < 0;
}
