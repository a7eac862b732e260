// `k3s server`: keys, etcd, the control plane, then the node part.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const apiPort = "6443"

// server is a node that is also a control plane.
type server struct {
	*node
	secret      token // what a joining server must know
	agentSecret string
	advertise   string
	serviceIp   string
}

func (n *node) serverRun(ctx context.Context) error {
	s := &server{node: n}
	if err := s.settle(); err != nil {
		return err
	}
	if err := s.keys(ctx); err != nil {
		return err
	}
	n.hostPrepare()
	runtimeReady := make(chan error, 1)
	go func() { runtimeReady <- n.runtimeStart(ctx) }()
	if err := s.etcdStart(ctx); err != nil {
		return err
	}
	s.role("kube-apiserver", false, s.apiserverArgs()...)
	client, err := clientTls(s.server("tls", "server-ca.crt"), s.server("tls", "client-supervisor"))
	if err != nil {
		return err
	}
	client.Timeout = 5 * time.Second // a port that is open before anybody serves it must not cost more
	// every half second it was asked 186 times on an emulated processor's way up
	if err := until(ctx, "the API server", 2*time.Second, func() error {
		return httpOk(client, "https://127.0.0.1:"+apiPort+"/readyz")
	}); err != nil {
		return err
	}
	notify("READY=1")
	log.Printf("k3s: the control plane is up")
	s.role("kube-controller-manager", true, s.controllerArgs()...)
	s.role("kube-scheduler", true, s.schedulerArgs()...)
	if err := <-runtimeReady; err != nil {
		return err
	}
	if err := s.nodePasswordCheck(ctx); err != nil {
		return err
	}
	n.kubeletStart("https://127.0.0.1:" + apiPort)
	return s.deploy(ctx)
}

// settle checks what was configured and fills in what was not.
func (s *server) settle() error {
	if f := s.text("flannel-backend"); f != "none" {
		return fmt.Errorf("flannel-backend: the double has no flannel: say none, not %q", f)
	}
	for _, name := range s.disabled() {
		if !contains(disableNames, name) {
			log.Printf("k3s: disable: %q is no packaged component of K3s", name)
		}
	}
	_, services, err := net.ParseCIDR(s.first("service-cidr"))
	if err != nil {
		return fmt.Errorf("service-cidr: %w", err)
	}
	if _, _, err := net.ParseCIDR(s.first("cluster-cidr")); err != nil {
		return fmt.Errorf("cluster-cidr: %w", err)
	}
	s.serviceIp = addressAt(services, 1)
	dns := s.first("cluster-dns")
	if dns == "" {
		dns = addressAt(services, 10)
	}
	s.cluster = cluster{
		ClusterCidr: s.first("cluster-cidr"), ServiceCidr: services.String(), ClusterDns: dns,
		ClusterDomain: s.text("cluster-domain"), DisableKubeProxy: s.boolean("disable-kube-proxy"),
	}
	if s.advertise = s.text("advertise-address"); s.advertise == "" {
		s.advertise = s.ip
	}
	return nil
}

func (s *server) disabled() []string {
	names := []string{}
	for _, words := range s.list("disable") {
		for _, name := range strings.Split(words, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

// keys brings token, CAs and certificates in order; a joining server fetches the CAs of the cluster first.
func (s *server) keys(ctx context.Context) error {
	word, err := tokenRead(s.text("token"), s.text("token-file"), tokenWait)
	if err != nil {
		return err
	}
	agentWord, err := tokenRead(s.text("agent-token"), s.text("agent-token-file"), tokenWait)
	if err != nil {
		return err
	}
	fresh := !exists(s.server("tls", "server-ca.crt"))
	join := s.text("server")
	if word == "" {
		if word, err = s.tokenOwn(join != ""); err != nil {
			return err
		}
	}
	if s.secret, err = tokenParse(word, "server"); err != nil {
		return err
	}
	if s.secret.user != "server" {
		return errors.New("token: a server needs the server token, this one is for agents")
	}
	if fresh && join != "" {
		if err := s.bootstrapFetch(ctx, join); err != nil {
			return err
		}
	} else if fresh && s.secret.caHash != "" {
		return errors.New("token: the first server needs the short form: there is no CA yet whose hash could match")
	}
	if err := pkiEnsure(s.server("tls")); err != nil {
		return err
	}
	bundle, err := os.ReadFile(s.server("tls", "server-ca.crt"))
	if err != nil {
		return err
	}
	if err := s.secret.caCheck(bundle); err != nil {
		return err
	}
	if s.secret.caHash, err = caHash(bundle); err != nil {
		return err
	}
	s.agentSecret = s.secret.password
	if agentWord != "" {
		parsed, err := tokenParse(agentWord, "node")
		if err != nil {
			return fmt.Errorf("agent-%w", err)
		}
		s.agentSecret = parsed.password
	}
	if err := s.tokensWrite(); err != nil {
		return err
	}
	if err := s.certificates(); err != nil {
		return err
	}
	return s.kubeconfigs()
}

// tokenOwn is the secret of an earlier start, or a new one for a first server nobody gave one.
func (s *server) tokenOwn(joining bool) (string, error) {
	if body, err := os.ReadFile(s.server("token")); err == nil {
		return strings.TrimSpace(string(body)), nil
	}
	if joining {
		return "", errors.New("token: a joining server needs token or token-file")
	}
	return randomHex(16)
}

func (s *server) tokensWrite() error {
	if body, err := os.ReadFile(s.server("token")); err == nil {
		was, err := tokenParse(strings.TrimSpace(string(body)), "server")
		if err == nil && was.password != s.secret.password {
			return errors.New("token: bootstrap data already found and encrypted with different token")
		}
	}
	agent := token{caHash: s.secret.caHash, user: "node", password: s.agentSecret}
	for path, t := range map[string]token{"token": s.secret, "agent-token": agent} {
		if err := fileSave(s.server(path), []byte(t.full()+"\n"), 0o600); err != nil {
			return err
		}
	}
	link := s.server("node-token")
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.Symlink(s.server("token"), link); err != nil {
		return err
	}
	accepted, err := json.Marshal(passwords{"server": s.secret.password, "node": s.agentSecret})
	if err != nil {
		return err
	}
	if err := fileSave(s.server("cred", "passwd.json"), accepted, 0o600); err != nil {
		return err
	}
	agreed, err := json.Marshal(s.cluster)
	if err != nil {
		return err
	}
	return fileSave(s.server("cred", "cluster.json"), agreed, 0o600)
}

// certificates makes every leaf the processes of this server need, the node's own included.
func (s *server) certificates() error {
	tls := func(name string) string { return s.server("tls", name) }
	api := []string{"127.0.0.1", "::1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc." + s.ClusterDomain, s.name, s.ip, s.advertise, s.serviceIp}
	for _, words := range s.list("tls-san") {
		api = append(api, strings.Split(words, ",")...)
	}
	peer := unique("127.0.0.1", "::1", "localhost", s.name, s.ip, s.advertise)
	own := unique("127.0.0.1", "::1", "localhost")
	masters := []string{"system:masters"}
	for _, leaf := range []struct {
		path, ca string
		subject
	}{
		{tls("client-admin"), "client-ca", subject{"system:admin", masters, nil}},
		{tls("client-supervisor"), "client-ca", subject{"system:k3s-supervisor", masters, nil}},
		{tls("client-kube-apiserver"), "client-ca", subject{"system:apiserver", masters, nil}},
		{tls("client-controller"), "client-ca", subject{"system:kube-controller-manager", nil, nil}},
		{tls("client-scheduler"), "client-ca", subject{"system:kube-scheduler", nil, nil}},
		{tls("client-auth-proxy"), "request-header-ca", subject{"system:auth-proxy", nil, nil}},
		{tls("serving-kube-apiserver"), "server-ca", subject{"kube-apiserver", nil, unique(api...)}},
		{tls("serving-kube-controller-manager"), "server-ca", subject{"kube-controller-manager", nil, own}},
		{tls("serving-kube-scheduler"), "server-ca", subject{"kube-scheduler", nil, own}},
		{tls("etcd/client"), "etcd/server-ca", subject{"etcd-client", nil, nil}},
		{tls("etcd/server-client"), "etcd/server-ca", subject{"etcd-server", nil, peer}},
		{tls("etcd/peer-server-client"), "etcd/peer-ca", subject{"etcd-peer", nil, peer}},
		{s.agent("client-kubelet"), "client-ca", subject{"system:node:" + s.name, []string{"system:nodes"}, nil}},
		{s.agent("client-kube-proxy"), "client-ca", subject{"system:kube-proxy", nil, nil}},
		{s.agent("serving-kubelet"), "server-ca", subject{s.name, nil, unique("127.0.0.1", "localhost", s.name, s.ip)}},
	} {
		if err := leafEnsure(leaf.path, tls(leaf.ca), leaf.subject); err != nil {
			return err
		}
	}
	for _, name := range []string{"server-ca.crt", "client-ca.crt"} {
		body, err := os.ReadFile(tls(name))
		if err != nil {
			return err
		}
		if err := fileSave(s.agent(name), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) kubeconfigs() error {
	local := "https://127.0.0.1:" + apiPort
	for name, who := range map[string]string{"controller": "client-controller", "scheduler": "client-scheduler"} {
		if err := kubeconfigSave(s.server("cred", name+".kubeconfig"), local, s.server("tls", "server-ca.crt"),
			s.server("tls", who), false, 0o600); err != nil {
			return err
		}
	}
	mode, err := strconv.ParseUint(s.text("write-kubeconfig-mode"), 8, 12)
	if err != nil {
		return fmt.Errorf("write-kubeconfig-mode: must be octal digits, not %q", s.text("write-kubeconfig-mode"))
	}
	return kubeconfigSave(s.text("write-kubeconfig"), local, s.server("tls", "server-ca.crt"),
		s.server("tls", "client-admin"), true, os.FileMode(mode))
}

// kubeconfigSave writes a kubeconfig that names the files, or holds their content.
func kubeconfigSave(path, url, ca, client string, embed bool, mode os.FileMode) error {
	suffix, words := "", []string{ca, client + ".crt", client + ".key"}
	if embed {
		suffix = "-data"
		for i, file := range words {
			body, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			words[i] = base64.StdEncoding.EncodeToString(body)
		}
	}
	return fileSave(path, []byte(fmt.Sprintf(`apiVersion: v1
clusters:
- cluster:
    certificate-authority%[1]s: %[2]s
    server: %[5]s
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    client-certificate%[1]s: %[3]s
    client-key%[1]s: %[4]s
`, suffix, words[0], words[1], words[2], url)), mode)
}

func (s *server) apiserverArgs() []string {
	tls := func(name string) string { return s.server("tls", name) }
	issuer := "https://kubernetes.default.svc." + s.ClusterDomain
	return argsWith(s.list("kube-apiserver-arg"),
		"supervisor-dir="+s.server(),
		"advertise-address="+s.advertise,
		"allow-privileged=true",
		"anonymous-auth=false",
		"api-audiences="+issuer+",k3s",
		"authorization-mode=Node,RBAC",
		"bind-address=0.0.0.0",
		"client-ca-file="+tls("client-ca.crt"),
		"enable-admission-plugins=NodeRestriction",
		"enable-aggregator-routing=true",
		"enable-bootstrap-token-auth=true",
		"etcd-servers=unix://"+s.etcdSocket(),
		// both ask etcd for the keys of every resource again and again: too much for three servers on two emulated processors
		"feature-gates=SizeBasedListCostEstimate=false,DetectCacheInconsistency=false",
		"kubelet-certificate-authority="+tls("server-ca.crt"),
		"kubelet-client-certificate="+tls("client-kube-apiserver.crt"),
		"kubelet-client-key="+tls("client-kube-apiserver.key"),
		"kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"profiling=false",
		"proxy-client-cert-file="+tls("client-auth-proxy.crt"),
		"proxy-client-key-file="+tls("client-auth-proxy.key"),
		"requestheader-allowed-names=system:auth-proxy",
		"requestheader-client-ca-file="+tls("request-header-ca.crt"),
		"requestheader-extra-headers-prefix=X-Remote-Extra-",
		"requestheader-group-headers=X-Remote-Group",
		"requestheader-username-headers=X-Remote-User",
		"secure-port="+apiPort,
		"service-account-issuer="+issuer,
		"service-account-key-file="+tls(serviceKey),
		"service-account-signing-key-file="+tls(serviceKey),
		"service-cluster-ip-range="+s.ServiceCidr,
		"tls-cert-file="+tls("serving-kube-apiserver.crt"),
		"tls-private-key-file="+tls("serving-kube-apiserver.key"),
	)
}

func (s *server) controllerArgs() []string {
	tls := func(name string) string { return s.server("tls", name) }
	config := s.server("cred", "controller.kubeconfig")
	return argsWith(s.list("kube-controller-manager-arg"),
		"allocate-node-cidrs=true",
		"authentication-kubeconfig="+config,
		"authorization-kubeconfig="+config,
		"bind-address=127.0.0.1",
		"cluster-cidr="+s.ClusterCidr,
		"cluster-signing-kube-apiserver-client-cert-file="+tls("client-ca.crt"),
		"cluster-signing-kube-apiserver-client-key-file="+tls("client-ca.key"),
		"cluster-signing-kubelet-client-cert-file="+tls("client-ca.crt"),
		"cluster-signing-kubelet-client-key-file="+tls("client-ca.key"),
		"cluster-signing-kubelet-serving-cert-file="+tls("server-ca.crt"),
		"cluster-signing-kubelet-serving-key-file="+tls("server-ca.key"),
		"controllers=*,tokencleaner",
		"kubeconfig="+config,
		"leader-elect-lease-duration=60s", // emulated machines stall longer than 15 s now and then
		"leader-elect-renew-deadline=45s",
		"leader-elect-retry-period=5s",
		"profiling=false",
		"root-ca-file="+tls("server-ca.crt"),
		"secure-port=10257",
		"service-account-private-key-file="+tls(serviceKey),
		"service-cluster-ip-range="+s.ServiceCidr,
		"tls-cert-file="+tls("serving-kube-controller-manager.crt"),
		"tls-private-key-file="+tls("serving-kube-controller-manager.key"),
		"use-service-account-credentials=true",
	)
}

func (s *server) schedulerArgs() []string {
	config := s.server("cred", "scheduler.kubeconfig")
	return argsWith(s.list("kube-scheduler-arg"),
		"authentication-kubeconfig="+config,
		"authorization-kubeconfig="+config,
		"bind-address=127.0.0.1",
		"kubeconfig="+config,
		"leader-elect-lease-duration=60s", // emulated machines stall longer than 15 s now and then
		"leader-elect-renew-deadline=45s",
		"leader-elect-retry-period=5s",
		"profiling=false",
		"secure-port=10259",
		"tls-cert-file="+s.server("tls", "serving-kube-scheduler.crt"),
		"tls-private-key-file="+s.server("tls", "serving-kube-scheduler.key"),
	)
}

// argsWith gives --key=value words; a key of extra replaces ours, as in K3s.
func argsWith(extra []string, ours ...string) []string {
	given := map[string]bool{}
	for _, word := range extra {
		key, _, _ := strings.Cut(word, "=")
		given[key] = true
	}
	args := []string{}
	for _, word := range ours {
		if key, _, _ := strings.Cut(word, "="); !given[key] {
			args = append(args, "--"+word)
		}
	}
	for _, word := range extra {
		args = append(args, "--"+word)
	}
	return args
}

func addressAt(network *net.IPNet, offset byte) string {
	ip := append(net.IP{}, network.IP...)
	for i, carry := len(ip)-1, uint16(offset); carry > 0 && i >= 0; i-- {
		carry += uint16(ip[i])
		ip[i] = byte(carry)
		carry >>= 8
	}
	return ip.String()
}

func clientTls(ca, client string) (*http.Client, error) {
	bundle, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("%s: holds no certificate", ca)
	}
	if client != "" {
		pair, err := tls.LoadX509KeyPair(client+".crt", client+".key")
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}, nil
}

func httpOk(client *http.Client, url string) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20)); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", filepath.Base(url), answer.Status)
	}
	return nil
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
