# The peer of `./hearth bench boot`: Debian as it ships. Its kernel, its own initramfs, cloud-init with a NoCloud seed, curl
# and wg-quick. On its first boot cloud-init asks a small HTTPS service for its tunnel and starts wg-quick; later boots start
# what the first has enabled. It says on its serial line when it was done.
# SPDX-License-Identifier: Apache-2.0
import glob
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading

import lab as labs
import parts

PACKAGES = ("linux-image-amd64", "initramfs-tools", "systemd-sysv", "cloud-init", "netplan.io", "wireguard-tools", "iproute2",
            "iptables", "dbus", "libpam-systemd", "curl", "ca-certificates", "zstd")
CMDLINE = "root=/dev/vda rw console=ttyS0,115200 quiet loglevel=3 mitigations=off highres=off"  # the last two as lab.yaml
UP = re.compile(r"stock: up ([0-9.]+)")
PEAK = re.compile(r"stock: cloud-init peak ([0-9]+) KiB RSS, ([0-9]+) KiB private dirty")

ENROL = """#!/bin/sh
set -eu
umask 077
key=$(wg genkey)
public=$(echo "$key" | wg pubkey)
curl -sf --retry 20 --retry-all-errors --retry-delay 1 --cacert /etc/enrol/ca.pem -d "$public" %(url)s/enrol |
	sed "s,PRIVATE,$key," >/etc/wireguard/wg0.conf
systemctl daemon-reload
systemctl enable --now wg-quick@wg0.service
systemctl enable --now enrolled.service
"""
ENROLLED = """[Unit]
Wants=network-online.target
After=network-online.target wg-quick@wg0.service
Requires=wg-quick@wg0.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'curl -sf --retry 20 --retry-all-errors --retry-delay 1 --cacert /etc/enrol/ca.pem %(url)s/hello >/dev/null && read up rest </proc/uptime && echo "stock: up $up" >/dev/ttyS0'
[Install]
WantedBy=multi-user.target
"""
# What cloud-init takes at most, seen twice a second. Only in the boot that measures memory: it costs time.
SAMPLER = """#!/bin/sh
rss=0 dirty=0 n=0
while [ $n -lt 240 ]; do
	for p in $(pgrep -f bin/cloud-init); do
		r=$(sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$p/status 2>/dev/null)
		d=$(sed -n 's/^Private_Dirty:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$p/smaps_rollup 2>/dev/null)
		[ "${r:-0}" -le $rss ] || rss=$r
		[ "${d:-0}" -le $dirty ] || dirty=$d
	done
	n=$((n + 1))
	sleep 0.5
	[ -e /run/enrolled ] && break
done
echo "stock: cloud-init peak $rss KiB RSS, $dirty KiB private dirty" >/dev/ttyS0
"""


class Service:
    """What a person would write to hand out tunnels: POST a public key, get a wg-quick file."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.ca = folder + "/ca.pem"
        key = folder + "/key.pem"
        parts.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                   "-keyout", key, "-out", self.ca, "-subj", "/CN=stock", "-addext", "subjectAltName=IP:10.0.2.2"])
        peer = parts.run(["wg", "genkey"]).strip()
        peer_public = subprocess.run(["wg", "pubkey"], input=peer, capture_output=True, text=True, check=True).stdout.strip()
        tunnel = ("[Interface]\nPrivateKey = PRIVATE\nAddress = 10.66.0.12/16\nListenPort = 51820\nMTU = 1420\n\n"
                  "[Peer]\nPublicKey = %s\nAllowedIPs = 10.66.0.11/32\nEndpoint = 10.77.0.11:51820\n" % peer_public).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(b"hello\n")

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(tunnel)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = "https://10.0.2.2:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def image(cache, say):
    """The folder with disk.raw, vmlinuz and initrd.img; made once for a list of packages."""
    key = parts.digest_of(json.dumps([PACKAGES, CMDLINE, 1]).encode())[7:23]
    folder = os.path.join(cache, "stock-debian-" + key)
    if os.path.exists(folder + "/complete"):
        return folder
    say("making the stock Debian to compare with (two minutes; once)")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open("/etc/apt/sources.list") as f:
        sources = [line.strip() for line in f if line.startswith("deb ") and "backports" not in line]
    with tempfile.TemporaryDirectory(dir=folder) as work:
        tar = work + "/root.tar"
        parts.run(["mmdebstrap", "--quiet", "--mode=root", "--variant=important", "--format=tar", "--dpkgopt=force-unsafe-io",
                   "--include=" + ",".join(PACKAGES), "--customize-hook=echo stock >\"$1/etc/hostname\"",
                   "--customize-hook=: >\"$1/etc/machine-id\"", "trixie", tar, *sources], env=dict(os.environ, TMPDIR=work))
        os.makedirs(work + "/boot")
        parts.run(["tar", "-C", work + "/boot", "--wildcards", "-xf", tar, "./boot/vmlinuz-*", "./boot/initrd.img-*"])
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(glob.glob(work + "/boot/boot/" + name + "-*")[0], folder + "/" + name)
        parts.run(["mke2fs", "-q", "-t", "ext4", "-d", tar, folder + "/disk.raw", "4G"])
    with open(folder + "/complete", "w"):
        pass
    return folder


class Machine:
    """One stock machine with a disk of its own in a lab."""

    def __init__(self, lab, service, image_folder, number, sampled, **options):
        name = "stock-%d" % number
        folder = os.path.join(lab.folder, name + ".files")
        os.makedirs(folder, exist_ok=True)
        disk, seed = folder + "/disk.raw", folder + "/seed.iso"
        parts.run(["cp", "--reflink=auto", "--sparse=always", image_folder + "/disk.raw", disk])
        self.write_seed(folder, seed, service, sampled, number)
        self.node = lab.add(name, number, boot="kernel", kernel=image_folder + "/vmlinuz", initrd=image_folder + "/initrd.img",
                            cmdline=CMDLINE, disk=[disk, seed], **options)

    @staticmethod
    def write_seed(folder, seed, service, sampled, number):
        with open(service.ca) as f:
            ca = f.read()
        texts = {"/etc/enrol/ca.pem": (ca, "0644"), "/usr/local/sbin/enrol": (ENROL % {"url": service.url}, "0755"),
                 "/etc/systemd/system/enrolled.service": (ENROLLED % {"url": service.url}, "0644")}
        user = {"write_files": [{"path": path, "content": text, "permissions": mode} for path, (text, mode) in texts.items()],
                "runcmd": [["/usr/local/sbin/enrol"]], "ssh_deletekeys": False, "ssh_genkeytypes": []}
        if sampled:
            user["bootcmd"] = [["sh", "-c", "cat >/run/sampler <<'EOF'\n" + SAMPLER + "EOF\nsystemd-run --no-block sh /run/sampler"]]
            user["runcmd"].append(["touch", "/run/enrolled"])
        network = {"version": 2, "ethernets": {
            "uplink": {"match": {"macaddress": "52:54:76:00:00:%02x" % number}, "dhcp4": True},
            "lan": {"match": {"macaddress": "52:54:77:00:00:%02x" % number}, "addresses": ["10.77.0.%d/24" % number]}}}
        source = folder + "/seed"
        os.makedirs(source, exist_ok=True)
        for name, text in (("user-data", "#cloud-config\n" + json.dumps(user)), ("network-config", json.dumps(network)),
                           ("meta-data", json.dumps({"instance-id": "stock-1", "local-hostname": "stock"}))):
            with open(source + "/" + name, "w") as f:
                f.write(text + "\n")
        parts.run(["xorriso", "-as", "mkisofs", "-quiet", "-V", "cidata", "-J", "-r", "-o", seed, source])

    def boot(self):
        """Power on until it says that it is up: seconds since its kernel started."""
        self.node.power("on") if self.node.boots else self.node.start()
        return float(self.said(UP))

    def said(self, pattern):
        found = labs.wait_for("the stock machine to say " + pattern.pattern, 300, lambda: pattern.search(self.node.console()))
        return found.groups() if len(found.groups()) > 1 else found.group(1)

    def off(self):
        self.node.power("off")
