# A Debian guest with networkd, netplan.io and the tools that look at a network: the reference of netconf. Its disk is made
# once for a list of packages; each run writes to an overlay of its own, and gets its job as a tar on a second disk.
# SPDX-License-Identifier: Apache-2.0
import fcntl
import glob
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time

PACKAGES = ("linux-image-amd64", "initramfs-tools", "systemd-sysv", "dbus", "udev", "netplan.io", "wireguard-tools", "iproute2",
            "dnsmasq-base", "lldpd", "radvd", "strace", "iputils-ping", "zstd", "python3", "libnl-3-200", "libnl-route-3-200",
            "libnl-genl-3-200", "libyaml-0-2", "libmbedcrypto16")
# Nothing that a test of networks looks at; all of it is on the way to a job.
NOT_NEEDED = ("dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "tmp.mount",
              "sys-kernel-config.mount", "sys-fs-fuse-connections.mount", "run-lock.mount", "modprobe@configfs.service",
              "modprobe@drm.service", "modprobe@efi_pstore.service", "modprobe@fuse.service", "kmod-static-nodes.service",
              "systemd-logind.service", "ldconfig.service", "systemd-journal-catalog-update.service", "systemd-binfmt.service",
              "systemd-random-seed.service", "systemd-networkd-persistent-storage.service", "systemd-udev-load-credentials.service",
              "systemd-tmpfiles-setup-dev-early.service", "systemd-hwdb-update.service", "systemd-sysusers.service")
MACHINE_ID = "68656172746868656172746868656172"  # any: without one each start would be a first one, with all its presets
CMDLINE = ("root=/dev/vda rw console=ttyS0,115200 quiet loglevel=3 mitigations=off highres=off net.ifnames=0 panic=-1 "
           "systemd.machine_id=%s systemd.condition_first_boot=0" % MACHINE_ID + "".join(" systemd.mask=" + unit for unit in NOT_NEEDED))
# The job instead of systemd, which takes half of the time until a job begins: for one that needs no services.
JOB_ONLY = ' init=/bin/sh -- -c "mkdir /job && tar -C /job -xf /dev/vdb && cd /job && python3 main.py; echo job: ended with $?; sleep inf"'
SERVICE = """[Unit]
DefaultDependencies=no
After=sysinit.target dbus.socket systemd-udevd.service systemd-networkd.service
Wants=dbus.socket systemd-networkd.service
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh -c 'mkdir -p /job && tar -C /job -xf /dev/vdb && cd /job && python3 main.py; echo "job: ended with $?"; sync; systemctl poweroff -ff'
[Install]
WantedBy=sysinit.target
"""
MASKED = ("lldpd.service", "radvd.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service",
          "systemd-networkd-wait-online.service", "getty@tty1.service", "serial-getty@ttyS0.service", "fstrim.timer")
# A machine under load is several times slower than systemd and networkd think that a machine can be.
PATIENT = {"system.conf.d/guest.conf": "[Manager]\nDefaultTimeoutStartSec=15min\nDefaultDeviceTimeoutSec=15min\n",
           "system/systemd-networkd.service.d/guest.conf": "[Service]\nWatchdogSec=0\n",
           "system/systemd-udevd.service.d/guest.conf": "[Service]\nWatchdogSec=0\n",
           "system/systemd-journald.service.d/guest.conf": "[Service]\nWatchdogSec=0\n"}
MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")  # of its initrd: what leads to the disk
VERSION = 4  # of how the disk is made


def image(cache, say=print):
    """The folder with disk.raw, vmlinuz and initrd.img; made once."""
    key = hashlib.sha256(json.dumps([PACKAGES, SERVICE, MASKED, PATIENT, MODULES, VERSION]).encode()).hexdigest()[:16]
    folder = os.path.join(cache, "netconf-debian-" + key)
    os.makedirs(cache, exist_ok=True)
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(folder + "/complete"):
            say("making the Debian guest with netplan (two minutes; once)")
            make(folder)
    return folder


def make(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open("/etc/apt/sources.list") as f:
        sources = [line.strip() for line in f if line.startswith("deb ") and "backports" not in line]
    with tempfile.TemporaryDirectory(dir=folder) as work:
        tar, unit = work + "/root.tar", work + "/job.service"
        with open(unit, "w") as f:
            f.write(SERVICE)
        with open(work + "/modules", "w") as f:
            f.write("\n".join(MODULES) + "\n")
        early = ["mkdir -p \"$1/etc/initramfs-tools/conf.d\" \"$1/usr/share/initramfs-tools/modules.d\"",
                 "echo MODULES=list >\"$1/etc/initramfs-tools/conf.d/guest\"",
                 "cp %s/modules \"$1/usr/share/initramfs-tools/modules.d/guest\"" % work]
        hooks = ["echo guest >\"$1/etc/hostname\"", "cp %s \"$1/etc/systemd/system/job.service\"" % unit,
                 "mkdir -p \"$1/etc/systemd/system/sysinit.target.wants\"",
                 "ln -s ../job.service \"$1/etc/systemd/system/sysinit.target.wants/\""]
        hooks += ["ln -sf /dev/null \"$1/etc/systemd/system/%s\"" % name for name in MASKED]
        for i, (name, content) in enumerate(PATIENT.items()):
            with open("%s/patient-%d" % (work, i), "w") as f:
                f.write(content)
            hooks.append("install -D -m 644 %s/patient-%d \"$1/etc/systemd/%s\"" % (work, i, name))
        run(["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--format=tar", "--dpkgopt=force-unsafe-io",
             "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
             "--dpkgopt=path-exclude=/usr/share/locale/*", "--include=" + ",".join(PACKAGES),
             *["--essential-hook=" + hook for hook in early], *["--customize-hook=" + hook for hook in hooks],
             "trixie", tar, *sources], env=dict(os.environ, TMPDIR=work))
        os.makedirs(work + "/boot")
        run(["tar", "-C", work + "/boot", "--wildcards", "-xf", tar, "./boot/vmlinuz-*", "./boot/initrd.img-*"])
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(glob.glob(work + "/boot/boot/" + name + "-*")[0], folder + "/" + name)
        run(["mke2fs", "-q", "-t", "ext4", "-d", tar, folder + "/disk.raw", "3G"])
    with open(folder + "/complete", "w"):
        pass


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        raise RuntimeError("%s ended with %d: %s" % (command[0], done.returncode, (done.stdout + done.stderr)[-2000:]))
    return done.stdout


def nowhere(work, number):
    """A cable with a carrier and nobody at its other end; a hub without a second port would stop the card."""
    return "dgram,id=n%d,local.type=unix,local.path=%s/cable-%d,remote.type=unix,remote.path=%s/nobody" % (number, work, number, work)


class Guest:
    """One disk of its own, booted as often as wanted."""

    def __init__(self, cache, work, memory=1024, say=print):
        self.folder, self.work, self.memory, self.log, self.boots = image(cache, say), work, memory, "", 0
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", self.folder + "/disk.raw", work + "/disk.qcow2"])

    def job(self, files):
        """files: name -> path of this machine, or bytes."""
        with tarfile.open(self.work + "/job.tar", "w") as tar:
            for name, content in sorted(files.items()):
                if isinstance(content, bytes):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
                else:
                    tar.add(content, arcname=name)

    def start(self, nics=0, more=(), job_only=False, counted=False):
        """nics: how many network cards, or their MACs; more: arguments of QEMU; job_only: the job is the first process; counted: its
        clock goes 2 ns for each instruction of its one processor, whatever this machine does meanwhile."""
        macs = ["52:54:00:00:05:%02x" % (i + 1) for i in range(nics)] if isinstance(nics, int) else nics
        processors = ["-accel", "tcg", "-icount", "shift=1,sleep=off"] if counted else ["-accel", "tcg,thread=multi", "-smp", "2"]
        command = ["qemu-system-x86_64", *processors, "-cpu", "qemu64", "-m", str(self.memory),
                   "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-device", "virtio-rng-pci",
                   "-kernel", self.folder + "/vmlinuz", "-initrd", self.folder + "/initrd.img", "-append",
                   CMDLINE + (JOB_ONLY if job_only else ""),
                   # writethrough: what the guest has fsynced is there after a power cut, and nothing else is promised
                   "-drive", "file=%s/disk.qcow2,if=virtio,format=qcow2,cache=writethrough" % self.work,
                   "-drive", "file=%s/job.tar,if=virtio,format=raw,readonly=on" % self.work]
        for i, mac in enumerate(macs):
            command += ["-netdev", nowhere(self.work, i), "-device", "virtio-net-pci,netdev=n%d,mac=%s" % (i, mac)]
        self.boots += 1
        self.console = "%s/console-%d.log" % (self.work, self.boots)
        with open(self.console, "wb") as f:
            self.process = subprocess.Popen([*command, *more], stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT)

    def text(self):
        with open(self.console, errors="replace") as f:
            return f.read().replace("\r", "")

    def wait(self, pattern, seconds, follow=None):
        """Until the console says it; the match. follow: called with each whole line, as it comes."""
        end, n_lines = time.monotonic() + seconds, 0
        while True:
            ended = self.process.poll() is not None
            text = self.text()
            for line in text.split("\n")[n_lines:-1] if follow else ():
                follow(line)
                n_lines += 1
            found = re.search(pattern, text, re.M)
            if found:
                return found
            if ended or time.monotonic() > end:
                self.cut()
                raise RuntimeError("the guest did not say %r in %d s; its last words:\n%s" % (pattern, seconds, self.text()[-3000:]))
            time.sleep(0.1)

    def run(self, seconds, nics=0, job_only=False, counted=False, follow=None):
        """One whole job: its console."""
        self.start(nics, job_only=job_only, counted=counted)
        code = int(self.wait(r"^job: ended with (\d+)$", seconds, follow).group(1))
        self.cut()
        return code, self.text()

    def cut(self):
        """The power is cut."""
        self.process.kill()
        self.process.wait()
