// A stand-in for Flux' source-controller, for the tests and the demo: an ExternalArtifact whose sourceRef is a ConfigMap
// gets that ConfigMap's files as its artifact, a tar.gz served over HTTP. A key "apps__web.yaml" is the file
// apps/web.yaml. It runs as a pod and talks to its API server with the pod's own account; whoever changes the ConfigMap
// is the person who pushes to the Git repository.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
	artifactsPath = "/apis/source.toolkit.fluxcd.io/v1/externalartifacts"
	listenPort    = "8080"
	lookEvery     = 2 * time.Second
	answerMax     = 16 << 20
)

var errNotFound = errors.New("not found")

// api is the API server as a pod sees it.
type api struct {
	base   string
	client *http.Client
}

func newAPI() (*api, error) {
	ca, err := os.ReadFile(accountFolder + "/ca.crt")
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the account's ca.crt holds no certificate")
	}
	host := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return &api{base: "https://" + host, client: &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}}, nil
}

func (a *api) do(method, path, contentType string, body []byte, into any) error {
	token, err := os.ReadFile(accountFolder + "/token") // it is renewed from time to time
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, a.base+path, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerMax))
	switch {
	case err != nil:
		return err
	case response.StatusCode == http.StatusNotFound:
		return errNotFound
	case response.StatusCode >= 300:
		return fmt.Errorf("%s %s: HTTP %d: %.300s", method, path, response.StatusCode, answer)
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer, into)
}

// shelf holds what is served: the last artifact of each ExternalArtifact.
type shelf struct {
	mutex sync.Mutex
	files map[string][]byte // URL path -> tar.gz
}

func (s *shelf) put(prefix, path string, data []byte) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for old := range s.files {
		if strings.HasPrefix(old, prefix) {
			delete(s.files, old)
		}
	}
	s.files[path] = data
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	data, known := s.files[r.URL.Path]
	s.mutex.Unlock()
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	if _, err := w.Write(data); err != nil {
		log.Printf("%s: %v", r.URL.Path, err)
	}
}

// look goes through all ExternalArtifacts once.
func look(a *api, s *shelf, base string) error {
	var list struct{ Items []externalArtifact }
	if err := a.do(http.MethodGet, artifactsPath, "", nil, &list); err != nil {
		return err
	}
	for i := range list.Items {
		object := &list.Items[i]
		reference := object.Spec.SourceRef
		if reference.Kind != "ConfigMap" {
			continue // another controller's
		}
		namespace := reference.Namespace
		if namespace == "" {
			namespace = object.Metadata.Namespace
		}
		var source struct{ Data map[string]string }
		var data []byte
		err := a.do(http.MethodGet, "/api/v1/namespaces/"+namespace+"/configmaps/"+reference.Name, "", nil, &source)
		if errors.Is(err, errNotFound) {
			err = fmt.Errorf("ConfigMap %s/%s is not there", namespace, reference.Name)
		} else if err == nil {
			data, err = pack(source.Data)
		}
		status := object.next(data, err, base, time.Now())
		if data != nil {
			s.put(object.prefix(), strings.TrimPrefix(status.Artifact.URL, base), data)
		}
		if object.Status.equal(status) {
			continue
		}
		body, err := json.Marshal(map[string]any{"status": status})
		if err != nil {
			return err
		}
		path := "/apis/source.toolkit.fluxcd.io/v1/namespaces/" + object.Metadata.Namespace + "/externalartifacts/" +
			object.Metadata.Name + "/status"
		if err := a.do(http.MethodPatch, path, "application/merge-patch+json", body, nil); err != nil {
			return err
		}
		log.Printf("%s/%s: %s", object.Metadata.Namespace, object.Metadata.Name, status.Conditions[0].Message)
	}
	return nil
}

func main() {
	log.SetFlags(0)
	a, err := newAPI()
	if err != nil {
		log.Fatalf("flux-source: %v", err)
	}
	s := &shelf{files: map[string][]byte{}}
	base := "http://" + net.JoinHostPort(os.Getenv("POD_IP"), listenPort)
	go func() { log.Fatalf("flux-source: %v", http.ListenAndServe(":"+listenPort, s)) }()
	log.Printf("serving at %s", base)
	for last := ""; ; time.Sleep(lookEvery) {
		said := ""
		if err := look(a, s, base); err != nil {
			said = err.Error()
		}
		if said != last && said != "" {
			log.Print(said)
		}
		last = said
	}
}
