// `k3s agent`, and what a joining server has in common with it: trust by token, certificates from the cluster, then
// the node part.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const maxAnswer = 1 << 20 // certificates and a few words; nothing here is larger

// joiner talks to the supervisor endpoints of a server.
type joiner struct {
	url    string
	secret token
	client *http.Client
	header http.Header
}

// joinerNew fetches the CA unverified, compares it with the token, and from then on trusts nothing else.
func joinerNew(ctx context.Context, url string, secret token, caPath string) (*joiner, error) {
	url = strings.TrimRight(url, "/")
	open := &http.Client{Timeout: 5 * time.Second, // a server that is just starting may hold the first call
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	first := &joiner{url: url, client: open}
	var fatal error
	err := until(ctx, "the server "+url, 2*time.Second, func() error {
		bundle, err := first.get(ctx, "/cacerts")
		if err != nil {
			return err
		}
		if fatal = secret.caCheck(bundle); fatal != nil {
			return nil
		}
		return fileSave(caPath, bundle, 0o644)
	})
	if err != nil || fatal != nil {
		return nil, errors.Join(err, fatal)
	}
	if secret.caHash == "" {
		log.Printf("k3s: the token carries no CA hash: the CA of %s is trusted unseen", url)
	}
	client, err := clientTls(caPath, "")
	return &joiner{url: url, secret: secret, client: client, header: http.Header{}}, err
}

func (j *joiner) get(ctx context.Context, path string) ([]byte, error) {
	return j.call(ctx, "GET", path, nil)
}

func (j *joiner) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, j.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range j.header {
		request.Header[name] = values
	}
	if j.secret.password != "" {
		request.SetBasicAuth(j.secret.user, j.secret.password)
	}
	answer, err := j.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, answer.Status, strings.TrimSpace(string(content)))
	}
	return content, err
}

func (n *node) agentRun(ctx context.Context) error {
	url := n.text("server")
	if url == "" {
		return errors.New("server: must be set (the URL of a server)")
	}
	word, err := tokenRead(n.text("token"), n.text("token-file"), tokenWait)
	if err != nil {
		return err
	}
	secret, err := tokenParse(word, "node")
	if err != nil {
		return err
	}
	n.hostPrepare()
	runtimeReady := make(chan error, 1)
	go func() { runtimeReady <- n.runtimeStart(ctx) }()
	b, err := balancerNew(n.agent("etc", "k3s-agent-load-balancer.json"), url)
	if err != nil {
		return err
	}
	front, err := net.Listen("tcp", balancerAddress)
	if err != nil {
		return err
	}
	go b.serve(ctx, front)
	j, err := joinerNew(ctx, "https://"+balancerAddress, secret, n.agent("server-ca.crt"))
	if err != nil {
		return err
	}
	if err := until(ctx, "joining "+url, 2*time.Second, func() error { return n.join(ctx, j) }); err != nil {
		return err
	}
	notify("READY=1")
	log.Printf("k3s: joined %s as %s", url, n.name)
	if err := <-runtimeReady; err != nil {
		return err
	}
	n.kubeletStart(j.url)
	b.keep(ctx, j)
	return nil
}

// join fetches what the cluster agreed on and this node's certificates.
func (n *node) join(ctx context.Context, j *joiner) error {
	agreed, err := j.get(ctx, "/v1-k3s/config")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(agreed, &n.cluster); err != nil {
		return fmt.Errorf("the server's configuration: %w", err)
	}
	clientCa, err := j.get(ctx, "/v1-k3s/client-ca.crt")
	if err != nil {
		return err
	}
	if err := fileSave(n.agent("client-ca.crt"), clientCa, 0o644); err != nil {
		return err
	}
	j.header = http.Header{nodeNameHeader: {n.name}, nodePasswordHeader: {n.password}, nodeIpHeader: {n.ip}}
	for _, name := range []string{"client-kubelet", "serving-kubelet", "client-kube-proxy"} {
		request, err := requestMake(n.agent(name))
		if err != nil {
			return err
		}
		certificate, err := j.call(ctx, "POST", "/v1-k3s/"+name+".crt", request)
		if err != nil {
			return err
		}
		if _, err := certificateParse(certificate); err != nil {
			return fmt.Errorf("%s.crt as the server sent it: %w", name, err)
		}
		if err := fileSave(n.agent(name+".crt"), certificate, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// bootstrapFetch brings the CAs and the service account key of the cluster to a server that joins it.
func (s *server) bootstrapFetch(ctx context.Context, url string) error {
	j, err := joinerNew(ctx, url, s.secret, s.agent("server-ca.crt"))
	if err != nil {
		return err
	}
	var files map[string][]byte
	if err := until(ctx, "the keys of the cluster from "+url, 2*time.Second, func() error {
		body, err := j.get(ctx, "/v1-k3s/server-bootstrap")
		if err != nil {
			return err
		}
		return json.Unmarshal(body, &files)
	}); err != nil {
		return err
	}
	for _, name := range bootstrapNames() {
		if len(files[name]) == 0 {
			return fmt.Errorf("the keys of the cluster as the server sent them: %s is missing", name)
		}
		if err := fileSave(s.server("tls", name), files[name], 0o600); err != nil {
			return err
		}
	}
	return nil
}

func bootstrapNames() []string {
	names := []string{serviceKey}
	for _, ca := range caNames {
		names = append(names, ca+".key", ca+".crt")
	}
	return names
}

func bootstrapRead(tls string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range bootstrapNames() {
		body, err := os.ReadFile(tls + "/" + name)
		if err != nil {
			return nil, err
		}
		files[name] = body
	}
	return files, nil
}
