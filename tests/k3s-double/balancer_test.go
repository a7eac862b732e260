// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// greeter is a server that says its word to who connects.
func greeter(t *testing.T, word string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, word)
			c.Close()
		}
	}()
	return l
}

func TestALostServerIsReplacedByAnother(t *testing.T) {
	one, two := greeter(t, "one"), greeter(t, "two")
	path := filepath.Join(t.TempDir(), "lb.json")
	b, err := balancerNew(path, "https://"+one.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go b.serve(ctx, front)
	said := func() string {
		c, err := net.Dial("tcp", front.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		word, _ := io.ReadAll(c)
		return string(word)
	}
	if said() != "one" {
		t.Error("the server of the URL is the first")
	}
	if err := b.set([]string{two.Addr().String(), one.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	if said() != "one" {
		t.Error("a server that works is left")
	}
	one.Close()
	if said() != "two" || b.order()[0] != two.Addr().String() {
		t.Error("the other server is not tried, or not remembered: ", b.order())
	}
	if err := b.set(nil); err != nil || len(b.order()) != 2 {
		t.Error("an empty list is taken: ", err, b.order())
	}
	again, err := balancerNew(path, "https://"+one.Addr().String()) // the next start, its server is gone
	if err != nil || !contains(again.order(), two.Addr().String()) || again.order()[0] != one.Addr().String() {
		t.Error(err, again.order())
	}
	if err := b.set([]string{"127.0.0.1:1"}); err != nil || strings.Join(b.order(), ",") != one.Addr().String()+",127.0.0.1:1" {
		t.Error("a server that left stays, or that of the URL does not: ", err, b.order())
	}
}

func TestAgentsAreToldTheServers(t *testing.T) {
	s, h := supervised(t)
	endpoints := &core.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: "kubernetes", Namespace: "default"},
		Subsets: []core.EndpointSubset{{Addresses: []core.EndpointAddress{{IP: "10.0.0.1"}, {IP: "10.0.0.2"}}}}}
	if _, err := s.client.CoreV1().Endpoints("default").Create(context.Background(), endpoints, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if w := ask(h, "GET", "/v1-k3s/apiservers", "node", "n", "", nil); w.Code != 200 || w.Body.String() != `["10.0.0.1:6443","10.0.0.2:6443"]` {
		t.Error(w.Code, w.Body)
	}
	if w := ask(h, "GET", "/v1-k3s/apiservers", "node", "wrong", "", nil); w.Code != 401 {
		t.Error(w.Code)
	}
}
