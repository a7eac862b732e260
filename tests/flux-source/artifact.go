// From files to the status of an ExternalArtifact. Pure: no API, no clock.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"path"
	"sort"
	"strings"
	"time"
)

type artifact struct {
	Digest         string `json:"digest"`
	LastUpdateTime string `json:"lastUpdateTime"`
	Path           string `json:"path"`
	Revision       string `json:"revision"`
	Size           int64  `json:"size"`
	URL            string `json:"url"`
}

type condition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	Reason             string `json:"reason"`
	Message            string `json:"message"`
	LastTransitionTime string `json:"lastTransitionTime"`
	ObservedGeneration int64  `json:"observedGeneration"`
}

type artifactStatus struct {
	Artifact   *artifact   `json:"artifact,omitempty"`
	Conditions []condition `json:"conditions"`
}

type externalArtifact struct {
	Metadata struct {
		Name, Namespace string
		Generation      int64
	}
	Spec struct {
		SourceRef struct{ Kind, Name, Namespace string }
	}
	Status artifactStatus
}

// pack makes the tar.gz of a ConfigMap's files; the same files give the same bytes.
func pack(files map[string]string) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	keys := make([]string, 0, len(files))
	for key := range files {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		name := path.Clean(strings.ReplaceAll(key, "__", "/"))
		if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") {
			return nil, fmt.Errorf("the key %q leaves the tree", key)
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[key]))}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write([]byte(files[key])); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (o *externalArtifact) prefix() string {
	return "/" + o.Metadata.Namespace + "/" + o.Metadata.Name + "/"
}

// next is the status the object should have: @data is the artifact, or @problem says why there is none. What has not
// changed keeps its times; a source that breaks keeps its last artifact, as source-controller's do.
func (o *externalArtifact) next(data []byte, problem error, base string, now time.Time) artifactStatus {
	stamp := now.UTC().Format(time.RFC3339)
	status := artifactStatus{Artifact: o.Status.Artifact}
	ready := condition{Type: "Ready", LastTransitionTime: stamp, ObservedGeneration: o.Metadata.Generation}
	if problem != nil {
		ready.Status, ready.Reason, ready.Message = "False", "SourceNotUsable", problem.Error()
	} else {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
		file := strings.TrimPrefix(digest, "sha256:") + ".tar.gz"
		made := &artifact{Digest: digest, Revision: "latest@" + digest, Size: int64(len(data)), LastUpdateTime: stamp,
			Path: strings.TrimPrefix(o.prefix(), "/") + file, URL: base + o.prefix() + file}
		if old := o.Status.Artifact; old != nil && old.Digest == digest && old.URL == made.URL {
			made.LastUpdateTime = old.LastUpdateTime
		}
		status.Artifact = made
		ready.Status, ready.Reason = "True", "Succeeded"
		ready.Message = "stored artifact for revision '" + made.Revision + "'"
	}
	for _, old := range o.Status.Conditions {
		if old.Type == ready.Type && old.Status == ready.Status {
			ready.LastTransitionTime = old.LastTransitionTime
		}
	}
	status.Conditions = []condition{ready}
	return status
}

func (s artifactStatus) equal(other artifactStatus) bool {
	if (s.Artifact == nil) != (other.Artifact == nil) || len(s.Conditions) != len(other.Conditions) {
		return false
	}
	if s.Artifact != nil && *s.Artifact != *other.Artifact {
		return false
	}
	for i := range s.Conditions {
		if s.Conditions[i] != other.Conditions[i] {
			return false
		}
	}
	return true
}
