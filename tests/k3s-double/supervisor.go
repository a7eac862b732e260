// The supervisor paths on 6443: what a node that joins asks for before it has a certificate. Each path says which user
// may have it; nothing else is in front of the API server.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
)

const (
	nodeNameHeader     = "K3s-Node-Name"
	nodePasswordHeader = "K3s-Node-Password"
	nodeIpHeader       = "K3s-Node-Ip"
	maxRequest         = 64 << 10 // a certificate request is below 2 KiB
)

type access int

const (
	anybody access = iota
	anyNode        // node or server
	serverOnly
)

type supervisorPath struct {
	access access
	method string
	serve  func(http.ResponseWriter, *http.Request)
}

type supervisor struct {
	dir       string
	accepted  passwords
	client    kubernetes.Interface
	paths     map[string]supervisorPath
	readiness func(context.Context) error
}

func supervisorNew(dir string, client kubernetes.Interface) (*supervisor, error) {
	s := &supervisor{dir: dir, client: client}
	body, err := os.ReadFile(filepath.Join(dir, "cred", "passwd.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &s.accepted); err != nil {
		return nil, err
	}
	s.readiness = func(ctx context.Context) error {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	}
	s.paths = map[string]supervisorPath{
		"/ping":                         {anybody, "GET", func(w http.ResponseWriter, _ *http.Request) { s.write(w, []byte("pong")) }},
		"/cacerts":                      {anybody, "GET", s.file("tls/server-ca.crt")},
		"/v1-k3s/readyz":                {anyNode, "GET", s.readyz},
		"/v1-k3s/config":                {anyNode, "GET", s.file("cred/cluster.json")},
		"/v1-k3s/apiservers":            {anyNode, "GET", s.apiservers},
		"/v1-k3s/server-ca.crt":         {anyNode, "GET", s.file("tls/server-ca.crt")},
		"/v1-k3s/client-ca.crt":         {anyNode, "GET", s.file("tls/client-ca.crt")},
		"/v1-k3s/client-kubelet.crt":    {anyNode, "POST", s.issue("client-ca", kubeletSubject)},
		"/v1-k3s/serving-kubelet.crt":   {anyNode, "POST", s.issue("server-ca", servingSubject)},
		"/v1-k3s/client-kube-proxy.crt": {anyNode, "POST", s.issue("client-ca", proxySubject)},
		"/v1-k3s/server-bootstrap":      {serverOnly, "GET", s.bootstrap},
	}
	return s, nil
}

// before answers the supervisor paths and leaves everything else to the API server.
func (s *supervisor) before(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ours := s.paths[r.URL.Path]
		switch {
		case !ours && strings.HasPrefix(r.URL.Path, "/v1-k3s/"):
			http.NotFound(w, r)
		case !ours:
			api.ServeHTTP(w, r)
		case path.method != r.Method:
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		case !s.allowed(path.access, r):
			http.Error(w, "not authorized", http.StatusUnauthorized)
		default:
			path.serve(w, r)
		}
	})
}

func (s *supervisor) allowed(a access, r *http.Request) bool {
	if a == anybody {
		return true
	}
	user, password, given := r.BasicAuth()
	return given && (user == "server" || a == anyNode) && s.accepted.ok(user, password)
}

func (s *supervisor) write(w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		log.Printf("k3s: answering: %v", err)
	}
}

func (s *supervisor) file(name string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			http.Error(w, "not there yet", http.StatusServiceUnavailable)
			return
		}
		s.write(w, body)
	}
}

func (s *supervisor) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.readiness(r.Context()); err != nil {
		http.Error(w, "runtime core not ready", http.StatusServiceUnavailable)
		return
	}
	s.write(w, []byte("ok"))
}

// apiservers are the addresses of the API servers that live, as the API servers themselves keep them.
func (s *supervisor) apiservers(w http.ResponseWriter, r *http.Request) {
	endpoints, err := s.client.CoreV1().Endpoints("default").Get(r.Context(), "kubernetes", meta.GetOptions{})
	if err != nil {
		http.Error(w, "the servers cannot be read: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	addresses := []string{}
	for _, subset := range endpoints.Subsets {
		for _, a := range subset.Addresses {
			addresses = append(addresses, net.JoinHostPort(a.IP, apiPort))
		}
	}
	body, err := json.Marshal(addresses)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.write(w, body)
}

func (s *supervisor) bootstrap(w http.ResponseWriter, _ *http.Request) {
	files, err := bootstrapRead(filepath.Join(s.dir, "tls"))
	if err != nil {
		http.Error(w, "keys cannot be read", http.StatusServiceUnavailable)
		return
	}
	body, err := json.Marshal(files)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.write(w, body)
}

func kubeletSubject(name, _ string) subject {
	return subject{"system:node:" + name, []string{"system:nodes"}, nil}
}
func proxySubject(string, string) subject { return subject{"system:kube-proxy", nil, nil} }
func servingSubject(name, ip string) subject {
	return subject{name, nil, unique("127.0.0.1", "localhost", name, ip)}
}

// issue signs the request of a node whose password is the one its name was first seen with.
func (s *supervisor) issue(ca string, about func(name, ip string) subject) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		name, password := r.Header.Get(nodeNameHeader), r.Header.Get(nodePasswordHeader)
		ip := r.Header.Get(nodeIpHeader)
		if len(validation.IsDNS1123Subdomain(name)) > 0 || password == "" || net.ParseIP(ip) == nil {
			http.Error(w, "node name, password and address must be given", http.StatusBadRequest)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
			return
		}
		public, err := requestPublic(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 15*time.Second)
		defer cancel()
		same, err := nodePasswordEnsure(ctx, s.client, name, password)
		if err != nil {
			http.Error(w, "node passwords cannot be read: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		if !same {
			http.Error(w, "Node password rejected, duplicate hostname or contents of '"+passwordPath+
				"' may not match server node-passwd entry", http.StatusForbidden)
			return
		}
		certificate, err := leafSign(filepath.Join(s.dir, "tls", ca), about(name, ip), public)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.write(w, certificate)
	}
}

// nodePasswordEnsure compares with the Secret NAME.node-password.k3s, and makes it for a name never seen.
func nodePasswordEnsure(ctx context.Context, client kubernetes.Interface, name, password string) (bool, error) {
	secrets := client.CoreV1().Secrets("kube-system")
	secret, err := secrets.Get(ctx, name+".node-password.k3s", meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		salt, err := randomHex(8)
		if err != nil {
			return false, err
		}
		immutable := true
		_, err = secrets.Create(ctx, &core.Secret{
			ObjectMeta: meta.ObjectMeta{Name: name + ".node-password.k3s", Namespace: "kube-system"},
			Immutable:  &immutable,
			Data:       map[string][]byte{"hash": []byte(passwordHash(salt, password))},
		}, meta.CreateOptions{})
		return err == nil, err
	}
	if err != nil {
		return false, err
	}
	was := string(secret.Data["hash"])
	salt, _, _ := strings.Cut(strings.TrimPrefix(was, "$1:"), ":")
	return subtle.ConstantTimeCompare([]byte(was), []byte(passwordHash(salt, password))) == 1, nil
}

// passwordHash: node passwords are 128 random bits, so one salted round is enough.
func passwordHash(salt, password string) string {
	sum := sha256.Sum256([]byte(salt + ":" + password))
	return fmt.Sprintf("$1:%s:%s", salt, hex.EncodeToString(sum[:]))
}
