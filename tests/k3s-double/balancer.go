// The agent's way to the API server, as K3s': 127.0.0.1:6444 leads to whichever server takes the connection, beginning
// with the one of `server`; the servers are asked for while one answers, and kept for the next start.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"sync"
	"time"
)

const (
	balancerAddress = "127.0.0.1:6444"
	serversEvery    = 15 * time.Second
	dialTimeout     = 4 * time.Second // an emulated server that is up answers in well below a second
)

type balancer struct {
	path   string // where the servers are kept
	server string // that of the URL: always one of them

	mutex   sync.Mutex
	servers []string // host:port, the next to try first
}

// balancerNew knows the server of the URL and those of an earlier start.
func balancerNew(path, server string) (*balancer, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	first := net.JoinHostPort(u.Hostname(), port)
	b := &balancer{path: path, server: first, servers: []string{first}}
	var kept struct{ ServerAddresses []string }
	if body, err := os.ReadFile(path); err == nil && json.Unmarshal(body, &kept) == nil {
		b.servers = unique(append(b.servers, kept.ServerAddresses...)...)
	}
	return b, nil
}

// set takes the servers that the cluster names; none is no news, and the one of the URL stays, as a last resort at least: a
// busy API server is missing in the list now and then.
func (b *balancer) set(servers []string) error {
	if len(servers) == 0 {
		return nil
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	servers = unique(append(append([]string{}, servers...), b.server)...)
	same, kept := true, []string{}
	for _, s := range b.servers {
		if contains(servers, s) {
			kept = append(kept, s)
		} else {
			same = false
		}
	}
	for _, s := range servers {
		if !contains(kept, s) {
			kept, same = append(kept, s), false
		}
	}
	b.servers = kept
	if same && exists(b.path) {
		return nil
	}
	body, err := json.Marshal(map[string]any{"ServerAddresses": kept})
	if err == nil {
		err = fileSave(b.path, body, 0o600)
	}
	return err
}

// failed puts a server that did not take a connection behind the others.
func (b *balancer) failed(server string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	rest := []string{}
	for _, s := range b.servers {
		if s != server {
			rest = append(rest, s)
		}
	}
	if len(rest) < len(b.servers) {
		b.servers = append(rest, server)
	}
}

func (b *balancer) order() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return append([]string{}, b.servers...)
}

func (b *balancer) dial() (net.Conn, error) {
	var all []error
	for _, server := range b.order() {
		c, err := net.DialTimeout("tcp", server, dialTimeout)
		if err == nil {
			return c, nil
		}
		all = append(all, err)
		b.failed(server)
	}
	return nil, errors.Join(all...)
}

func (b *balancer) serve(ctx context.Context, listener net.Listener) {
	go func() {
		<-ctx.Done()
		listener.Close()
	}()
	for {
		from, err := listener.Accept()
		if err != nil {
			if ctx.Err() == nil {
				log.Printf("k3s: load balancer: %v", err)
			}
			return
		}
		go b.pass(from)
	}
}

func (b *balancer) pass(from net.Conn) {
	defer from.Close()
	to, err := b.dial()
	if err != nil {
		log.Printf("k3s: load balancer: no server takes a connection: %v", err)
		return
	}
	defer to.Close()
	done := make(chan struct{}, 2)
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // either side may end it at any time
		done <- struct{}{}
	}
	go carry(to, from)
	go carry(from, to)
	<-done
}

// keep asks for the servers as long as this agent runs.
func (b *balancer) keep(ctx context.Context, j *joiner) {
	for {
		if body, err := j.get(ctx, "/v1-k3s/apiservers"); err == nil {
			var servers []string
			if err := json.Unmarshal(body, &servers); err == nil {
				if err := b.set(servers); err != nil {
					log.Printf("k3s: load balancer: %v", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(serversEvery):
		}
	}
}
