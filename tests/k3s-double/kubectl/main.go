// kubectl, a program of its own: its help texts and translations take as long to set up as all the rest of the double,
// and six processes would pay for them at every start.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

const kubeconfigPath = "/etc/rancher/k3s/k3s.yaml"

func main() {
	if os.Getenv("KUBECONFIG") == "" {
		if f, err := os.Open(kubeconfigPath); err == nil {
			f.Close()
			os.Setenv("KUBECONFIG", kubeconfigPath)
		}
	}
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
