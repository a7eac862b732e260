// etcd as K3s runs it: heartbeat 500 ms, election 5 s, clients and peers on node-ip and loopback, metrics on 2381. A
// joining server becomes a learner first and is promoted when it has caught up.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	etcd "go.etcd.io/etcd/client/v3"
)

func randomHex(n int) (string, error) {
	raw := make([]byte, n)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}

func (s *server) etcdStart(ctx context.Context) error {
	data := s.server("db", "etcd")
	name, err := s.etcdName(data)
	if err != nil {
		return err
	}
	peer := "https://" + net.JoinHostPort(s.ip, "2380")
	members, state, learner := name+"="+peer, "new", false
	if !exists(filepath.Join(data, "member")) {
		switch {
		case s.text("server") != "":
			if members, err = s.etcdJoin(ctx, name, peer); err != nil {
				return err
			}
			state, learner = "existing", true
		case !s.boolean("cluster-init"):
			return errors.New("without cluster-init K3s would keep its data in SQLite, which the double does not have")
		}
	}
	client := "https://" + net.JoinHostPort(s.ip, "2379")
	tls := func(name string) string { return s.server("tls", "etcd", name) }
	s.role("etcd", false, argsWith(s.list("etcd-arg"),
		"name="+name,
		"data-dir="+data,
		"advertise-client-urls="+client,
		"client-cert-auth=true",
		"cert-file="+tls("server-client.crt"),
		"key-file="+tls("server-client.key"),
		"trusted-ca-file="+tls("server-ca.crt"),
		"election-timeout=5000",
		"heartbeat-interval=500",
		"initial-advertise-peer-urls="+peer,
		"initial-cluster="+members,
		"initial-cluster-state="+state,
		"listen-client-urls=https://127.0.0.1:2379,"+client+",unix://"+s.etcdSocket(),
		"listen-metrics-urls=http://127.0.0.1:2381",
		"listen-peer-urls=https://127.0.0.1:2380,"+peer,
		"log-level=error",
		"peer-cert-file="+tls("peer-server-client.crt"),
		"peer-key-file="+tls("peer-server-client.key"),
		"peer-client-cert-auth=true",
		"peer-trusted-ca-file="+tls("peer-ca.crt"),
		"snapshot-count=10000",
	)...)
	if learner {
		return s.etcdPromote(ctx, name)
	}
	return s.etcdHealthy(ctx)
}

// etcdSocket is the way of this server's API server: its hundred connections need no TLS, which an emulated processor
// feels. Only root gets into the folder.
func (s *server) etcdSocket() string { return s.server("db", "etcd", "client.sock") }

// etcdName is the node name and a random part, kept: a machine that comes back empty is another member.
func (s *server) etcdName(data string) (string, error) {
	path := filepath.Join(data, "name")
	if body, err := os.ReadFile(path); err == nil {
		return strings.TrimSpace(string(body)), nil
	}
	random, err := randomHex(4)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", err
	}
	name := s.name + "-" + random
	return name, fileSave(path, []byte(name+"\n"), 0o600)
}

func etcdClient(serverDir, endpoint string) (*etcd.Client, error) {
	dir := filepath.Join(serverDir, "tls", "etcd")
	info := transport.TLSInfo{
		CertFile: filepath.Join(dir, "client.crt"), KeyFile: filepath.Join(dir, "client.key"),
		TrustedCAFile: filepath.Join(dir, "server-ca.crt"),
	}
	config, err := info.ClientConfig()
	if err != nil {
		return nil, err
	}
	return etcd.New(etcd.Config{Endpoints: []string{endpoint}, TLS: config, DialTimeout: 10 * time.Second})
}

// etcdHealthy waits until there is a leader and this member follows or is it.
func (s *server) etcdHealthy(ctx context.Context) error {
	client := &http.Client{Timeout: 5 * time.Second}
	return until(ctx, "etcd", 500*time.Millisecond, func() error { return httpOk(client, "http://127.0.0.1:2381/health") })
}

// joinPlace reads the list of members as K3s does: who is in it for etcd's initial-cluster, and whether this server has
// still to be added. A member of the same node under another name is that of a machine that was lost: it must be removed
// first (by deleting its Node), nobody takes its place by himself.
func joinPlace(members []*etcdserverpb.Member, nodeName, name, address string) ([]string, bool, error) {
	list, add := []string{}, true
	for _, m := range members {
		label := m.Name
		for _, peer := range m.PeerURLs {
			u, err := url.Parse(peer)
			if err != nil {
				return nil, false, err
			}
			if label == "" && u.Hostname() == address {
				label = name // added in an earlier start that got no further
			}
			if label == name && u.Hostname() == address {
				add = false
			}
		}
		if label == "" {
			return nil, false, errors.New("another server is just joining")
		}
		if cut := strings.LastIndex(label, "-"); label != name && cut > 0 && label[:cut] == nodeName {
			return nil, false, errors.New("duplicate node name found, please use a unique name for this node: etcd still has the member " + label)
		}
		if len(m.PeerURLs) > 0 {
			list = append(list, label+"="+m.PeerURLs[0])
		}
	}
	return list, add, nil
}

// etcdJoin adds this server as a learner and returns the members etcd must be started with.
func (s *server) etcdJoin(ctx context.Context, name, peer string) (string, error) {
	from, err := url.Parse(s.text("server"))
	if err != nil {
		return "", fmt.Errorf("server: %w", err)
	}
	client, err := etcdClient(s.server(), "https://"+net.JoinHostPort(from.Hostname(), "2379"))
	if err != nil {
		return "", err
	}
	defer client.Close()
	var members []string
	err = until(ctx, "becoming a member of etcd", 2*time.Second, func() error {
		try, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		before, err := client.MemberList(try)
		if err != nil {
			return err
		}
		list, add, err := joinPlace(before.Members, s.name, name, s.ip)
		if err == nil && add {
			list = append(list, name+"="+peer)
			_, err = client.MemberAddAsLearner(try, []string{peer})
		}
		members = list
		return err
	})
	return strings.Join(members, ","), err
}

// etcdPromote waits until the cluster takes the learner as a voter.
func (s *server) etcdPromote(ctx context.Context, name string) error {
	from, err := url.Parse(s.text("server"))
	if err != nil {
		return err
	}
	client, err := etcdClient(s.server(), "https://"+net.JoinHostPort(from.Hostname(), "2379"))
	if err != nil {
		return err
	}
	defer client.Close()
	err = until(ctx, "being promoted by etcd", time.Second, func() error {
		try, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		list, err := client.MemberList(try)
		if err != nil {
			return err
		}
		for _, m := range list.Members {
			if m.Name != name {
				continue
			}
			if m.IsLearner {
				_, err = client.MemberPromote(try, m.ID)
			}
			return err
		}
		return errors.New("the new member has not started yet")
	})
	if err != nil {
		return err
	}
	return s.etcdHealthy(ctx)
}
