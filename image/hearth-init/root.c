// Sources: device-mapper/verity.rst, linux/dm-ioctl.h, linux/loop.h.
// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/root.h"
#include "image/hearth-init/conf.h"
#include "image/hearth-init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void mount_or_give_up(const char *what, const char *where, const char *type, unsigned long flags, const char *data)
{
	mkdir(where, 0755);
	if (mount(what, where, type, flags, data) < 0 && errno != EBUSY)
		give_up("%s could not be mounted as %s: %s", where, type, strerror(errno));
}

// A read-only loop device over @path; the device's name goes to @ret_device.
static void loop_attach(const char *path, char ret_device[static 32])
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_READ_ONLY, .block_size = 4096 };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

	if (number < 0)
		give_up("the kernel has no loop devices: %s", strerror(errno));
	snprintf(ret_device, 32, "/dev/loop%d", number);
	int loop = open(ret_device, O_RDONLY | O_CLOEXEC), file = open(path, O_RDONLY | O_CLOEXEC);
	if (loop < 0 || file < 0)
		give_up("%s could not be opened: %s", loop < 0 ? ret_device : path, strerror(errno));
	config.fd = (uint32_t)file;
	if (ioctl(loop, LOOP_CONFIGURE, &config) < 0)
		give_up("%s could not be attached to %s: %s", path, ret_device, strerror(errno));
	close(file);
	close(loop);
	close(control);
}

struct dm_request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char parameters[2048];
};

static void dm_call(int fd, unsigned long command, struct dm_request *request, uint32_t flags, const char *step)
{
	request->head.version[0] = DM_VERSION_MAJOR;
	request->head.data_size = sizeof(*request);
	request->head.data_start = sizeof(request->head);
	request->head.flags = flags;
	snprintf(request->head.name, sizeof(request->head.name), "hearth-root");
	if (ioctl(fd, command, request) < 0)
		give_up("the root file could not be put under dm-verity (%s): %s", step, strerror(errno));
}

// dm-verity over @loop: every block is checked against the hash in stage 1 when it is first read.
static void verity_open(const char *loop)
{
	struct dm_request request = { 0 };
	int fd;

	module_want("dm-verity");
	mkdir("/dev/mapper", 0755);
	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		give_up("the kernel has no device mapper: %s", strerror(errno));
	dm_call(fd, DM_DEV_CREATE, &request, 0, "create");

	memset(&request, 0, sizeof(request));
	request.head.target_count = 1;
	request.target.length = conf.verity_blocks * 8;
	snprintf(request.target.target_type, sizeof(request.target.target_type), "verity");
	snprintf(request.parameters, sizeof(request.parameters), "1 %s %s 4096 4096 %llu %llu sha256 %s -", loop, loop,
		(unsigned long long)conf.verity_blocks, (unsigned long long)conf.verity_blocks, conf.verity_root);
	dm_call(fd, DM_TABLE_LOAD, &request, DM_READONLY_FLAG, "load");

	memset(&request, 0, sizeof(request));
	dm_call(fd, DM_DEV_SUSPEND, &request, DM_READONLY_FLAG, "resume");
	mknod("/dev/hearth-root", S_IFBLK | 0600, makedev((unsigned)major(request.head.dev), (unsigned)minor(request.head.dev)));
	close(fd);
}

void root_mount(const char *path)
{
	char loop[32];

	module_want("loop");
	module_want("crc32c_generic"); // libcrc32c asks for it by name, and nobody here answers request_module()
	module_want("erofs");
	module_want("overlay");
	loop_attach(path, loop);
	verity_open(loop);
	mkdir("/root.d", 0755);
	mkdir("/root.d/lower", 0755);
	if (mount("/dev/hearth-root", "/root.d/lower", "erofs", MS_RDONLY, NULL) < 0)
		give_up("%s", errno == EIO || errno == EINVAL ?
			"the root file does not have the content that stage 1 was made for: it is damaged or was changed; write the medium anew" :
			"the root file cannot be mounted: the kernel has no EROFS");
	mount_or_give_up("tmpfs", "/root.d/write", "tmpfs", 0, "mode=0755");
	mkdir("/root.d/write/upper", 0755);
	mkdir("/root.d/write/work", 0755);
	mount_or_give_up("overlay", "/root.d/root", "overlay", 0,
		"lowerdir=/root.d/lower,upperdir=/root.d/write/upper,workdir=/root.d/write/work");
	if (access("/root.d/root/usr/lib/systemd/systemd", X_OK) < 0)
		give_up("the root file %s has no systemd: it is damaged or of another kind (%s)", conf.root_name, strerror(errno));
	(void)unlink("/dev/hearth-root"); // the mount holds the device
}
