// SPDX-License-Identifier: Apache-2.0
#include "qemu/argv.h"

#include <errno.h>
#include <stdarg.h>

void argv_done(struct argv *argv)
{
	for (size_t i = 0; i < argv->n; i++)
		free(argv->items[i]);
	free(argv->items);
	*argv = (struct argv){0};
}

void argv_add(struct argv *argv, const char *format, ...)
{
	va_list list;
	char *text;

	if (argv->n + 1 >= argv->n_alloc) {
		size_t n_alloc = argv->n_alloc ? 2 * argv->n_alloc : 64;
		char **items = realloc(argv->items, n_alloc * sizeof(*items));
		if (!items) {
			argv->failed = true;
			return;
		}
		argv->items = items;
		argv->n_alloc = n_alloc;
	}
	va_start(list, format);
	int n = vasprintf(&text, format, list);
	va_end(list);
	if (n < 0) {
		argv->failed = true;
		return;
	}
	argv->items[argv->n++] = text;
	argv->items[argv->n] = NULL;
}

char *qemu_option_escape(const char *text)
{
	char *escaped = malloc(2 * strlen(text) + 1), *to = escaped;
	if (!escaped)
		return NULL;
	for (; *text; text++) {
		*to++ = *text;
		if (*text == ',')
			*to++ = ',';
	}
	*to = '\0';
	return escaped;
}

static void add_machine(const struct lab_node *node, const struct lab_machine *machine, struct argv *argv)
{
	argv_add(argv, "qemu-system-x86_64");
	argv_add(argv, "-name");
	argv_add(argv, "hearth-%s", node->name);
	argv_add(argv, "-nodefaults");
	argv_add(argv, "-no-user-config");
	argv_add(argv, "-machine");
	argv_add(argv, "q35");
	argv_add(argv, "-accel");
	argv_add(argv, "%s", machine->accel);
	argv_add(argv, "-cpu");
	argv_add(argv, "%s", machine->cpu);
	argv_add(argv, "-smp");
	argv_add(argv, "%u", node->cpus);
	argv_add(argv, "-m");
	argv_add(argv, "%u", node->memory_mib);
	argv_add(argv, "-display");
	argv_add(argv, "none");
	argv_add(argv, "-vga");
	argv_add(argv, "std");
	if (node->clock) {
		argv_add(argv, "-rtc");
		argv_add(argv, "base=%s%s", node->clock, strlen(node->clock) == 10 ? "T00:00:00" : "");
	}
}

static void add_control(const struct lab_machine *machine, const char *folder, struct argv *argv)
{
	argv_add(argv, "-daemonize");
	argv_add(argv, "-pidfile");
	argv_add(argv, "%s/" LAB_FILE_PID, machine->folder);
	argv_add(argv, "-chardev");
	argv_add(argv, "socket,id=qmp,path=%s/" LAB_FILE_QMP ",server=on,wait=off", folder);
	argv_add(argv, "-mon");
	argv_add(argv, "chardev=qmp,mode=control");
	argv_add(argv, "-chardev");
	argv_add(argv,
		"socket,id=console,path=%s/" LAB_FILE_CONSOLE ",server=on,wait=off,logfile=%s/" LAB_FILE_CONSOLE_LOG
		",logappend=on",
		folder, folder);
	argv_add(argv, "-serial");
	argv_add(argv, "chardev:console");
	argv_add(argv, "-device");
	argv_add(argv, "virtio-serial-pci,id=ports");
	argv_add(argv, "-chardev");
	argv_add(argv, "socket,id=guest,path=%s/" LAB_FILE_GUEST ",server=on,wait=off", folder);
	argv_add(argv, "-device");
	argv_add(argv, "virtserialport,bus=ports.0,chardev=guest,name=hearth.lab");
	argv_add(argv, "-object");
	argv_add(argv, "rng-random,id=random,filename=/dev/urandom");
	argv_add(argv, "-device");
	argv_add(argv, "virtio-rng-pci,rng=random");
}

static void add_identity(const struct lab_node *node, const char *folder, struct argv *argv)
{
	AUTO_FREE char *serial = node->serial ? qemu_option_escape(node->serial) : str_format("lab-%s", node->name);
	argv_add(argv, "-smbios");
	argv_add(argv, "type=1,manufacturer=Hearth,product=Lab machine,serial=%s", serial ? serial : "");
	argv_add(argv, "-uuid");
	if (node->uuid)
		argv_add(argv, "%s", node->uuid);
	else
		argv_add(argv, "4c41424e-4f44-4000-8000-%012u", node->number);
	if (node->smbios_seed) {
		argv_add(argv, "-smbios");
		argv_add(argv, "type=11,path=%s/" LAB_FILE_SMBIOS_SEED, folder);
	}
	if (!serial)
		argv->failed = true;
}

static void add_uplink(unsigned number, const char *bootfile, const char *forwards, struct argv *argv)
{
	argv_add(argv, "-netdev");
	argv_add(argv, "user,id=uplink,net=10.0.2.0/24%s%s%s", bootfile ? ",bootfile=" : "", bootfile ? bootfile : "", forwards);
	argv_add(argv, "-device");
	argv_add(argv, "virtio-net-pci,netdev=uplink,mac=52:54:76:00:00:%02x%s", number, bootfile ? ",bootindex=0" : ",romfile=");
}

static void add_segment(unsigned number, const struct lab_machine *machine, struct argv *argv)
{
	argv_add(argv, "-netdev");
	argv_add(argv, "socket,id=segment,mcast=230.0.0.1:%u,localaddr=127.0.0.1", machine->segment_port);
	argv_add(argv, "-device");
	argv_add(argv, "virtio-net-pci,netdev=segment,mac=52:54:77:00:00:%02x,romfile=", number);
}

// One of the others; its netdev has the NIC's place as its name.
static void add_nic(const struct lab_node *node, size_t i, struct argv *argv)
{
	const struct lab_nic *nic = &node->nics[i];
	AUTO_FREE char *path = nic->path ? qemu_option_escape(nic->path) : NULL;
	argv_add(argv, "-netdev");
	if (path)
		argv_add(argv, "dgram,id=nic%zu,local.type=unix,local.path=%s.nic,remote.type=unix,remote.path=%s", i, path, path);
	else if (nic->kind == LAB_NIC_UPLINK6)
		argv_add(argv, "user,id=nic%zu,ipv4=off,ipv6=on,ipv6-net=fd76::/64,ipv6-host=fd76::2", i);
	else
		argv_add(argv, "hubport,id=nic%zu,hubid=%zu", i, i); // the hub has no other port
	if (nic->kind == LAB_NIC_USB) {
		argv_add(argv, "-device");
		argv_add(argv, "qemu-xhci,id=usb%zu", i);
	}
	argv_add(argv, "-device");
	if (nic->kind == LAB_NIC_USB)
		argv_add(argv, "usb-net,bus=usb%zu.0,netdev=nic%zu,mac=52:54:78:00:%02zx:%02x", i, i, i, node->number);
	else
		argv_add(argv, "virtio-net-pci,netdev=nic%zu,mac=52:54:78:00:%02zx:%02x,romfile=", i, i, node->number);
	if (nic->path && !path)
		argv->failed = true;
}

static void add_networks(const struct lab_node *node, const struct lab_machine *machine, struct argv *argv)
{
	bool is_pxe = node->boot == LAB_BOOT_PXE;
	AUTO_FREE char *bootfile = node->pxe_url ? qemu_option_escape(node->pxe_url) : NULL;
	AUTO_FREE char *forwards = strdup("");

	for (size_t i = 0; i < node->n_forwards && forwards; i++) {
		char *longer = str_format("%s,hostfwd=tcp:127.0.0.1:%u-:%u", forwards, node->forwards[i].host_port,
			node->forwards[i].guest_port);
		free(forwards);
		forwards = longer;
	}
	if (!forwards || (is_pxe && !bootfile)) {
		argv->failed = true;
		return;
	}
	if (node->n_nics == 0) {
		add_uplink(node->number, is_pxe ? bootfile : NULL, forwards, argv);
		add_segment(node->number, machine, argv);
	}
	for (size_t i = 0; i < node->n_nics; i++)
		switch (node->nics[i].kind) {
		case LAB_NIC_UPLINK:
			add_uplink(node->number, is_pxe ? bootfile : NULL, forwards, argv);
			break;
		case LAB_NIC_SEGMENT:
			add_segment(node->number, machine, argv);
			break;
		case LAB_NIC_UPLINK6:
		case LAB_NIC_NOWHERE:
		case LAB_NIC_USB:
		case LAB_NIC_WIRE:
			add_nic(node, i, argv);
			break;
		}
}

static void add_firmware(const struct lab_node *node, const struct lab_machine *machine, const char *folder,
	struct argv *argv)
{
	if (node->firmware != LAB_FIRMWARE_UEFI)
		return; // SeaBIOS is q35's own
	argv_add(argv, "-drive");
	argv_add(argv, "if=pflash,format=raw,unit=0,readonly=on,file=%s", machine->ovmf_code);
	argv_add(argv, "-drive");
	argv_add(argv, "if=pflash,format=raw,unit=1,file=%s/" LAB_FILE_VARS, folder);
}

static void add_media(const struct lab_node *node, const char *folder, struct argv *argv)
{
	if (node->iso) {
		AUTO_FREE char *iso = qemu_option_escape(node->iso);
		argv_add(argv, "-drive");
		argv_add(argv, "if=none,id=cd,media=cdrom,readonly=on,format=raw,file=%s", iso ? iso : "");
		argv_add(argv, "-device");
		argv_add(argv, "ide-cd,drive=cd%s", node->boot == LAB_BOOT_ISO ? ",bootindex=0" : "");
	}
	if (node->kernel) {
		argv_add(argv, "-kernel");
		argv_add(argv, "%s", node->kernel);
		if (node->initrd) {
			argv_add(argv, "-initrd");
			argv_add(argv, "%s", node->initrd);
		}
		if (node->cmdline) {
			argv_add(argv, "-append");
			argv_add(argv, "%s", node->cmdline);
		}
	}
	for (size_t i = 0; i < node->n_disks; i++) {
		const struct lab_disk *disk = &node->disks[i];
		AUTO_FREE char *file = disk->file ? qemu_option_escape(disk->file)
						  : str_format("%s/disk%zu.raw", folder, i);
		AUTO_FREE char *serial = disk->serial ? qemu_option_escape(disk->serial)
						      : str_format("%.14s-disk%zu", node->name, i);
		// What the guest has written is in the host's page cache and survives a cut of QEMU; a made disk need not
		// survive a crash of the host, so flushes cost nothing there.
		argv_add(argv, "-drive");
		argv_add(argv, "if=none,id=disk%zu,format=%s,discard=unmap%s,file=%s", i,
			file && strlen(file) > 6 && str_equal(file + strlen(file) - 6, ".qcow2") ? "qcow2" : "raw",
			disk->file ? "" : ",cache=unsafe", file ? file : "");
		argv_add(argv, "-device");
		argv_add(argv, "virtio-blk-pci,drive=disk%zu,serial=%s%s", i, serial ? serial : "",
			node->boot == LAB_BOOT_DISK && i == 0 ? ",bootindex=0" : "");
		if (!file || !serial)
			argv->failed = true;
	}
}

int lab_argv_render(const struct lab_node *node, const struct lab_machine *machine, struct argv *ret)
{
	AUTO_FREE char *folder = qemu_option_escape(machine->folder);
	if (!folder)
		return -ENOMEM;
	*ret = (struct argv){0};
	add_machine(node, machine, ret);
	add_control(machine, folder, ret);
	add_identity(node, folder, ret);
	add_firmware(node, machine, folder, ret);
	add_networks(node, machine, ret);
	add_media(node, folder, ret);
	return ret->failed ? -ENOMEM : 0;
}
