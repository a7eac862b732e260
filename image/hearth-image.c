// hearth-image: recipe -> image, and what is done to finished images. The work is in the subcommands.
// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "image/command.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{ "build", command_build, "build RECIPE --out DIR [--payload DIR | --k3s FILE] [--bin DIR] [--overlays DIR] [--report FILE]" },
	{ "seed", command_seed, "seed ISO SEED.yaml            write a seed into a finished ISO, in place" },
	{ "check", command_check, "check RECIPE                  read a recipe and say what it makes" },
	{ "payload", command_payload, "payload --out DIR --k3s FILE [--version V] [--sha256 HEX] [--images FILE|URL [--images-sha256 HEX]]\n"
		"  hearth-image payload --out DIR --version V --url URL [--mirror URL]... --sha256 HEX\n"
		"      [--images FILE|URL [--images-mirror URL]... [--images-sha256 HEX]] [--ca FILE] [--stall-sec N]" },
	{ "layout-add", command_layout_add, "layout-add FILE --layout DIR --name hearth/payload --tag T" },
	{ "bootstrap", command_bootstrap, "bootstrap FOLDER --layout DIR --name N --tag T [--created SEC]\n"
		"  hearth-image bootstrap compose RECIPE.yaml --out FOLDER [--cluster-config FILE] [--tree FOLDER] [--images FOLDER]\n"
		"  hearth-image bootstrap check FOLDER [--cluster-config FILE] [--tree FOLDER] [--images FOLDER]" },
};

static void help(FILE *to)
{
	fputs("hearth-image: from a recipe to a bootable image\n\n", to);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  hearth-image %s\n", commands[i].help);
	fputs("\nWhat is slow is kept in $HEARTH_CACHE/image (default ~/.cache/hearth/image). See docs/recipe.md\nand docs/bootstrap.md.\n", to);
}

int main(int argc, char *argv[])
{
	log_open("hearth-image");
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "hearth-image: \"%s\" is no subcommand; see hearth-image --help\n", argv[1]);
	return 2;
}
