// Tokens: the short form (a password) and the full form K10<sha256 of the CA>::<user>:<password>.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

type token struct {
	caHash   string // empty: the CA is not pinned
	user     string // server or node
	password string
}

// tokenParse takes either form; the short form gets the user given.
func tokenParse(word, user string) (token, error) {
	if word == "" {
		return token{}, errors.New("token: must not be empty")
	}
	if !strings.HasPrefix(word, "K10") {
		return token{user: user, password: word}, nil
	}
	hash, credentials, ok := strings.Cut(word[3:], "::")
	if raw, err := hex.DecodeString(hash); !ok || err != nil || len(raw) != sha256.Size {
		return token{}, errors.New("token: the form is K10<64 hex digits>::<user>:<password>")
	}
	name, password, ok := strings.Cut(credentials, ":")
	if !ok || password == "" || (name != "server" && name != "node") {
		return token{}, errors.New("token: after K10<hash>:: comes server:<password> or node:<password>")
	}
	return token{caHash: hash, user: name, password: password}, nil
}

func (t token) full() string { return "K10" + t.caHash + "::" + t.user + ":" + t.password }

// caHash: over the PEM bytes when the bundle has one certificate, else over the DER of the root (the last one).
func caHash(bundle []byte) (string, error) {
	var ders [][]byte
	for rest := bundle; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		ders = append(ders, block.Bytes)
	}
	if len(ders) == 0 {
		return "", errors.New("the CA bundle holds no certificate")
	}
	hashed := bundle
	if len(ders) > 1 {
		hashed = ders[len(ders)-1]
	}
	sum := sha256.Sum256(hashed)
	return hex.EncodeToString(sum[:]), nil
}

func (t token) caCheck(bundle []byte) error {
	hash, err := caHash(bundle)
	if err != nil {
		return err
	}
	if t.caHash != "" && t.caHash != hash {
		return fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", t.caHash, hash)
	}
	return nil
}

// tokenRead gives the configured secret: the word itself, or the trimmed file, waited for as K3s does (2 s steps, 4
// minutes). Empty when neither is configured.
func tokenRead(word, file string, wait time.Duration) (string, error) {
	if word != "" || file == "" {
		return strings.TrimSpace(word), nil
	}
	for end := time.Now().Add(wait); ; time.Sleep(2 * time.Second) {
		body, err := os.ReadFile(file)
		if err == nil {
			trimmed := string(bytes.TrimSpace(body))
			if trimmed == "" {
				return "", fmt.Errorf("%s: the token file is empty", file)
			}
			return trimmed, nil
		}
		if !os.IsNotExist(err) || !time.Now().Before(end) {
			return "", err
		}
	}
}

// passwords are what the supervisor endpoints accept, by user.
type passwords map[string]string

func (p passwords) ok(user, password string) bool {
	want, known := p[user]
	return known && want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1
}
