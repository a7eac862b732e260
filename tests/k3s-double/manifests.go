// The manifests folder, by K3s' rules: .yaml, .yml and .json in order of their paths, looked at every 15 s, applied
// when changed; an object that vanishes from a file is pruned, a file that vanishes leaves its objects; NAME.skip
// beside a file stops it; an error in one file does not hold up the others.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

const deployEvery = 15 * time.Second

// object names one object of a manifest.
type object struct{ Group, Version, Kind, Namespace, Name string }

func objectOf(u *unstructured.Unstructured) object {
	k := u.GroupVersionKind()
	return object{k.Group, k.Version, k.Kind, u.GetNamespace(), u.GetName()}
}

// same: the version an object is written in does not make it another one.
func (o object) same(p object) bool {
	o.Version, p.Version = "", ""
	return o == p
}

func (o object) String() string { return strings.Trim(o.Kind+" "+o.Namespace+"/"+o.Name, "/") }

// addon is what is kept of a file: what was applied last, and what of it we own. It is an Addon in the cluster under the
// name of the file, as in K3s: two servers with a file of one name have one Addon, and the one that looks at its file
// last has its way.
type addon struct {
	Checksum string
	Objects  []object
}

var addonResource = schema.GroupVersionResource{Group: "k3s.cattle.io", Version: "v1", Resource: "addons"}

const (
	addonObjects = "hearth.k3s-double/objects" // K3s finds them by labels of the objects
	addonKind    = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: addons.k3s.cattle.io}
spec:
  group: k3s.cattle.io
  names: {kind: Addon, plural: addons, singular: addon}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`
)

// addonKindEnsure makes the kind of Addons and waits until it is served.
func (d *deployer) addonKindEnsure(ctx context.Context) error {
	kind, err := manifestParse([]byte(addonKind))
	if err != nil {
		return err
	}
	return until(ctx, "the kind Addon", time.Second, func() error {
		_, err := d.kept.List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			return nil
		}
		return errors.Join(err, d.apply(ctx, kind[0]))
	})
}

// addonName: K3s' rule, the base name up to the first dot.
func addonName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	return name
}

// manifestParse gives the objects of a file; lists are taken apart.
func manifestParse(body []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(body), 4096)
	for n := 1; ; n++ {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if len(document) == 0 {
			continue
		}
		u := &unstructured.Unstructured{Object: document}
		if u.GetAPIVersion() == "" || u.GetKind() == "" {
			return nil, fmt.Errorf("document %d: apiVersion and kind must be given", n)
		}
		if !u.IsList() {
			objects = append(objects, u)
			continue
		}
		items, err := u.ToList()
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		for i := range items.Items {
			objects = append(objects, &items.Items[i])
		}
	}
}

// pruned is what was owned and is not wanted any more, last made first.
func pruned(owned, wanted []object) []object {
	var gone []object
	for i := len(owned) - 1; i >= 0; i-- {
		kept := false
		for _, w := range wanted {
			kept = kept || owned[i].same(w)
		}
		if !kept {
			gone = append(gone, owned[i])
		}
	}
	return gone
}

// manifestFiles lists what is to be deployed, in order, as paths below the folder.
func manifestFiles(folder string, disabled []string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		base, extension := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name)
		if path != folder && (strings.HasPrefix(name, ".") || contains(disabled, base)) {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.IsDir() || !contains([]string{".yaml", ".yml", ".json"}, extension) || exists(path+".skip") {
			return nil
		}
		relative, err := filepath.Rel(folder, path)
		files = append(files, relative)
		return err
	})
	sort.Strings(files)
	return files, err
}

// deployer applies the folder of this server.
type deployer struct {
	folder   string
	disabled []string
	owner    string
	looked   map[string]time.Time // when the files were changed that were applied, or found applied, in this start
	said     map[string]string
	mapper   meta.ResettableRESTMapper
	client   dynamic.Interface
	kept     dynamic.ResourceInterface
}

func (s *server) localApi() *rest.Config {
	return &rest.Config{Host: "https://127.0.0.1:" + apiPort, QPS: 50, Burst: 100, TLSClientConfig: rest.TLSClientConfig{
		CAFile: s.server("tls", "server-ca.crt"), CertFile: s.server("tls", "client-supervisor.crt"),
		KeyFile: s.server("tls", "client-supervisor.key")}}
}

// nodePasswordCheck holds a server's own node to the rule the supervisor has for others.
func (s *server) nodePasswordCheck(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(s.localApi())
	if err != nil {
		return err
	}
	return until(ctx, "this node's password", 2*time.Second, func() error {
		same, err := nodePasswordEnsure(ctx, client, s.name, s.password)
		if err == nil && !same {
			err = errors.New("Node password rejected, duplicate hostname or contents of '" + passwordPath +
				"' may not match server node-passwd entry")
		}
		return err
	})
}

// deploy is the last thing a server starts and stays in.
func (s *server) deploy(ctx context.Context) error {
	config := s.localApi()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	untyped, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	d := &deployer{folder: s.server("manifests"), disabled: s.disabled(), owner: "deploy@" + s.name,
		looked: map[string]time.Time{}, said: map[string]string{}, client: untyped, kept: untyped.Resource(addonResource).Namespace(metav1.NamespaceSystem),
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))}
	if err := os.MkdirAll(d.folder, 0o700); err != nil {
		return err
	}
	if err := d.addonKindEnsure(ctx); err != nil {
		return err
	}
	go func() {
		if err := s.membershipKeep(ctx, client); err != nil {
			s.failed <- err
		}
	}()
	for {
		if err := d.round(ctx); err != nil {
			log.Printf("k3s: manifests: %v", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(deployEvery):
		}
	}
}

func (d *deployer) round(ctx context.Context) error {
	files, err := manifestFiles(d.folder, d.disabled)
	if err != nil {
		return err
	}
	for _, file := range files {
		word := ""
		if err := d.file(ctx, file); err != nil {
			word = err.Error()
		}
		if word != d.said[file] {
			d.said[file] = word
			if word != "" {
				log.Printf("k3s: manifests: %s: %s", file, word)
			}
		}
	}
	return nil
}

// load gives what the cluster keeps of a file; nothing for one it never saw.
func (d *deployer) load(ctx context.Context, name string) (addon, error) {
	kept, err := d.kept.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return addon{}, nil
	}
	if err != nil {
		return addon{}, err
	}
	var was addon
	if was.Checksum, _, err = unstructured.NestedString(kept.Object, "spec", "checksum"); err == nil {
		err = json.Unmarshal([]byte(kept.GetAnnotations()[addonObjects]), &was.Objects)
	}
	return was, err
}

func (d *deployer) save(ctx context.Context, file, name string, now addon) error {
	objects, err := json.Marshal(now.Objects)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "k3s.cattle.io/v1", "kind": "Addon",
		"metadata": map[string]any{"name": name, "namespace": metav1.NamespaceSystem,
			"annotations": map[string]any{addonObjects: string(objects)}},
		"spec": map[string]any{"source": filepath.Join(d.folder, file), "checksum": now.Checksum}}}
	_, err = d.kept.Apply(ctx, name, u, metav1.ApplyOptions{FieldManager: d.owner, Force: true})
	return err
}

func (d *deployer) file(ctx context.Context, file string) error {
	path := filepath.Join(d.folder, file)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if when, ok := d.looked[file]; ok && when.Equal(info.ModTime()) {
		return nil
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := d.body(ctx, file, body); err != nil {
		return err
	}
	d.looked[file] = info.ModTime()
	return nil
}

func (d *deployer) body(ctx context.Context, file string, body []byte) error {
	sum := sha256.Sum256(body)
	checksum, name := hex.EncodeToString(sum[:]), addonName(file)
	was, err := d.load(ctx, name)
	if err != nil || was.Checksum == checksum {
		return err
	}
	objects, err := manifestParse(body)
	if err != nil {
		return err
	}
	now := addon{Objects: []object{}}
	var failed []error
	for _, u := range objects {
		if err := d.apply(ctx, u); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", objectOf(u), err))
		}
		now.Objects = append(now.Objects, objectOf(u))
	}
	if len(failed) > 0 { // owned from now on, nothing pruned before the file is whole
		now.Objects = append(pruned(was.Objects, now.Objects), now.Objects...)
	} else {
		for _, gone := range pruned(was.Objects, now.Objects) {
			if err := d.remove(ctx, gone); err != nil {
				failed = append(failed, fmt.Errorf("%s: pruning: %w", gone, err))
				now.Objects = append([]object{gone}, now.Objects...)
			}
		}
	}
	if len(failed) == 0 {
		now.Checksum = checksum
		log.Printf("k3s: manifests: %s: applied, %d objects", file, len(now.Objects))
	}
	return errors.Join(append(failed, d.save(ctx, file, name, now))...)
}

func (d *deployer) resource(o object) (dynamic.ResourceInterface, bool, error) {
	kind := schema.GroupKind{Group: o.Group, Kind: o.Kind}
	mapping, err := d.mapper.RESTMapping(kind, o.Version)
	if meta.IsNoMatchError(err) { // a CRD that came since
		d.mapper.Reset()
		mapping, err = d.mapper.RESTMapping(kind, o.Version)
	}
	if err != nil {
		return nil, false, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return d.client.Resource(mapping.Resource), false, nil
	}
	namespace := o.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return d.client.Resource(mapping.Resource).Namespace(namespace), true, nil
}

func (d *deployer) apply(ctx context.Context, u *unstructured.Unstructured) error {
	if u.GetName() == "" {
		return errors.New("metadata.name must be given")
	}
	resource, namespaced, err := d.resource(objectOf(u))
	if err != nil {
		return err
	}
	if namespaced && u.GetNamespace() == "" {
		u.SetNamespace(metav1.NamespaceDefault)
	}
	_, err = resource.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: d.owner, Force: true})
	return err
}

func (d *deployer) remove(ctx context.Context, o object) error {
	resource, _, err := d.resource(o)
	if meta.IsNoMatchError(err) {
		return nil // its kind is gone, and it with it
	}
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	err = resource.Delete(ctx, o.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
