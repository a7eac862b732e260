// registries.yaml (K3s' form) to containerd's: a hosts.toml for each mirror and configured registry, credentials in
// the CRI plugin's table.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"net/url"
	"os"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"
)

type registries struct {
	Mirrors map[string]struct {
		Endpoint []string          `json:"endpoint"`
		Rewrite  map[string]string `json:"rewrite"`
	} `json:"mirrors"`
	Configs map[string]registryConfig `json:"configs"`
	Auths   map[string]any            `json:"auths"`
}

type registryConfig struct {
	Auth *struct {
		Username      string `json:"username"`
		Password      string `json:"password"`
		Auth          string `json:"auth"`
		IdentityToken string `json:"identity_token"`
	} `json:"auth"`
	Tls *struct {
		CaFile             string `json:"ca_file"`
		CertFile           string `json:"cert_file"`
		KeyFile            string `json:"key_file"`
		InsecureSkipVerify bool   `json:"insecure_skip_verify"`
	} `json:"tls"`
}

func registriesLoad(path string) (registries, error) {
	body, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return registries{}, nil
	}
	if err != nil {
		return registries{}, err
	}
	r, err := registriesParse(body)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return r, err
}

func registriesParse(body []byte) (registries, error) {
	var r registries
	if err := yaml.UnmarshalStrict(body, &r); err != nil {
		return r, err
	}
	for name, mirror := range r.Mirrors {
		if len(mirror.Rewrite) > 0 {
			return r, fmt.Errorf("mirrors.%s.rewrite: needs K3s' own containerd", name)
		}
		for _, endpoint := range mirror.Endpoint {
			if u, err := url.Parse(endpoint); err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") {
				return r, fmt.Errorf("mirrors.%s.endpoint: must be an http or https URL, not %q", name, endpoint)
			}
		}
	}
	return r, nil
}

// hostsToml gives the files by registry name.
func (r registries) hostsToml() map[string]string {
	files := map[string]string{}
	for name, mirror := range r.Mirrors {
		folder, body := name, ""
		if name == "*" {
			folder = "_default"
		} else {
			body = fmt.Sprintf("server = %q\n", "https://"+name+"/v2")
		}
		for _, endpoint := range mirror.Endpoint {
			u, err := url.Parse(endpoint)
			if err != nil {
				continue // checked by registriesParse
			}
			if !strings.HasSuffix(u.Path, "/v2") {
				u.Path = strings.TrimRight(u.Path, "/") + "/v2"
			}
			body += fmt.Sprintf("\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", u.String())
			body += r.Configs[u.Host].tlsToml()
		}
		files[folder] = body
	}
	for name, config := range r.Configs {
		if _, mirrored := files[name]; !mirrored && config.Tls != nil {
			files[name] = fmt.Sprintf("server = %q\n\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n",
				"https://"+name+"/v2", "https://"+name+"/v2") + config.tlsToml()
		}
	}
	return files
}

func (c registryConfig) tlsToml() string {
	if c.Tls == nil {
		return ""
	}
	body := ""
	if c.Tls.CaFile != "" {
		body += fmt.Sprintf("  ca = [%q]\n", c.Tls.CaFile)
	}
	if c.Tls.CertFile != "" && c.Tls.KeyFile != "" {
		body += fmt.Sprintf("  client = [[%q, %q]]\n", c.Tls.CertFile, c.Tls.KeyFile)
	}
	if c.Tls.InsecureSkipVerify {
		body += "  skip_verify = true\n"
	}
	return body
}

// authToml gives the tables that follow [plugins."io.containerd.grpc.v1.cri".registry].
func (r registries) authToml() string {
	names := []string{}
	for name, config := range r.Configs {
		if config.Auth != nil {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	body := ""
	for _, name := range names {
		auth := r.Configs[name].Auth
		body += fmt.Sprintf("\n[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.%q.auth]\n", name)
		for _, pair := range [][2]string{{"username", auth.Username}, {"password", auth.Password}, {"auth", auth.Auth},
			{"identitytoken", auth.IdentityToken}} {
			if pair[1] != "" {
				body += fmt.Sprintf("  %s = %q\n", pair[0], pair[1])
			}
		}
	}
	return body
}
