// The double of K3s: upstream Kubernetes behind K3s' own interface (DESIGN.md, section 7), for tests and the demo.
// One binary; the first word decides which process it is. `server` and `agent` supervise, the rest are upstream
// programs, each in a process of its own.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
)

// kubernetesVersion is set by the build to the version of k8s.io/kubernetes in go.mod.
var kubernetesVersion = "unknown"

const usage = `k3s (the double: upstream Kubernetes behind K3s' interface)

  k3s server [FLAGS]     control plane, etcd and node
  k3s agent [FLAGS]      node only
  k3s kubectl [ARGS]     kubectl with /etc/rancher/k3s/k3s.yaml
  k3s --version
`

func main() {
	log.SetFlags(0)
	name := filepath.Base(os.Args[0])
	if role, ok := roles[name]; ok {
		role()
		return
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	switch command := os.Args[1]; command {
	case "server", "agent":
		os.Exit(supervise(command, os.Args[2:]))
	case "--version", "-v":
		fmt.Printf("k3s version %s+k3s-double\n", kubernetesVersion)
	case "--help", "-h", "help":
		fmt.Print(usage)
	default:
		role, ok := roles[command]
		if !ok {
			fmt.Fprintf(os.Stderr, "k3s: no command %q\n", command)
			os.Exit(2)
		}
		os.Args = append([]string{command}, os.Args[2:]...)
		role()
	}
}
