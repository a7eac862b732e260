// SPDX-License-Identifier: Apache-2.0
package main

import (
	"strings"
	"testing"
)

const oneMirror = `
mirrors:
  hearth.region:
    endpoint: ["https://10.0.2.2:7443"]
configs:
  "10.0.2.2:7443":
    auth: {username: pull, password: "a\"b"}
    tls: {ca_file: /run/hearth/region-ca.pem}
`

func TestMirrorBecomesHostsToml(t *testing.T) {
	r, err := registriesParse([]byte(oneMirror))
	if err != nil {
		t.Fatal(err)
	}
	want := `server = "https://hearth.region/v2"

[host."https://10.0.2.2:7443/v2"]
  capabilities = ["pull", "resolve"]
  ca = ["/run/hearth/region-ca.pem"]
`
	files := r.hostsToml()
	if files["hearth.region"] != want {
		t.Errorf("got %s", files["hearth.region"])
	}
	if !strings.Contains(files["10.0.2.2:7443"], `ca = ["/run/hearth/region-ca.pem"]`) || len(files) != 2 {
		t.Errorf("got %v", files)
	}
	auth := r.authToml()
	if !strings.Contains(auth, `registry.configs."10.0.2.2:7443".auth]`) || !strings.Contains(auth, `password = "a\"b"`) {
		t.Errorf("got %s", auth)
	}
}

func TestRegistriesRefuseWhatCannotWork(t *testing.T) {
	for _, body := range []string{"mirrors: {a: {endpoint: [ftp://x]}}", "mirrors: {a: {rewrite: {x: y}}}", "mirror: {}",
		"mirrors: {a: {endpoint: [\"https://\"]}}"} {
		if _, err := registriesParse([]byte(body)); err == nil {
			t.Errorf("%s: taken", body)
		}
	}
}
