// SPDX-License-Identifier: Apache-2.0
#include "qemu/probe.h"

#include "base/file.h"
#include "qemu/process.h"
#include <errno.h>
#include <fcntl.h>

// The boot sector. Page tables at 0x1000-0x3fff map the first 2 MiB one to one. Port 0xf4 is QEMU's isa-debug-exit.
__asm__(".pushsection .rodata\n"
	".code16\n"
	"probe_begin:\n"
	"	cli\n"
	"	xorw %ax, %ax\n"
	"	movw %ax, %ds\n"
	"	movw %ax, %es\n"
	"	movw %ax, %ss\n"
	"	movw $0x7c00, %sp\n"
	"	movw $0x1000, %di\n"
	"	xorl %eax, %eax\n"
	"	movl $0xc00, %ecx\n"
	"	cld\n"
	"	rep stosl\n"
	"	movl $0x2003, 0x1000\n"
	"	movl $0x3003, 0x2000\n"
	"	movl $0x0083, 0x3000\n"
	"	movl $0x1000, %eax\n"
	"	movl %eax, %cr3\n"
	"	movl %cr4, %eax\n"
	"	orl $0x620, %eax\n" // PAE, OSFXSR, OSXMMEXCPT
	"	movl %eax, %cr4\n"
	"	movl $0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	orl $0x100, %eax\n" // EFER.LME
	"	wrmsr\n"
	"	movl %cr0, %eax\n"
	"	andl $0xfffffffb, %eax\n" // no x87 emulation
	"	orl $0x80000003, %eax\n"  // paging, protection, monitor coprocessor
	"	movl %eax, %cr0\n"
	"	lgdtl 0x7c00 + (probe_gdt_pointer - probe_begin)\n"
	"	ljmpl $8, $0x7c00 + (probe_long - probe_begin)\n"
	".code64\n"
	"probe_long:\n"
	"	xorl %eax, %eax\n"
	"	movl %eax, %ss\n"
	"	movq $0x7ffffff1, %rax\n"
	"	movq %rax, %xmm0\n"
	"	paddq %xmm0, %xmm0\n"
	"	movq %xmm0, %rbx\n"
	"	addq %rax, %rax\n"
	"	cmpq %rax, %rbx\n"
	"	jne probe_hang\n"
	"	xorl %eax, %eax\n"
	"	cpuid\n"
	"	cmpl $7, %eax\n"
	"	jb probe_good\n"
	"	movl $7, %eax\n"
	"	xorl %ecx, %ecx\n"
	"	cpuid\n"
	"	testl $0x100, %ebx\n" // BMI2
	"	jz probe_good\n"
	"	movl $40, %ecx\n"
	"	movl $3, %eax\n"
	"	shlxq %rcx, %rax, %rbx\n"
	"	shlq $40, %rax\n"
	"	cmpq %rax, %rbx\n"
	"	jne probe_hang\n"
	"probe_good:\n"
	"	movb $0x2a, %al\n"
	"	outb %al, $0xf4\n"
	"probe_hang:\n"
	"	hlt\n"
	"	jmp probe_hang\n"
	"	.balign 8\n"
	"probe_gdt:\n"
	"	.quad 0\n"
	"	.quad 0x00af9b000000ffff\n" // 64-bit code
	"probe_gdt_pointer:\n"
	"	.word 15\n"
	"	.long 0x7c00 + (probe_gdt - probe_begin)\n"
	"probe_end:\n"
	".popsection\n");
extern const uint8_t probe_begin[], probe_end[];

void probe_sector(uint8_t ret[static PROBE_SECTOR_BYTES])
{
	memset(ret, 0, PROBE_SECTOR_BYTES);
	memcpy(ret, probe_begin, (size_t)(probe_end - probe_begin));
	ret[510] = 0x55;
	ret[511] = 0xaa;
}

static const struct lab_accel accels[] = {
	{"kvm", "host", "KVM: a probe guest runs on it"},
	{"tcg,thread=multi", "qemu64", "TCG: there is no KVM that runs a guest"},
};

static bool probe_runs(const char *sector_path, const struct lab_accel *accel)
{
	AUTO_FREE char *drive = str_format("file=%s,format=raw,readonly=on,if=none,id=d", sector_path);
	if (!drive)
		return false;
	char *const argv[] = {(char *)"qemu-system-x86_64", (char *)"-nodefaults", (char *)"-no-user-config",
		(char *)"-machine", (char *)"q35", (char *)"-display", (char *)"none", (char *)"-m", (char *)"64",
		(char *)"-accel", (char *)accel->accel, (char *)"-cpu", (char *)accel->cpu, (char *)"-drive", drive,
		(char *)"-device", (char *)"virtio-blk-pci,drive=d,bootindex=0", (char *)"-device",
		(char *)"isa-debug-exit,iobase=0xf4,iosize=1", NULL};
	int status;
	return process_run_quiet(argv, 10, &status) == 0 && status == PROBE_EXIT;
}

int lab_accel_find(const char *cache_folder, struct lab_accel *ret, struct diag *reterr)
{
	AUTO_FREE char *boot_id = NULL, *known = NULL;
	AUTO_FREE char *answer_path = str_format("%s/accel", cache_folder);
	AUTO_FREE char *sector_path = str_format("%s/probe.img", cache_folder);
	uint8_t sector[PROBE_SECTOR_BYTES];

	if (!answer_path || !sector_path)
		return -ENOMEM;
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		*ret = accels[1];
		return 0;
	}
	int r = file_read("/proc/sys/kernel/random/boot_id", 64, &boot_id, NULL, reterr);
	if (r < 0)
		return r;
	if (file_read(answer_path, 256, &known, NULL, NULL) == 0)
		for (size_t i = 0; i < N_ELEMENTS(accels); i++) {
			AUTO_FREE char *line = str_format("%s%s\n", boot_id, accels[i].accel);
			if (str_equal(line, known)) {
				*ret = accels[i];
				return 0;
			}
		}
	probe_sector(sector);
	r = file_write_volatile(sector_path, sector, sizeof(sector), 0644, reterr);
	if (r < 0)
		return r;
	const struct lab_accel *found = probe_runs(sector_path, &accels[0]) ? &accels[0] : &accels[1];
	AUTO_FREE char *answer = str_format("%s%s\n", boot_id, found->accel);
	if (answer) // not being able to remember it costs one probe the next time
		(void)file_write_volatile(answer_path, answer, strlen(answer), 0644, NULL);
	*ret = *found;
	return 0;
}
