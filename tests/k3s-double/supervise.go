// `k3s server` and `k3s agent`: read the configuration, start what belongs to the role, say READY=1, stay.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	kubeconfigPath = "/etc/rancher/k3s/k3s.yaml"
	passwordPath   = "/etc/rancher/node/password"
	tokenWait      = 4 * time.Minute
)

// cluster is what all nodes of a cluster must agree on; a server tells it to the nodes that join.
type cluster struct {
	ClusterCidr      string
	ServiceCidr      string
	ClusterDns       string
	ClusterDomain    string
	DisableKubeProxy bool
}

// node is this machine, whatever its role.
type node struct {
	options
	*children
	cluster
	data     string
	name     string
	ip       string
	password string // the node password
}

func (n *node) server(parts ...string) string {
	return filepath.Join(append([]string{n.data, "server"}, parts...)...)
}
func (n *node) agent(parts ...string) string {
	return filepath.Join(append([]string{n.data, "agent"}, parts...)...)
}

func supervise(command string, args []string) int {
	warn := func(sentence string) { log.Printf("k3s: %s", sentence) }
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	o, err := optionsLoad(command, args, warn)
	if err != nil {
		log.Printf("k3s: %v", err)
		return 1
	}
	n, err := nodeNew(o)
	if err != nil {
		log.Printf("k3s: %v", err)
		return 1
	}
	work := n.agentRun
	if command == "server" {
		work = n.serverRun
	}
	go func() {
		if err := work(ctx); err != nil {
			n.failed <- err
		}
	}()
	code := 0
	select {
	case <-ctx.Done():
	case err := <-n.failed:
		if ctx.Err() == nil {
			log.Printf("k3s: %v", err)
			code = 1
		}
	}
	n.stop()
	return code
}

func nodeNew(o options) (*node, error) {
	n := &node{options: o, data: o.text("data-dir"), name: o.text("node-name"), ip: o.first("node-ip")}
	var err error
	if n.children, err = childrenNew(); err != nil {
		return nil, err
	}
	if n.name == "" {
		if n.name, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	n.name = strings.ToLower(n.name)
	if n.ip == "" {
		if n.ip, err = addressGuess(); err != nil {
			return nil, err
		}
	}
	if net.ParseIP(n.ip) == nil {
		return nil, fmt.Errorf("node-ip: must be an address, not %q", n.ip)
	}
	n.password, err = nodePassword()
	return n, err
}

// addressGuess is the address the kernel would use towards the outside.
func addressGuess() (string, error) {
	c, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return "", fmt.Errorf("node-ip is not set and there is no route to guess it from: %w", err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String(), nil
}

func nodePassword() (string, error) {
	body, err := os.ReadFile(passwordPath)
	if err == nil {
		return strings.TrimSpace(string(body)), nil
	}
	if !os.IsNotExist(err) {
		return "", err
	}
	password, err := randomHex(16)
	if err != nil {
		return "", err
	}
	return password, fileSave(passwordPath, []byte(password+"\n"), 0o600)
}

// notify tells systemd; without it nobody listens and nothing happens.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' {
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		_, err = c.Write([]byte(state))
		c.Close()
	}
	if err != nil {
		log.Printf("k3s: telling systemd %s: %v", state, err)
	}
}

// until repeats try every interval until it succeeds, and says once a minute, or when it changes, why it does not.
func until(ctx context.Context, what string, interval time.Duration, try func() error) error {
	var said string
	var when time.Time
	for {
		err := try()
		if err == nil {
			return nil
		}
		if err.Error() != said || time.Since(when) > time.Minute {
			said, when = err.Error(), time.Now()
			log.Printf("k3s: waiting: %s: %v", what, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
		}
	}
}
