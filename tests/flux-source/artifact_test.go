// SPDX-License-Identifier: Apache-2.0
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func object() *externalArtifact {
	o := &externalArtifact{}
	o.Metadata.Name, o.Metadata.Namespace, o.Metadata.Generation = "tree", "flux-system", 3
	return o
}

func mustPack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	data, err := pack(files)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPackMakesFoldersOfKeys(t *testing.T) {
	files := map[string]string{"b.yaml": "two", "apps__web.yaml": "one"}
	data := mustPack(t, files)
	if !bytes.Equal(data, mustPack(t, files)) {
		t.Fatal("the same files give other bytes")
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		found[header.Name] = string(body)
	}
	if len(found) != 2 || found["apps/web.yaml"] != "one" || found["b.yaml"] != "two" {
		t.Fatal(found)
	}
}

func TestPackRefusesKeysThatLeaveTheTree(t *testing.T) {
	for _, key := range []string{"..__etc__passwd", "__etc__passwd", "a__..__..__b"} {
		if _, err := pack(map[string]string{key: ""}); err == nil {
			t.Error(key, "was packed")
		}
	}
}

func TestNextKeepsTimesOfWhatDidNotChange(t *testing.T) {
	o, data := object(), mustPack(t, map[string]string{"a": "1"})
	o.Status = o.next(data, nil, "http://10.0.0.1:8080", noon)
	if o.Status.Conditions[0].Status != "True" || o.Status.Conditions[0].ObservedGeneration != 3 {
		t.Fatal(o.Status)
	}
	if again := o.next(data, nil, "http://10.0.0.1:8080", noon.Add(time.Hour)); !again.equal(o.Status) {
		t.Fatal(again)
	}
	moved := o.next(data, nil, "http://10.0.0.2:8080", noon.Add(time.Hour))
	if moved.equal(o.Status) || moved.Artifact.Digest != o.Status.Artifact.Digest {
		t.Fatal(moved)
	}
	changed := o.next(mustPack(t, map[string]string{"a": "2"}), nil, "http://10.0.0.1:8080", noon.Add(time.Hour))
	if changed.Artifact.Digest == o.Status.Artifact.Digest || changed.Artifact.Revision == o.Status.Artifact.Revision {
		t.Fatal(changed)
	}
}

func TestNextOfABrokenSourceKeepsTheLastArtifact(t *testing.T) {
	o := object()
	o.Status = o.next(mustPack(t, map[string]string{"a": "1"}), nil, "http://10.0.0.1:8080", noon)
	broken := o.next(nil, errors.New("ConfigMap x/y is not there"), "http://10.0.0.1:8080", noon.Add(time.Minute))
	if broken.Artifact == nil || *broken.Artifact != *o.Status.Artifact || broken.Conditions[0].Status != "False" ||
		broken.Conditions[0].LastTransitionTime == o.Status.Conditions[0].LastTransitionTime {
		t.Fatal(broken)
	}
	if first := object().next(nil, errors.New("x"), "", noon); first.Artifact != nil {
		t.Fatal(first)
	}
}
