// Package pkitest makes the keys that tests of several packages speak of by name.
package pkitest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"sync"

	"p11bridge/token/pki"
)

// publicKeys are P-256 keys by name, made when they are first asked for.
var publicKeys = struct {
	sync.Mutex
	made map[string]pki.PublicKey
}{made: map[string]pki.PublicKey{}}

// PublicKey is the P-256 key of that name, the same at every call.
func PublicKey(name string) pki.PublicKey {
	publicKeys.Lock()
	defer publicKeys.Unlock()
	if key, ok := publicKeys.made[name]; ok {
		return key
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	public, err := pki.ParsePublicKey(spki)
	if err != nil {
		panic(err)
	}
	publicKeys.made[name] = public
	return public
}
