package bridge

import (
	"crypto/rand"
	"io"

	"p11bridge/token/secret"
)

// randomOr is the source of random numbers that a caller gave, crypto/rand where none was given. The caller's may call C code, as
// that of a device does, and keys are made within secret.Forget.
func randomOr(given io.Reader) io.Reader {
	if given == nil {
		return rand.Reader
	}
	return outsideReader{given}
}

type outsideReader struct{ io.Reader }

// Read implements io.Reader.
func (r outsideReader) Read(p []byte) (n int, err error) {
	secret.Outside(func() { n, err = r.Reader.Read(p) })
	return n, err
}
