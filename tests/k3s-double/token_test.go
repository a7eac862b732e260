// SPDX-License-Identifier: Apache-2.0
package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTokenForms(t *testing.T) {
	hash := strings.Repeat("0f", 32)
	for word, want := range map[string]token{
		"secret":                            {"", "node", "secret"},
		"K10" + hash + "::server:s:with":    {hash, "server", "s:with"},
		"K10" + hash + "::node:agentsecret": {hash, "node", "agentsecret"},
	} {
		if got, err := tokenParse(word, "node"); err != nil || got != want {
			t.Errorf("%s: %v %v", word, got, err)
		}
	}
	for _, word := range []string{"", "K10", "K10zz::server:x", "K10" + hash, "K10" + hash + "::root:x",
		"K10" + hash + "::server:", "K10" + hash[2:] + "::server:x"} {
		if _, err := tokenParse(word, "node"); err == nil {
			t.Errorf("%q: taken", word)
		}
	}
}

func TestTokenPinsTheCa(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := caEnsure(filepath.Join(dir, name), "ca-"+name); err != nil {
			t.Fatal(err)
		}
	}
	a, err := os.ReadFile(filepath.Join(dir, "a.crt"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "b.crt"))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := caHash(a)
	if err != nil {
		t.Fatal(err)
	}
	mine := token{caHash: hash, user: "node", password: "x"}
	if err := mine.caCheck(a); err != nil {
		t.Error(err)
	}
	if mine.caCheck(b) == nil || mine.caCheck([]byte("no certificate")) == nil {
		t.Error("another CA is taken")
	}
	if again, err := tokenParse(mine.full(), "server"); err != nil || again != mine {
		t.Errorf("%v %v", again, err)
	}
	chain, err := caHash(append(append([]byte{}, b...), a...))
	if err != nil || chain == hash {
		t.Errorf("of a chain the DER of the root is hashed, got %s, %v", chain, err)
	}
}

func TestTokenFileIsTrimmedAndWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if _, err := tokenRead("", path, 0); !os.IsNotExist(err) {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(path, []byte("\n  word \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if word, err := tokenRead("", path, time.Minute); err != nil || word != "word" {
		t.Errorf("%q %v", word, err)
	}
	if err := os.WriteFile(path, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tokenRead("", path, 0); err == nil {
		t.Error("an empty file is taken")
	}
}

func TestPasswordsAreByUser(t *testing.T) {
	p := passwords{"server": "s", "node": "n", "nobody": ""}
	for _, row := range []struct {
		user, password string
		ok             bool
	}{{"server", "s", true}, {"node", "n", true}, {"node", "s", false}, {"server", "n", false}, {"nobody", "", false},
		{"root", "s", false}} {
		if p.ok(row.user, row.password) != row.ok {
			t.Errorf("%s:%s", row.user, row.password)
		}
	}
}
