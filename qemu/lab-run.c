// The running side of a lab's nodes: processes, sockets, files made at start.
// SPDX-License-Identifier: Apache-2.0
#include "qemu/lab.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/time.h"
#include "qemu/line.h"
#include "qemu/probe.h"
#include "qemu/process.h"
#include "qemu/qmp.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

enum { CUT_TIMEOUT_SEC = 30 };
#define OVMF_CODE "/usr/share/OVMF/OVMF_CODE_4M.fd"
#define OVMF_VARS "/usr/share/OVMF/OVMF_VARS_4M.fd"

pid_t lab_node_pid(const struct lab *lab, const char *name)
{
	AUTO_FREE char *path = lab_path(lab, name, LAB_FILE_PID), *text = NULL, *cmdline = NULL;
	size_t n;

	if (!path || file_read(path, 32, &text, NULL, NULL) < 0)
		return 0;
	long pid = strtol(text, NULL, 10);
	if (pid <= 1)
		return 0;
	// The number may be somebody else's by now: it is ours when its command line names our pid file.
	AUTO_FREE char *proc = str_format("/proc/%ld/cmdline", pid);
	if (!proc || file_read(proc, 1 << 20, &cmdline, &n, NULL) < 0)
		return 0;
	return memmem(cmdline, n, path, strlen(path)) ? (pid_t)pid : 0;
}

// ---- files made at start -------------------------------------------------------------------------------------------

static int copy_once(const char *from, const char *to, struct diag *reterr)
{
	AUTO_FREE char *bytes = NULL;
	size_t n;
	if (file_exists(to))
		return 0;
	int r = file_read(from, 64 << 20, &bytes, &n, reterr);
	return r < 0 ? r : file_write_volatile(to, bytes, n, 0644, reterr);
}

static int make_disk(const struct lab *lab, const struct lab_node *node, size_t i, struct diag *reterr)
{
	const struct lab_disk *disk = &node->disks[i];
	AUTO_FREE char *file = str_format("disk%zu.raw", i);
	AUTO_FREE char *path = file ? lab_path(lab, node->name, file) : NULL;
	if (disk->file)
		return 0;
	if (!path)
		return -ENOMEM;
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return 0; // it keeps what an earlier start wrote
	if (fd < 0 || ftruncate(fd, (off_t)disk->size_bytes) < 0)
		return diag_set(reterr, -errno, path, "cannot be made: %s", strerror(errno));
	return 0;
}

// As a file, so that no secret of the seed is in QEMU's command line. Source: systemd.system-credentials(7).
static int make_smbios_seed(const struct lab *lab, const struct lab_node *node, struct diag *reterr)
{
	AUTO_FREE char *path = lab_path(lab, node->name, LAB_FILE_SMBIOS_SEED), *seed = NULL;
	size_t n;
	int r = file_read(node->smbios_seed, 64 << 10, &seed, &n, reterr);
	if (r < 0)
		return r;
	AUTO_FREE char *base64 = base64_encode(seed, n);
	AUTO_FREE char *text =
		base64 ? str_format("io.systemd.credential.binary:hearth.seed=%s", base64) : NULL;
	if (!path || !text)
		return -ENOMEM;
	return file_write_volatile(path, text, strlen(text), 0600, reterr);
}

static int make_files(const struct lab *lab, const struct lab_node *node, struct diag *reterr)
{
	AUTO_FREE char *vars = lab_path(lab, node->name, LAB_FILE_VARS);
	AUTO_FREE char *log = lab_path(lab, node->name, LAB_FILE_CONSOLE_LOG);
	AUTO_FREE char *started = lab_path(lab, node->name, LAB_FILE_STARTED);
	struct stat st = {0};
	int r = 0;

	if (!vars || !log || !started)
		return -ENOMEM;
	if (node->firmware == LAB_FIRMWARE_UEFI)
		r = copy_once(OVMF_VARS, vars, reterr);
	for (size_t i = 0; r == 0 && i < node->n_disks; i++)
		r = make_disk(lab, node, i, reterr);
	if (r == 0 && node->smbios_seed)
		r = make_smbios_seed(lab, node, reterr);
	if (r < 0)
		return r;
	AUTO_FREE char *offset = str_format("%lld\n", stat(log, &st) == 0 ? (long long)st.st_size : 0LL);
	return offset ? file_write_volatile(started, offset, strlen(offset), 0644, reterr) : -ENOMEM;
}

// ---- start, cut, ask -----------------------------------------------------------------------------------------------

int lab_node_start(const struct lab *lab, const struct lab_node *node, struct diag *reterr)
{
	AUTO_FREE char *folder = str_format("%s/%s", lab->folder, node->name);
	struct argv argv = {0};
	struct process_result result;
	struct lab_accel accel;

	if (!folder)
		return -ENOMEM;
	if (lab_node_pid(lab, node->name) > 0)
		return diag_set(reterr, -EALREADY, node->name, "runs already");
	int r = lab_accel_find(lab->folder, &accel, reterr);
	if (r == 0)
		r = make_files(lab, node, reterr);
	if (r < 0)
		return r;
	struct lab_machine machine = {.folder = folder, .accel = accel.accel, .cpu = accel.cpu,
		.segment_port = lab->segment_port, .ovmf_code = OVMF_CODE};
	r = lab_argv_render(node, &machine, &argv);
	if (r == 0)
		r = process_run(argv.items, 30, &result);
	argv_done(&argv);
	if (r < 0)
		return diag_set(reterr, r, node->name, "QEMU cannot be started: %s", strerror(-r));
	if (result.status != 0)
		r = diag_set(reterr, -EIO, node->name, "QEMU ended with %d: %s", result.status,
			result.err.text ? result.err.text : "");
	process_result_done(&result);
	return r;
}

int lab_node_cut(const struct lab *lab, const char *name, struct diag *reterr)
{
	pid_t pid = lab_node_pid(lab, name);
	if (pid == 0)
		return 0;
	AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return errno == ESRCH ? 0 : diag_set(reterr, -errno, name, "QEMU %d cannot be reached: %s", (int)pid,
							strerror(errno));
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return diag_set(reterr, -errno, name, "QEMU %d cannot be killed: %s", (int)pid, strerror(errno));
	// Readable once its last thread is gone: only then are its files, and the locks on them, free for the next start.
	struct pollfd gone = {.fd = pidfd, .events = POLLIN};
	int n = poll(&gone, 1, CUT_TIMEOUT_SEC * 1000);
	if (n <= 0)
		return diag_set(reterr, n < 0 ? -errno : -ETIMEDOUT, name, "QEMU %d does not end", (int)pid);
	return 0;
}

int lab_node_qmp(const struct lab *lab, const char *name, const char *command, const char *arguments_json,
	struct diag *reterr)
{
	AUTO_FREE char *path = lab_path(lab, name, LAB_FILE_QMP);
	if (!path)
		return -ENOMEM;
	if (lab_node_pid(lab, name) == 0)
		return diag_set(reterr, -ENOTCONN, name, "is off");
	return qmp_run(path, command, arguments_json, 30, NULL, reterr);
}

// One question at a time on the port: QEMU talks to one connection, a second one would wait unanswered.
static int lock_port(const struct lab *lab, const char *name, uint64_t deadline_usec)
{
	AUTO_FREE char *path = lab_path(lab, name, LAB_FILE_GUEST ".lock");
	if (!path)
		return -ENOMEM;
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (time_boot_usec() > deadline_usec)
			return -ETIMEDOUT;
		(void)usleep(20000);
	}
	return TAKE_FD(fd);
}

static int ask(int fd, const struct guest_request *request, uint64_t deadline_usec, struct guest_answer *ret)
{
	struct line_reader reader = {.fd = fd, .max_bytes = GUEST_ANSWER_BYTES};
	AUTO_FREE char *line = guest_request_format(request);
	if (!line)
		return -ENOMEM;
	int r = line_write(fd, "\n", 1, deadline_usec); // ends what an earlier, broken connection may have left
	if (r == 0)
		r = line_write(fd, line, strlen(line), deadline_usec);
	while (r == 0) {
		char *text;
		size_t n;
		r = line_read(&reader, deadline_usec, &text, &n);
		// answers to questions of earlier connections, and what is left of them, are not ours
		if (r == 0 && guest_answer_parse(text, n, ret, NULL) == 0) {
			if (ret->id == request->id)
				break;
			guest_answer_done(ret);
		}
	}
	line_reader_done(&reader);
	return r;
}

int lab_node_exec(const struct lab *lab, const char *name, char *const argv[], unsigned timeout_sec,
	struct guest_answer *ret, struct diag *reterr)
{
	uint64_t deadline_usec = time_boot_usec() + (timeout_sec + 5) * USEC_PER_SEC; // the guest's own limit comes first
	AUTO_FREE char *path = lab_path(lab, name, LAB_FILE_GUEST);
	struct guest_request request = {.timeout_sec = timeout_sec, .args = (char **)argv};

	if (!path)
		return -ENOMEM;
	if (lab_node_pid(lab, name) == 0)
		return diag_set(reterr, -ENOTCONN, name, "is off");
	while (argv[request.n_args])
		request.n_args++;
	crypto_random(&request.id, sizeof(request.id));
	request.id &= (INT64_C(1) << 48) - 1;
	AUTO_CLOSE int lock_fd = lock_port(lab, name, deadline_usec);
	if (lock_fd < 0)
		return diag_set(reterr, lock_fd, name, "another question to its guest does not end");
	AUTO_CLOSE int fd = unix_connect(path);
	int r = fd < 0 ? fd : ask(fd, &request, deadline_usec, ret);
	return r < 0 ? diag_set(reterr, r, name, "the guest did not answer: %s", strerror(-r)) : 0;
}
