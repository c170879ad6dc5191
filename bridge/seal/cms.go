package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // RSAES-OAEP's default digest, which every reader and token knows
	"encoding/asn1"
	"fmt"
	"io"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// The identifiers of RFC 5652, RFC 3565 and RFC 8017.
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEnvelopedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 3}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidOAEP          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7}
	oidAES256CBC     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

const contentKeySize = 32

// envelop writes a ContentInfo with an EnvelopedData (RFC 5652 section 6.1): AES-256-CBC, which readers know that know no
// AuthEnvelopedData, under a key that is encrypted to every recipient.
func envelop(random io.Reader, content []byte, recipients []Recipient, transport Transport) ([]byte, error) {
	fresh := make([]byte, contentKeySize+aes.BlockSize)
	defer secret.Wipe(fresh)
	if _, err := io.ReadFull(random, fresh); err != nil {
		return nil, err
	}
	key, iv := fresh[:contentKeySize], fresh[contentKeySize:]
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(content)%aes.BlockSize
	ciphertext := append(make([]byte, 0, len(content)+padding), content...)
	ciphertext = append(ciphertext, bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(ciphertext, ciphertext)
	infos := make([][]byte, len(recipients))
	for i, r := range recipients {
		if infos[i], err = transportInfo(random, key, r, transport); err != nil {
			return nil, err
		}
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidEnvelopedData)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
					for _, info := range inOrder(infos) {
						b.AddBytes(info)
					}
				})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidData)
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidAES256CBC)
						b.AddASN1OctetString(iv)
					})
					b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(ciphertext) })
				})
			})
		})
	})
	return b.Bytes()
}

// inOrder sorts the elements of a SET OF as DER wants it (X.690 section 11.6).
func inOrder(elements [][]byte) [][]byte {
	sorted := slices.Clone(elements)
	slices.SortFunc(sorted, bytes.Compare)
	return sorted
}

// transportInfo is a KeyTransRecipientInfo (RFC 5652 section 6.2.1) with the recipient's issuerAndSerialNumber.
func transportInfo(random io.Reader, key []byte, r Recipient, transport Transport) ([]byte, error) {
	var encrypted []byte
	var err error
	if transport == PKCS1 {
		//lint:ignore SA1019 for readers that know nothing else
		encrypted, err = rsa.EncryptPKCS1v15(random, r.rsa, key)
	} else {
		encrypted, err = rsa.EncryptOAEP(sha1.New(), random, r.rsa, key, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt to %s: %w", r.Name, err)
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddBytes(issuerAndSerial(r.certificate))
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if transport == PKCS1 {
				b.AddASN1ObjectIdentifier(oidRSA)
				b.AddASN1NULL()
				return
			}
			b.AddASN1ObjectIdentifier(oidOAEP)
			b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {}) // RSAES-OAEP-params: all defaults
		})
		b.AddASN1OctetString(encrypted)
	})
	return b.Bytes()
}

// issuerAndSerial is a certificate's IssuerAndSerialNumber in DER (RFC 5652 section 10.2.4), nil where the certificate is none.
func issuerAndSerial(c *pki.Certificate) []byte {
	whole := cryptobyte.String(c.Raw)
	var certificate, tbs, serial cryptobyte.String
	if !whole.ReadASN1(&certificate, cbasn1.SEQUENCE) || !certificate.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) || !tbs.ReadASN1Element(&serial, cbasn1.INTEGER) {
		return nil
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(c.RawIssuer)
		b.AddBytes(serial)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil
	}
	return der
}
