// The node part, the same on servers and agents: containerd with its images, kubelet, kube-proxy.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

const containerdSocket = "/run/k3s/containerd/containerd.sock"

// hostPrepare loads modules and sets what K3s sets; what a host does not let us do shows in the kubelet's own words.
func (n *node) hostPrepare() {
	for _, module := range []string{"overlay", "br_netfilter", "nf_conntrack"} {
		if out, err := exec.Command("modprobe", "-q", module).CombinedOutput(); err != nil {
			log.Printf("k3s: modprobe %s: %v %s", module, err, out)
		}
	}
	for key, value := range map[string]string{
		"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/forwarding": "1", "net/ipv6/conf/all/forwarding": "1",
		"net/bridge/bridge-nf-call-iptables": "1", "net/bridge/bridge-nf-call-ip6tables": "1",
	} {
		if err := os.WriteFile("/proc/sys/"+key, []byte(value), 0); err != nil {
			log.Printf("k3s: sysctl %s: %v", key, err)
		}
	}
}

// systemdCgroups: K3s' rule. Started by systemd on a host with cpuset, cgroups are systemd's; else we write them.
func systemdCgroups() bool {
	controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	return err == nil && os.Getenv("INVOCATION_ID") != "" &&
		contains(strings.Fields(string(controllers)), "cpuset")
}

func (n *node) containerdConfig(r registries) string {
	config := fmt.Sprintf(`version = 2
root = %q
state = "/run/k3s/containerd"

[grpc]
  address = %q

[plugins."io.containerd.internal.v1.opt"]
  path = %q

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  device_ownership_from_security_context = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/opt/cni/bin"
  conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  disable_snapshot_annotations = true

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = %v

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = %q
`, n.agent("containerd"), containerdSocket, n.agent("containerd", "opt"), n.text("pause-image"), systemdCgroups(),
		n.agent("etc", "containerd", "certs.d"))
	return config + r.authToml()
}

// runtimeStart starts containerd and imports the images that lie ready; the kubelet comes after it.
func (n *node) runtimeStart(ctx context.Context) error {
	r, err := registriesLoad(n.text("private-registry"))
	if err != nil {
		return err
	}
	certs := n.agent("etc", "containerd", "certs.d")
	if err := os.RemoveAll(certs); err != nil {
		return err
	}
	for host, body := range r.hostsToml() {
		if err := fileSave(filepath.Join(certs, host, "hosts.toml"), []byte(body), 0o600); err != nil {
			return err
		}
	}
	path := n.agent("etc", "containerd", "config.toml")
	if err := fileSave(path, []byte(n.containerdConfig(r)), 0o600); err != nil {
		return err
	}
	containerd := filepath.Join(n.bin, "containerd")
	n.start(containerd, "containerd", false, []string{"--config", path, "--log-level", "warn"})
	if err := until(ctx, "containerd", 500*time.Millisecond, func() error {
		if !exists(containerdSocket) {
			return errors.New("its socket is not there yet")
		}
		return n.ctr("version")
	}); err != nil {
		return err
	}
	return n.imagesImport()
}

func (n *node) ctr(args ...string) error {
	command := n.process(filepath.Join(n.bin, "ctr"), "ctr",
		append([]string{"--address", containerdSocket, "--namespace", "k8s.io"}, args...))
	command.Stdout, command.Stderr = nil, nil
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// imageSuffixes are what K3s takes from agent/images and ctr can read.
var imageSuffixes = []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst"}

// imagesImport imports every archive; a damaged one is said and does not hold up the rest.
func (n *node) imagesImport() error {
	entries, err := os.ReadDir(n.agent("images"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, entry := range entries {
		for _, suffix := range imageSuffixes {
			if !strings.HasSuffix(entry.Name(), suffix) {
				continue
			}
			if err := n.ctr("images", "import", n.agent("images", entry.Name())); err != nil {
				log.Printf("k3s: images: %v", err)
			}
			break
		}
	}
	return nil
}

func (n *node) kubeletStart(url string) {
	if err := n.kubeletConfigure(url); err != nil {
		n.failed <- err
		return
	}
	args := []string{
		"config=" + n.agent("etc", "kubelet.yaml"),
		"kubeconfig=" + n.agent("kubelet.kubeconfig"),
		"hostname-override=" + n.name,
		"node-ip=" + strings.Join(n.list("node-ip"), ","),
	}
	if len(n.list("node-ip")) == 0 {
		args[len(args)-1] = "node-ip=" + n.ip
	}
	if labels := n.list("node-label"); len(labels) > 0 {
		args = append(args, "node-labels="+strings.Join(labels, ","))
	}
	if taints := n.list("node-taint"); len(taints) > 0 {
		args = append(args, "register-with-taints="+strings.Join(taints, ","))
	}
	n.role("kubelet", false, argsWith(n.list("kubelet-arg"), args...)...)
	if n.DisableKubeProxy {
		return
	}
	n.role("kube-proxy", false, argsWith(n.list("kube-proxy-arg"),
		"cluster-cidr="+n.ClusterCidr,
		"conntrack-max-per-core=0",
		"conntrack-tcp-timeout-close-wait=0s",
		"conntrack-tcp-timeout-established=0s",
		"healthz-bind-address=127.0.0.1:10256",
		"hostname-override="+n.name,
		"kubeconfig="+n.agent("kubeproxy.kubeconfig"),
		"metrics-bind-address=127.0.0.1:10249",
		"proxy-mode=nftables",
	)...)
}

// kubeletConfigure writes the kubeconfigs of the node and the kubelet's own configuration.
func (n *node) kubeletConfigure(url string) error {
	for name, client := range map[string]string{"kubelet": "client-kubelet", "kubeproxy": "client-kube-proxy"} {
		if err := kubeconfigSave(n.agent(name+".kubeconfig"), url, n.agent("server-ca.crt"), n.agent(client), false,
			0o600); err != nil {
			return err
		}
	}
	driver := "cgroupfs"
	if systemdCgroups() {
		driver = "systemd"
	}
	resolv := n.text("resolv-conf")
	if resolv == "" {
		resolv = "/etc/resolv.conf"
	}
	if err := os.MkdirAll(n.agent("pod-manifests"), 0o700); err != nil {
		return err
	}
	return fileSave(n.agent("etc", "kubelet.yaml"), []byte(fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %s}
authorization: {mode: Webhook}
cgroupDriver: %s
clusterDNS: [%s]
clusterDomain: %s
containerRuntimeEndpoint: unix://%s
evictionHard: {imagefs.available: 5%%, nodefs.available: 5%%}
evictionMinimumReclaim: {imagefs.available: 10%%, nodefs.available: 10%%}
failSwapOn: false
healthzBindAddress: 127.0.0.1
resolvConf: %s
serializeImagePulls: false
staticPodPath: %s
tlsCertFile: %s
tlsPrivateKeyFile: %s
`, n.agent("client-ca.crt"), driver, n.ClusterDns, n.ClusterDomain, containerdSocket, strconv.Quote(resolv),
		n.agent("pod-manifests"), n.agent("serving-kubelet.crt"), n.agent("serving-kubelet.key"))), 0o600)
}
