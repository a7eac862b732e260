// SPDX-License-Identifier: Apache-2.0
package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoAndAList = `
apiVersion: v1
kind: Namespace
metadata: {name: web}
---
# only a comment
---
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "web"}},
  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "web"}}]}
`

func names(objects []object) string {
	words := []string{}
	for _, o := range objects {
		words = append(words, o.String())
	}
	return strings.Join(words, ", ")
}

func parsed(t *testing.T, body string) []object {
	t.Helper()
	us, err := manifestParse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var objects []object
	for _, u := range us {
		objects = append(objects, objectOf(u))
	}
	return objects
}

func TestManifestListsAreTakenApart(t *testing.T) {
	if got := names(parsed(t, twoAndAList)); got != "Namespace /web, ConfigMap web/a, ConfigMap web/b" {
		t.Error(got)
	}
	if len(parsed(t, "")) != 0 {
		t.Error("an empty file has no objects")
	}
	for _, body := range []string{"kind: X\nmetadata: {name: n}\n", "a: [", "- 1\n"} {
		if _, err := manifestParse([]byte(body)); err == nil {
			t.Errorf("%q: taken", body)
		}
	}
}

func TestWhatVanishesIsPrunedLastFirst(t *testing.T) {
	owned := parsed(t, twoAndAList)
	if got := names(pruned(owned, owned)); got != "" {
		t.Errorf("nothing vanished, pruned %s", got)
	}
	if got := names(pruned(owned, owned[1:2])); got != "ConfigMap web/b, Namespace /web" {
		t.Error(got)
	}
	if got := names(pruned(owned, nil)); got != "ConfigMap web/b, ConfigMap web/a, Namespace /web" {
		t.Error(got)
	}
}

func TestANewVersionIsTheSameObject(t *testing.T) {
	was := []object{{"apps", "v1beta1", "Deployment", "d", "n"}}
	now := []object{{"apps", "v1", "Deployment", "d", "n"}}
	if got := pruned(was, now); len(got) != 0 {
		t.Errorf("pruned %v", got)
	}
}

func TestManifestFilesByK3sRules(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"20-b.yml", "10-a.yaml", "sub/05.json", ".hidden.yaml", "note.txt", "30.yaml",
		"30.yaml.skip", "traefik.yaml", "traefik/x.yaml"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := manifestFiles(folder, []string{"traefik"})
	if got := strings.Join(files, " "); err != nil || got != "10-a.yaml 20-b.yml sub/05.json" {
		t.Errorf("%s %v", got, err)
	}
}
