// SPDX-License-Identifier: Apache-2.0
package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func configAt(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yaml")
}

func TestDropInsReplaceAndAppendInOrder(t *testing.T) {
	path := configAt(t, map[string]string{
		"config.yaml":              "node-name: one\nkubelet-arg: [max-pods=50]\ntls-san: a\n",
		"config.yaml.d/20.yaml":    "kubelet-arg+: [v=2]\nnode-name: three\n",
		"config.yaml.d/10.yaml":    "node-name: two\ntls-san: [b, c]\n",
		"config.yaml.d/30.text":    "node-name: never\n",
		"config.yaml.d/25.yaml":    "kubelet-arg+: v=3\n",
		"config.yaml.d/empty.yaml": "",
	})
	o, err := optionsLoad("server", []string{"--config", path}, func(s string) { t.Errorf("warned: %s", s) })
	if err != nil {
		t.Fatal(err)
	}
	if o.text("node-name") != "three" || strings.Join(o.list("kubelet-arg"), " ") != "max-pods=50 v=2 v=3" ||
		strings.Join(o.list("tls-san"), " ") != "b c" {
		t.Errorf("merged to %v", o.values)
	}
}

func TestCommandLineWinsOverFiles(t *testing.T) {
	path := configAt(t, map[string]string{"config.yaml": "node-label: [a=1, b=2]\ncluster-init: true\n"})
	o, err := optionsLoad("server", []string{"--config=" + path, "--node-label", "c=3", "--cluster-init=false"}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(o.list("node-label"), " ") != "c=3" || o.boolean("cluster-init") {
		t.Errorf("values %v", o.values)
	}
}

func TestUnknownKeyIsSkippedByTheServerAndStopsTheAgent(t *testing.T) {
	path := configAt(t, map[string]string{"config.yaml": "nonsense: 1\nnode-name: box\n"})
	var warned []string
	o, err := optionsLoad("server", []string{"--config", path}, func(s string) { warned = append(warned, s) })
	if err != nil || o.text("node-name") != "box" || len(warned) != 1 || !strings.Contains(warned[0], "nonsense") {
		t.Errorf("server: %v, warned %q", err, warned)
	}
	_, err = optionsLoad("agent", []string{"--config", path}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "flag provided but not defined: -nonsense") {
		t.Errorf("agent: %v", err)
	}
}

func TestServerFlagsAreFatalForAnAgent(t *testing.T) {
	for _, key := range []string{"cluster-init: true", "disable: traefik", "flannel-backend: none", "etcd-arg: [a=b]",
		"kube-apiserver-arg: [a=b]", "disable-network-policy: true", "tls-san: x"} {
		path := configAt(t, map[string]string{"config.yaml": key + "\n"})
		if _, err := optionsLoad("agent", []string{"--config", path}, func(string) {}); err == nil {
			t.Errorf("%s: taken by an agent", key)
		}
	}
}

func TestWrongValuesAreRefusedByName(t *testing.T) {
	for body, want := range map[string]string{
		"cluster-init: maybe\n":      "cluster-init: must be true or false",
		"node-name: [a, b]\n":        "node-name: takes one value",
		"kubelet-arg: {max-pods: 1}": "kubelet-arg: must be a word or a list",
		"a: [":                       "config.yaml",
	} {
		path := configAt(t, map[string]string{"config.yaml": body})
		_, err := optionsLoad("server", []string{"--config", path}, func(string) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", body, err)
		}
	}
	for _, args := range [][]string{{"word"}, {"--node-name"}, {"--no-such"}, {"--cluster-init=2x"}} {
		if _, err := argsParse("server", args); err == nil {
			t.Errorf("%q: taken", args)
		}
	}
}

func TestNumbersStayWhole(t *testing.T) {
	path := configAt(t, map[string]string{"config.yaml": "https-listen-port: 6443\ntoken: 1073741824\n"})
	o, err := optionsLoad("server", []string{"--config", path}, func(string) {})
	if err != nil || o.text("token") != "1073741824" {
		t.Errorf("%v %v", err, o.values)
	}
}

func TestNamedConfigThatIsMissingIsAnError(t *testing.T) {
	if _, err := optionsLoad("server", []string{"--config", "/nonexistent/config.yaml"}, func(string) {}); err == nil {
		t.Error("taken")
	}
}

func TestExtraArgumentReplacesOurs(t *testing.T) {
	got := strings.Join(argsWith([]string{"b=9", "c"}, "a=1", "b=2"), " ")
	if got != "--a=1 --b=9 --c" {
		t.Error(got)
	}
}
