// The upstream programs this binary can be. Two of them in one process do not work (signal handlers and feature gates
// are registered twice), so each is a process, chosen by the name it is started with.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"

	"k8s.io/component-base/cli"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var roles = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          func() { os.Exit(apiserverRun(os.Args[1:])) },
	"kube-controller-manager": func() { run(controllers.NewControllerManagerCommand()) },
	"kube-scheduler":          func() { run(scheduler.NewSchedulerCommand()) },
	"kubelet":                 func() { run(kubelet.NewKubeletCommand(context.Background())) },
	"kube-proxy":              func() { run(proxy.NewProxyCommand()) },
	"kubectl":                 kubectlRun,
}

func run(command *cobra.Command) { os.Exit(cli.Run(command)) }

// kubectlRun becomes the kubectl beside this binary.
func kubectlRun() {
	binary, err := os.Executable()
	if err == nil {
		err = syscall.Exec(filepath.Join(filepath.Dir(binary), "kubectl"), os.Args, os.Environ())
	}
	log.Fatalf("k3s: kubectl: %v", err)
}
