// A second registry for tests/integration: go-containerregistry's, in memory, with the referrers API that Debian's
// docker-registry does not have.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: registry ADDRESS CERT KEY")
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err == nil {
		quiet := registry.Logger(log.New(os.Stderr, "", 0))
		err = http.ServeTLS(listener, registry.New(registry.WithReferrersSupport(true), quiet), os.Args[2], os.Args[3])
	}
	fmt.Fprintln(os.Stderr, "registry:", err)
	os.Exit(1)
}
