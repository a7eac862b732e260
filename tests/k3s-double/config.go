// Flags, config.yaml and its drop-ins, by K3s' rules: every key of a file is the flag of that name; drop-ins are read
// in alphabetical order after it and replace a key, `key+:` appends; the command line wins. A key that nobody knows
// is skipped with a warning by the server and stops the agent.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

type flagKind int

const (
	text flagKind = iota
	boolean
	list
)

type flag struct {
	kind   flagKind
	agent  bool // `k3s agent` knows it too
	idle   bool // K3s knows it, the double does nothing about it
	preset string
}

// flags is every key the double acts on; idleFlags are K3s' other keys: accepted, so that a configuration K3s takes
// is taken here too.
var flags = map[string]flag{
	"config":                      {agent: true, preset: "/etc/rancher/k3s/config.yaml"},
	"data-dir":                    {agent: true, preset: "/var/lib/rancher/k3s"},
	"token":                       {agent: true},
	"token-file":                  {agent: true},
	"server":                      {agent: true},
	"node-name":                   {agent: true},
	"node-ip":                     {kind: list, agent: true},
	"node-label":                  {kind: list, agent: true},
	"node-taint":                  {kind: list, agent: true},
	"kubelet-arg":                 {kind: list, agent: true},
	"kube-proxy-arg":              {kind: list, agent: true},
	"resolv-conf":                 {agent: true},
	"private-registry":            {agent: true, preset: "/etc/rancher/k3s/registries.yaml"},
	"pause-image":                 {agent: true, preset: "docker.io/hearth/pause:1"},
	"agent-token":                 {},
	"agent-token-file":            {},
	"cluster-init":                {kind: boolean},
	"disable":                     {kind: list},
	"flannel-backend":             {preset: "vxlan"},
	"disable-network-policy":      {kind: boolean},
	"disable-kube-proxy":          {kind: boolean},
	"kube-apiserver-arg":          {kind: list},
	"kube-controller-manager-arg": {kind: list},
	"kube-scheduler-arg":          {kind: list},
	"etcd-arg":                    {kind: list},
	"advertise-address":           {},
	"tls-san":                     {kind: list},
	"cluster-cidr":                {kind: list, preset: "10.42.0.0/16"},
	"service-cidr":                {kind: list, preset: "10.43.0.0/16"},
	"cluster-dns":                 {kind: list},
	"cluster-domain":              {preset: "cluster.local"},
	"write-kubeconfig":            {preset: kubeconfigPath},
	"write-kubeconfig-mode":       {preset: "0600"},
}

var idleFlags = map[bool]string{
	true: "debug:b v vmodule log alsologtostderr:b with-node-id:b node-external-ip:l node-internal-dns:l " +
		"node-external-dns:l bind-address snapshotter selinux:b lb-server-port container-runtime-endpoint " +
		"image-service-endpoint default-runtime disable-default-registry-endpoint:b nonroot-devices:b docker:b " +
		"rootless:b protect-kernel-defaults:b prefer-bundled-bin:b flannel-iface flannel-conf flannel-cni-conf " +
		"vpn-auth vpn-auth-file disable-apiserver-lb:b image-credential-provider-bin-dir " +
		"image-credential-provider-config enable-pprof:b airgap-extra-registry:l",
	false: "https-listen-port supervisor-port apiserver-port secrets-encryption:b secrets-encryption-provider " +
		"embedded-registry:b supervisor-metrics:b disable-cloud-controller:b disable-helm-controller:b " +
		"disable-scheduler:b disable-apiserver:b disable-controller-manager:b disable-etcd:b disable-agent:b " +
		"servicelb-namespace egress-selector-mode flannel-ipv6-masq:b flannel-external-ip:b " +
		"etcd-expose-metrics:b etcd-disable-snapshots:b etcd-snapshot-name etcd-snapshot-schedule-cron " +
		"etcd-snapshot-retention etcd-snapshot-dir etcd-snapshot-compress:b cluster-reset:b " +
		"cluster-reset-restore-path kube-cloud-controller-manager-arg:l default-local-storage-path " +
		"service-node-port-range datastore-endpoint datastore-cafile datastore-certfile datastore-keyfile " +
		"kine-tls:b helm-job-image tls-san-security:b write-kubeconfig-group system-default-registry " +
		"enable-tls-bootstrap:b",
}

// disableNames are what K3s packages; anything else under `disable` names nothing.
var disableNames = []string{"coredns", "local-storage", "metrics-server", "runtimes", "servicelb", "traefik"}

func init() {
	for agent, names := range idleFlags {
		for _, word := range strings.Fields(names) {
			name, kind, _ := strings.Cut(word, ":")
			flags[name] = flag{agent: agent, idle: true, kind: map[string]flagKind{"": text, "b": boolean, "l": list}[kind]}
		}
	}
}

// options are the values in force, by flag name.
type options struct {
	command string
	values  map[string][]string
}

func (o options) list(name string) []string {
	if v, ok := o.values[name]; ok {
		return v
	}
	if p := flags[name].preset; p != "" {
		return []string{p}
	}
	return nil
}

func (o options) text(name string) string {
	if v := o.list(name); len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// first is the first word of a list that may be comma-separated (node-ip, service-cidr: K3s' dual stack form).
func (o options) first(name string) string {
	if v := o.list(name); len(v) > 0 {
		return strings.TrimSpace(strings.Split(v[0], ",")[0])
	}
	return ""
}

func (o options) boolean(name string) bool { return o.text(name) == "true" }

func flagFor(command, name string) (flag, bool) {
	f, ok := flags[name]
	return f, ok && (command == "server" || f.agent)
}

// optionsLoad reads command line, environment and files; warn gets one sentence for each thing that is skipped.
func optionsLoad(command string, args []string, warn func(string)) (options, error) {
	o := options{command: command, values: map[string][]string{}}
	given, err := argsParse(command, args)
	if err != nil {
		return o, err
	}
	path, named := flags["config"].preset, false
	if v := given["config"]; len(v) > 0 {
		path, named = v[0], true
	} else if v := os.Getenv("K3S_CONFIG_FILE"); v != "" {
		path, named = v, true
	}
	if o.values, err = filesLoad(command, path, named, warn); err != nil {
		return o, err
	}
	for name, env := range map[string]string{"token": "K3S_TOKEN", "token-file": "K3S_TOKEN_FILE", "server": "K3S_URL",
		"node-name": "K3S_NODE_NAME", "data-dir": "K3S_DATA_DIR"} {
		if v := os.Getenv(env); v != "" {
			o.values[name] = []string{v}
		}
	}
	for name, v := range given {
		o.values[name] = v
	}
	for name, v := range o.values {
		if flags[name].idle && strings.Join(v, "") != "" {
			warn(fmt.Sprintf("%s: K3s knows this key, the double does nothing about it", name))
		}
	}
	return o, nil
}

func argsParse(command string, args []string) (map[string][]string, error) {
	given := map[string][]string{}
	for i := 0; i < len(args); i++ {
		word := args[i]
		if !strings.HasPrefix(word, "-") || word == "-" {
			return nil, fmt.Errorf("%s takes flags only, not %q", command, word)
		}
		name, value, has := strings.Cut(strings.TrimLeft(word, "-"), "=")
		f, known := flagFor(command, name)
		if !known {
			return nil, fmt.Errorf("flag provided but not defined: -%s", name)
		}
		switch {
		case has:
		case f.kind == boolean:
			value = "true"
		case i+1 < len(args):
			i++
			value = args[i]
		default:
			return nil, fmt.Errorf("flag needs an argument: -%s", name)
		}
		if f.kind == boolean {
			b, err := strconv.ParseBool(value)
			if err != nil {
				return nil, fmt.Errorf("%s: must be true or false, not %q", name, value)
			}
			value = strconv.FormatBool(b)
		}
		if f.kind == list {
			given[name] = append(given[name], value)
		} else {
			given[name] = []string{value}
		}
	}
	return given, nil
}

func filesLoad(command, path string, must bool, warn func(string)) (map[string][]string, error) {
	values := map[string][]string{}
	files := []string{path}
	drops, err := filepath.Glob(path + ".d/*.yaml")
	if err != nil {
		return nil, err
	}
	sort.Strings(drops)
	for i, file := range append(files, drops...) {
		body, err := os.ReadFile(file)
		if os.IsNotExist(err) && i == 0 && !must {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := fileMerge(command, file, body, values, warn); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// fileMerge lays one file over values.
func fileMerge(command, file string, body []byte, values map[string][]string, warn func(string)) error {
	var document map[string]any
	if err := yaml.Unmarshal(body, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	names := make([]string, 0, len(document))
	for name := range document {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, key := range names {
		name := strings.TrimSuffix(key, "+")
		f, known := flagFor(command, name)
		if !known && command == "server" {
			warn(fmt.Sprintf("%s: Unknown flag --%s found in config, skipping", file, name))
			continue
		}
		if !known {
			return fmt.Errorf("%s: flag provided but not defined: -%s", file, name)
		}
		words, err := wordsOf(document[key])
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, name, err)
		}
		if f.kind == boolean {
			for _, w := range words {
				if w != "true" && w != "false" {
					return fmt.Errorf("%s: %s: must be true or false, not %q", file, name, w)
				}
			}
		}
		if f.kind != list && len(words) > 1 {
			return fmt.Errorf("%s: %s: takes one value, not a list", file, name)
		}
		if key != name && f.kind == list {
			words = append(append([]string{}, values[name]...), words...)
		}
		values[name] = words
	}
	return nil
}

func wordsOf(value any) ([]string, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case bool:
		return []string{strconv.FormatBool(v)}, nil
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}, nil
	case []any:
		words := []string{}
		for _, each := range v {
			w, err := wordsOf(each)
			if err != nil {
				return nil, err
			}
			words = append(words, w...)
		}
		return words, nil
	}
	return nil, fmt.Errorf("must be a word or a list of words, not %T", value)
}
