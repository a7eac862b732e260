// The kube-apiserver role: upstream's server chain, with the supervisor paths in front of it on the same port. So
// client certificates end at the real API server, and nothing between can forge who asks.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/errors"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	apioptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

func apiserverRun(args []string) int {
	ctx := genericapiserver.SetupSignalContext()
	s := apioptions.NewServerRunOptions()
	var dir string
	command := &cobra.Command{Use: "kube-apiserver", SilenceUsage: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return apiserverServe(ctx, s, dir) }}
	for _, set := range s.Flags().FlagSets {
		command.Flags().AddFlagSet(set)
	}
	command.Flags().StringVar(&dir, "supervisor-dir", "", "K3s' server folder: keys and passwords of the supervisor paths")
	command.SetArgs(args)
	command.SetContext(ctx)
	return cli.Run(command)
}

func apiserverServe(ctx context.Context, s *apioptions.ServerRunOptions, dir string) error {
	if err := s.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	if err := logsapi.ValidateAndApply(s.Logs, utilfeature.DefaultFeatureGate); err != nil {
		return err
	}
	completed, err := s.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return errors.NewAggregate(errs)
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config.KubeAPIs.ControlPlane.Generic.LoopbackClientConfig)
	if err != nil {
		return err
	}
	paths, err := supervisorNew(dir, client)
	if err != nil {
		return err
	}
	generic := config.Aggregator.GenericConfig
	chain := generic.BuildHandlerChainFunc
	generic.BuildHandlerChainFunc = func(api http.Handler, c *genericapiserver.Config) http.Handler {
		return paths.before(chain(api, c))
	}
	whole, err := config.Complete()
	if err != nil {
		return err
	}
	chained, err := app.CreateServerChain(whole)
	if err != nil {
		return err
	}
	prepared, err := chained.PrepareRun()
	if err != nil {
		return err
	}
	return prepared.Run(ctx)
}
