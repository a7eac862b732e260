// One machine of the lab as its owner wants it: what it boots, from what, and with what hardware. The same keys serve
// the spec file of `hearth-lab up` (YAML) and the file NODE/node.json that a lab keeps.
// Whether it runs, and how QEMU is told, is not decided here (lab.h, argv.h).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum {
	LAB_NAME_MAX = 32,    // unix socket paths have 108 bytes
	LAB_MAX_NODES = 64,   // one segment, numbers 1-250, on one machine
	LAB_MAX_DISKS = 8,    // virtio-blk slots that a test has ever needed, with room
	LAB_MAX_FORWARDS = 8,
	LAB_MAX_NICS = 8,
	LAB_SPEC_BYTES = 256 << 10,
};

enum lab_boot { LAB_BOOT_ISO, LAB_BOOT_PXE, LAB_BOOT_DISK, LAB_BOOT_KERNEL };
enum lab_firmware { LAB_FIRMWARE_BIOS, LAB_FIRMWARE_UEFI };
enum lab_nic_kind {
	LAB_NIC_UPLINK,  // user-mode: DHCP, the internet, this host's loopback at 10.0.2.2
	LAB_NIC_UPLINK6, // user-mode, IPv6 alone: router advertisements, this host's loopback at fd76::2
	LAB_NIC_SEGMENT, // the wire between all machines of the lab
	LAB_NIC_NOWHERE, // carrier, and nobody at the other end
	LAB_NIC_USB,     // as nowhere, and a USB device: what a BMC shows its host
	LAB_NIC_WIRE,    // frames to and from a program: one datagram each, over unix sockets
};

struct lab_disk {
	char *file;          // an existing file, attached as it is; NULL: made by the lab in the node's folder
	uint64_t size_bytes; // of a disk the lab makes
	char *serial;        // at most 20 characters (virtio-blk)
};

struct lab_forward { // host loopback port -> guest port, TCP
	uint16_t host_port, guest_port;
};

struct lab_nic {
	enum lab_nic_kind kind;
	char *path; // LAB_NIC_WIRE: the program's socket; this end is PATH.nic
};

struct lab_node {
	char *name;
	unsigned number; // 1-250: last byte of its MACs
	enum lab_boot boot;
	enum lab_firmware firmware;
	char *iso, *pxe_url, *kernel, *initrd, *cmdline;
	unsigned memory_mib, cpus;
	size_t n_disks, n_forwards, n_nics; // without NICs: an uplink and the segment
	struct lab_disk disks[LAB_MAX_DISKS];
	struct lab_forward forwards[LAB_MAX_FORWARDS];
	struct lab_nic nics[LAB_MAX_NICS];
	char *clock;       // "2026-11-22" or "2026-11-22T10:00:00": RTC at start; NULL: now
	char *smbios_seed; // a seed.yaml handed over as SMBIOS type 11 credential
	char *serial, *uuid; // of the machine; NULL: from name and number
};

struct lab_node *lab_node_free(struct lab_node *node);
DEFINE_CLEANUP(lab_node)
// A node with the defaults: disk boot, BIOS, 2 CPUs, 2048 MiB.
struct lab_node *lab_node_new(const char *name);
/* Decode one node. Unknown, repeated, missing keys and impossible combinations are refused with line:column. */
int lab_node_decode(const struct value *value, struct lab_node **ret, struct diag *reterr);
// Rules across fields: boot medium named, number and sizes in range, texts that QEMU's option syntax can carry.
int lab_node_validate(const struct lab_node *node, struct diag *reterr);
char *lab_node_format(const struct lab_node *node); // JSON that lab_node_decode() takes; NULL: no memory

/* The value of one option, by the key of the spec file ("memoryMib", "iso", "disk" ...): what a command line says.
 * "disk" adds a disk: FILE, or a size such as 4G or 512M, and perhaps ",serial=X". "forward" adds HOST:GUEST.
 * "nic" adds uplink, uplink6, segment, nowhere, usb or wire=PATH. */
int lab_node_set(struct lab_node *node, const char *key, const char *text, struct diag *reterr);

// A whole spec: { version: 1, nodes: [...] }. Names and numbers are unique. @ret_nodes is an array of @ret_n.
int lab_spec_parse(const char *text, size_t n, const char *name, struct lab_node ***ret_nodes, size_t *ret_n,
	struct diag *reterr);
void lab_spec_done(struct lab_node **nodes, size_t n);

const char *lab_boot_name(enum lab_boot boot);
const char *lab_firmware_name(enum lab_firmware firmware);
const char *lab_nic_name(enum lab_nic_kind kind);
