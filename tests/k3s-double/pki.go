// The cluster's keys and certificates, laid out as K3s lays them out under server/tls. Leaf certificates are made anew
// when they no longer fit; CAs and the service account key are made once.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 365 * 24 * time.Hour
	renewAt  = 90 * 24 * time.Hour
)

// subject is what a leaf certificate says.
type subject struct {
	name   string
	groups []string
	names  []string // DNS names and addresses; a certificate with any is for servers too
}

// caNames are the files that make two servers one cluster, relative to server/tls.
// The last one is written last: with it the set is whole.
var caNames = []string{"client-ca", "request-header-ca", "etcd/server-ca", "etcd/peer-ca", "server-ca"}

const serviceKey = "service.key"

func keyPem(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

func certificatePem(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func certificateParse(body []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(body)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("not a PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

func keyLoad(path string) (*ecdsa.PrivateKey, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(body)
	if block == nil {
		return nil, fmt.Errorf("%s: not a PEM key", path)
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

// keyEnsure makes the key at path if there is none.
func keyEnsure(path string) (*ecdsa.PrivateKey, error) {
	key, err := keyLoad(path)
	if !os.IsNotExist(err) {
		return key, err
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	body, err := keyPem(key)
	if err != nil {
		return nil, err
	}
	return key, fileSave(path, body, 0o600)
}

func serial() (*big.Int, error) { return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) }

func caEnsure(base, name string) error {
	if _, err := os.Stat(base + ".crt"); err == nil {
		return nil
	}
	key, err := keyEnsure(base + ".key")
	if err != nil {
		return err
	}
	number, err := serial()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(caLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		IsCA:     true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return fileSave(base+".crt", certificatePem(der), 0o644)
}

// pkiEnsure makes what is missing of CAs and the service account key.
func pkiEnsure(tls string) error {
	stamp := time.Now().Unix()
	for _, name := range caNames {
		title := fmt.Sprintf("k3s-%s@%d", strings.ReplaceAll(name, "/", "-"), stamp)
		if err := caEnsure(filepath.Join(tls, name), title); err != nil {
			return err
		}
	}
	_, err := keyEnsure(filepath.Join(tls, serviceKey))
	return err
}

// leafSign signs public for the subject with the CA at base.
func leafSign(base string, s subject, public crypto.PublicKey) ([]byte, error) {
	body, err := os.ReadFile(base + ".crt")
	if err != nil {
		return nil, err
	}
	ca, err := certificateParse(body)
	if err != nil {
		return nil, err
	}
	caKey, err := keyLoad(base + ".key")
	if err != nil {
		return nil, err
	}
	number, err := serial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: s.name, Organization: s.groups},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(s.names) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, name := range s.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if name != "" {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, public, caKey)
	if err != nil {
		return nil, err
	}
	// The CA comes along, so that a client can show what it would have to trust.
	return append(certificatePem(der), body...), nil
}

// leafEnsure keeps path.crt and path.key as long as they say what they should, and makes them anew otherwise.
func leafEnsure(path, base string, s subject) error {
	key, err := keyEnsure(path + ".key")
	if err != nil {
		return err
	}
	if leafFits(path+".crt", base, s) {
		return nil
	}
	body, err := leafSign(base, s, key.Public())
	if err != nil {
		return err
	}
	return fileSave(path+".crt", body, 0o644)
}

func leafFits(path, base string, s subject) bool {
	body, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	caBody, err := os.ReadFile(base + ".crt")
	if err != nil || !bytes.HasSuffix(body, caBody) {
		return false
	}
	leaf, err := certificateParse(body)
	if err != nil || leaf.Subject.CommonName != s.name || time.Until(leaf.NotAfter) < renewAt {
		return false
	}
	if strings.Join(leaf.Subject.Organization, ",") != strings.Join(s.groups, ",") {
		return false
	}
	has := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		has = append(has, ip.String())
	}
	want := append([]string{}, s.names...)
	sort.Strings(has)
	sort.Strings(want)
	return strings.Join(has, ",") == strings.Join(want, ",")
}

// requestMake gives a PEM request for a key kept at path.key; requestPublic reads one that came from outside.
func requestMake(path string) ([]byte, error) {
	key, err := keyEnsure(path + ".key")
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), err
}

func requestPublic(body []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(body)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("not a PEM certificate request")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	if err := request.CheckSignature(); err != nil {
		return nil, err
	}
	return request.PublicKey, nil
}

// unique drops empty and repeated words, keeping the order.
func unique(words ...string) []string {
	seen, out := map[string]bool{"": true}, []string{}
	for _, w := range words {
		if ip := net.ParseIP(w); ip != nil {
			w = ip.String()
		}
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// fileSave replaces a file whole, or not at all.
func fileSave(path string, body []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(body); err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
