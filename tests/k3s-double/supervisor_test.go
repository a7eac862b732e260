// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// supervised is a supervisor over a fresh set of keys and an empty cluster; api is what lies behind it.
func supervised(t *testing.T) (*supervisor, http.Handler) {
	t.Helper()
	dir := t.TempDir()
	if err := pkiEnsure(filepath.Join(dir, "tls")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "cred"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"passwd.json": `{"server":"s","node":"n"}`, "cluster.json": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, "cred", name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := supervisorNew(dir, fake.NewClientset())
	if err != nil {
		t.Fatal(err)
	}
	s.readiness = func(context.Context) error { return nil }
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	return s, s.before(api)
}

func ask(h http.Handler, method, path, user, password, body string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhoMayHaveWhat(t *testing.T) {
	s, h := supervised(t)
	for _, row := range []struct {
		method, path, user, password string
		code                         int
	}{
		{"GET", "/ping", "", "", 200},
		{"GET", "/cacerts", "", "", 200},
		{"POST", "/cacerts", "", "", 405},
		{"GET", "/v1-k3s/readyz", "", "", 401},
		{"GET", "/v1-k3s/readyz", "node", "n", 200},
		{"GET", "/v1-k3s/readyz", "server", "s", 200},
		{"GET", "/v1-k3s/config", "node", "wrong", 401},
		{"GET", "/v1-k3s/server-bootstrap", "node", "n", 401}, // a worker's token joins no server
		{"GET", "/v1-k3s/server-bootstrap", "node", "s", 401},
		{"GET", "/v1-k3s/server-bootstrap", "server", "n", 401},
		{"GET", "/v1-k3s/server-bootstrap", "server", "s", 200},
		{"GET", "/v1-k3s/unheard-of", "server", "s", 404},
		{"GET", "/api/v1/nodes", "", "", http.StatusTeapot},
	} {
		if w := ask(h, row.method, row.path, row.user, row.password, "", nil); w.Code != row.code {
			t.Errorf("%s %s as %s: %d, not %d", row.method, row.path, row.user, w.Code, row.code)
		}
	}
	s.readiness = func(context.Context) error { return errors.New("starting") }
	if w := ask(h, "GET", "/v1-k3s/readyz", "node", "n", "", nil); w.Code != 503 {
		t.Errorf("not ready: %d", w.Code)
	}
}

func TestANodeGetsItsOwnCertificateOnce(t *testing.T) {
	_, h := supervised(t)
	request, err := requestMake(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{nodeNameHeader: "w1", nodePasswordHeader: "first", nodeIpHeader: "10.0.0.2"}
	w := ask(h, "POST", "/v1-k3s/client-kubelet.crt", "node", "n", string(request), header)
	leaf, err := certificateParse(w.Body.Bytes())
	if w.Code != 200 || err != nil || leaf.Subject.CommonName != "system:node:w1" ||
		strings.Join(leaf.Subject.Organization, ",") != "system:nodes" {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	if w := ask(h, "POST", "/v1-k3s/serving-kubelet.crt", "node", "n", string(request), header); w.Code != 200 {
		t.Errorf("the same node again: %d %s", w.Code, w.Body)
	}
	header[nodePasswordHeader] = "second"
	if w := ask(h, "POST", "/v1-k3s/client-kubelet.crt", "node", "n", string(request), header); w.Code != 403 {
		t.Errorf("another machine under the same name: %d", w.Code)
	}
	header[nodeNameHeader] = "../w1"
	if w := ask(h, "POST", "/v1-k3s/client-kubelet.crt", "node", "n", string(request), header); w.Code != 400 {
		t.Errorf("no name of a node: %d", w.Code)
	}
	header[nodeNameHeader] = "w2"
	if w := ask(h, "POST", "/v1-k3s/client-kubelet.crt", "node", "n", "not a request", header); w.Code != 400 {
		t.Errorf("no request: %d", w.Code)
	}
}

func TestAReplacedMachineIsTakenOnceItsSecretIsGone(t *testing.T) {
	s, _ := supervised(t)
	ctx := context.Background()
	check := func(password string) bool {
		t.Helper()
		same, err := nodePasswordEnsure(ctx, s.client, "s2", password)
		if err != nil {
			t.Fatal(err)
		}
		return same
	}
	if !check("old") || check("new") || check("new") {
		t.Error("another password must be refused as long as the Secret is there")
	}
	if err := s.client.CoreV1().Secrets("kube-system").Delete(ctx, "s2.node-password.k3s", meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if !check("new") || check("old") {
		t.Error("the first password after that must be the name's own")
	}
}

func TestLeafIsKeptWhileItFits(t *testing.T) {
	tls := t.TempDir()
	if err := pkiEnsure(tls); err != nil {
		t.Fatal(err)
	}
	path, ca := filepath.Join(tls, "leaf"), filepath.Join(tls, "server-ca")
	read := func(names ...string) string {
		t.Helper()
		if err := leafEnsure(path, ca, subject{"n", nil, names}); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(path + ".crt")
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	first := read("a", "10.0.0.1")
	if read("10.0.0.1", "a") != first {
		t.Error("the same names, another certificate")
	}
	if read("a", "10.0.0.2") == first {
		t.Error("another address, the same certificate")
	}
}
