// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
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

func TestAFileIsOneAddonOfTheClusterWhicheverServerHasIt(t *testing.T) {
	objects := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{{Version: "v1", Resource: "configmaps"}: "ConfigMapList"})
	configs := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	objects.PrependReactor("patch", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		patch := action.(clienttesting.PatchAction) // the fake does not make what is applied for the first time
		o := &unstructured.Unstructured{}
		err := json.Unmarshal(patch.GetPatch(), o)
		if err == nil && objects.Tracker().Update(patch.GetResource(), o, patch.GetNamespace()) != nil {
			err = objects.Tracker().Create(patch.GetResource(), o, patch.GetNamespace())
		}
		return true, o, err
	})
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}})
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	at := func(name string) *deployer {
		return &deployer{folder: t.TempDir(), owner: name, looked: map[string]time.Time{}, said: map[string]string{},
			client: objects, kept: objects.Resource(addonResource).Namespace("kube-system"), mapper: plainMapper{mapper}}
	}
	ctx, when := context.Background(), time.Unix(1000, 0)
	lay := func(d *deployer, names ...string) {
		t.Helper()
		body := ""
		for _, name := range names {
			body += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: web}\n"
		}
		when = when.Add(time.Second)
		path := filepath.Join(d.folder, "10-x.yaml")
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		if err := d.file(ctx, "10-x.yaml"); err != nil {
			t.Fatal(err)
		}
	}
	there := func() string {
		t.Helper()
		list, err := objects.Resource(configs).Namespace("web").List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		words := []string{}
		for _, o := range list.Items {
			words = append(words, o.GetName())
		}
		sort.Strings(words)
		return strings.Join(words, ",")
	}
	a, b := at("a"), at("b")
	lay(a, "one", "two")
	if there() != "one,two" {
		t.Fatal(there())
	}
	lay(b, "one") // another server lays the next version: what the first applied is pruned
	if there() != "one" {
		t.Error(there())
	}
	if err := a.file(ctx, "10-x.yaml"); err != nil || there() != "one" { // unchanged since it was looked at
		t.Error(err, there())
	}
	restarted := at("a")
	restarted.folder = a.folder
	if err := restarted.file(ctx, "10-x.yaml"); err != nil || there() != "one,two" { // the trap: an old file comes back
		t.Error(err, there())
	}
	if addonName("x/10-a.b.yaml") != "10-a" {
		t.Error(addonName("x/10-a.b.yaml"))
	}
}

// plainMapper is a mapper whose kinds never change.
type plainMapper struct{ meta.RESTMapper }

func (plainMapper) Reset() {}
